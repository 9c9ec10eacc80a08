//! Read models of the tests: an account's row, rows that several streams feed, rows that an event changes all at once.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct ItemId(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ItemListed {
    pub owner: String,
    pub price: i64,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct PriceChanged {
    pub price: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ItemSold {
    pub buyer: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ItemRemoved;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct OwnerRenamed {
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(
    id = ItemId,
    category = "projected_item",
    events(ItemListed, PriceChanged, ItemSold, ItemRemoved, OwnerRenamed)
)]
pub struct Item;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Record {
    #[command(id)]
    pub item: ItemId,
    pub what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum What {
    Listed(ItemListed),
    Price(PriceChanged),
    Sold(ItemSold),
    Removed,
    Renamed(OwnerRenamed),
}

#[handlers]
impl Item {
    #[handle(upsert)]
    fn record(_: Option<&Self>, command: Record) -> ItemEvent {
        match command.what {
            What::Listed(event) => event.into(),
            What::Price(event) => event.into(),
            What::Sold(event) => event.into(),
            What::Removed => ItemRemoved.into(),
            What::Renamed(event) => event.into(),
        }
    }

    #[apply(upsert)]
    fn listed(_: Option<Self>, _: &ItemListed) -> Self {
        Self
    }

    #[apply(upsert)]
    fn price(_: Option<Self>, _: &PriceChanged) -> Self {
        Self
    }

    #[apply(upsert)]
    fn sold(_: Option<Self>, _: &ItemSold) -> Self {
        Self
    }

    #[apply(upsert)]
    fn removed(_: Option<Self>, _: &ItemRemoved) -> Self {
        Self
    }

    #[apply(upsert)]
    fn renamed(_: Option<Self>, _: &OwnerRenamed) -> Self {
        Self
    }
}

/// One row for each item, which follows its stream; a price below zero fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "items")]
pub struct ItemRow {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(index)]
    pub owner: String,
    #[read_model(index)]
    pub price: i64,
    pub buyer: Option<String>,
    #[read_model(json)]
    pub tags: Vec<String>,
    pub changes: u32,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("a price of {0} is below zero")]
pub struct BelowZero(i64);

#[projection]
impl ItemRow {
    #[on(upsert)]
    fn listed(row: Option<Self>, event: &ItemListed, cx: &EventContext<Self>) -> Self {
        let changes = row.map_or(0, |row| row.changes + 1);
        let ItemListed { owner, price, tags } = event.clone();
        Self { item: cx.key().clone(), owner, price, buyer: None, tags, changes }
    }

    #[on]
    fn price(&mut self, event: &PriceChanged) -> Result<(), BelowZero> {
        if event.price < 0 {
            return Err(BelowZero(event.price));
        }
        self.price = event.price;
        self.changes += 1;
        Ok(())
    }

    #[on]
    fn sold(self, event: &ItemSold) -> Self {
        Self { buyer: Some(event.buyer.clone()), changes: self.changes + 1, ..self }
    }

    #[on]
    fn removed(self, _: &ItemRemoved) -> Option<Self> {
        None
    }

    /// On all rows of the owner, whichever stream said so.
    #[on(each(owner = from))]
    fn renamed(&mut self, event: &OwnerRenamed) {
        self.owner.clone_from(&event.to);
        self.changes += 1;
    }
}

/// One row for each tag of an item: an event that goes to several rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "tag_counts")]
pub struct TagCount {
    #[read_model(key)]
    pub tag: String,
    pub items: i64,
}

#[projection]
impl TagCount {
    #[on(upsert, key = |event| event.tags.clone())]
    fn listed(row: Option<Self>, _: &ItemListed, cx: &EventContext<Self>) -> Self {
        Self { tag: cx.key().clone(), items: row.map_or(0, |row| row.items) + 1 }
    }
}

/// A row of two columns as its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "sales")]
pub struct Sale {
    #[read_model(key)]
    pub item: ItemId,
    #[read_model(key)]
    pub buyer: String,
    pub times: i64,
}

#[projection]
impl Sale {
    #[on(upsert, key = |event| (ItemId::from("any"), event.buyer.clone()))]
    fn sold(row: Option<Self>, _: &ItemSold, cx: &EventContext<Self>) -> Self {
        let (item, buyer) = cx.key().clone();
        Self { item, buyer, times: row.map_or(0, |row| row.times) + 1 }
    }
}
