//! What the macros of read models, projections and queries write, and what they assume.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::aggregate_id::AggregateId;
use crate::codec::Payload;
use crate::context::{EventContext, Subject};
use crate::event::Event;
use crate::projection::{On, Projection, Route, RowError, Source};
use crate::query::QueryContext;
use crate::read_model::{
    Column, ColumnError, ColumnKind, ColumnType, Comparison, IntoColumn, Is, KeyColumn, ModelKey,
    ReadModel, Row, RowKey, Test, Value,
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
pub fn own<P: Projection, E: RecordedBy<A>, A: FollowedBy<P::Key>>() -> OwnStream<P> {
    OwnStream::of::<A>()
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
pub fn route_each<P: Projection, T: ColumnType>(
    column: Column<P, T>,
    value: impl IntoColumn<T>,
) -> Result<Route<P::Key>, RowError> {
    let value = value.into_column().to_value()?;
    Ok(Route::Each(Test { column: column.index(), is: Is::Compared(Comparison::Equal, value) }))
}

/// The last parameter of an `#[on]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of an `#[on]` of `{P}` is `&EventContext<Self>`, not `{Self}`",
    label = "expected `&EventContext<Self>`",
    note = "an `#[on]` takes its event and, last and only if it wants it, `cx: &EventContext<Self>`"
)]
pub trait RowContext<'a, P: ReadModel> {
    /// The context as the method takes it.
    fn from_context(cx: &'a EventContext<P>) -> Self;
}

impl<'a, P: ReadModel> RowContext<'a, P> for &'a EventContext<P> {
    fn from_context(cx: &'a EventContext<P>) -> Self {
        cx
    }
}

/// The first parameter of an `#[on(upsert)]`.
#[diagnostic::on_unimplemented(
    message = "an `#[on(upsert)]` of `{P}` takes the row as `Option<Self>`, not as `{Self}`",
    label = "expected `Option<Self>`",
    note = "an upsert takes the row, if there is any, and gives back the next; to change a row that exists, write `#[on]` and `&mut self`"
)]
pub trait UpsertedRow<P> {
    /// The row as the method takes it.
    fn from_state(row: Option<P>) -> Self;
}

impl<P: ReadModel> UpsertedRow<P> for Option<P> {
    fn from_state(row: Option<P>) -> Self {
        row
    }
}

/// The last parameter of a `#[query_handler]`.
#[diagnostic::on_unimplemented(
    message = "the last parameter of a `#[query_handler]` is `&QueryContext`, not `{Self}`",
    label = "expected `&QueryContext`",
    note = "a query's handler takes its query and, last and only if it wants it, `cx: &QueryContext`"
)]
pub trait QueryHandlerContext<'a> {
    /// The context as the handler takes it.
    fn from_context(cx: &'a QueryContext) -> Self;
}

impl<'a> QueryHandlerContext<'a> for &'a QueryContext {
    fn from_context(cx: &'a QueryContext) -> Self {
        cx
    }
}

/// A projection that takes the event `E`, or says that it passes over it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` neither takes nor ignores `{E}`, but is exhaustive",
    label = "lists `{E}`, which `{Self}` leaves out",
    note = "write an `#[on]` for `{E}`, or add it to `ignore(…)` of the `#[projection]`"
)]
pub trait Covers<E> {}

#[diagnostic::do_not_recommend]
impl<E: Event, P: On<E>> Covers<E> for P {}

/// An aggregate all of whose events `P` covers. `#[derive(Aggregate)]` writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "its events are not known",
    note = "derive it: `#[derive(Aggregate)] #[aggregate(id = …, events(…))]`"
)]
pub trait CoveredBy<P> {}

/// What is asked of a projection that is `exhaustive(A)`.
pub const fn covers_all<P, A: CoveredBy<P>>() {}

/// What goes into a column as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as JSON and read back",
    label = "has no JSON",
    note = "derive `Serialize` and `Deserialize` on `{Self}`"
)]
pub trait JsonColumn: Sized {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// When it has no JSON.
    fn to_json(&self) -> Result<Value, ColumnError>;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// When the value is not its JSON.
    fn from_json(value: Value) -> Result<Self, ColumnError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> JsonColumn for T {
    fn to_json(&self) -> Result<Value, ColumnError> {
        let json = serde_json::to_string(self);
        let json = json.map_err(|error| ColumnError::new(format!("it has no JSON: {error}")))?;
        Ok(Value::Json(Payload::new(json)))
    }

    fn from_json(value: Value) -> Result<Self, ColumnError> {
        match value {
            Value::Json(payload) => serde_json::from_str(payload.as_str())
                .map_err(|error| ColumnError::new(error.to_string())),
            other => Err(ColumnError::kind(ColumnKind::Json, &other)),
        }
    }
}

/// Makes the constant of a column. Whether its type is that of a column, the read model asks, so that it is asked once.
pub const fn column_of<M, T>(index: usize) -> Column<M, T> {
    Column::new(index)
}

/// Says in which column something does not fit.
///
/// # Errors
///
/// What did not fit.
pub fn in_column<T>(name: &str, result: Result<T, ColumnError>) -> Result<T, ColumnError> {
    result.map_err(|error| ColumnError::new(format!("column `{name}`: {error}")))
}

/// The values of all columns of a row.
///
/// # Errors
///
/// When a column cannot hold its value.
pub fn row_of<M: ReadModel>(row: &M) -> Result<Row, ColumnError> {
    (0..M::TABLE.columns.len()).map(|index| row.column(index)).collect::<Result<_, _>>().map(Row)
}

/// The values of a row, as many as the derive counts fields.
///
/// # Errors
///
/// When there are more or fewer.
pub fn values_of<const N: usize>(row: Row) -> Result<[Value; N], ColumnError> {
    row.0.try_into().map_err(|values: Vec<Value>| {
        let found = values.len();
        ColumnError::new(format!("expected {N} columns, found {found}"))
    })
}

/// Stops at a column that the table does not have.
///
/// # Panics
///
/// Always.
pub fn no_column(index: usize) -> ! {
    panic!("bug in annals: the table has no column {index}")
}

/// What the derive does with a field of the key.
///
/// Where the field's type cannot be one, [`NoKeyColumn`] takes its place: the read model's own bound says it, once.
#[derive(Debug)]
pub struct ColumnOf<T>(PhantomData<T>);

impl<T: KeyColumn> ColumnOf<T> {
    /// The kind of the column.
    pub const KIND: ColumnKind = T::KIND;
    /// Whether it may hold nothing.
    pub const NULLABLE: bool = T::NULLABLE;

    /// Makes the column's value.
    ///
    /// # Errors
    ///
    /// When the column cannot hold it.
    pub fn to_value(field: &T) -> Result<Value, ColumnError> {
        field.to_value()
    }

    /// Reads the column's value.
    ///
    /// # Errors
    ///
    /// When it is none of the field's type.
    pub fn from_value(value: Value) -> Result<T, ColumnError> {
        T::from_value(value)
    }

    /// Copies the field.
    pub fn copy(field: &T) -> T {
        field.clone()
    }
}

/// What the derive does with a field of the key whose type cannot be one.
pub trait NoKeyColumn {
    /// The type of the field.
    type Field;
    /// Any.
    const KIND: ColumnKind = ColumnKind::Text;
    /// Any.
    const NULLABLE: bool = false;

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    fn to_value(_: &Self::Field) -> Result<Value, ColumnError> {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }

    /// Never called.
    ///
    /// # Errors
    ///
    /// None.
    fn from_value(_: Value) -> Result<Self::Field, ColumnError> {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }

    /// Never called.
    fn copy(_: &Self::Field) -> Self::Field {
        unreachable!("bug in annals: a key that cannot be one was compiled")
    }
}

impl<T> NoKeyColumn for ColumnOf<T> {
    type Field = T;
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

/// Writes a variant of an enum without fields.
pub fn text_of(name: &str) -> Value {
    Value::Text(name.to_owned())
}

/// Reads a variant of an enum without fields.
///
/// # Errors
///
/// When the value is no text, or not that of a variant.
pub fn text_variant<T>(
    value: Value,
    names: &[&str],
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ColumnError> {
    let text = String::from_value(value)?;
    find(&text).ok_or_else(|| {
        let names = names.join("`, `");
        ColumnError::new(format!("`{text}` is none of `{names}`"))
    })
}

/// The result of a query that lacks its own.
#[derive(Debug, Serialize)]
pub struct AnyAnswer;

/// What the derive assumes of a query that it has refused.
pub trait QueryData: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<Q: Serialize + DeserializeOwned + Send + Sync + 'static> QueryData for Q {}
