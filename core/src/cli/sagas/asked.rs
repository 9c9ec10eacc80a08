//! `sagas retry` and `sagas drop`: what a person decides of one that is parked, done by whoever runs sagas.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{find, journal, not_begun, state, stream_of};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::requests::{LOOK, ask_and_wait, forget};
use crate::cli::span;
use crate::request::{Request, Wish};
use crate::saga::{Instance, asked_of};

#[derive(Debug, Args)]
pub(in crate::cli) struct Chosen {
    /// The saga
    name: String,
    /// The id under which it was begun
    id: String,
    /// How long to wait for it to be done
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    wait: Duration,
}

/// `{"saga", "id", "did", "done", "state", "not_undone"}`: `done` is false of what nobody has done, which is asked no more; `state` is how the
/// saga is now, and `not_undone` names the steps that are not undone.
#[derive(Serialize)]
struct Outcome {
    saga: &'static str,
    id: String,
    did: &'static str,
    done: bool,
    state: &'static str,
    not_undone: Vec<String>,
}

impl Chosen {
    pub(super) async fn retry(
        self,
        store: &Store,
        console: &mut Console,
    ) -> Result<Verdict, Fault> {
        self.standing(store, &["parked"]).await?;
        let wish = Wish::Retry { key: self.id.clone() };
        let outcome = self.ask(store, wish, "retried").await?;
        console.answer(&outcome)?;
        Ok(Verdict::wrong_if(outcome.state != "compensated"))
    }

    pub(super) async fn drop(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let instance = self.standing(store, &["parked", "left"]).await?;
        let Self { name, id, .. } = &self;
        let what = match steps(&instance).join(", ") {
            steps if instance.parked_at().is_some() => format!("nobody undoes {steps} any more"),
            // Only a runner knows what it can read.
            _ => "if the runner cannot go on with it, nobody does any more".to_owned(),
        };
        console.confirm(&format!("ends saga `{id}` of `{name}` as it is: {what}"))?;
        let wish = Wish::Drop { key: self.id.clone() };
        let outcome = self.ask(store, wish, "dropped").await?;
        console.answer(&outcome)?;
        Ok(Verdict::wrong_if(outcome.state != "dropped"))
    }

    /// The saga, if it stands as one of these.
    async fn standing(&self, store: &Store, states: &[&str]) -> Result<Instance, Fault> {
        let Self { name, id, .. } = self;
        let saga = find(name)?.name;
        let kept = journal(store).load(saga, &stream_of(saga, id)).await?;
        let instance = kept.ok_or_else(|| not_begun(saga, id))?.instance;
        let state = state(saga, &instance, &store.readers().await?);
        if states.contains(&state) {
            return Ok(instance);
        }
        Err(Fault::Absent(format!("saga `{id}` of `{name}` is not parked: it is {state}")))
    }

    /// Asks, and waits until it is over.
    async fn ask(&self, store: &Store, wish: Wish, did: &'static str) -> Result<Outcome, Fault> {
        let until = Instant::now() + self.wait;
        let saga = find(&self.name)?.name;
        let asked = [Request::new(asked_of(saga), wish)];
        let done = ask_and_wait(store, &asked, self.wait).await?;
        if !done {
            // Done later, it would surprise whoever has gone.
            forget(store, &asked).await?;
        }
        let (journal, id) = (journal(store), self.id.clone());
        loop {
            let kept = journal.load(saga, &stream_of(saga, &id)).await?;
            let instance = kept.ok_or_else(|| not_begun(saga, &id))?.instance;
            // It is tried again from when it is asked no more; a drop is over then.
            let is_over = instance.outcome().is_some() || did == "dropped";
            if is_over || Instant::now() >= until {
                let state = state(saga, &instance, &store.readers().await?);
                let not_undone = steps(&instance);
                return Ok(Outcome { saga, id, did, done, state, not_undone });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn steps(instance: &Instance) -> Vec<String> {
    instance.not_undone().iter().map(|failed| failed.step.clone()).collect()
}

impl Answer for Outcome {
    fn text(&self) -> String {
        let Self { saga, id, did, done, state, not_undone } = self;
        let name = format!("saga `{}` of `{saga}`", safe(id));
        match (*did, *state) {
            _ if !done => {
                format!("{name} is {state}: no runner has taken it up, and nothing was done")
            }
            ("retried", "parked") => {
                let steps = safe(&not_undone.join(", "));
                format!("{name} was tried again, and is parked still: not undone is {steps}")
            }
            ("retried", _) => format!("{name} was tried again, and is {state}"),
            ("dropped", "left" | "running") => {
                format!("{name} is {state}: a runner can go on with it, and nothing was done")
            }
            _ => format!("{name} is {state}"),
        }
    }
}
