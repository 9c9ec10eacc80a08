//! One process, run by hand: no store, no engine.

use std::sync::Arc;

use annals::PlainJson;
use annals::prelude::*;
use annals::process::{AnyProcess, Fault, Instance, Process, StepMade, Taken, process};
use serde_json::Value;
use uuid::Uuid;

/// The process of one id, and what its last step asked for.
pub struct Run {
    process: Arc<dyn AnyProcess>,
    instance: Instance,
    position: u64,
    /// The commands of the last step.
    pub sent: Vec<(String, Value)>,
    /// Whether the last step was skipped.
    pub skipped: bool,
}

impl Run {
    pub fn of<P: Process>(id: &str) -> Self {
        let process = process::<P>();
        let instance = Instance::new(&*process, id);
        Self { process, instance, position: 0, sent: Vec::new(), skipped: false }
    }

    /// Takes an event; what was sent before is accepted.
    pub fn when(mut self, mut event: RecordedEvent) -> Self {
        self.accept();
        self.position += 1;
        event.position = Position::from(self.position);
        let routed = self.process.route(&event, &PlainJson).unwrap();
        assert!(routed.iter().any(|id| id == self.instance.id()), "goes to {routed:?}");
        let taken = self.instance.event(&*self.process, &event, &PlainJson, Uuid::now_v7());
        self.took(taken)
    }

    /// Takes the refusal of the next command.
    pub fn when_rejected(self, why: &annals::process::Rejection) -> Self {
        let (step, at) = (Uuid::now_v7(), Timestamp::MIN);
        let taken = self.instance.refused(&*self.process, why, at, &PlainJson, step);
        self.took(taken)
    }

    /// Has a deadline fire.
    pub fn when_due(mut self, name: &str) -> Self {
        self.accept();
        let taken = self.instance.deadline(&*self.process, name, &PlainJson, Uuid::now_v7());
        self.took(taken)
    }

    /// Has the next command accepted.
    pub fn accept_one(&mut self) {
        self.instance.accepted();
    }

    /// Has all commands accepted.
    pub fn accept(&mut self) {
        while self.instance.is_busy() {
            self.accept_one();
        }
    }

    /// Its state, once what it sent is accepted.
    pub fn state<S: serde::de::DeserializeOwned>(&mut self) -> Option<S> {
        self.accept();
        self.instance.state().map(|state| serde_json::from_str(state.get()).unwrap())
    }

    pub fn deadlines(&self) -> Vec<(&str, Timestamp)> {
        self.instance.deadlines().iter().map(|(name, due)| (name.as_str(), *due)).collect()
    }

    /// The names of what its last step sent.
    pub fn names(&self) -> Vec<&str> {
        self.sent.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[track_caller]
    fn took(mut self, taken: Result<Taken, Fault>) -> Self {
        match taken.unwrap() {
            Taken::Made(made) => {
                let StepMade { after, .. } = *made;
                let sent = after.outgoing().iter();
                self.sent = sent.map(|sent| (sent.name.clone(), sent.content.clone())).collect();
                self.skipped = false;
                self.instance = after;
            }
            _ => {
                self.sent = Vec::new();
                self.skipped = true;
            }
        }
        self
    }
}

/// To which processes an event goes.
pub fn routed<P: Process>(event: &RecordedEvent) -> Vec<String> {
    process::<P>().route(event, &PlainJson).unwrap()
}
