//! What the rows of another definition would say: folded over history into a scratch table, and read.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use super::EngineError;
use super::aside::{Aside, FoldProgress};
use super::operator::Operator;
use super::scratch::{Place, Scratch};
use crate::position::Position;
use crate::projection::{ParkedEvent, Projection, RebuildLoad, projector};
use crate::read_model::ReadModels;

/// Folds a projection that no engine runs, once it is awaited.
///
/// # Cancel safety
///
/// A dropped call has changed no row of any read model; its scratch table goes by itself.
#[must_use = "nothing is folded until it is awaited"]
pub struct WhatIf<M: Projection> {
    operator: Operator,
    until: Option<Position>,
    aside: Aside,
    of: PhantomData<fn() -> M>,
}

/// The rows of a projection that no engine runs: in a scratch table, which goes when they are dropped.
pub struct WhatIfRows {
    models: ReadModels,
    position: Position,
    parked: Vec<ParkedEvent>,
}

impl Operator {
    /// Folds the projection of `M` over history, up to the log's present end, and gives its rows to read: as they would be, had
    /// it been there all the time. It need not be registered, and may have the name and version of one that is: its rows are in
    /// a scratch table of the store, which goes with them, and nothing else is touched. What is left of one whose program has
    /// died, the next one drops, and [`prune`](Self::prune).
    ///
    /// Where engines [may make no tables](super::Tables::Awaited), the rows are folded in memory, a million at most.
    ///
    /// ```
    /// # use annals::prelude::*;
    /// # async fn look<M: Projection>(operator: &annals::projection::Operator) -> Result<(), Box<dyn std::error::Error>> {
    /// let rows = operator.what_if::<M>().await?;
    /// println!("{} rows at position {}", rows.read_models().query::<M>().count().await?, rows.position());
    /// rows.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When it stops at an event or has [too many rows](WhatIf::rows_at_most), tables may not be made, or the store does not answer.
    pub fn what_if<M: Projection>(&self) -> WhatIf<M> {
        let aside = Aside::default();
        WhatIf { operator: self.clone(), until: None, aside, of: PhantomData }
    }

    /// Drops the scratch tables that dry runs and [what-ifs](Self::what_if) have left whose programs died, and tells how many there
    /// were.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub async fn drop_left_scratch(&self) -> Result<u64, EngineError> {
        Ok(self.shared.rows.drop_left_scratch().await?)
    }
}

impl<M: Projection> WhatIf<M> {
    /// Folds only what was recorded up to a position.
    pub fn until(mut self, position: Position) -> Self {
        self.until = Some(position);
        self
    }

    /// Sets how many rows there may be: more are refused, once they are counted, which is done from time to time. Without it there
    /// may be as many as the disk takes.
    pub fn rows_at_most(mut self, rows: usize) -> Self {
        self.aside.most = Some(rows);
        self
    }

    /// Sets how much the fold may ask of the store.
    pub fn load(mut self, load: RebuildLoad) -> Self {
        self.aside.load = load;
        self
    }

    /// Has somebody told how far it has come, some times a second.
    ///
    /// ```
    /// # use annals::prelude::*;
    /// # async fn look<M: Projection>(operator: &annals::projection::Operator) -> Result<(), EngineError> {
    /// let rows = operator.what_if::<M>();
    /// let rows = rows.on_progress(|told| eprintln!("{} of {} events", told.events, told.of)).await?;
    /// # let _ = rows;
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_progress(mut self, tell: impl Fn(&FoldProgress) + Send + Sync + 'static) -> Self {
        self.aside.tell = Some(Arc::new(tell));
        self
    }

    async fn fold(self) -> Result<WhatIfRows, EngineError> {
        let Self { operator, until, aside, .. } = self;
        let place = Place::of(&operator.shared);
        let mut scratch = Scratch::new(&operator.shared, projector::<M>(), (place, aside)).await?;
        let head = operator.shared.events.head().await?;
        scratch.fold_to(until.map_or(head, |until| until.min(head))).await?;
        let (position, parked) = (scratch.position(), scratch.parked());
        Ok(WhatIfRows { models: ReadModels::of_scratch(scratch.into_table()), position, parked })
    }
}

impl<M: Projection> IntoFuture for WhatIf<M> {
    type Output = Result<WhatIfRows, EngineError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.fold())
    }
}

impl WhatIfRows {
    /// The rows, for queries; they stay for as long as there is a clone of this, too.
    pub const fn read_models(&self) -> &ReadModels {
        &self.models
    }

    /// Up to where the log was folded.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// The events that failed, and those that wait behind them.
    pub fn parked(&self) -> &[ParkedEvent] {
        &self.parked
    }

    /// Drops the rows, and waits until they are gone, unless somebody else has [theirs](Self::read_models) still. A program that ends
    /// right after it has dropped them need not come to do so.
    ///
    /// # Errors
    ///
    /// When the store cannot be written: then the next one who folds something aside drops them.
    pub async fn close(self) -> Result<(), EngineError> {
        match self.models.scratch.and_then(Arc::into_inner) {
            Some(table) => Ok(table.close().await?),
            None => Ok(()),
        }
    }
}

impl<M: Projection> fmt::Debug for WhatIf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhatIf").field("projection", &M::NAME).finish_non_exhaustive()
    }
}

impl fmt::Debug for WhatIfRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WhatIfRows").field("position", &self.position).finish_non_exhaustive()
    }
}
