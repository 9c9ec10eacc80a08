//! The processes of a test: what each takes, what comes of it, and what has to hold of every step.
//!
//! What a process does is decided by [`Instance`], as in the engine. What a test expects is not known here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use annals::process::{AnyProcess, Fault, Instance, Process, Rejection, StepMade, Taken, process};
use annals::{PlainJson, RecordedEvent, StreamHead, Timestamp};
use uuid::Uuid;

use crate::known::{Known, Sent};
use crate::outcome::{Outcome, same_state};
use crate::report;

/// So many deadlines fire one after the other before they are taken to have no end.
const ENDLESS: usize = 1_000;

/// What came of what a test did last.
#[derive(Debug, Default)]
pub(crate) struct Last {
    /// The processes that did a step, once for each.
    pub(crate) stepped: Vec<String>,
    /// The processes that passed over an event.
    pub(crate) skipped: Vec<String>,
    /// What was sent, and by which process.
    pub(crate) sent: Vec<(String, Sent)>,
}

/// All processes of one type that a test has brought into play.
pub(crate) struct Instances {
    process: Arc<dyn AnyProcess>,
    /// Whether two states are the same, as JSON.
    same_state: fn(&str, &str) -> Result<bool, serde_json::Error>,
    known: BTreeMap<String, Known>,
    story: Vec<String>,
    now: Timestamp,
    steps: u128,
    last: Last,
}

/// What a process takes.
#[derive(Clone, Copy)]
enum Input<'a> {
    Event(&'a RecordedEvent),
    Refusal(&'a Rejection),
    Deadline(&'a str),
}

impl Instances {
    pub(crate) fn new<P: Process>() -> Self {
        Self {
            process: process::<P>(),
            same_state: same_state::<P>,
            known: BTreeMap::new(),
            story: Vec::new(),
            now: Timestamp::MIN,
            steps: 0,
            last: Last::default(),
        }
    }

    pub(crate) fn process(&self) -> &dyn AnyProcess {
        &*self.process
    }

    pub(crate) const fn known(&self) -> &BTreeMap<String, Known> {
        &self.known
    }

    pub(crate) const fn last(&self) -> &Last {
        &self.last
    }

    pub(crate) fn story(&self) -> &[String] {
        &self.story
    }

    /// Where the clock stands.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&mut self, line: String) {
        self.story.push(line);
    }

    /// Begins what the next expectations look at.
    pub(crate) fn begin(&mut self) {
        self.last = Last::default();
    }

    /// Delivers an event to the processes that it goes to, after the deadlines that were due before it.
    pub(crate) fn deliver(&mut self, word: &str, event: &RecordedEvent) -> Result<(), String> {
        self.fire(|_, due| due < event.recorded_at)?;
        self.now = self.now.max(event.recorded_at);
        self.story.push(format!("{word}  {}", report::recorded(event)));
        for id in self.route(event)? {
            self.take(&id, Input::Event(event))?;
        }
        Ok(())
    }

    /// Has the clock move on, and each deadline fire at its instant. All that was sent before counts as accepted.
    pub(crate) fn pass_until(&mut self, until: Timestamp) -> Result<(), String> {
        self.known.values_mut().for_each(Known::accept_all);
        self.fire(|_, due| due <= until)?;
        self.now = until;
        Ok(())
    }

    /// Fires the deadlines that a step has set to an instant that is past. While commands of its process are on their way, a
    /// deadline waits: one of them may be refused yet.
    pub(crate) fn fire_past(&mut self) -> Result<(), String> {
        let now = self.now;
        self.fire(|known, due| due <= now && !known.instance.is_busy())
    }

    /// Has a command refused that is on its way: one of `of`, if several processes have sent it. Those before it count as
    /// accepted.
    pub(crate) fn refuse(
        &mut self,
        of: Option<&str>,
        command: &Sent,
        why: &Rejection,
    ) -> Result<(), String> {
        let line = format!("when   refused {}: {why}", command.in_words());
        self.story.push(line);
        let sent = |known: &Known| known.outgoing().any(|sent| sent == *command);
        let senders = self.known.iter().filter(|(_, known)| sent(known));
        let senders: Vec<&String> = senders.map(|(id, _)| id).collect();
        let id = match &*senders {
            [] => return Err(self.never_sent(command)),
            [id] => *id,
            several => {
                several.iter().find(|id| of.is_some_and(|of| of == **id)).ok_or_else(|| {
                    let ids: Vec<_> = several.iter().map(|id| format!("`{id}`")).collect();
                    let ids = ids.join(", ");
                    format!(
                        "several processes sent the command, {ids}: say which is meant by `.of(…)`"
                    )
                })?
            }
        };
        let id = id.clone();
        if let Some(known) = self.known.get_mut(&id) {
            while known.outgoing().next().is_some_and(|next| next != *command) {
                known.instance.accepted();
            }
        }
        self.take(&id, Input::Refusal(why))
    }

    /// Delivers the whole history again, as to an engine that has lost its checkpoint: nothing may come of it.
    pub(crate) fn deliver_again(&self, history: &[RecordedEvent]) -> Result<(), String> {
        for event in history.iter().filter(|event| self.process.takes(event)) {
            for id in self.route(event)? {
                let known = self.known.get(&id);
                if known.is_some_and(|known| known.parked.is_some()) {
                    continue;
                }
                let instance = known.map_or_else(
                    || Instance::new(&*self.process, &id),
                    |known| known.instance.clone(),
                );
                let taken = self.run(&instance, Input::Event(event), Uuid::nil());
                if !matches!(taken, Ok(Taken::Skipped)) {
                    return Err(format!(
                        "process `{id}` takes an event that is delivered a second time: {}",
                        report::recorded(event)
                    ));
                }
            }
        }
        Ok(())
    }

    /// Fires the deadlines that are due, in the order of their instants.
    fn fire(&mut self, is_due: impl Fn(&Known, Timestamp) -> bool) -> Result<(), String> {
        let told = self.story.len();
        for _ in 0..ENDLESS {
            let going = self.known.iter().filter(|(_, known)| known.parked.is_none());
            let set = going.flat_map(|(id, known)| {
                let set = known.instance.deadlines().iter();
                set.filter(|(_, due)| is_due(known, **due)).map(move |(name, due)| (*due, id, name))
            });
            let Some((_, id, name)) = set.min() else {
                return Ok(());
            };
            let (id, name) = (id.clone(), name.clone());
            self.take(&id, Input::Deadline(&name))?;
        }
        // Of all that fired, the first few lines tell enough.
        self.story.truncate(told + 3);
        self.story.push("…".to_owned());
        Err(format!("deadlines fire without an end: {ENDLESS} of them, one after the other"))
    }

    /// To which processes an event goes: the same ones each time.
    fn route(&self, event: &RecordedEvent) -> Result<Vec<String>, String> {
        let route = || {
            self.process.route(event, &PlainJson).map_err(|fault| {
                let event = report::recorded(event);
                format!("the event goes to no process: {}\n\n  {event}", report::in_words(&fault))
            })
        };
        let (ids, again) = (route()?, route()?);
        if ids != again {
            let event = report::recorded(event);
            return Err(format!(
                "the event goes to {ids:?}, and asked again, to {again:?}: a key depends on what is not in its event\n\n  {event}"
            ));
        }
        Ok(ids)
    }

    /// Has one process take something, and checks what holds of every step.
    fn take(&mut self, id: &str, input: Input<'_>) -> Result<(), String> {
        let process = &*self.process;
        let known = self
            .known
            .entry(id.to_owned())
            .or_insert_with(|| Known::new(Instance::new(process, id)));
        if known.parked.is_some() {
            return Ok(());
        }
        if !matches!(input, Input::Refusal(_)) {
            known.accept_all();
        }
        let before = known.instance.clone();
        self.steps += 1;
        let step_id = Uuid::from_u128(self.steps);
        let taken = self.run(&before, input, step_id);
        self.ensure_same(id, &taken, &self.run(&before, input, step_id))?;
        if let (Input::Deadline(name), false) = (input, matches!(taken, Ok(Taken::Skipped))) {
            self.story.push(format!("fired  `{id}`: {name}"));
        }
        match taken {
            Ok(Taken::Made(made)) => self.made(id, input, &made),
            Ok(_) => {
                if matches!(input, Input::Event(_)) {
                    self.last.skipped.push(id.to_owned());
                }
                Ok(())
            }
            Err(fault) => {
                let why = report::in_words(&fault);
                self.story.push(format!("parked `{id}`: {why}"));
                self.known.entry(id.to_owned()).and_modify(|known| known.parked = Some(why));
                Ok(())
            }
        }
    }

    fn run(&self, instance: &Instance, input: Input<'_>, step_id: Uuid) -> Result<Taken, Fault> {
        let process = &*self.process;
        match input {
            Input::Event(event) => instance.event(process, event, &PlainJson, step_id),
            Input::Refusal(why) => instance.refused(process, why, self.now, &PlainJson, step_id),
            Input::Deadline(name) => instance.deadline(process, name, &PlainJson, step_id),
        }
    }

    /// Takes in a step, as an engine does that reads it back from its stream.
    fn made(&mut self, id: &str, input: Input<'_>, made: &StepMade) -> Result<(), String> {
        let done = self.known.get(id).map_or(0, |known| known.steps);
        let after = self.read_back(id, done + 1, made)?;
        let again = match input {
            Input::Deadline(name) if after.deadlines().contains_key(name) => Ok(Taken::Skipped),
            Input::Refusal(_) => Ok(Taken::Skipped),
            _ => self.run(&after, input, Uuid::nil()),
        };
        if !matches!(again, Ok(Taken::Skipped)) {
            return Err(format!("bug in annals: process `{id}` takes the same a second time"));
        }
        for outgoing in after.outgoing() {
            let sent = Sent { name: outgoing.name.clone(), content: outgoing.content.clone() };
            self.story.push(format!("sent   `{id}`: {}", sent.in_words()));
            self.last.sent.push((id.to_owned(), sent));
        }
        if after.state().is_none() {
            self.story.push(format!("done   `{id}`"));
        }
        self.last.stepped.push(id.to_owned());
        if let Some(known) = self.known.get_mut(id) {
            known.instance = after;
            known.steps += 1;
            let sent = known.outgoing().collect::<Vec<_>>();
            known.sent.extend(sent);
        }
        Ok(())
    }

    /// Reads the process back from its stream, with none, some and all of its commands answered: it has to be the one that made
    /// the step.
    fn read_back(&self, id: &str, version: u64, made: &StepMade) -> Result<Instance, String> {
        let [step] = &*made.append.events else {
            return Err("bug in annals: a step is not one event".to_owned());
        };
        let head = StreamHead::new(version, annals::Position::START, self.now);
        let step = RecordedEvent::new(step.clone(), made.append.stream_id.clone(), head);
        let keys: Vec<&str> = made.outgoing.iter().map(|command| &*command.key).collect();
        let mut after = made.after.clone();
        let mut unanswered = None;
        for answered in 0..=keys.len() {
            let waits = |key: &str| keys[answered..].contains(&key);
            let read = Instance::load(&*self.process, id, &step, &PlainJson, waits)
                .map_err(|error| report::in_words(&error))?;
            let (expected, found) = (format!("{after:#?}"), format!("{read:#?}"));
            if expected != found {
                let difference = report::diff(&expected, &found, "before", "read back");
                return Err(format!(
                    "bug in annals: process `{id}` reads back as another, with {answered} of its commands answered\n\n{difference}"
                ));
            }
            unanswered.get_or_insert(read);
            after.accepted();
        }
        Ok(unanswered.unwrap_or(after))
    }

    /// A step is pure: done again, it does the same.
    fn ensure_same(
        &self,
        id: &str,
        one: &Result<Taken, Fault>,
        other: &Result<Taken, Fault>,
    ) -> Result<(), String> {
        let (first, second) = (Outcome::of(one), Outcome::of(other));
        let same_state = match (&first.state, &second.state) {
            (Some(one), Some(other)) => (self.same_state)(one, other).unwrap_or(one == other),
            (one, other) => one == other,
        };
        if same_state && first.rest == second.rest {
            return Ok(());
        }
        let difference = report::diff(&first.shown(), &second.shown(), "first", "again");
        Err(format!(
            "process `{id}` does something else when it takes the same again: a step depends on what is neither in its state nor in what it takes, as a clock, a random number or a static\n\n{difference}"
        ))
    }

    fn never_sent(&self, command: &Sent) -> String {
        let mut text = String::new();
        let mut accepted = false;
        for (id, known) in &self.known {
            accepted |= known.sent.contains(command);
            for sent in known.outgoing() {
                let _ = write!(text, "\n  `{id}`: {}", sent.in_words());
            }
        }
        let what = if accepted {
            "counts as accepted: its process has taken something since, or time has passed"
        } else {
            "was never sent"
        };
        let sent = if text.is_empty() { "\n  (no commands)" } else { &text };
        format!("command {} {what}\n\non their way are:{sent}", command.in_words())
    }
}
