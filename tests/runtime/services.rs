//! What handlers may ask is given when the bus is built; what is missing is said clearly.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bank::{Account, OpenAccount};

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct QuoteId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Quoted {
    price: u64,
    at: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct AskQuote {
    #[command(id)]
    quote: QuoteId,
}

struct Prices(u64);

#[derive(Debug, Aggregate)]
#[aggregate(id = QuoteId, events(Quoted), services = Prices)]
struct Quote;

#[handlers]
impl Quote {
    #[handle]
    fn ask(_: AskQuote, cx: &Context<Self>) -> Quoted {
        Quoted { price: cx.services().0, at: cx.now() }
    }

    #[apply]
    fn quoted(_: &Quoted) -> Self {
        Self
    }
}

fn ask() -> AskQuote {
    AskQuote { quote: QuoteId(7) }
}

#[tokio::test]
async fn services_that_are_missing_break_only_their_own_commands() {
    let bus = CommandBus::new(MemoryStore::new());
    let missing = bus.dispatch(ask()).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "aggregate `runtime::services::Quote` has no services: give them by \
         `CommandBus::builder(…).services::<Quote>(…)`"
    );
    bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
}

#[test]
fn services_that_are_missing_for_what_was_registered_are_found_when_the_bus_is_built() {
    let built = CommandBus::builder(MemoryStore::new()).register::<Quote>().build();
    assert!(built.unwrap_err().to_string().contains("Quote` has no services"));
    let built = CommandBus::builder(MemoryStore::new()).register::<Account>().build();
    assert!(built.is_ok());
}

#[tokio::test]
async fn a_bus_of_registered_aggregates_knows_only_their_commands() {
    let bus = CommandBus::builder(MemoryStore::new()).register::<Account>().build().unwrap();
    assert_eq!(
        bus.command_names().unwrap(),
        ["CloseAccount", "Deposit", "OpenAccount", "Withdraw"]
    );
    let unknown = bus.dispatch_json("AskQuote", json!({ "quote": 7 })).await.unwrap_err();
    assert_eq!(unknown.to_string(), "unknown command `AskQuote`");
}

#[tokio::test]
async fn handlers_see_services_and_the_injected_clock() {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let store = MemoryStore::new();
    let bus = CommandBus::builder(store.clone())
        .services::<Quote>(Prices(42))
        .clock(ManualClock::at(noon))
        .build()
        .unwrap();
    bus.dispatch_json("AskQuote", json!({ "quote": 7 })).await.unwrap();
    let page = store.log_page(&ReadAll::after(Position::START)).await.unwrap();
    let stored: serde_json::Value = serde_json::from_str(page.events[0].data.as_str()).unwrap();
    assert_eq!(stored, json!({ "price": 42, "at": "2026-03-01T12:00:00Z" }));
    assert!(Repository::<Quote>::new(store).load(&7).await.unwrap().is_some());
}
