//! What is written together, and what the owner goes on with once it is.

use std::collections::HashSet;

use crate::process::{Instance, StepMade};
use crate::projection::ParkedEvent;
use crate::recorded_event::RecordedEvent;
use crate::store::{Append, CheckpointId, DeadlineChange, OutgoingCommand, RowChange};

/// What became of one process, to be written.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) id: String,
    pub(super) append: Option<Append>,
    /// What has a command never be done that is not waited for any more.
    pub(super) withdraws: Option<Append>,
    pub(super) outgoing: Vec<OutgoingCommand>,
    pub(super) answered: Vec<String>,
    pub(super) deadlines: Vec<DeadlineChange>,
    /// What it took, if the log holds it: to be parked if the step cannot be written.
    pub(super) took: Option<RecordedEvent>,
    /// What stands for it otherwise, with the process before it: parked if the step cannot be written.
    pub(super) mark: Option<(String, Instance)>,
    /// What waits from now on.
    pub(super) parks: Vec<ParkedEvent>,
    /// What waits no longer: as many of what was parked first.
    pub(super) unparks: Vec<ParkedEvent>,
    /// The process after it.
    pub(super) after: Option<Instance>,
    /// Whether the process waits with its commands for a person.
    pub(super) is_stuck: bool,
    pub(super) begins: bool,
    pub(super) is_done: bool,
    /// The name of the deadline that fired.
    pub(super) fired: Option<String>,
}

impl Planned {
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            append: None,
            withdraws: None,
            outgoing: Vec::new(),
            answered: Vec::new(),
            deadlines: Vec::new(),
            took: None,
            mark: None,
            parks: Vec::new(),
            unparks: Vec::new(),
            after: None,
            is_stuck: false,
            begins: false,
            is_done: false,
            fired: None,
        }
    }

    /// Writes a step.
    pub(super) fn made(mut self, made: StepMade) -> Self {
        let StepMade { append, outgoing, answered, deadlines, begins, is_done, after } = made;
        self.append = Some(append);
        self.outgoing = outgoing;
        self.answered = answered;
        self.deadlines = deadlines;
        (self.begins, self.is_done) = (begins, is_done);
        self.after = Some(after);
        self
    }

    /// Has a process go on as it was.
    pub(super) fn unchanged(mut self, instance: Instance) -> Self {
        self.after = Some(instance);
        self
    }

    /// Whether it withdraws the command of this key.
    pub(super) fn withdraws(&self, key: &str) -> bool {
        let claim = self.withdraws.as_ref().and_then(|append| append.key.as_ref());
        claim.is_some_and(|claim| claim.key == key)
    }

    /// The changes of what is parked.
    pub(super) fn rows(&self, reader: &CheckpointId) -> Vec<RowChange> {
        let again: HashSet<_> = self.parks.iter().map(|event| event.position).collect();
        let unparked = self.unparks.iter().filter(|event| !again.contains(&event.position));
        let unparked = unparked.map(|event| RowChange::Unpark {
            reader: reader.clone(),
            key: event.key.clone(),
            position: event.position,
        });
        unparked.chain(self.parks.iter().cloned().map(RowChange::Park)).collect()
    }
}
