//! Stock: how many pieces of a product there are.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BrokenRule, Catalogue, OrderId, ProductId};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct Restocked {
    pub(crate) quantity: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct StockReserved {
    pub(crate) order: OrderId,
    pub(crate) quantity: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct StockReleased {
    pub(crate) order: OrderId,
    pub(crate) quantity: u32,
}

/// By staff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct Restock {
    #[command(id)]
    pub(crate) product: ProductId,
    pub(crate) quantity: u32,
}

/// By the fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct ReserveStock {
    #[command(id)]
    pub(crate) product: ProductId,
    pub(crate) order: OrderId,
    pub(crate) quantity: u32,
}

/// By the fulfilment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct ReleaseStock {
    #[command(id)]
    pub(crate) product: ProductId,
    pub(crate) order: OrderId,
    pub(crate) quantity: u32,
}

/// Why stock refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum StockError {
    #[error("only {available} left")]
    OutOfStock { available: u64 },
    #[error("nothing is no delivery")]
    Nothing,
    #[error("the shop does not sell `{0}`")]
    UnknownProduct(ProductId),
}

impl BrokenRule for StockError {
    fn rule(&self) -> &'static str {
        match self {
            Self::OutOfStock { .. } => "out-of-stock",
            Self::Nothing => "quantity",
            Self::UnknownProduct(_) => "unknown-product",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = ProductId,
    events(Restocked, StockReserved, StockReleased),
    services = Catalogue,
    snapshot(every = 100)
)]
pub(crate) struct Stock {
    /// Wider than what one event says, so that no sum of events overflows.
    available: u64,
}

#[handlers]
impl Stock {
    /// Serves a product that is new and one that is known.
    #[handle(upsert)]
    fn restock(
        _: Option<&Self>,
        command: Restock,
        cx: &Context<Self>,
    ) -> Result<Restocked, StockError> {
        let Restock { product, quantity } = command;
        if cx.services().price(&product).is_none() {
            return Err(StockError::UnknownProduct(product));
        }
        if quantity == 0 { Err(StockError::Nothing) } else { Ok(Restocked { quantity }) }
    }

    #[apply(upsert)]
    fn restocked(stock: Option<Self>, event: &Restocked) -> Self {
        let available = stock.map_or(0, |stock| stock.available);
        Self { available: available + u64::from(event.quantity) }
    }

    #[handle]
    fn reserve(&self, command: ReserveStock) -> Result<StockReserved, StockError> {
        let ReserveStock { order, quantity, .. } = command;
        if u64::from(quantity) > self.available {
            return Err(StockError::OutOfStock { available: self.available });
        }
        Ok(StockReserved { order, quantity })
    }

    #[apply]
    fn reserved(&mut self, event: &StockReserved) {
        self.available -= u64::from(event.quantity);
    }

    #[handle]
    fn release(&self, command: ReleaseStock) -> StockReleased {
        StockReleased { order: command.order, quantity: command.quantity }
    }

    #[apply]
    fn released(&mut self, event: &StockReleased) {
        self.available += u64::from(event.quantity);
    }
}
