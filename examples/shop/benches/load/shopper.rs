//! One client: a customer who sends one request after the other, and remembers what was accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::{Fault, PRODUCTS, token_of};

/// How many of the latest orders a client reads again.
const REMEMBERED: usize = 100;

/// What was asked, by which it is told apart in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Place,
    Pay,
    ReadOwnWrite,
    Page,
    List,
    Stock,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Place, Self::Pay, Self::ReadOwnWrite, Self::Page, Self::List, Self::Stock];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Place => "place an order",
            Self::Pay => "pay an order",
            Self::ReadOwnWrite => "read one's write",
            Self::Page => "an order's page",
            Self::List => "a customer's orders",
            Self::Stock => "stock levels",
        }
    }

    pub(crate) const fn is_command(self) -> bool {
        matches!(self, Self::Place | Self::Pay)
    }
}

/// What came of all that one client asked.
#[derive(Debug, Default)]
pub(crate) struct Shopped {
    pub(crate) customer: String,
    /// How long each request took that was answered as it should be.
    pub(crate) taken: Vec<(Kind, Duration)>,
    /// How many were not.
    pub(crate) refused: u64,
    /// The orders that were accepted, and those whose payment was.
    pub(crate) placed: Vec<String>,
    pub(crate) paid: Vec<String>,
    /// The token of the last command.
    pub(crate) last_token: Option<String>,
}

pub(crate) struct Shopper {
    client: Client,
    url: String,
    random: Rng,
    shopped: Shopped,
    unpaid: Vec<String>,
    /// What was placed last, and is not read yet, with its token.
    unread: Option<(String, String)>,
}

impl Shopper {
    pub(crate) fn new(url: &str, customer: String, random: Rng) -> Self {
        let (client, url) = (Client::new(), url.to_owned());
        let shopped = Shopped { customer, ..Shopped::default() };
        Self { client, url, random, shopped, unpaid: Vec::new(), unread: None }
    }

    pub(crate) async fn shop(mut self, over: Arc<AtomicBool>) -> Result<Shopped, Fault> {
        while !over.load(Ordering::Relaxed) {
            let kind = self.choose();
            let begun = Instant::now();
            if self.ask(kind).await? {
                self.shopped.taken.push((kind, begun.elapsed()));
            } else {
                self.shopped.refused += 1;
            }
        }
        Ok(self.shopped)
    }

    fn choose(&mut self) -> Kind {
        match self.random.u8(0..10) {
            3 if !self.unpaid.is_empty() => Kind::Pay,
            4 if self.unread.is_some() => Kind::ReadOwnWrite,
            5 | 6 if !self.shopped.placed.is_empty() => Kind::Page,
            7 | 8 => Kind::List,
            9 => Kind::Stock,
            _ => Kind::Place,
        }
    }

    /// Sends one request, and tells whether it was answered as it should be.
    async fn ask(&mut self, kind: Kind) -> Result<bool, Fault> {
        match kind {
            Kind::Place => self.place().await,
            Kind::Pay => self.pay().await,
            Kind::ReadOwnWrite => {
                let (order, token) = self.unread.take().unwrap_or_default();
                self.read(&format!("/orders/{order}?after={token}"), None).await
            }
            Kind::Page => {
                let placed = &self.shopped.placed;
                let latest = &placed[placed.len().saturating_sub(REMEMBERED)..];
                let order = self.random.choice(latest).cloned().unwrap_or_default();
                // It may be just so old that its row is not written yet.
                self.read(&format!("/orders/{order}"), Some(StatusCode::NOT_FOUND)).await
            }
            Kind::List => {
                let path = format!("/customers/{}/orders?limit=20", self.shopped.customer);
                self.read(&path, None).await
            }
            Kind::Stock => self.read("/stock", None).await,
        }
    }

    async fn place(&mut self) -> Result<bool, Fault> {
        let order = format!("{}.{}", self.shopped.customer, self.shopped.placed.len());
        let product = PRODUCTS[self.random.usize(0..PRODUCTS.len())];
        let body = json!({ "product": product, "quantity": self.random.u32(1..4) });
        let request = self.client.put(format!("{}/orders/{order}", self.url)).json(&body);
        let Some(token) = self.command(request, &order).await? else { return Ok(false) };
        self.unread = Some((order.clone(), token));
        self.unpaid.push(order.clone());
        self.shopped.placed.push(order);
        Ok(true)
    }

    async fn pay(&mut self) -> Result<bool, Fault> {
        let order = self.unpaid.swap_remove(self.random.usize(..self.unpaid.len()));
        let card = if self.random.u8(..20) == 0 { "declined-1" } else { "card-1" };
        let path = format!("{}/orders/{order}/payment", self.url);
        let request = self.client.post(path).json(&json!({ "card": card }));
        let is_accepted = self.command(request, &format!("{order}-pay")).await?.is_some();
        if is_accepted {
            self.shopped.paid.push(order);
        }
        Ok(is_accepted)
    }

    /// Sends a command, and gives the token if it was accepted.
    async fn command(
        &mut self,
        request: RequestBuilder,
        key: &str,
    ) -> Result<Option<String>, Fault> {
        let request = request.bearer_auth(token_of(&self.shopped.customer));
        let answer = request.header("Idempotency-Key", key).send().await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Ok(None);
        }
        let answer: Value = answer.json().await?;
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        self.shopped.last_token = Some(token.clone());
        Ok(Some(token))
    }

    async fn read(&self, path: &str, or: Option<StatusCode>) -> Result<bool, Fault> {
        let request = self.client.get(format!("{}{path}", self.url));
        let answer = request.bearer_auth(token_of(&self.shopped.customer)).send().await?;
        let is_good = answer.status().is_success() || Some(answer.status()) == or;
        answer.bytes().await?;
        Ok(is_good)
    }
}
