//! Aggregates that the program links.

use std::any::{TypeId, type_name};

#[cfg(feature = "cli")]
use futures::future::BoxFuture;

use crate::aggregate::{Aggregate, SnapshotPolicy};
use crate::event::{EventEnum, EventName};
use crate::shape::StateShape;

/// A type of aggregate that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AggregateRegistration {
    /// The first part of its streams' names.
    pub category: &'static str,
    /// Its events.
    pub events: &'static [EventName],
    /// Stored names of events in its streams that it passes over.
    pub ignored: &'static [&'static str],
    /// When its snapshots are taken, if it has any.
    pub snapshot: Option<SnapshotPolicy>,
    /// Finds the shape of its state in snapshots, if it has any.
    pub snapshot_shape: fn() -> Option<&'static StateShape>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    #[cfg(feature = "cli")]
    pub(crate) show: ShowAggregate,
}

/// Loads an aggregate by its id's text, and shows it.
#[cfg(feature = "cli")]
type ShowAggregate = fn(
    crate::store::Stores,
    String,
    crate::repository::Until,
) -> BoxFuture<'static, Result<Option<ShownAggregate>, crate::LoadError>>;

/// An aggregate of any type, as people see it.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct ShownAggregate {
    pub(crate) stream_id: crate::StreamId,
    pub(crate) version: u64,
    pub(crate) position: crate::Position,
    pub(crate) recorded_at: crate::Timestamp,
    /// What its snapshot would hold, if it has any.
    pub(crate) state: Option<String>,
    /// What `Debug` shows, if it has that.
    pub(crate) shown: Option<String>,
}

#[cfg(feature = "cli")]
fn show<A: Aggregate>(
    stores: crate::store::Stores,
    id: String,
    until: crate::repository::Until,
) -> BoxFuture<'static, Result<Option<ShownAggregate>, crate::LoadError>> {
    use crate::repository::Until;

    Box::pin(async move {
        let repository = crate::Repository::<A>::new(stores);
        let parsed = id.parse::<A::Id>().map_err(|_| {
            let reason = format!("no id of `{}` has this text", A::CATEGORY);
            crate::aggregate_id::IdError::new(&*id, reason)
        })?;
        let load = repository.load(&parsed);
        let load = match until {
            Until::Head => load,
            Until::Version(version) => load.at_version(version),
            Until::Instant(instant) => load.as_of(instant),
        };
        let shown = load.await?.map(|loaded| ShownAggregate {
            stream_id: loaded.stream_id,
            version: loaded.stream_version,
            position: loaded.position,
            recorded_at: loaded.recorded_at,
            state: loaded.state.encode_snapshot().and_then(Result::ok),
            shown: loaded.state.shown(),
        });
        Ok(shown)
    })
}

impl AggregateRegistration {
    /// All aggregates that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of an aggregate.
    pub const fn of<A: Aggregate>() -> Self {
        Self {
            category: A::CATEGORY,
            events: A::Event::EVENTS,
            ignored: A::IGNORED,
            snapshot: A::SNAPSHOT,
            snapshot_shape: A::snapshot_shape,
            type_name: type_name::<A>,
            type_id: TypeId::of::<A>,
            #[cfg(feature = "cli")]
            show: show::<A>,
        }
    }
}

inventory::collect!(AggregateRegistration);
