//! Sagas, on each store: what the runner promises, whatever fails when.

mod begun;
mod causes;
mod codecs;
mod crashes;
mod dropped;
mod flaws;
mod health;
mod measured;
mod outages;
mod outcomes;
mod parking;
mod refused;
mod requested;
mod resumed;
mod runners;
mod scene;
mod steps;
mod storm;
mod stuck;
mod trip;
mod unreadable;
mod versions;
#[path = "../processes/watched.rs"]
mod watched;
mod woken;
