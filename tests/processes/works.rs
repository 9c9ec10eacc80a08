//! What the scripted process steers: works that are done, refused, broken or held up, as a test says.

use std::collections::BTreeSet;
use std::sync::Arc;

use annals::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::watch;

use crate::script::Act;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct WorkId(String);

/// How a work fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Works {
    Done,
    Refused,
    /// Done once its note is let pass.
    Held,
    /// Refused once its note is let pass.
    HeldRefused,
    /// Refused until its note is let pass.
    RefusedAtFirst,
    /// Panics until its note is let pass.
    PanicsAtFirst,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Work {
    #[command(id)]
    pub work: WorkId,
    pub note: String,
    pub how: Works,
    pub refused: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Make {
    #[command(id)]
    pub work: WorkId,
    pub note: String,
    pub refused: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Claim {
    #[command(id)]
    pub work: WorkId,
    pub note: String,
    pub refused: Act,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Bare {
    #[command(id)]
    pub work: WorkId,
    pub note: String,
    pub how: Works,
}

/// Its aggregate is not on the bus.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Lost {
    #[command(id)]
    pub nowhere: WorkId,
    pub note: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Picky {
    #[command(id)]
    pub work: WorkId,
    pub content: Picked,
}

/// What is written and cannot be read.
#[derive(Debug, Clone, Serialize)]
pub struct Picked(pub String);

impl<'de> Deserialize<'de> for Picked {
    fn deserialize<D: Deserializer<'de>>(content: D) -> Result<Self, D::Error> {
        String::deserialize(content)?;
        Err(serde::de::Error::custom("it is not to my taste"))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Worked {
    pub note: String,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("no work for {0}")]
pub struct NoWork(pub String);

/// What lets works pass.
#[derive(Debug, Clone)]
pub struct Passes {
    open: Arc<watch::Sender<BTreeSet<String>>>,
    waiting: Arc<watch::Sender<BTreeSet<String>>>,
}

impl Passes {
    pub fn new() -> Self {
        let none = || Arc::new(watch::Sender::new(BTreeSet::new()));
        Self { open: none(), waiting: none() }
    }

    pub fn pass(&self, note: &str) {
        self.open.send_modify(|open| _ = open.insert(note.to_owned()));
    }

    /// Waits until a work waits to be let pass.
    pub async fn waits(&self, note: &str) {
        has(&self.waiting, note).await;
    }

    fn is_open(&self, note: &str) -> bool {
        self.open.borrow().contains(note)
    }

    async fn opened(&self, note: &str) {
        self.waiting.send_modify(|waiting| _ = waiting.insert(note.to_owned()));
        has(&self.open, note).await;
    }
}

async fn has(notes: &watch::Sender<BTreeSet<String>>, note: &str) {
    let mut notes = notes.subscribe();
    notes.wait_for(|notes| notes.contains(note)).await.expect("the test lives");
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = WorkId, events(Worked), services = Passes)]
pub struct Working;

#[handlers]
impl Working {
    #[handle(upsert)]
    async fn work(
        _: Option<&Self>,
        Work { note, how, .. }: Work,
        cx: &Context<Self>,
    ) -> Result<Worked, NoWork> {
        fares(note, how, cx).await
    }

    #[handle(upsert)]
    async fn bare(
        _: Option<&Self>,
        Bare { note, how, .. }: Bare,
        cx: &Context<Self>,
    ) -> Result<Worked, NoWork> {
        fares(note, how, cx).await
    }

    #[handle]
    fn make(command: Make) -> Worked {
        Worked { note: command.note }
    }

    #[handle]
    fn claim(&self, command: Claim) -> Worked {
        Worked { note: command.note }
    }

    #[handle(upsert)]
    fn picky(_: Option<&Self>, command: Picky) -> Worked {
        Worked { note: command.content.0 }
    }

    #[apply(upsert)]
    fn worked(_: Option<Self>, _: &Worked) -> Self {
        Self
    }
}

async fn fares(note: String, how: Works, cx: &Context<Working>) -> Result<Worked, NoWork> {
    let passes = cx.services();
    match how {
        Works::Done => {}
        Works::Held => passes.opened(&note).await,
        Works::HeldRefused => {
            passes.opened(&note).await;
            return Err(NoWork(note));
        }
        Works::RefusedAtFirst if passes.is_open(&note) => {}
        Works::Refused | Works::RefusedAtFirst => return Err(NoWork(note)),
        Works::PanicsAtFirst => assert!(passes.is_open(&note), "the handler is broken"),
    }
    Ok(Worked { note })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Vanished;

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = WorkId, events(Vanished))]
pub struct Nowhere;

#[handlers]
impl Nowhere {
    #[handle(upsert)]
    fn lose(_: Option<&Self>, _: Lost) -> Vanished {
        Vanished
    }

    #[apply(upsert)]
    fn vanished(_: Option<Self>, _: &Vanished) -> Self {
        Self
    }
}
