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

macro_rules! asked {
    ($($ask:ident($($value:ident)?) -> $answer:ident;)+) => {
        impl<M> UnindexedColumn<M> {
            $(
                /// Does not compile.
                #[doc(hidden)]
                pub fn $ask$(<$value>)?(self, $(_: $value)?) -> $answer<M>
                where
                    Self: IndexedColumn<M>,
                {
                    unreachable!("bug in annals: a question by a column without index was compiled")
                }
            )+
        }
    };
}

asked! {
    eq(V) -> Condition;
    lt(V) -> Condition;
    le(V) -> Condition;
    gt(V) -> Condition;
    ge(V) -> Condition;
    in_(V) -> Condition;
    asc() -> Order;
    desc() -> Order;
}
