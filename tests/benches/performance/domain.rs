//! What the rows work on: a tally, and the same with snapshots.

use annals::prelude::*;
use annals::{NewEvent, Payload};
use serde::{Deserialize, Serialize};

/// The event that both write and read.
#[derive(Debug, Clone, Serialize, Deserialize, annals::Event)]
pub struct Deposited {
    pub amount: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct TallyId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct AddToTally {
    #[command(id)]
    pub tally: TallyId,
    pub amount: u64,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = TallyId, events(Deposited))]
pub struct Tally {
    pub amount: u64,
}

#[handlers]
impl Tally {
    #[handle(upsert)]
    fn deposit(_: Option<&Self>, command: AddToTally) -> Vec<Deposited> {
        vec![Deposited { amount: command.amount }]
    }

    #[apply(upsert)]
    fn deposited(tally: Option<Self>, event: &Deposited) -> Self {
        Self { amount: tally.map_or(0, |tally| tally.amount) + event.amount }
    }
}

/// The same with snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = TallyId, events(Deposited), snapshot())]
pub struct Saved {
    pub amount: u64,
}

#[handlers]
impl Saved {
    #[apply(upsert)]
    fn deposited(saved: Option<Self>, event: &Deposited) -> Self {
        Self { amount: saved.map_or(0, |saved| saved.amount) + event.amount }
    }
}

/// A tally whose events were stored by SQL.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = TallyId, events(Deposited), category = "bulk")]
pub struct InBulk {
    pub amount: u64,
}

#[handlers]
impl InBulk {
    #[apply(upsert)]
    fn deposited(tally: Option<Self>, event: &Deposited) -> Self {
        Self { amount: tally.map_or(0, |tally| tally.amount) + event.amount }
    }
}

pub fn deposit(tally: String) -> AddToTally {
    AddToTally { tally: tally.into(), amount: 1 }
}

/// Events with the metadata that a command gives to its own.
pub fn events(count: usize) -> Vec<NewEvent> {
    let id = uuid::Uuid::now_v7().to_string();
    let mut metadata = Metadata::default().with_correlation_id(&*id).with_causation_id(id);
    metadata.issued_at = Some(Timestamp::from_micros(1_772_366_400_000_000));
    let metadata = std::sync::Arc::new(metadata);
    (0..count)
        .map(|_| {
            NewEvent::new(uuid::Uuid::now_v7(), "Deposited", 1, Payload::new(r#"{"amount":1}"#))
                .with_metadata(metadata.clone())
        })
        .collect()
}
