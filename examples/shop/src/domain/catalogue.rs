//! What the shop sells, and for how much.

use std::collections::BTreeMap;

use super::ProductId;

/// What the handlers of orders ask for prices.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The price of one piece of each product, in cents.
    prices: BTreeMap<String, u32>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let prices = [
            ("coffee", 890),
            ("filter", 350),
            ("grinder", 7_900),
            ("kettle", 4_500),
            ("mug", 1_200),
            ("tea", 450),
        ];
        let prices = prices.into_iter().map(|(product, cents)| (product.to_owned(), cents));
        Self { prices: prices.collect() }
    }
}

impl Catalogue {
    /// The price of one piece, in cents.
    pub(crate) fn price(&self, product: &ProductId) -> Option<u32> {
        self.prices.get(&product.to_string()).copied()
    }
}
