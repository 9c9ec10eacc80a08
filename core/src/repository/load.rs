//! One load, as it is asked for.

use std::future::IntoFuture;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{LoadError, Until, replay};
use crate::aggregate::Aggregate;
use crate::aggregate_id::IdError;
use crate::position::Position;
use crate::store::Stores;
use crate::stream::StreamId;
use crate::timestamp::Timestamp;

/// A load that begins when it is awaited.
///
/// # Cancel safety
///
/// A load only reads.
#[must_use = "a load does nothing until it is awaited"]
#[derive(Debug)]
pub struct Load<A: Aggregate> {
    stores: Stores,
    id: Result<A::Id, IdError>,
    until: Until,
}

impl<A: Aggregate> Load<A> {
    pub(super) fn new(stores: Stores, id: Result<A::Id, IdError>) -> Self {
        Self { stores, id, until: Until::Head }
    }

    /// Asks for the state as it was at a version of the stream; one that the stream has not reached is an error.
    pub fn at_version(mut self, version: u64) -> Self {
        self.until = Until::Version(version);
        self
    }

    /// Asks for the state as it was at an instant of the store's clock: the fold of the longest beginning of the stream
    /// that was stored by then.
    pub fn as_of(mut self, instant: Timestamp) -> Self {
        self.until = Until::Instant(instant);
        self
    }

    async fn run(self) -> Result<Option<Loaded<A>>, LoadError> {
        let id = self.id?;
        let stream_id = stream_of::<A>(&id)?;
        let replayed = replay::<A>(&self.stores, &id, &stream_id, self.until).await?;
        if let Until::Version(asked) = self.until
            && replayed.version() < asked
        {
            let actual = replayed.version();
            return Err(LoadError::NoSuchVersion { stream_id, asked, actual });
        }
        Ok(match (replayed.state, replayed.last) {
            (Some(state), Some(last)) => Some(Loaded {
                id,
                stream_id,
                state,
                stream_version: last.stream_version,
                position: last.position,
                recorded_at: last.recorded_at,
            }),
            _ => None,
        })
    }
}

impl<A: Aggregate> IntoFuture for Load<A> {
    type Output = Result<Option<Loaded<A>>, LoadError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.run().boxed()
    }
}

/// The stream of an aggregate; an id that no stream can have is none.
pub(super) fn stream_of<A: Aggregate>(id: &A::Id) -> Result<StreamId, IdError> {
    let stream_id = StreamId::of::<A>(id);
    match stream_id.fault() {
        Some(fault) => Err(IdError::new(id.to_string(), fault)),
        None => Ok(stream_id),
    }
}

/// An aggregate as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded<A: Aggregate> {
    /// Its id.
    pub id: A::Id,
    /// Its stream.
    pub stream_id: StreamId,
    /// The fold of the stream's events.
    pub state: A,
    /// The version of the last event that is in the state, or passed over in it.
    pub stream_version: u64,
    /// The position of that event.
    pub position: Position,
    /// The instant of that event.
    pub recorded_at: Timestamp,
}
