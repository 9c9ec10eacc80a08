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

pub mod bookings;
pub mod orders;

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

/// A parcel on its way, as a row of a crate that others read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ReadModel)]
#[read_model(table = "weighed_parcels")]
pub struct WeighedParcel {
    /// Which one.
    #[read_model(key)]
    pub parcel: ParcelId,
    /// What it weighs, in grams.
    #[read_model(index)]
    pub grams: i64,
    /// How heavy that is.
    pub class: Weight,
}

/// How heavy a parcel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ColumnType)]
pub enum Weight {
    /// A child carries it.
    Light,
    /// It takes a barrow.
    #[column(name = "HEAVY")]
    Heavy,
}

#[projection(exhaustive(Weighed))]
impl WeighedParcel {
    /// Keeps whole grams.
    #[on(upsert)]
    #[expect(clippy::cast_possible_truncation, reason = "the lints of a user stay on his method")]
    pub fn was_weighed(_: Option<Self>, event: &ParcelWeighed, cx: &EventContext<Self>) -> Self {
        let class = if event.grams > 9_000.0 { Weight::Heavy } else { Weight::Light };
        Self { parcel: cx.key().clone(), grams: event.grams as i64, class }
    }
}

/// Weighs again what was weighed as too heavy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scales;

#[reactor(name = "foreign_scales", services = u32)]
impl Scales {
    /// Weighs again.
    #[on(from = Weighed)]
    #[expect(clippy::cast_precision_loss, reason = "the lints of a user stay on his method")]
    pub async fn was_weighed(
        event: &ParcelWeighed,
        cx: &EventContext<Self>,
    ) -> Option<WeighParcel> {
        let parcel = cx.stream_id().id().into();
        (event.grams > *cx.services() as f32).then_some(WeighParcel { parcel, grams: event.grams })
    }

    /// Looks only.
    #[on]
    pub fn sent(_: &ParcelSent) {}
}

/// What brings a parcel to its receiver, as others register it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "weighing", id = ParcelId, sends(WeighParcel, DeliverParcel as Deliver))]
pub struct Weighing {
    /// How often it was weighed.
    pub times: u8,
}

#[process]
impl Weighing {
    /// Weighs once more. The marks take these docs along.
    #[on(upsert)]
    #[expect(clippy::needless_pass_by_value, reason = "the lints of a user stay on his method")]
    pub fn weighed(
        weighing: Option<Self>,
        event: &ParcelWeighed,
        cx: &EventContext<Self>,
    ) -> (Self, Option<WeighingCommand>) {
        let times = weighing.as_ref().map_or(1, |weighing| weighing.times + 1);
        let (parcel, grams) = (cx.id().clone(), event.grams);
        let again = (times < 2).then(|| WeighParcel { parcel, grams }.into());
        (Self { times }, again)
    }

    /// Leaves it as it is.
    #[rejected]
    pub fn not_weighed(&self, _: &WeighParcel) {}

    /// Delivers it.
    #[deadline(name = "waited", after = std::time::Duration::from_secs(3))]
    pub fn waited(self, cx: &EventContext<Self>) -> Done<DeliverParcel> {
        Done(DeliverParcel { parcel: cx.id().clone() })
    }
}

/// Ask for the heaviest parcels.
#[derive(Debug, Serialize, Deserialize, Query)]
#[query(result = Vec<WeighedParcel>)]
pub struct Heaviest {
    /// How many.
    pub count: u64,
}

/// Finds them.
///
/// # Errors
///
/// When the rows cannot be read.
#[query_handler]
pub async fn heaviest(
    query: Heaviest,
    cx: &QueryContext,
) -> Result<Vec<WeighedParcel>, ReadModelError> {
    let rows = cx.models().query::<WeighedParcel>();
    rows.order_by(WeighedParcel::GRAMS.desc()).limit(query.count).fetch().await
}
