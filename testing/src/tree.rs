//! What came of a command, as a tree.

use std::fmt;

use annals::process::{Cause, RejectionKind};
use annals::{RecordedEvent, Timestamp};
use serde_json::Value;

use crate::report;
use crate::tracked::Origin;

/// What came of a command: its events, the steps of the processes that saw them, their commands, and so on.
///
/// It prints without ids of events and without instants, so that it is the same each time: a snapshot of `insta`, say.
/// [`Tracked::dispatch`](crate::Tracked::dispatch) gives it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tree {
    /// The command that was dispatched.
    pub command: TrackedCommand,
    /// Events that belong to the same correlation, and of which nothing in the tree is the cause.
    pub others: Vec<TrackedEvent>,
    pub(crate) origin: Origin,
}

/// A command, and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrackedCommand {
    /// Its name; `None` if it is not known, as of one that no process sent.
    pub name: Option<String>,
    /// What it says.
    pub content: Value,
    /// What it was answered.
    pub outcome: TrackedOutcome,
}

/// What a command was answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TrackedOutcome {
    /// It was accepted, with these events.
    Accepted(Vec<TrackedEvent>),
    /// It was refused.
    Refused {
        /// What kind of refusal it was, as [`RejectionKind::as_str`] names it.
        kind: String,
        /// Why.
        reason: String,
        /// The step that took the refusal.
        step: Option<Box<TrackedStep>>,
    },
    /// It did not go out, since one before it was refused.
    Dropped,
    /// Nothing is known of an answer.
    Waiting,
}

/// An event, and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrackedEvent {
    /// The event.
    pub event: RecordedEvent,
    /// The steps of the processes that took it, by their names and ids.
    pub steps: Vec<TrackedStep>,
    /// The commands that no process sent, as those of a reactor.
    pub commands: Vec<TrackedCommand>,
}

/// A step of a process, and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TrackedStep {
    /// The name of the process manager.
    pub process: String,
    /// The id of the process.
    pub id: String,
    /// What caused the step.
    pub cause: Cause,
    /// Whether the process began with it.
    pub begins: bool,
    /// Whether the process ends with it.
    pub ends: bool,
    /// The deadlines that it set, moved or cancelled, by their names.
    pub deadlines: Vec<TrackedDeadline>,
    /// The commands that it sent, in their order.
    pub commands: Vec<TrackedCommand>,
    /// The steps of the same process of which it is the cause: those of deadlines, above all.
    pub then: Vec<TrackedStep>,
}

/// What a step did with a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedDeadline {
    /// Its name.
    pub name: String,
    /// When it is due; `None` if it was cancelled.
    pub due: Option<Timestamp>,
}

/// A part of a tree.
#[derive(Debug, Clone, Copy)]
enum Node<'a> {
    Command(&'a TrackedCommand),
    Event(&'a TrackedEvent),
    Step(&'a TrackedStep),
}

impl Tree {
    pub(crate) fn of(
        origin: Origin,
        name: &str,
        content: Value,
        refused: Option<TrackedOutcome>,
    ) -> Self {
        let outcome = refused.unwrap_or(TrackedOutcome::Waiting);
        let command = TrackedCommand { name: Some(name.to_owned()), content, outcome };
        Self { command, others: Vec::new(), origin }
    }

    /// All events, in the order of the tree.
    pub fn events(&self) -> Vec<&RecordedEvent> {
        self.pick(|node| match node {
            Node::Event(event) => Some(&event.event),
            _ => None,
        })
    }

    /// All commands, in the order of the tree.
    pub fn commands(&self) -> Vec<&TrackedCommand> {
        self.pick(|node| match node {
            Node::Command(command) => Some(command),
            _ => None,
        })
    }

    /// The commands that were refused, in the order of the tree.
    pub fn refusals(&self) -> Vec<&TrackedCommand> {
        let mut commands = self.commands();
        commands.retain(|command| matches!(command.outcome, TrackedOutcome::Refused { .. }));
        commands
    }

    /// All steps of processes, in the order of the tree.
    pub fn steps(&self) -> Vec<&TrackedStep> {
        self.pick(|node| match node {
            Node::Step(step) => Some(step),
            _ => None,
        })
    }

    /// What became of deadlines, in the order of the tree.
    pub fn deadlines(&self) -> Vec<&TrackedDeadline> {
        self.steps().into_iter().flat_map(|step| &step.deadlines).collect()
    }

    fn pick<'a, T>(&'a self, pick: impl Fn(Node<'a>) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        let others = self.others.iter().map(Node::Event);
        for root in std::iter::once(Node::Command(&self.command)).chain(others) {
            root.visit(0, &mut |_, node| found.extend(pick(node)));
        }
        found
    }
}

impl TrackedOutcome {
    pub(crate) fn refused(kind: RejectionKind, reason: String) -> Self {
        Self::Refused { kind: kind.as_str().to_owned(), reason, step: None }
    }
}

impl<'a> Node<'a> {
    /// Visits it and what is below it, with how deep it is.
    fn visit(self, depth: usize, see: &mut impl FnMut(usize, Node<'a>)) {
        see(depth, self);
        let below = depth + 1;
        match self {
            Self::Command(command) => match &command.outcome {
                TrackedOutcome::Accepted(events) => {
                    for event in events {
                        Node::Event(event).visit(below, see);
                    }
                }
                TrackedOutcome::Refused { step, .. } => {
                    if let Some(step) = step {
                        Node::Step(step).visit(below + 1, see);
                    }
                }
                TrackedOutcome::Dropped | TrackedOutcome::Waiting => {}
            },
            Self::Event(event) => {
                event.below().for_each(|node| node.visit(below, see));
            }
            Self::Step(step) => {
                step.below().for_each(|node| node.visit(below, see));
            }
        }
    }
}

impl TrackedEvent {
    fn below(&self) -> impl Iterator<Item = Node<'_>> {
        self.steps.iter().map(Node::Step).chain(self.commands.iter().map(Node::Command))
    }
}

/// A line for each part, below and to the right of its cause.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut done = Ok(());
        let mut print = |depth: usize, node: Node<'_>| {
            for (further, line) in node.lines() {
                let indent = 2 * (depth + further);
                done = done.and_then(|()| writeln!(f, "{:indent$}{line}", ""));
            }
        };
        Node::Command(&self.command).visit(0, &mut print);
        for other in &self.others {
            Node::Event(other).visit(0, &mut print);
        }
        done
    }
}

impl Node<'_> {
    /// What is printed of it alone, and how much deeper.
    fn lines(self) -> Vec<(usize, String)> {
        match self {
            Self::Event(event) => vec![(0, report::recorded(&event.event))],
            Self::Command(TrackedCommand { name, content, outcome }) => {
                let line = match name {
                    Some(name) => format!("{name} {content}"),
                    None => "(a command that no process sent)".to_owned(),
                };
                let mut lines = vec![(0, line)];
                match outcome {
                    TrackedOutcome::Accepted(events) if events.is_empty() => {
                        lines.push((1, "(no events)".to_owned()));
                    }
                    TrackedOutcome::Accepted(_) => {}
                    TrackedOutcome::Refused { kind, reason, .. } => {
                        lines.push((1, format!("refused ({kind}): {reason}")));
                    }
                    TrackedOutcome::Dropped => lines.push((1, "(did not go out)".to_owned())),
                    TrackedOutcome::Waiting => lines.push((1, "(no answer yet)".to_owned())),
                }
                lines
            }
            Self::Step(step) => step.lines(),
        }
    }
}

impl TrackedStep {
    fn below(&self) -> impl Iterator<Item = Node<'_>> {
        self.commands.iter().map(Node::Command).chain(self.then.iter().map(Node::Step))
    }

    fn lines(&self) -> Vec<(usize, String)> {
        let what = match &self.cause {
            Cause::Deadline { name, .. } => format!(", deadline {name}"),
            Cause::Dropped { .. } => ", given up by a person".to_owned(),
            _ => String::new(),
        };
        let turn = match (self.begins, self.ends) {
            (true, true) => " begins and ends",
            (true, false) => " begins",
            (false, true) => " ends",
            (false, false) => "",
        };
        let line = format!("{} `{}`{what}{turn}", self.process, self.id);
        let deadlines = self.deadlines.iter().map(|deadline| {
            let what = if deadline.due.is_some() { "sets" } else { "cancels" };
            (1, format!("{what} deadline {}", deadline.name))
        });
        std::iter::once((0, line)).chain(deadlines).collect()
    }
}
