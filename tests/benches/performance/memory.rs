//! The store in memory.

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};

use super::commands::clients;
use super::domain::deposit;
use super::measure::{Figure, in_turns, time};
use super::report::{Report, Unit};

pub async fn all(report: &mut Report, rounds: usize) {
    dispatch(report, rounds).await;
    append(report, rounds).await;
}

/// Commands over ten thousand distinct streams by eight tasks.
async fn dispatch(report: &mut Report, rounds: usize) {
    const TASKS: usize = 8;
    const STREAMS: usize = 10_000;
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let bus = CommandBus::new(MemoryStore::new());
        let run = clients(TASKS, |task| {
            let bus = bus.clone();
            async move {
                for number in (task..2 * STREAMS).step_by(TASKS) {
                    bus.dispatch(deposit(format!("{}", number % STREAMS))).await.unwrap();
                }
            }
        });
        rates.push(2.0 * STREAMS as f64 / time(run).await.as_secs_f64());
    }
    let work = "commands in memory, 10,000 distinct streams, 8 tasks";
    report.tell(work, Figure::of(rates), "a second", None);
}

/// Appends to a store that holds a million events, beside one that holds ten thousand.
async fn append(report: &mut Report, rounds: usize) {
    const APPENDS: usize = 1_000;
    let (large, small) = (filled(1_000_000).await, filled(10_000).await);
    let appends = async |store: &MemoryStore| {
        for number in 0..APPENDS {
            store.append(vec![append_of(StreamId::new("account", number % 100))]).await.unwrap();
        }
    };
    let turns =
        in_turns(rounds, async |_| appends(&large).await, async |_| appends(&small).await).await;
    let work = "append in memory at 1,000,000 events, beside 10,000";
    report.compare(work, &turns, APPENDS, Unit::Nanoseconds, None);
}

async fn filled(events: usize) -> MemoryStore {
    let store = MemoryStore::new();
    for number in 0..events {
        store.append(vec![append_of(StreamId::new("account", number % 1_000))]).await.unwrap();
    }
    store
}

fn append_of(stream: StreamId) -> Append {
    let data = Payload::new(r#"{"amount":1}"#);
    let event = NewEvent::new(uuid::Uuid::now_v7(), "MoneyDeposited", 1, data);
    Append::new(stream, Expected::Any, vec![event])
}
