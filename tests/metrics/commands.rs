//! What is measured of commands: how they ended, and how often they were tried.

use annals::prelude::*;
use annals::{Append, Expected, MemoryStore, NewEvent, Payload};
use annals_testing::conformance::faulty::{Fault, Faulty};
use uuid::Uuid;

use crate::bank::{Deposit, OpenAccount, Withdraw};
use crate::measured::measured;

pub async fn open(bus: &CommandBus, account: &str) {
    bus.dispatch(OpenAccount { account: account.into(), owner: "Ada".into() }).await.unwrap();
}

pub async fn deposit(bus: &CommandBus, account: &str) {
    bus.dispatch(Deposit { account: account.into(), amount: 5 }).await.unwrap();
}

#[test]
fn commands_are_counted_by_how_they_ended() {
    let measured = measured(async {
        let bus = CommandBus::new(MemoryStore::new());
        open(&bus, "ada").await;
        open(&bus, "bob").await;
        let again = OpenAccount { account: "ada".into(), owner: "Ada".into() };
        bus.dispatch(again).await.unwrap_err();
        deposit(&bus, "ada").await;
        bus.dispatch(Deposit { account: "ada".into(), amount: 0 }).await.unwrap_err();
        bus.dispatch(Withdraw { account: "nobody".into(), amount: 1 }).await.unwrap_err();
        bus.dispatch(Deposit { account: "ada".into(), amount: 1 })
            .expect_version(1)
            .await
            .unwrap_err();
        bus.dispatch(Deposit { account: "".into(), amount: 1 }).await.unwrap_err();
        bus.dispatch_json("Nobody's", serde_json::json!({})).await.unwrap_err();
    });
    for (command, outcome, count) in [
        ("OpenAccount", "done", 2),
        ("OpenAccount", "already_exists", 1),
        ("Deposit", "done", 1),
        ("Deposit", "rejected", 1),
        ("Deposit", "conflict", 1),
        ("Deposit", "invalid", 1),
        ("Withdraw", "not_found", 1),
    ] {
        let key = format!(
            "annals_commands_total{{aggregate=account,command={command},outcome={outcome}}}"
        );
        assert_eq!(measured.counter(&key), count, "{key}");
    }
    let appends = measured.histogram("annals_append_seconds{aggregate=account}");
    assert_eq!(appends.len(), 3);
    assert!(appends.iter().all(|seconds| (0.0..1.0).contains(seconds)), "{appends:?}");
    let told: Vec<_> =
        measured.0.keys().filter(|key| key.contains("ada") || key.contains("Nobody")).collect();
    assert!(told.is_empty(), "labels hold what callers say: {told:?}");
}

/// Lets another writer be faster, once.
struct Outrun(std::sync::atomic::AtomicBool);

#[async_trait]
impl<S: Sync> Fault<S> for Outrun {
    async fn append(
        &self,
        store: &S,
        appends: Vec<Append>,
    ) -> Result<Vec<annals::Receipt>, annals::WriteError>
    where
        S: EventStore,
    {
        if appends[0].expected == Expected::Exact(1)
            && !self.0.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            let event =
                NewEvent::new(Uuid::now_v7(), "MoneyDeposited", 1, Payload::new(r#"{"amount":1}"#));
            let other = Append::new(appends[0].stream_id.clone(), Expected::Any, vec![event]);
            store.append(vec![other]).await?;
        }
        store.append(appends).await
    }
}

#[test]
fn conflicts_and_retries_are_counted() {
    let measured = measured(async {
        let bus = CommandBus::new(Faulty::new(MemoryStore::new(), Outrun(false.into())));
        open(&bus, "ada").await;
        deposit(&bus, "ada").await;
        deposit(&bus, "ada").await;
    });
    let labels = "{aggregate=account,command=Deposit}";
    assert_eq!(measured.counter(&format!("annals_command_conflicts_total{labels}")), 1);
    assert_eq!(measured.counter(&format!("annals_command_retries_total{labels}")), 1);
}
