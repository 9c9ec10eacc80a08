//! A process that does what its event says.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use annals::prelude::*;
use annals::process::{
    CommandEnum, DeadlineMove, DeadlineName, Done, IntoCommands, NextStep, Process, ProcessManager,
    React, Refused, Rejection, SentBy, SentCommand, Step, Steps,
};
use annals::projection::{Route, RowError, Source};
use annals::{EncodeError, Misfit, Subject};
use serde::{Deserialize, Serialize};

/// Goes to the probes that it names.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub struct Poked {
    pub probes: Vec<String>,
    pub act: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    Begin,
    Ping(Vec<u32>),
    PingAll(u32),
    End(Vec<u32>),
    Wait(Duration),
    WaitUntil(Timestamp),
    Forget,
    Panic,
    CountCalls,
    Remember(HashSet<u32>),
    NotANumber,
}

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(Poked))]
pub struct Poker;

#[handlers]
impl Poker {
    #[apply(upsert)]
    fn poked(_: Option<Self>, _: &Poked) -> Self {
        Self
    }
}

/// Nobody handles it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub struct Ping {
    #[command(id)]
    pub probe: String,
    pub number: u32,
}

/// Its type has no equality, and its JSON is not the same each time.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Probe {
    pub refusals: Vec<String>,
    pub remembered: HashSet<u32>,
    pub share: f64,
}

pub const FIRST: DeadlineName = DeadlineName::new("first");
pub const SECOND: DeadlineName = DeadlineName::new("second");
pub const ENDLESS: DeadlineName = DeadlineName::new("endless");

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn pings(cx: &EventContext<Probe>, numbers: &[u32]) -> Vec<Ping> {
    numbers.iter().map(|&number| Ping { probe: cx.id().clone(), number }).collect()
}

impl Probe {
    fn poked(mut self, event: &Poked, cx: &EventContext<Self>) -> Step<Self> {
        match &event.act {
            Act::Begin => self.into_step(),
            Act::Ping(numbers) => (self, pings(cx, numbers)).into_step(),
            Act::PingAll(number) => {
                (self, Ping { probe: "all".into(), number: *number }).into_step()
            }
            Act::End(numbers) => Done(pings(cx, numbers)).into_step(),
            Act::Wait(time) => (self, [FIRST.after(*time), SECOND.after(*time / 2)]).into_step(),
            Act::WaitUntil(instant) => (self, ENDLESS.at(*instant)).into_step(),
            Act::Forget => (self, [FIRST.cancel(), SECOND.cancel()]).into_step(),
            Act::Panic => panic!("poked too hard"),
            Act::CountCalls => {
                let number = CALLS.replace(1 - CALLS.get());
                (self, pings(cx, &[number])).into_step()
            }
            Act::NotANumber => Self { share: f64::NAN, ..self }.into_step(),
            Act::Remember(numbers) => {
                self.remembered.extend(numbers);
                self.into_step()
            }
        }
    }
}

#[derive(Debug, Clone)]
pub struct ProbeCommand(Ping);

impl CommandEnum for ProbeCommand {
    const COMMANDS: &'static [SentCommand] = &[SentCommand::of::<Ping>()];

    fn sent(&self) -> &'static SentCommand {
        &Self::COMMANDS[0]
    }

    fn content(&self) -> Result<serde_json::Value, EncodeError> {
        Ok(serde_json::to_value(&self.0).expect("it is JSON"))
    }
}

impl SentBy<Probe> for Ping {
    fn into_command(self) -> ProbeCommand {
        ProbeCommand(self)
    }
}

impl IntoCommands<Probe> for Ping {
    fn extend_into(self, commands: &mut Vec<ProbeCommand>, _: &mut Vec<DeadlineMove>) {
        commands.push(ProbeCommand(self));
    }
}

impl Subject for Probe {
    type Key = String;
}

impl ProcessManager for Probe {
    type Id = String;
    type Command = ProbeCommand;
    const NAME: &'static str = "probe";
}

impl React<Poked> for Probe {
    fn source() -> Source<Self> {
        Source::any()
    }

    fn route(event: &Poked, _: &RecordedEvent) -> Result<Route<String>, RowError> {
        Ok(Route::Many(event.probes.clone()))
    }

    fn step(
        state: Option<Self>,
        event: &Poked,
        cx: &EventContext<Self>,
    ) -> Result<Step<Self>, Misfit> {
        match (state, &event.act) {
            (Some(_), Act::Begin) => Err(Misfit::Exists),
            (None, Act::Begin) => Ok(Self::default().into_step()),
            (state, _) => Ok(state.ok_or(Misfit::Missing)?.poked(event, cx)),
        }
    }
}

/// A refusal of a ping with an even number is taken in; the next number is tried.
impl Refused<Ping> for Probe {
    fn step(
        state: Option<Self>,
        command: &Ping,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Result<Step<Self>, Misfit> {
        let mut state = state.ok_or(Misfit::Missing)?;
        let (kind, at) = (why.kind().as_str(), cx.recorded_at());
        state.refusals.push(format!("{kind} at {at}: {why}"));
        Ok((state, pings(cx, &[command.number + 1])).into_step())
    }
}

impl Process for Probe {
    fn steps() -> Steps<Self> {
        Steps::new()
            .on::<Poked>()
            .rejected::<Ping>()
            .deadline("first", None, |state, cx| {
                Ok((state.ok_or(Misfit::Missing)?, pings(cx, &[1])).into_step())
            })
            .deadline("second", None, |state, cx| {
                Ok((state.ok_or(Misfit::Missing)?, pings(cx, &[2])).into_step())
            })
            .deadline("endless", None, |state, cx| {
                let again = ENDLESS.at(cx.recorded_at());
                Ok((state.ok_or(Misfit::Missing)?, again).into_step())
            })
    }
}
