//! To which row an event goes, as `#[on]` writes it.

use crate::aggregate::Aggregate;
use crate::aggregate_id::AggregateId;
use crate::context::Subject;
use crate::projection::{Projection, Route, RowError, Source};
use crate::read_model::{
    ColumnError, ColumnType, Comparison, IndexedColumn, IntoColumn, Is, ModelKey, RowKey, Test,
};
use crate::recorded_event::RecordedEvent;

/// An event that the aggregate `A` lists: its streams are those that a row, or a process, without `key` follows.
///
/// `#[derive(Aggregate)]` writes it for each event. Where exactly one aggregate lists an event, the compiler finds it.
#[diagnostic::on_unimplemented(
    message = "no aggregate lists `{Self}`, so that nothing follows its stream",
    label = "name the key: `#[on(key = …)]`",
    note = "list the event in `#[aggregate(events(…))]`, or say where it goes: `key = field` or `key = |event| …`"
)]
pub trait RecordedBy<A: Aggregate> {}

/// The id of an aggregate, where it is the key of a row, too.
#[diagnostic::on_unimplemented(
    message = "the event's stream is named by a `{Self}`, the row by a `{K}`",
    label = "name the row's key: `#[on(key = …)]`",
    note = "without `key`, a row follows the event's own stream, and its key is the aggregate's id; say which row the event changes: `key = field` or `key = |event| …`"
)]
pub trait KeyOfRow<K>: Sized {
    /// The way back from the key.
    fn of_key(key: &K) -> &Self;

    /// The id as the key.
    fn into_key(self) -> K;
}

impl<K> KeyOfRow<K> for K {
    fn of_key(key: &K) -> &Self {
        key
    }

    fn into_key(self) -> K {
        self
    }
}

/// An event that the aggregate of `from = A` lists.
#[diagnostic::on_unimplemented(
    message = "`{A}` does not list `{Self}`",
    label = "not the aggregate of `{Self}`",
    note = "`from` names an aggregate whose `#[aggregate(events(…))]` lists the event"
)]
pub trait ListedBy<A> {
    /// From where the event is taken.
    fn source<P: Subject>() -> Source<P>;
}

#[diagnostic::do_not_recommend]
impl<A: Aggregate, E: RecordedBy<A>> ListedBy<A> for E {
    fn source<P: Subject>() -> Source<P> {
        Source::of::<A>()
    }
}

/// An aggregate whose streams rows with the key `K` follow.
pub trait FollowedBy<K>: Aggregate {
    /// From where a row takes its events.
    fn source<P: Projection + Subject<Key = K>>() -> Source<P>;

    /// To which row what is recorded in a stream goes.
    ///
    /// # Errors
    ///
    /// When the stream's name holds no id of the aggregate.
    fn route<P: Projection + Subject<Key = K>>(
        recorded: &RecordedEvent,
    ) -> Result<Route<K>, RowError>;
}

impl<K, A: Aggregate<Id: KeyOfRow<K>>> FollowedBy<K> for A {
    fn source<P: Projection + Subject<Key = K>>() -> Source<P> {
        Source::own::<A>()
    }

    fn route<P: Projection + Subject<Key = K>>(
        recorded: &RecordedEvent,
    ) -> Result<Route<K>, RowError> {
        Source::<P>::key_of::<A>(&recorded.stream_id).map(Route::One)
    }
}

/// The stream that a row follows which names no key: the event's own.
#[derive(Debug)]
pub struct OwnStream<P: Projection> {
    /// From where the event is taken.
    pub source: Source<P>,
    /// To which row it goes.
    pub route: fn(&RecordedEvent) -> Result<Route<P::Key>, RowError>,
}

impl<P: Projection> OwnStream<P> {
    fn of<A: FollowedBy<P::Key>>() -> Self {
        Self { source: A::source(), route: A::route::<P> }
    }
}

/// The stream of a row that follows the one aggregate that lists the event `E`.
///
/// Where several list it, the compiler cannot tell which one is meant. It then names this function and its parameter, and
/// shows the line of the bound: their names and that line say what to write.
pub fn row_without_key<
    P: Projection,
    E: RecordedBy<TheOneThatListsIt>, // Several list it? Name the row's key, `#[on(key = …)]`, or the one: `#[on(from = …)]`.
    TheOneThatListsIt: FollowedBy<P::Key>,
>() -> OwnStream<P> {
    OwnStream::of::<TheOneThatListsIt>()
}

/// The same where several list it: `from = A`.
pub fn own_from<P: Projection, E: ListedBy<A>, A: FollowedBy<P::Key>>() -> OwnStream<P> {
    OwnStream::of::<A>()
}

/// From where the event `E` is taken that names its key: `from = A`.
pub fn source_from<P: Subject, E: ListedBy<A>, A>() -> Source<P> {
    E::source()
}

/// To which row an event goes whose field is the key: `key = field`.
pub fn route_by_field<K>(value: impl IntoColumn<K>) -> Route<K> {
    Route::One(value.into_column())
}

/// To which rows an event goes whose field is the value of a column: `each(column = field)`.
///
/// # Errors
///
/// When the column cannot hold the value.
pub fn route_each<P: Projection, C: IndexedColumn<P>>(
    column: &C,
    value: impl IntoColumn<C::Type>,
) -> Result<Route<P::Key>, RowError> {
    let value = value.into_column().to_value()?;
    Ok(Route::Each(Test { column: column.place(), is: Is::Compared(Comparison::Equal, value) }))
}

/// The key of a read model that has none: it fits every id, so that one mistake stays one error.
#[derive(Debug, Clone)]
pub struct AnyKey;

impl ModelKey for AnyKey {
    fn to_row_key(&self) -> Result<RowKey, ColumnError> {
        Ok(RowKey(Vec::new()))
    }

    fn from_row_key(_: RowKey) -> Result<Self, ColumnError> {
        Ok(Self)
    }
}

#[diagnostic::do_not_recommend]
impl<Id: AggregateId> KeyOfRow<AnyKey> for Id {
    fn of_key(_: &AnyKey) -> &Self {
        unreachable!("bug in annals: a read model without a key was compiled")
    }

    fn into_key(self) -> AnyKey {
        AnyKey
    }
}
