//! A command of a busy aggregate that stays in memory, whose handler is wrong: it is read for and answered.

use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
struct BellId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BellHung;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BellRung;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct HangBell {
    #[command(id)]
    bell: BellId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct RingBell {
    #[command(id)]
    bell: BellId,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = BellId, events(BellHung, BellRung))]
struct Bell;

#[handlers]
impl Bell {
    /// Wrong: what hangs cannot be hung.
    #[handle(upsert)]
    fn hang(_: Option<&Self>, _: HangBell) -> BellHung {
        BellHung
    }

    #[handle]
    async fn ring(&self, _: RingBell) -> BellRung {
        tokio::task::yield_now().await;
        BellRung
    }

    #[apply]
    fn hung(_: &BellHung) -> Self {
        Self
    }

    #[apply]
    fn rung(&mut self, _: &BellRung) {}
}

#[tokio::test]
async fn an_event_that_does_not_fit_is_told_though_others_never_pause() {
    let bus = CommandBus::builder(MemoryStore::new()).cache(10).build().unwrap();
    let hang = || bus.dispatch(HangBell { bell: BellId("b".into()) });
    hang().await.unwrap();
    let ringing: Vec<_> = (0..4)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move {
                loop {
                    bus.dispatch(RingBell { bell: BellId("b".into()) }).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let answer = tokio::time::timeout(Duration::from_secs(10), async { hang().await });
    let answer = answer.await.expect("it is answered");
    assert!(matches!(answer, Err(DispatchError::UnfitEvent { .. })), "{answer:?}");
    for ringing in ringing {
        ringing.abort();
    }
}
