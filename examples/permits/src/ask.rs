//! Asking the read models, once their rows say all that the store holds.

use std::time::Duration;

use annals::prelude::*;
use annals::query::Ask;
use annals::stream::StreamHead;
use futures::TryStreamExt;

use crate::Fault;
use crate::replay::{Replayed, events_after};

/// How long a query waits for its rows: longer than an engine that was killed keeps them from the next one.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is asked while an engine keeps the rows.
pub(crate) struct Reader {
    engine: ProjectionEngine,
    queries: QueryBus,
    last: Option<Receipt>,
}

impl Reader {
    /// Starts an engine on what a replay has left, and on what was in its store before.
    pub(crate) async fn start<S>(replayed: &Replayed<S>) -> Result<Self, Fault>
    where
        S: EventStore + ReadModelStore + Clone,
    {
        let last = last_event(replayed).await?;
        let engine =
            ProjectionEngine::builder(replayed.store.clone()).register_all().start().await?;
        let queries = QueryBus::builder(engine.read_models()).build()?;
        Ok(Self { engine, queries, last })
    }

    /// The bus that answers.
    pub(crate) fn queries(&self) -> &QueryBus {
        &self.queries
    }

    /// Has a query of the rows of `M` answered from all events, and ends the engine. Rows that lack an event, since it is
    /// parked, are no answer.
    pub(crate) async fn answer<M: Projection, T, E>(
        self,
        asked: Ask<T, E>,
    ) -> Result<Result<T, QueryError<E>>, Fault> {
        let asked = match &self.last {
            Some(last) => asked.after_within(last, PATIENCE),
            None => asked,
        };
        let answer = asked.await;
        let status = self.engine.status().await?;
        self.engine.shutdown().await?;
        if let Some(status) = status.of::<M>().filter(|status| status.parked > 0) {
            let reason = status.last_error.as_deref().unwrap_or("nothing is known of it");
            let (name, events) = (&status.name, status.parked);
            return Err(format!("projection `{name}`: parked events: {events}: {reason}").into());
        }
        Ok(answer)
    }
}

/// Names the last event of all cases: one of this log, or one of another that was recorded later.
async fn last_event<S: EventStore>(replayed: &Replayed<S>) -> Result<Option<Receipt>, Fault> {
    let mut last = replayed.last.clone();
    let position = last.as_ref().map_or(Position::START, |last| last.position);
    let mut later = replayed.store.read_all(events_after(position));
    while let Some(event) = later.try_next().await? {
        let RecordedEvent { stream_id, stream_version, position, recorded_at, .. } = event;
        let head = StreamHead::new(stream_version, position, recorded_at);
        last = Some(Receipt::new(stream_id, head, 0));
    }
    Ok(last)
}
