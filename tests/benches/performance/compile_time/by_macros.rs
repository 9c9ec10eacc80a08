//! An item of a warehouse, by the macros. `ten.rs` makes of `Picked` and `Pick` the nine kinds of events and commands that are
//! compiled, where `// Each:` begins and `// Once:` ends them, and in each line that ends in `// each`.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct ItemId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Listed {
    pub name: String,
    pub most: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct List {
    #[command(id)]
    pub item: ItemId,
    pub name: String,
    pub most: u64,
}

// Each:
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Picked {
    pub quantity: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Pick {
    #[command(id)]
    pub item: ItemId,
    pub quantity: u64,
}

// Once:
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ItemError {
    #[error("a quantity must be more than zero")]
    Nothing,
    #[error("{asked} are more than the {left} that are left")]
    TooMany { left: u64, asked: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = ItemId,
    events(
        Listed,
        Picked, // each
    ),
    snapshot(every = 100)
)]
pub struct Item {
    pub name: String,
    pub most: u64,
    pub picked: u64, // each
}

#[handlers]
impl Item {
    fn ensure_left(&self, done: u64, asked: u64) -> Result<(), ItemError> {
        let left = self.most - done;
        match asked {
            0 => Err(ItemError::Nothing),
            asked if asked > left => Err(ItemError::TooMany { left, asked }),
            _ => Ok(()),
        }
    }

    #[handle]
    fn list(command: List) -> Listed {
        Listed { name: command.name, most: command.most }
    }

    #[apply]
    fn listed(event: &Listed) -> Self {
        Self {
            name: event.name.clone(),
            most: event.most,
            picked: 0, // each
        }
    }

    // Each:
    #[handle]
    fn pick(&self, command: Pick) -> Result<Picked, ItemError> {
        self.ensure_left(self.picked, command.quantity)?;
        Ok(Picked { quantity: command.quantity })
    }

    #[apply]
    fn picked(&mut self, event: &Picked) {
        self.picked += event.quantity;
    }
    // Once:
}
