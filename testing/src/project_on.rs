//! The same tests of projections against a store: a real database, and the engine that runs in production.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use annals::read_model::IntoColumn;
use annals::{
    Append, EventStore, Expected, NewEvent, Projection, ProjectionEngine, ReadModelStore, Receipt,
    RecordedEvent, RetryPolicy,
};

use crate::history::{History, IntoHistory};
use crate::report;

/// Longer than an engine needs for what a test says.
const PATIENCE: Duration = Duration::from_secs(30);

/// A projection under test on a store, which an engine runs.
///
/// What was given and what happens is appended to the store; each expectation waits until the engine has passed it.
pub struct ProjectionTestOn<P: Projection, S> {
    store: S,
    engine: ProjectionEngine,
    last: Option<Receipt>,
    of: PhantomData<fn() -> P>,
}

impl History {
    /// Tests a projection on a store: its events are appended there, and an engine writes the rows.
    ///
    /// # Panics
    ///
    /// If the store cannot be used.
    pub async fn project_on<P: Projection, S>(self, store: &S) -> ProjectionTestOn<P, S>
    where
        S: EventStore + ReadModelStore + Clone,
    {
        let engine = ProjectionEngine::builder(store.clone())
            .register::<P>()
            .retry(RetryPolicy::never())
            .polling(Duration::from_millis(20));
        let engine = match engine.start().await {
            Ok(engine) => engine,
            Err(error) => panic!("the engine does not start: {}", report::in_words(&error)),
        };
        let test = ProjectionTestOn { store: store.clone(), engine, last: None, of: PhantomData };
        test.when(self.events().to_vec()).await
    }
}

impl<P: Projection, S: EventStore> ProjectionTestOn<P, S> {
    /// Appends what happens next: one event, an array or a `Vec`.
    ///
    /// # Panics
    ///
    /// If the store does not take it.
    pub async fn when(mut self, events: impl IntoHistory) -> Self {
        for event in events.into_history() {
            let RecordedEvent { id, stream_id, event_type, schema_version, data, .. } = event;
            let new = NewEvent::new(id, event_type, schema_version, data)
                .with_readable_from(event.readable_from)
                .with_metadata(event.metadata);
            let append = Append::new(stream_id, Expected::Any, vec![new]);
            match self.store.append(vec![append]).await {
                Ok(mut receipts) => self.last = receipts.pop(),
                Err(error) => panic!("append to the store: {}", report::in_words(&error)),
            }
        }
        self
    }

    /// Expects a row, and expects it to say this.
    ///
    /// # Panics
    ///
    /// If there is none, it says something else, or an event failed for its stream.
    pub async fn then_row(self, key: impl IntoColumn<P::Key>, expected: P) -> Self
    where
        P: Debug + PartialEq,
    {
        let found = self.row(key).await;
        let expected = Some(expected);
        assert!(
            found == expected,
            "a row of `{}` differs\n\n{}",
            P::TABLE.name,
            report::diff(&format!("{expected:#?}"), &format!("{found:#?}"), "expected", "found")
        );
        self
    }

    /// Expects that there is no row of a key.
    ///
    /// # Panics
    ///
    /// If there is one, or an event failed for its stream.
    pub async fn then_no_row(self, key: impl IntoColumn<P::Key>) -> Self
    where
        P: Debug,
    {
        let found = self.row(key).await;
        assert!(found.is_none(), "there is a row of `{}`: {found:#?}", P::TABLE.name);
        self
    }

    /// Hands all rows, in the order of their keys, to a closure that asserts something.
    ///
    /// # Panics
    ///
    /// If they cannot be read.
    pub async fn then_rows(self, check: impl FnOnce(Vec<P>)) -> Self {
        self.wait().await;
        match self.engine.read_models().query::<P>().fetch().await {
            Ok(rows) => check(rows),
            Err(error) => panic!("read the rows: {}", report::in_words(&error)),
        }
        self
    }

    async fn row(&self, key: impl IntoColumn<P::Key>) -> Option<P> {
        self.wait().await;
        match self.engine.read_models().get::<P>(key).await {
            Ok(row) => row,
            Err(error) => panic!("read the row: {}", report::in_words(&error)),
        }
    }

    async fn wait(&self) {
        let Some(last) = &self.last else { return };
        // What was appended here, no bus has written rows for.
        if P::INLINE
            && let Err(error) = self.engine.rebuild::<P>().await
        {
            panic!("write the rows: {}", report::in_words(&error));
        }
        if let Err(error) = self.engine.wait_for::<P>(last, PATIENCE).await {
            panic!("wait for the projection: {}", report::in_words(&error));
        }
    }
}
