//! Whole programs: what comes of a command, as a tree.

use std::time::Duration;

use annals::ManualClock;
use annals::prelude::*;
use annals_testing::{Tracked, TrackedOutcome, tracked};
use serde::{Deserialize, Serialize};

use crate::fulfilment::Fulfilment;
use crate::shop::*;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

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

async fn shop(stock: u32) -> Result<Shop, AnyError> {
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

fn check(found: &str, expected: &str) {
    assert_eq!(found, expected.trim_start(), "\n{found}");
}

fn place(order: &str, quantity: u32) -> PlaceOrder {
    PlaceOrder { order: order.into(), product: "p-1".into(), quantity }
}

fn confirm(order: &str) -> ConfirmOrder {
    ConfirmOrder { order: order.into() }
}

#[tokio::test]
async fn a_chain_is_told_to_its_end() -> Result<(), AnyError> {
    let shop = shop(5).await?;
    let tree = shop.tracked.dispatch(place("o-1", 2)).await?;
    check(
        &tree.to_string(),
        r#"
PlaceOrder {"order":"o-1","product":"p-1","quantity":2}
  order-o-1: OrderPlaced {"product":"p-1","quantity":2}
    patience `o-1` begins
      sets deadline unconfirmed
"#,
    );
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    check(
        &tree.to_string(),
        r#"
ConfirmOrder {"order":"o-1"}
  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
    fulfilment `o-1` begins
      sets deadline too_slow
      ReserveStock {"order":"o-1","product":"p-1","quantity":2}
        stock-p-1: StockReserved {"order":"o-1","quantity":2}
          fulfilment `o-1`
            ChargePayment {"order":"o-1"}
              payment-o-1: PaymentCharged {"order":"o-1"}
                fulfilment `o-1` ends
                  ShipOrder {"order":"o-1"}
                    order-o-1: OrderShipped null
    patience `o-1`
      cancels deadline unconfirmed
"#,
    );
    assert_eq!(tree.events().len(), 4);
    assert_eq!(tree.commands().len(), 4);
    assert_eq!(tree.refusals().len(), 0);
    let names: Vec<_> = tree.deadlines().iter().map(|deadline| &*deadline.name).collect();
    assert_eq!(names, ["too_slow", "unconfirmed"]);
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn refusals_and_what_they_lead_to_are_told() -> Result<(), AnyError> {
    let shop = shop(1).await?;
    shop.tracked.dispatch(place("o-1", 2)).await?;
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    check(
        &tree.to_string(),
        r#"
ConfirmOrder {"order":"o-1"}
  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
    fulfilment `o-1` begins
      sets deadline too_slow
      ReserveStock {"order":"o-1","product":"p-1","quantity":2}
        refused (rejected): only 1 left
          fulfilment `o-1` ends
            CancelOrder {"order":"o-1","reason":"only 1 left"}
              order-o-1: OrderCancelled {"reason":"only 1 left"}
                patience `o-1` ends
                  CancelOrder {"order":"o-1","reason":"again"}
                    (no events)
    patience `o-1`
      cancels deadline unconfirmed
"#,
    );
    assert_eq!(tree.refusals().len(), 1);
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn deadlines_are_told_when_they_have_fired() -> Result<(), AnyError> {
    let shop = shop(1).await?;
    let tree = shop.tracked.dispatch(place("o-1", 2)).await?;
    shop.clock.advance(HOUR);
    let tree = shop.tracked.again(&tree).await?;
    check(
        &tree.to_string(),
        r#"
PlaceOrder {"order":"o-1","product":"p-1","quantity":2}
  order-o-1: OrderPlaced {"product":"p-1","quantity":2}
    patience `o-1` begins
      sets deadline unconfirmed
      patience `o-1`, deadline unconfirmed
        ShipOrder {"order":"o-1"}
          refused (rejected): the order does not allow this now: Placed { product: ProductId("p-1"), quantity: 2 }
            patience `o-1`
              CancelOrder {"order":"o-1","reason":"not confirmed"}
                order-o-1: OrderCancelled {"reason":"not confirmed"}
                  patience `o-1` ends
                    CancelOrder {"order":"o-1","reason":"again"}
                      (no events)
        CancelOrder {"order":"o-1","reason":"not confirmed"}
          (did not go out)
"#,
    );
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_command_is_a_tree() -> Result<(), AnyError> {
    let shop = shop(1).await?;
    let tree = shop.tracked.dispatch(confirm("o-1")).await?;
    check(
        &tree.to_string(),
        r#"
ConfirmOrder {"order":"o-1"}
  refused (not_found): `order-o-1` does not exist
"#,
    );
    assert!(
        matches!(&tree.command.outcome, TrackedOutcome::Refused { kind, .. } if kind == "not_found")
    );
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn what_does_not_settle_shows_what_came_until_then() -> Result<(), AnyError> {
    let shop = shop(5).await?;
    // Its payment is charged already, and no step takes that refusal.
    shop.bus.dispatch(ChargePayment { order: "o-1".into() }).await?;
    shop.tracked.dispatch(place("o-1", 2)).await?;
    let error = shop.tracked.dispatch(confirm("o-1")).await.unwrap_err();
    check(
        &error.to_string(),
        r#"
1 of `fulfilment` wait for a person, the first of them `o-1`: command `ChargePayment` was refused, and no `#[rejected]` takes it: `payment-o-1` exists already; see `parked()` and `retry_parked(…)`

ConfirmOrder {"order":"o-1"}
  order-o-1: OrderConfirmed {"product":"p-1","quantity":2}
    fulfilment `o-1` begins
      sets deadline too_slow
      ReserveStock {"order":"o-1","product":"p-1","quantity":2}
        stock-p-1: StockReserved {"order":"o-1","quantity":2}
          fulfilment `o-1`
            ChargePayment {"order":"o-1"}
              (no answer yet)
    patience `o-1`
      cancels deadline unconfirmed
"#,
    );
    shop.processes.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn what_no_process_has_sent_is_told_by_its_cause() -> Result<(), AnyError> {
    let shop = shop(5).await?;
    let tree = shop.tracked.dispatch(place("o-1", 2)).await?;
    let placed = tree.events()[0].clone();
    let correlation = placed.metadata.correlation_id.clone().expect("it has one");
    let place_also = shop.bus.dispatch(place("o-2", 1)).correlation_id(&correlation);
    place_also.causation_id(placed.id.to_string()).await?;
    shop.bus.dispatch(place("o-3", 1)).correlation_id(&correlation).await?;
    shop.bus.dispatch(place("o-4", 1)).await?;
    let tree = shop.tracked.again(&tree).await?;
    check(
        &tree.to_string(),
        r#"
PlaceOrder {"order":"o-1","product":"p-1","quantity":2}
  order-o-1: OrderPlaced {"product":"p-1","quantity":2}
    patience `o-1` begins
      sets deadline unconfirmed
    (a command that no process sent)
      order-o-2: OrderPlaced {"product":"p-1","quantity":1}
        patience `o-2` begins
          sets deadline unconfirmed
order-o-3: OrderPlaced {"product":"p-1","quantity":1}
  patience `o-3` begins
    sets deadline unconfirmed
"#,
    );
    assert_eq!((tree.events().len(), tree.others.len()), (3, 1));
    shop.processes.shutdown().await?;
    Ok(())
}
