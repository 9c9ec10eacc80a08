//! Columns by which no rows are found: whoever asks by one is told, while compiling, what to write.

use std::marker::PhantomData;

use super::column::{Condition, IndexedColumn, Order};

/// A column of the read model `M` by which no rows are found, since it has no index.
///
/// `#[derive(ReadModel)]` writes a constant for each. Nothing that it could be asked compiles.
#[derive(Debug)]
pub struct UnindexedColumn<M>(PhantomData<fn() -> M>);

impl<M> UnindexedColumn<M> {
    /// Stands for a column.
    #[expect(clippy::new_without_default, reason = "what is made of it is good for nothing")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

// Each is written out: the compiler shows the one that was called.
impl<M> UnindexedColumn<M> {
    /// Does not compile.
    #[doc(hidden)]
    pub fn eq<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn lt<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn le<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn gt<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn ge<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn in_<V>(self, _: V) -> Condition<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn asc(self) -> Order<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }

    /// Does not compile.
    #[doc(hidden)]
    pub fn desc(self) -> Order<M>
    where
        Self: IndexedColumn<M>,
    {
        asked()
    }
}

fn asked() -> ! {
    unreachable!("bug in annals: a question by a column without index was compiled")
}
