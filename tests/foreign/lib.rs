//! A domain in a library of its own, under every lint that people turn on: what the macros write is public, documented and
//! free of warnings. Aggregates of other crates use its events, commands and ids.
#![deny(
    warnings,
    missing_docs,
    rust_2018_idioms,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// The id of a parcel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct ParcelId(String);

/// A parcel was handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ParcelSent {
    /// Where it goes.
    pub to: String,
}

/// A parcel was handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ParcelDelivered;

/// Hand a parcel in.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct SendParcel {
    /// Which one.
    #[command(id)]
    pub parcel: ParcelId,
    /// Where to.
    pub to: String,
}

/// Hand a parcel over.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct DeliverParcel {
    /// Which one.
    #[command(id)]
    pub parcel: ParcelId,
}

/// Weigh a parcel.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct WeighParcel {
    /// Which one.
    #[command(id)]
    pub parcel: ParcelId,
    /// What it weighs, in grams.
    pub grams: f32,
}

/// A parcel was weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct ParcelWeighed {
    /// What it weighs, in grams.
    pub grams: f32,
}

/// A parcel of this crate; another crate has one of its own, of the same events and commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = ParcelId, events(ParcelWeighed), category = "weighed_parcel", snapshot(every = 2))]
pub struct Weighed {
    /// What it weighs, in grams.
    pub grams: u32,
}

#[handlers]
impl Weighed {
    /// Weighs. The marks take these docs along.
    #[handle(upsert)]
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the lints of a user stay on his method"
    )]
    pub fn weigh(state: Option<&Self>, command: WeighParcel) -> Option<ParcelWeighed> {
        let known = state.is_some_and(|state| state.grams == command.grams as u32);
        (!known).then_some(ParcelWeighed { grams: command.grams })
    }

    /// Keeps whole grams.
    #[apply(upsert)]
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the lints of a user stay on his method"
    )]
    pub fn was_weighed(_: Option<Self>, event: &ParcelWeighed) -> Self {
        Self { grams: event.grams as u32 }
    }
}
