//! What the shop decides: orders, stock and payments, each an aggregate of its own. It knows no HTTP and no store.

mod catalogue;
mod order;
mod payment;
mod stock;

use std::convert::Infallible;
use std::error::Error;

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::catalogue::Catalogue;
pub(crate) use self::order::*;
pub(crate) use self::payment::*;
pub(crate) use self::stock::*;

/// What tells one order from another: whoever places it chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId, ToSchema)]
pub(crate) struct OrderId(String);

/// What the shop sells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId, ToSchema)]
pub(crate) struct ProductId(String);

/// A refusal of the domain that names the rule which was broken: the name is part of the API, the words are not.
pub(crate) trait BrokenRule: Error {
    /// The name of the rule.
    fn rule(&self) -> &'static str;
}

impl BrokenRule for Infallible {
    fn rule(&self) -> &'static str {
        match *self {}
    }
}
