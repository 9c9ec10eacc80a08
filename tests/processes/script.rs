//! A process that does what its events tell it.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use annals::prelude::*;
use annals::process::DeadlineMove;
use serde::{Deserialize, Serialize};

use crate::works::{Bare, Claim, Lost, Make, Picked, Picky, Work, WorkId, Works};

#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, AggregateId,
)]
pub struct ScriptId(String);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct SignalId(String);

/// What a step gives back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Act {
    pub sends: Vec<Sent>,
    pub moves: Vec<Move>,
    pub ends: bool,
    /// It panics until this is mended.
    pub broken: Option<String>,
    /// What is done when a deadline fires, from now on.
    pub at_deadline: Option<Box<Act>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Move {
    First(Duration),
    FirstAt(Timestamp),
    Second(Duration),
    CancelFirst,
}

/// A command that a step sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    pub to: WorkId,
    pub note: String,
    pub how: How,
    /// What is done when it is refused.
    pub refused: Act,
}

/// Which command, and how it fares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum How {
    Work(Works),
    /// Creates.
    Make,
    /// Needs what is there.
    Claim,
    /// Without a `#[rejected]`.
    Bare(Works),
    /// Nobody handles it.
    Lost,
    /// Its content cannot be read.
    Picky,
}

impl From<&Sent> for ScriptCommand {
    fn from(sent: &Sent) -> Self {
        let Sent { to, note, how, refused } = sent.clone();
        match how {
            How::Work(how) => Work { work: to, note, how, refused }.into(),
            How::Make => Make { work: to, note, refused }.into(),
            How::Claim => Claim { work: to, note, refused }.into(),
            How::Bare(how) => Bare { work: to, note, how }.into(),
            How::Lost => Lost { nowhere: to, note }.into(),
            How::Picky => Picky { work: to, content: Picked(note) }.into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Began {
    pub to: Vec<ScriptId>,
    pub note: String,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Told {
    pub to: Vec<ScriptId>,
    pub note: String,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Joined {
    pub to: Vec<ScriptId>,
    pub note: String,
    pub act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    Begin,
    Tell,
    Join,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Signal {
    #[command(id)]
    pub signal: SignalId,
    pub kind: Kind,
    pub to: Vec<ScriptId>,
    pub note: String,
    pub act: Act,
}

/// Where the events come from.
#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = SignalId, events(Began, Told, Joined))]
pub struct Signals;

#[handlers]
impl Signals {
    #[handle(upsert)]
    fn signal(_: Option<&Self>, Signal { kind, to, note, act, .. }: Signal) -> SignalsEvent {
        match kind {
            Kind::Begin => Began { to, note, act }.into(),
            Kind::Tell => Told { to, note, act }.into(),
            Kind::Join => Joined { to, note, act }.into(),
        }
    }

    #[apply(upsert)]
    fn began(_: Option<Self>, _: &Began) -> Self {
        Self
    }

    #[apply(upsert)]
    fn told(_: Option<Self>, _: &Told) -> Self {
        Self
    }

    #[apply(upsert)]
    fn joined(_: Option<Self>, _: &Joined) -> Self {
        Self
    }
}

/// It keeps what it saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "script", id = ScriptId, sends(Work, Make, Claim, Bare, Lost, Picky))]
pub struct Script {
    pub saw: Vec<String>,
    pub instants: Vec<Timestamp>,
    pub at_deadline: Option<Box<Act>>,
}

type Sends = (Vec<ScriptCommand>, Vec<DeadlineMove>);

#[process]
impl Script {
    #[on(key = |event| event.to.clone())]
    fn began(event: &Began, cx: &EventContext<Self>) -> (Option<Self>, Sends) {
        Self::default().goes_on(format!("began {}", event.note), &event.act, cx)
    }

    #[on(key = |event| event.to.clone())]
    fn told(self, event: &Told, cx: &EventContext<Self>) -> (Option<Self>, Sends) {
        self.goes_on(format!("told {}", event.note), &event.act, cx)
    }

    #[on(upsert, key = |event| event.to.clone())]
    fn joined(
        script: Option<Self>,
        event: &Joined,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, Sends) {
        script.unwrap_or_default().goes_on(format!("joined {}", event.note), &event.act, cx)
    }

    #[rejected]
    fn not_worked(
        self,
        command: &Work,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, Sends) {
        self.goes_on(refusal(&command.note, why), &command.refused, cx)
    }

    #[rejected]
    fn not_made(
        self,
        command: &Make,
        why: &Rejection,
        cx: &EventContext<Self>,
    ) -> (Option<Self>, Sends) {
        self.goes_on(refusal(&command.note, why), &command.refused, cx)
    }

    /// In place: it revives what was about to end.
    #[rejected]
    fn not_claimed(&mut self, command: &Claim, why: &Rejection, cx: &EventContext<Self>) -> Sends {
        self.does(refusal(&command.note, why), &command.refused, cx)
    }

    #[deadline(name = "first", after = Duration::from_mins(10))]
    fn first(self, cx: &EventContext<Self>) -> (Option<Self>, Sends) {
        let act = self.at_deadline.clone().unwrap_or_default();
        self.goes_on("first".into(), &act, cx)
    }

    /// Only set by a step.
    #[deadline(name = "second")]
    fn second(self, cx: &EventContext<Self>) -> (Option<Self>, Sends) {
        let act = self.at_deadline.clone().unwrap_or_default();
        self.goes_on("second".into(), &act, cx)
    }

    fn goes_on(mut self, saw: String, act: &Act, cx: &EventContext<Self>) -> (Option<Self>, Sends) {
        let sends = self.does(saw, act, cx);
        ((!act.ends).then_some(self), sends)
    }

    fn does(&mut self, saw: String, act: &Act, cx: &EventContext<Self>) -> Sends {
        assert!(act.broken.as_ref().is_none_or(|key| is_mended(key)), "the step is broken");
        self.saw.push(saw);
        self.instants.push(cx.recorded_at());
        self.at_deadline = act.at_deadline.clone().or_else(|| self.at_deadline.take());
        let moves = act.moves.iter().map(|moved| match *moved {
            Move::First(time) => Self::FIRST.after(time),
            Move::FirstAt(instant) => Self::FIRST.at(instant),
            Move::Second(time) => Self::SECOND.after(time),
            Move::CancelFirst => Self::FIRST.cancel(),
        });
        (act.sends.iter().map(ScriptCommand::from).collect(), moves.collect())
    }
}

fn refusal(note: &str, why: &Rejection) -> String {
    format!("{note} was {}: {why}", why.kind().as_str())
}

/// What has been mended: steps are pure, and ask nobody else.
static MENDED: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

pub fn mend(key: &str) {
    MENDED.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
}

pub fn is_mended(key: &str) -> bool {
    MENDED.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
}
