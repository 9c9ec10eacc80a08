//! Histories: what writers were told and what readers saw while a store was under load, and what is wrong with it.
//!
//! [`storm`] makes a history on any [`EventStore`](annals::EventStore), [`check`] judges it. Neither knows which store it is.

pub mod check;
pub mod record;
pub mod storm;
