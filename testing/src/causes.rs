//! Who caused what, from the log: the tree of a command is made of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use annals::process::{AskedCommand, Cause, StepRecord};
use annals::registry::CommandRegistration;
use annals::{EventStore, EventStoreExt, ReadAll, Receipt, RecordedEvent, StreamId};
use futures::TryStreamExt;
use serde_json::Value;
use uuid::Uuid;

use crate::tracked::Origin;
use crate::tree::{
    TrackedCommand, TrackedDeadline, TrackedEvent, TrackedOutcome, TrackedStep, Tree,
};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// All that belongs to one correlation.
pub(crate) struct Causes {
    /// The events of aggregates, in the order of the log.
    events: Vec<RecordedEvent>,
    /// The steps of processes, by their names and ids.
    steps: Vec<Step>,
    /// What commands of processes were answered, by their keys.
    receipts: HashMap<String, Receipt>,
}

struct Step {
    event: RecordedEvent,
    record: StepRecord,
    /// The step before it.
    before: Option<StepRecord>,
}

/// A tree that is being made.
struct Growing<'a> {
    causes: &'a Causes,
    /// The events that have a place.
    placed: HashSet<Uuid>,
}

impl Causes {
    /// Reads what belongs to a command.
    pub(crate) async fn read(store: &dyn EventStore, origin: &Origin) -> Result<Self, AnyError> {
        let correlation = Some(origin.id.to_string());
        let log = store.read_all(ReadAll::after(origin.after));
        let events: Vec<RecordedEvent> = log
            .try_filter(|event| std::future::ready(event.metadata.correlation_id == correlation))
            .try_collect()
            .await?;
        let (steps, events): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| StepRecord::process_of(&event.stream_id).is_some());
        let steps = read_steps(store, steps).await?;
        let receipts = read_receipts(store, &steps).await?;
        Ok(Self { events, steps, receipts })
    }

    /// Makes the tree of its command.
    pub(crate) fn grow(&self, mut tree: Tree) -> Tree {
        let mut growing = Growing { causes: self, placed: HashSet::new() };
        if !matches!(tree.command.outcome, TrackedOutcome::Refused { .. }) {
            let id = tree.origin.id.to_string();
            let is_own = |event: &&RecordedEvent| event.metadata.causation_id.as_ref() == Some(&id);
            let own = self.events.iter().filter(is_own).collect();
            tree.command.outcome = TrackedOutcome::Accepted(growing.events(own));
        }
        tree.others.clear();
        while let Some(event) = self.events.iter().find(|event| !growing.placed.contains(&event.id))
        {
            tree.others.extend(growing.events(vec![event]));
        }
        tree
    }
}

impl Growing<'_> {
    fn events(&mut self, events: Vec<&RecordedEvent>) -> Vec<TrackedEvent> {
        self.placed.extend(events.iter().map(|event| event.id));
        let mut tracked = Vec::new();
        for event in events {
            let is_of = |step: &&Step| matches!(&step.record.cause, Cause::Event { id, .. } if *id == event.id);
            let steps =
                self.causes.steps.iter().filter(is_of).map(|step| self.step(step)).collect();
            let commands = self.strangers(event);
            tracked.push(TrackedEvent { event: event.clone(), steps, commands });
        }
        tracked
    }

    /// The commands that an event caused, and no process sent.
    fn strangers(&mut self, cause: &RecordedEvent) -> Vec<TrackedCommand> {
        let cause = cause.id.to_string();
        let mut commands: BTreeMap<_, Vec<&RecordedEvent>> = BTreeMap::new();
        for event in &self.causes.events {
            let metadata = &event.metadata;
            if metadata.command_causation_id.as_ref() == Some(&cause)
                && !self.placed.contains(&event.id)
                && !self.causes.is_of_process(event)
            {
                commands.entry(metadata.causation_id.clone()).or_default().push(event);
            }
        }
        let tracked = commands.into_values().map(|events| TrackedCommand {
            name: None,
            content: Value::Null,
            outcome: TrackedOutcome::Accepted(self.events(events)),
        });
        tracked.collect()
    }

    fn step(&mut self, step: &Step) -> TrackedStep {
        let Step { event, record, .. } = step;
        let mut is_dropped = false;
        let mut commands = Vec::new();
        for asked in &record.commands {
            let outcome = self.outcome(asked, is_dropped);
            is_dropped |= matches!(outcome, TrackedOutcome::Refused { .. });
            let (name, content) = (Some(asked.name.clone()), asked.content.clone());
            commands.push(TrackedCommand { name, content, outcome });
        }
        let id = event.id.to_string();
        let follows = |next: &&Step| {
            next.event.metadata.causation_id.as_ref() == Some(&id)
                && !matches!(next.record.cause, Cause::Refusal { .. })
        };
        let then = self.causes.steps.iter().filter(follows).map(|next| self.step(next)).collect();
        TrackedStep {
            process: StepRecord::process_of(&event.stream_id).unwrap_or_default().to_owned(),
            id: event.stream_id.id().to_owned(),
            cause: record.cause.clone(),
            begins: step.begins(),
            ends: record.ends,
            deadlines: step.deadlines(),
            commands,
            then,
        }
    }

    fn outcome(&mut self, asked: &AskedCommand, is_dropped: bool) -> TrackedOutcome {
        let causes = self.causes;
        if let Some(receipt) = causes.receipts.get(&asked.key) {
            let events = causes.events.iter().filter(|event| is_in(receipt, event)).collect();
            return TrackedOutcome::Accepted(self.events(events));
        }
        for step in &causes.steps {
            if let Cause::Refusal { key, kind, reason, .. } = &step.record.cause
                && *key == asked.key
            {
                let (kind, reason) = (kind.clone(), reason.clone());
                return TrackedOutcome::Refused {
                    kind,
                    reason,
                    step: Some(Box::new(self.step(step))),
                };
            }
        }
        if is_dropped { TrackedOutcome::Dropped } else { TrackedOutcome::Waiting }
    }
}

impl Causes {
    fn is_of_process(&self, event: &RecordedEvent) -> bool {
        self.receipts.values().any(|receipt| is_in(receipt, event))
    }
}

impl Step {
    fn begins(&self) -> bool {
        self.before.as_ref().is_none_or(|before| before.incarnation < self.record.incarnation)
    }

    fn deadlines(&self) -> Vec<TrackedDeadline> {
        let none = BTreeMap::new();
        let before = match &self.before {
            Some(before) if !self.begins() => &before.deadlines,
            _ => &none,
        };
        let after = if self.record.ends { &none } else { &self.record.deadlines };
        let set = after.iter().filter(|(name, due)| before.get(*name) != Some(due));
        let mut changes: BTreeMap<&String, _> = set.map(|(name, due)| (name, Some(*due))).collect();
        let is_fired =
            |of: &String| matches!(&self.record.cause, Cause::Deadline { name, .. } if name == of);
        // One that ends has no deadlines any more: that goes without saying.
        let gone = before.keys().filter(|name| !after.contains_key(*name) && !is_fired(name));
        changes.extend(gone.filter(|_| !self.record.ends).map(|name| (name, None)));
        let changes = changes.into_iter();
        changes.map(|(name, due)| TrackedDeadline { name: name.clone(), due }).collect()
    }
}

/// Whether an event is one of those that a receipt is for.
fn is_in(receipt: &Receipt, event: &RecordedEvent) -> bool {
    let after = receipt.stream_version - receipt.events;
    event.stream_id == receipt.stream_id
        && (after + 1..=receipt.stream_version).contains(&event.stream_version)
}

async fn read_steps(
    store: &dyn EventStore,
    events: Vec<RecordedEvent>,
) -> Result<Vec<Step>, AnyError> {
    let mut steps = Vec::new();
    for event in events {
        let record = StepRecord::read(&event, store.codec())?;
        let version = event.stream_version;
        let before = store.read_stream(&event.stream_id, version - 1..version);
        let before: Vec<RecordedEvent> = before.try_collect().await?;
        let before =
            before.first().map(|step| StepRecord::read(step, store.codec())).transpose()?;
        steps.push(Step { event, record, before });
    }
    // Which of two processes took an event first is by chance.
    steps.sort_by(|one, other| {
        let place =
            |step: &Step| (step.event.stream_id.as_str().to_owned(), step.event.stream_version);
        place(one).cmp(&place(other))
    });
    Ok(steps)
}

async fn read_receipts(
    store: &dyn EventStore,
    steps: &[Step],
) -> Result<HashMap<String, Receipt>, AnyError> {
    let mut receipts = HashMap::new();
    for asked in steps.iter().flat_map(|step| &step.record.commands) {
        let Some(stream_id) = target(&asked.name, &asked.content) else { continue };
        let entry = store.find_key(&stream_id, &asked.key).await?;
        // What was withdrawn was refused before, or given up.
        if let Some(entry) = entry.filter(|entry| !entry.is_withdrawn()) {
            receipts.insert(asked.key.clone(), entry.receipt);
        }
    }
    Ok(receipts)
}

/// The stream of the aggregate that a command is for, if the program links its handler.
pub(crate) fn target(name: &str, content: &Value) -> Option<StreamId> {
    let handler = CommandRegistration::all().find(|handler| handler.command == name)?;
    (handler.target)(content).ok()
}
