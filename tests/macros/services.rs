//! The invoices of contract 7, whose handler is async and asks its services.

use std::collections::HashMap;
use std::sync::Arc;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fold::decide_with;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct InvoiceId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct InvoiceIssued {
    pub cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct IssueInvoice {
    #[command(id)]
    pub invoice: InvoiceId,
    pub amount: u64,
    pub currency: String,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum InvoiceError {
    #[error("no rate for {0}")]
    NoRate(String),
}

/// What handlers of an aggregate may ask: one type, given when the bus is built.
pub struct ExchangeRates(HashMap<String, u64>);

impl ExchangeRates {
    async fn cents(&self, currency: &str) -> Option<u64> {
        self.0.get(currency).copied()
    }
}

fn rates() -> ExchangeRates {
    ExchangeRates([("EUR".to_string(), 100), ("USD".to_string(), 92)].into())
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = InvoiceId, events(InvoiceIssued), services = ExchangeRates)]
pub struct Invoice {
    pub cents: u64,
}

#[handlers]
impl Invoice {
    /// A handler may be async and may ask; an apply is plain and pure, so that a replay asks nobody.
    #[handle]
    async fn issue(
        command: IssueInvoice,
        cx: &Context<Self>,
    ) -> Result<InvoiceIssued, InvoiceError> {
        match cx.services().cents(&command.currency).await {
            Some(rate) => Ok(InvoiceIssued { cents: command.amount * rate }),
            None => Err(InvoiceError::NoRate(command.currency)),
        }
    }

    #[apply]
    fn issued(event: &InvoiceIssued) -> Self {
        Self { cents: event.cents }
    }
}

fn issue(currency: &str) -> IssueInvoice {
    IssueInvoice { invoice: "i-1".into(), amount: 3, currency: currency.into() }
}

#[test]
fn an_async_handler_asks_its_services() {
    let events = decide_with::<_, Invoice>(None, issue("USD"), Arc::new(rates())).unwrap();
    let [InvoiceEvent::InvoiceIssued(issued)] = events.unwrap().try_into().unwrap();
    assert_eq!(issued, InvoiceIssued { cents: 276 });
    let refused = decide_with::<_, Invoice>(None, issue("XXX"), Arc::new(rates())).unwrap();
    assert_eq!(refused.unwrap_err(), InvoiceError::NoRate("XXX".into()));
}
