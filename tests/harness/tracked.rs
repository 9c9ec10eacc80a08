//! Whole programs: what comes of a command, as a tree.

use std::time::Duration;

use annals::ManualClock;
use annals::prelude::*;
use annals_testing::{Tracked, TrackedOutcome, tracked};
use serde::{Deserialize, Serialize};

use crate::fulfilment::Fulfilment;
use crate::shop::*;

type Done_ = Result<(), Box<dyn std::error::Error + Send + Sync>>;

const HOUR: Duration = Duration::from_hours(1);

/// Gives the customer an hour to confirm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "patience", id = OrderId, sends(CancelOrder, ShipOrder))]
struct Patience {
    warned: bool,
}

#[process]
impl Patience {
    #[on]
    fn placed(_: &OrderPlaced) -> Self {
        Self { warned: false }
    }

    #[on]
    fn confirmed(&mut self, _: &OrderConfirmed) -> annals::process::DeadlineMove {
        Self::UNCONFIRMED.cancel()
    }

    #[on]
    fn cancelled(self, _: &OrderCancelled, cx: &EventContext<Self>) -> Done<CancelOrder> {
        Done(CancelOrder { order: cx.id().clone(), reason: "again".into() })
    }

    #[deadline(name = "unconfirmed", after = HOUR)]
    fn unconfirmed(&self, cx: &EventContext<Self>) -> (ShipOrder, CancelOrder) {
        let order = cx.id().clone();
        (ShipOrder { order: order.clone() }, CancelOrder { order, reason: "not confirmed".into() })
    }

    #[rejected]
    fn not_shipped(&self, command: &ShipOrder, _: &Rejection) -> CancelOrder {
        CancelOrder { order: command.order.clone(), reason: "not confirmed".into() }
    }
}

struct Shop {
    bus: CommandBus,
    processes: ProcessEngine,
    clock: ManualClock,
    tracked: Tracked,
}

async fn shop(stock: u32) -> Result<Shop, Box<dyn std::error::Error + Send + Sync>> {
    let clock = ManualClock::at("2000-01-01T00:00:00Z".parse()?);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let bus = CommandBus::builder(store)
        .clock(clock.clone())
        .register::<Order>()
        .register::<Stock>()
        .register::<Payment>()
        .build()?;
    let processes = ProcessEngine::builder(bus.clone())
        .register::<Fulfilment>()
        .register::<Patience>()
        .clock(clock.clone())
        .start()
        .await?;
    bus.dispatch(Restock { product: "p-1".into(), quantity: stock }).await?;
    let tracked = tracked(&bus, &processes);
    Ok(Shop { bus, processes, clock, tracked })
}

fn place(order: &str, quantity: u32) -> PlaceOrder {
    PlaceOrder { order: order.into(), product: "p-1".into(), quantity }
}

fn confirm(order: &str) -> ConfirmOrder {
    ConfirmOrder { order: order.into() }
}

#[tokio::test]
async fn a_chain_is_told_to_its_end() -> Done_ {
    let shop = shop(5).await?;
    let tree = shop.tracked.dispatch(place("o-1", 2)).await?;
    assert_eq!(tree.to_string(), "@1");
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    assert_eq!(tree.to_string(), "@2");
    assert_eq!(tree.events().len(), 4);
    assert_eq!(tree.commands().len(), 4);
    assert_eq!(tree.refusals().len(), 0);
    let names: Vec<_> = tree.deadlines().iter().map(|deadline| &*deadline.name).collect();
    assert_eq!(names, ["too_slow", "unconfirmed"]);
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn refusals_and_what_they_lead_to_are_told() -> Done_ {
    let shop = shop(1).await?;
    shop.tracked.dispatch(place("o-1", 2)).await?;
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    assert_eq!(tree.to_string(), "@3");
    assert_eq!(tree.refusals().len(), 1);
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn deadlines_are_told_when_they_have_fired() -> Done_ {
    let shop = shop(1).await?;
    let tree = shop.tracked.dispatch(place("o-1", 2)).await?;
    shop.clock.advance(HOUR);
    let tree = shop.tracked.again(&tree).await?;
    assert_eq!(tree.to_string(), "@4");
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_command_is_a_tree() -> Done_ {
    let shop = shop(1).await?;
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    assert_eq!(tree.to_string(), "@5");
    assert!(
        matches!(&tree.command.outcome, TrackedOutcome::Refused { kind, .. } if kind == "not_found")
    );
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn what_does_not_settle_shows_what_came_until_then() -> Done_ {
    let shop = shop(5).await?;
    // Its payment is charged already, and no step takes that refusal.
    shop.bus.dispatch(ChargePayment { order: "o-1".into() }).await?;
    shop.tracked.dispatch(place("o-1", 2)).await?;
    let error = shop.tracked.dispatch(confirm("o-1")).await.unwrap_err();
    assert_eq!(error.to_string(), "@6");
    shop.processes.shutdown().await?;
    Ok(())
}
