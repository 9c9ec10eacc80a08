//! A process that does what its event says.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use annals::prelude::*;
use annals::process::DeadlineMove;
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
    FirstAt(Timestamp, Vec<u32>),
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

/// After the refusal of this ping none follows.
const LAST: u32 = 99;

/// Nobody handles it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub struct Ping {
    #[command(id)]
    pub probe: String,
    pub number: u32,
}

/// Its type has no equality, and its JSON is not the same each time.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "probe", id = String, sends(Ping))]
pub struct Probe {
    pub refusals: Vec<String>,
    pub remembered: HashSet<u32>,
    pub share: f64,
}

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// Where events for the probe `?` go.
    pub static WHERE: Cell<&'static str> = const { Cell::new("a") };
}

type Sent = (Vec<Ping>, Vec<DeadlineMove>);

#[process]
impl Probe {
    #[on(upsert, key = |event| keys(event))]
    fn poked(probe: Option<Self>, event: &Poked, cx: &EventContext<Self>) -> (Option<Self>, Sent) {
        match (probe, &event.act) {
            (None, Act::Begin) => (Some(Self::default()), Sent::default()),
            (None, _) => (None, Sent::default()),
            (Some(probe), act) => probe.does(act, cx),
        }
    }

    #[rejected]
    fn refused(
        &mut self,
        command: &Ping,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> Option<Ping> {
        let (kind, at) = (why.kind().as_str(), cx.recorded_at());
        self.refusals.push(format!("{kind} at {at}: {why}"));
        (command.number != LAST).then(|| ping(cx, command.number + 1))
    }

    #[deadline(name = "first")]
    fn first(&self, cx: &EventContext<Self>) -> Ping {
        ping(cx, 1)
    }

    #[deadline(name = "second")]
    fn second(&self, cx: &EventContext<Self>) -> Ping {
        ping(cx, 2)
    }

    #[deadline(name = "endless")]
    fn endless(&self, cx: &EventContext<Self>) -> DeadlineMove {
        Self::ENDLESS.at(cx.recorded_at())
    }

    fn does(mut self, act: &Act, cx: &EventContext<Self>) -> (Option<Self>, Sent) {
        let (mut pings, mut moves) = Sent::default();
        match act {
            Act::Begin => {}
            Act::Ping(numbers) => pings.extend(numbers.iter().map(|&number| ping(cx, number))),
            Act::PingAll(number) => pings.push(Ping { probe: "all".into(), number: *number }),
            Act::End(numbers) => {
                pings.extend(numbers.iter().map(|&number| ping(cx, number)));
                return (None, (pings, moves));
            }
            Act::Wait(time) => {
                moves.extend([Self::FIRST.after(*time), Self::SECOND.after(*time / 2)])
            }
            Act::WaitUntil(instant) => moves.push(Self::ENDLESS.at(*instant)),
            Act::FirstAt(instant, numbers) => {
                pings.extend(numbers.iter().map(|&number| ping(cx, number)));
                moves.push(Self::FIRST.at(*instant));
            }
            Act::Forget => moves.extend([Self::FIRST.cancel(), Self::SECOND.cancel()]),
            Act::Panic => panic!("poked too hard"),
            Act::CountCalls => pings.push(ping(cx, CALLS.replace(1 - CALLS.get()))),
            Act::Remember(numbers) => self.remembered.extend(numbers),
            Act::NotANumber => self.share = f64::NAN,
        }
        (Some(self), (pings, moves))
    }
}

fn ping(cx: &EventContext<Probe>, number: u32) -> Ping {
    Ping { probe: cx.id().clone(), number }
}

fn keys(event: &Poked) -> Vec<String> {
    let key = |probe: &String| match &**probe {
        "?" => WHERE.get().to_owned(),
        "!" => CALLS.replace(1 - CALLS.get()).to_string(),
        probe => probe.to_owned(),
    };
    event.probes.iter().map(key).collect()
}
