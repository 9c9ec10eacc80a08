//! The derives and attributes of annals.
//!
//! Each macro goes through four stages, and each stage has one module: `parse` reads tokens into a `model`, `check`
//! refuses what is wrong in it, `expand` prints what is sound. A noun has the same file name in each.
//!
//! This crate knows the names of annals' traits, and nothing of what they do: it never depends on `annals`.

mod check;
mod edit_distance;
mod errors;
mod expand;
mod model;
mod parse;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use syn::DeriveInput;
use syn::parse::{ParseStream, Parser};

use crate::errors::Errors;
use crate::parse::marked_impl::{Block, Input};
use crate::parse::query_handler;

/// Makes a struct an event.
///
/// ```
/// use annals::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// #[event(name = "MoneyDeposited", alias = "Deposited")]
/// struct MoneyDeposited {
///     amount: u64,
/// }
///
/// assert_eq!(<MoneyDeposited as Event>::NAME, "MoneyDeposited");
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which the event is stored; by default the struct's |
/// | `version = N` | the version of its shape, from 1 |
/// | `alias = "…"` | a stored name of earlier releases that reads as this event; may be given again |
/// | `upcast(from = N, with = path)` | the function that leads the JSON of version N up to the next, `fn(Value) -> Result<Value, UpcastError>`, or with any other error, or without; without `with`, the step needs nothing; may be given again |
/// | `removed(since = N, "name", …)` | fields that version N no longer has; may be given again |
/// | `previous = Type` | the struct of an earlier version, with the same stored name, from which `From` or `TryFrom` leads here |
/// | `oldest = N` | the oldest version that is read; by default 1, or that of `previous` |
/// | `readable_from = N` | that readers of version N can read the event by leaving out what they do not know; by default its own version. What the marks say against it is a compile error; what they do not say, as a field that is gone without `removed`, the schema test of annals-testing finds |
/// | `retired` | that no handler may return the event any more; it is read and applied all the same |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// | Option on a field | What it says |
/// |---|---|
/// | `since = N` | the version in which the field was added, or changed as the others say; repeat the attribute for another version |
/// | `default = …` | what the field is in older events: a string, by `From<&str>`; any other value; the path of a constant or a function |
/// | `renamed_from = "…"` | the name that it had in the JSON before; repeat it for the serde aliases that it had then, and has no more |
/// | `convert_with = path` | the function from its earlier type: `fn(Old) -> New`, `fn(Old) -> Result<New, E>`, or from JSON to JSON |
///
/// From every version from the oldest on there is a way up to the present one, or a compile error that names the missing step:
///
/// ```
/// use annals::{Event, Stored};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
/// #[event(version = 3, removed(since = 2, "fax"))]
/// struct CustomerMoved {
///     #[event(since = 3, renamed_from = "addr")]
///     address: String,
///     #[event(since = 2, default = "DE")]
///     country: String,
/// }
///
/// let moved = CustomerMoved::decode(Stored::new("CustomerMoved", 1, r#"{"addr":"1 Main St","fax":"77"}"#))?;
/// assert_eq!(moved, CustomerMoved { address: "1 Main St".into(), country: "DE".into() });
/// # Ok::<(), annals::DecodeError>(())
/// ```
///
/// It writes `Event`, the [`IntoEvents`] and [`Decision`] by which handlers return the event, and registers the event.
///
/// [`IntoEvents`]: https://docs.rs/annals/latest/annals/trait.IntoEvents.html
/// [`Decision`]: https://docs.rs/annals/latest/annals/trait.Decision.html
///
/// # Mistakes
///
/// - Renaming a struct without `name` renames what is stored: history no longer reads. Give the old name.
/// - A change of the struct without a new `version` is not seen: what was stored before no longer reads, or reads as
///   something else.
/// - A `default` is history: once events were read with it, another one changes what they say.
/// - A mark finds its field under the aliases that serde knows today. One that was dropped is not known: what was stored under
///   it is lost, or missed. Keep it, or repeat `renamed_from` with it.
/// - Clippy's `duplicated_attributes` takes a second `removed(since = …)` for a repetition of the first, and a second
///   `upcast(from = …)` without a function, too. It does not see the version: allow it on the struct.
/// - An enum is no event: write a struct for each variant, and list them in `#[aggregate(events(…))]`.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    derive(item, parse::event::parse, check::event::check, expand::event::expand)
}

/// Makes a newtype the id of an aggregate.
///
/// ```
/// use annals::AggregateId;
///
/// #[derive(Debug, Clone, PartialEq, AggregateId)]
/// struct AccountId(String);
///
/// let id = AccountId::from("ada");
/// assert_eq!(id.to_string(), "ada");
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// It writes `Display`, `FromStr`, `From` both ways, `From<&str>` where the inner type has it, `AggregateId`, and `ToId` for
/// the inner type and `str`, by which `load("ada")` takes either. Where the inner type goes into a column of a read model, so
/// does the id, and conditions take either as well.
///
/// # Mistakes
///
/// - The inner type needs `Display`, `FromStr` and `Clone`, and its text must read back as itself.
#[proc_macro_derive(AggregateId, attributes(aggregate_id))]
pub fn aggregate_id(item: TokenStream) -> TokenStream {
    derive(
        item,
        parse::aggregate_id::parse,
        check::aggregate_id::check,
        expand::aggregate_id::expand,
    )
}

/// Makes a struct a command.
///
/// ```
/// use annals::{Command, Targets};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// struct Deposit {
///     #[command(id)]
///     account: String,
///     amount: u64,
/// }
///
/// let deposit = Deposit { account: "ada".into(), amount: 5 };
/// let account: &String = deposit.target();
/// assert_eq!(account, "ada");
/// ```
///
/// | Option | Where | What it says |
/// |---|---|---|
/// | `name = "…"` | struct | the name by which queues and HTTP handlers know it; by default the struct's |
/// | `crate = path` | struct | where annals is, if it is not `::annals` |
/// | `id` | field | which aggregate the command is for |
///
/// It writes `Command`, and `Targets` for the type of the id. Which type of aggregate the command is for, its `#[handle]`
/// says.
///
/// # Mistakes
///
/// - clap's `Args` reads `#[command(…)]` too: a struct cannot derive both.
#[proc_macro_derive(Command, attributes(command))]
pub fn command(item: TokenStream) -> TokenStream {
    derive(item, parse::command::parse, check::command::check, expand::command::expand)
}

/// Makes a struct or an enum an aggregate: the state that its events fold into.
///
/// ```
/// use annals::{Aggregate, Event, handlers};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// struct Counted(u32);
///
/// #[derive(Debug, PartialEq, Aggregate)]
/// #[aggregate(id = String, events(Counted))]
/// struct Counter(u32);
///
/// #[handlers]
/// impl Counter {
///     #[apply(upsert)]
///     fn counted(counter: Option<Self>, event: &Counted) -> Self {
///         Self(counter.map_or(0, |counter| counter.0) + event.0)
///     }
/// }
///
/// assert_eq!(CounterEvent::from(Counted(1)).event_type(), "Counted");
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `id = Type` | the type of its id |
/// | `events(A, path::B, C as Other)` | its events, and what their variants are called |
/// | `category = "…"` | the first part of its streams' names, without `-`; by default the type's name in snake case |
/// | `services = Type` | what its handlers may ask; by default `()` |
/// | `snapshot(every = N, on(Event, …), version = N)` | when snapshots are taken; `snapshot()` on demand |
/// | `event_enum = Name` | the name of the enum of its events; by default the type's name and `Event` |
/// | `ignore("Name", …)` | stored names of events in its streams that it passes over |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// It writes `Aggregate`, which hands each event to its `#[apply]`, and the enum of the events with `From` each. It tells
/// projections which events its streams hold: a row that follows one names no key.
///
/// # Mistakes
///
/// - An event that is listed and has no `#[apply]` is an error where it is listed; one that is applied and not listed, where
///   it is applied.
/// - A state with `snapshot(…)` needs `Serialize` and `Deserialize`.
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn aggregate(item: TokenStream) -> TokenStream {
    derive(item, parse::aggregate::parse, check::aggregate::check, expand::aggregate::expand)
}

/// Reads the marked methods of an aggregate's impl: `#[apply]` changes the state, `#[handle]` decides a command.
///
/// ```
/// use annals::{Aggregate, Command, Event, handlers};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// struct Opened;
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// struct Open(#[command(id)] String);
///
/// #[derive(Debug, Aggregate)]
/// #[aggregate(id = String, events(Opened))]
/// struct Door;
///
/// #[handlers]
/// impl Door {
///     #[handle]
///     fn open(_: Open) -> Opened {
///         Opened
///     }
///
///     #[apply]
///     fn opened(_: &Opened) -> Self {
///         Self
///     }
/// }
/// ```
///
/// | Mark | First | Then | Last, if wanted | Returns |
/// |---|---|---|---|---|
/// | `#[apply]` | nothing: it creates | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
/// | `#[apply]` | `&mut self` | `&Event` | `&EventContext<Self>` | nothing |
/// | `#[apply]` | `self` | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
/// | `#[apply(upsert)]` | `Option<Self>` | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
/// | `#[handle]` | nothing: it creates | `Command` | `&Context<Self>` | events, or a `Result` of them |
/// | `#[handle]` | `&self` | `Command` | `&Context<Self>` | events, or a `Result` of them |
/// | `#[handle(upsert)]` | `Option<&Self>` | `Command` | `&Context<Self>` | events, or a `Result` of them |
///
/// Events are one event, the event enum, `()`, or an `Option`, `Vec`, array or tuple of those. A handler may be async. Methods
/// without a mark stay what they are, and an aggregate may have any number of blocks, in any module.
///
/// The one option is `crate = path`, where annals is, if it is not `::annals`.
///
/// For each `#[apply]` it writes an `Apply<Event>` for the aggregate; for each `#[handle]` a `HandledBy` of the aggregate for
/// the command, and the route by the command's name.
///
/// # Mistakes
///
/// - An `#[apply]` cannot refuse, ask or wait: its event has happened. What may be refused, a `#[handle]` decides.
/// - A `#[handle]` changes nothing: what it decides is applied by the `#[apply]` of its event, now and at each replay.
#[proc_macro_attribute]
pub fn handlers(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[handlers]` belongs on an aggregate's `impl`",
        parse::handlers::parse,
        check::handlers::check,
        expand::handlers::expand,
    )
}

/// Makes a struct a row of a read model: its fields are the columns of a table.
///
/// ```
/// use annals::{ReadModel, Subject};
///
/// #[derive(Debug, Clone, PartialEq, ReadModel)]
/// #[read_model(table = "owner_totals")]
/// struct OwnerTotal {
///     #[read_model(key)]
///     owner: String,
///     #[read_model(index)]
///     accounts: i64,
///     #[read_model(json)]
///     names: Vec<String>,
/// }
///
/// let total = OwnerTotal { owner: "Ada".into(), accounts: 1, names: vec!["savings".into()] };
/// assert_eq!(OwnerTotal::from_row(total.to_row()?)?, total);
/// let condition = OwnerTotal::ACCOUNTS.gt(0);
/// # drop(condition);
/// # Ok::<(), annals::read_model::ColumnError>(())
/// ```
///
/// | Option | Where | What it says |
/// |---|---|---|
/// | `table = "…"` | struct | the name of its table: lower-case letters, digits and `_`, 48 at most |
/// | `crate = path` | struct | where annals is, if it is not `::annals` |
/// | `key` | field | what tells its rows apart; of several fields, in their order, the key is a tuple, of up to four |
/// | `index` | field | that rows are found and ordered by it |
/// | `unique` | field | the same, and that no two rows have one value |
/// | `json` | field | that the column holds the field's JSON, for types that go into no column themselves |
///
/// It writes `ReadModel`, and for the key and each index a constant by which rows are found: `OwnerTotal::OWNER`. Which events
/// change the rows, a [`#[projection]`](macro@projection) says.
///
/// # Mistakes
///
/// - Renaming a field renames its column, and another type changes it: give the projection a new `version`.
/// - A column without `index` has no constant: filtering by it would read the whole table.
/// - An enum goes into a column by [`#[derive(ColumnType)]`](macro@ColumnType), a newtype by
///   [`#[derive(AggregateId)]`](macro@AggregateId).
/// - An unsigned number above what its column holds fails its event: see `ColumnType`.
#[proc_macro_derive(ReadModel, attributes(read_model))]
pub fn read_model(item: TokenStream) -> TokenStream {
    derive(item, parse::read_model::parse, check::read_model::check, expand::read_model::expand)
}

/// Has an enum without fields go into a column as text.
///
/// ```
/// use annals::ColumnType;
///
/// #[derive(Debug, Clone, PartialEq, ColumnType)]
/// enum Status {
///     Open,
///     #[column(name = "Settled")]
///     Closed,
/// }
///
/// assert_eq!(Status::Closed.to_value()?.to_string(), "Settled");
/// # Ok::<(), annals::read_model::ColumnError>(())
/// ```
///
/// | Option | Where | What it says |
/// |---|---|---|
/// | `name = "…"` | variant | the text in the column; by default the variant's name |
/// | `crate = path` | enum | where annals is, if it is not `::annals` |
///
/// It writes `ColumnType`, and `KeyColumn` if the enum is `Clone`.
///
/// # Mistakes
///
/// - Renaming a variant without `name` renames what is in the column: rows that were written before no longer read.
/// - Columns are ordered by the text, not by the order of the variants.
#[proc_macro_derive(ColumnType, attributes(column))]
pub fn column_type(item: TokenStream) -> TokenStream {
    derive(item, parse::column_type::parse, check::column_type::check, expand::column_type::expand)
}

/// Reads the marked methods of a read model's impl: `#[on]` says what an event does to a row.
///
/// ```
/// use annals::{Aggregate, Event, ReadModel, handlers, projection};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// struct Opened {
///     owner: String,
/// }
///
/// #[derive(Debug, Clone, PartialEq, ReadModel)]
/// #[read_model(table = "owner_totals")]
/// struct OwnerTotal {
///     #[read_model(key)]
///     owner: String,
///     accounts: i64,
/// }
///
/// #[projection(version = 1)]
/// impl OwnerTotal {
///     #[on(upsert, key = owner)]
///     fn opened(row: Option<Self>, event: &Opened) -> Self {
///         Self { owner: event.owner.clone(), accounts: row.map_or(0, |row| row.accounts) + 1 }
///     }
/// }
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which its checkpoint is kept; by default the table's |
/// | `version = N` | the version of its definition, from 1; another one gets tables of its own |
/// | `on_error = …` | what becomes of an event that fails: `park`, `stop` or `skip`; by default `park` |
/// | `batch = N` | how many events a batch has at most; by default as many as do the engine good |
/// | `inline` | that its rows change in the transaction of the append; without `on_error` and `batch` |
/// | `exhaustive(Aggregate, …)` | that it takes all events of these aggregates, but for those that it ignores |
/// | `ignore(Event, …)` | events that it passes over |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// | First | Then | Last, if wanted | Returns |
/// |---|---|---|---|
/// | nothing: it creates | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
/// | `&mut self` | `&Event` | `&EventContext<Self>` | nothing |
/// | `self` | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
/// | `Option<Self>`, marked `upsert` | `&Event` | `&EventContext<Self>` | `Self` or `Option<Self>` |
///
/// Each may return a `Result` of that. Without an option, a row follows the event's own stream: its key is the id of the
/// aggregate that lists the event.
///
/// | Option of `#[on]` | What it says |
/// |---|---|
/// | `key = field` | that the event's field of this name is the key; `key = (a, b)` for a key of two |
/// | `key = \|event\| …` | the key, or a `Vec`, an array or an `Option` of it: the event goes to each row |
/// | `each(column = field)` | all rows whose column of this name, which has an index, has the value of the event's field |
/// | `upsert` | that the row may be there or not |
/// | `from = Aggregate` | that the event is taken only from the streams of this aggregate |
///
/// It writes an `On<Event>` for each method, `Projection`, and registers the projection.
///
/// # Mistakes
///
/// - An event that several aggregates list goes to no row by itself: say whose row it changes by `from` or `key`.
/// - A method sees its row and its event, and asks nobody: a rebuild has to give the same. What reaches outside is a reactor.
/// - Another `#[on]`, or another meaning of one, wants another `version`: rows that were written before stay as they are.
#[proc_macro_attribute]
pub fn projection(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[projection]` belongs on a read model's `impl`",
        parse::projection::parse,
        check::projection::check,
        expand::projection::expand,
    )
}

/// Reads the marked methods of a projection that is SQL of one's own: `#[setup]` makes its tables, `#[on]` writes what an event
/// says, in the transaction that moves the checkpoint. It comes from `annals_postgres`.
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which its checkpoint is kept |
/// | `version = N` | the version of its definition, from 1; another one is set up anew and reads the log from the beginning |
/// | `on_error = …` | what becomes of an event that fails: `park`, `stop` or `skip`; by default `park` |
/// | `batch = N` | how many events a batch has at most; by default as many as do the engine good |
/// | `crate = path` | where annals-postgres is, if it is not `::annals_postgres` |
///
/// | Mark | Takes | Returns |
/// |---|---|---|
/// | `#[setup]`, once | `&mut PgConnection` | a `Result<(), _>` |
/// | `#[on]` | `&Event`, `&mut SqlContext<'_>` | a `Result<(), _>` |
///
/// Each is an `async fn` without `self`. Any error goes that a `Box<dyn Error + Send + Sync>` takes.
///
/// It writes a `SqlOn<Event>` for each event, and `SqlProjection`. `register_sql::<Audit>()` has an engine run it.
///
/// # Mistakes
///
/// - An error that is not passed on leaves the transaction broken: the event fails all the same, with a message that says less.
/// - The transaction is the engine's to end: no `COMMIT`, no `ROLLBACK`. Savepoints, as `Connection::begin` makes them, are fine.
/// - A new `version` needs tables of other names: those of the old one are still there, and old programs write them.
#[proc_macro_attribute]
pub fn sql_projection(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[sql_projection]` belongs on the `impl` of a type of your own",
        parse::sql_projection::parse,
        check::sql_projection::check,
        expand::sql_projection::expand,
    )
}

/// Makes a struct or an enum a process manager: the state of what steers several aggregates, and the commands that it sends.
///
/// ```
/// use annals::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Ordered { order: String }
/// #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// struct Ship(#[command(id)] String);
///
/// #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
/// #[process_manager(name = "shipping", id = String, sends(Ship))]
/// struct Shipping;
/// #
/// # #[process]
/// # impl Shipping {
/// #     #[on(key = order)]
/// #     fn ordered(event: &Ordered) -> (Self, Ship) { (Self, Ship(event.order.clone())) }
/// # }
///
/// assert_eq!(Shipping::NAME, "shipping");
/// let command = ShippingCommand::from(Ship("o-1".into()));
/// assert!(matches!(command, ShippingCommand::Ship(_)));
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which its steps are kept, without `-` |
/// | `id = Type` | the type of its id, which is the key of what goes to it |
/// | `sends(A, path::B, C as Other)` | the commands that it sends, and what their variants are called |
/// | `version = N` | the version of its state, from 1 |
/// | `upcast(from = N, with = path)` | the function that leads the JSON of a state of version N up to the next, as an event's does; without `with`, the step needs nothing; may be given again |
/// | `start = …` | from where in the log it starts when it is registered first: `beginning` or `head`; by default `head` |
/// | `command_enum = Name` | the name of the enum of its commands; by default the type's name and `Command` |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// It writes `ProcessManager`, and the enum of the commands with `From` each. What it does, a
/// [`#[process]`](macro@process) says.
///
/// # Mistakes
///
/// - Another `name` makes it another process: those that live go no further.
/// - A change of the state without a new `version` is not seen: the states that were stored before no longer read, or read as
///   something else.
#[proc_macro_derive(ProcessManager, attributes(process_manager))]
pub fn process_manager(item: TokenStream) -> TokenStream {
    derive(
        item,
        parse::process_manager::parse,
        check::process_manager::check,
        expand::process_manager::expand,
    )
}

/// Reads the marked methods of a process manager's impl: what it does on an event, a refusal or a deadline.
///
/// ```
/// use std::time::Duration;
///
/// use annals::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Ordered { order: String }
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Packed { order: String }
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Pack(#[command(id)] String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Ship(#[command(id)] String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Complain(#[command(id)] String);
/// #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
/// #[process_manager(name = "shipping", id = String, sends(Pack, Ship, Complain))]
/// struct Shipping {
///     is_late: bool,
/// }
///
/// #[process]
/// impl Shipping {
///     #[on(key = order)]
///     fn ordered(event: &Ordered) -> (Self, Pack) {
///         (Self { is_late: false }, Pack(event.order.clone()))
///     }
///
///     #[on(key = order)]
///     fn packed(&mut self, event: &Packed) -> (Ship, annals::process::DeadlineMove) {
///         (Ship(event.order.clone()), Self::TOO_SLOW.cancel())
///     }
///
///     #[rejected]
///     fn not_shipped(self, command: &Ship, why: &Rejection) -> Done<Complain> {
///         eprintln!("{why}");
///         Done(Complain(command.0.clone()))
///     }
///
///     #[deadline(name = "too_slow", after = Duration::from_secs(900))]
///     fn too_slow(&mut self) {
///         self.is_late = true;
///     }
/// }
/// ```
///
/// | Mark | First | Then | Last, if wanted |
/// |---|---|---|---|
/// | `#[on]` | nothing, `&self`, `&mut self` or `self` | `&Event` | `&EventContext<Self>` |
/// | `#[on(upsert)]` | `Option<Self>` | `&Event` | `&EventContext<Self>` |
/// | `#[rejected]` | `&self`, `&mut self` or `self` | `&Command` | `&Rejection`, then `&EventContext<Self>` |
/// | `#[rejected(upsert)]` | `Option<Self>` | `&Command` | `&Rejection`, then `&EventContext<Self>` |
/// | `#[deadline]` | `&self`, `&mut self` or `self` | nothing | `&EventContext<Self>` |
///
/// | First | When | Returns |
/// |---|---|---|
/// | nothing | there is none: the step begins it | `Self`, `Option<Self>` or `Done(…)`, the first two alone or in a pair with what it sends |
/// | `&self`, `&mut self` | it lives | what it sends, or nothing |
/// | `self` | it lives | as a step that begins it; `None` and `Done(…)` end it |
/// | `Option<Self>` | always | the same |
///
/// A step sends a command of `sends(…)`, the enum of those, a change of a deadline, `()`, or an `Option`, `Vec`, array or tuple
/// of those. It is plain: it sees what is stored, and asks nobody. Without an option, an event goes to the process whose id
/// is that of the aggregate that lists the event.
///
/// | Option | What it says |
/// |---|---|
/// | `key = field` of `#[on]` | that the event's field of this name is the id of the process |
/// | `key = \|event\| …` of `#[on]` | the id, or a `Vec`, an array or an `Option` of it: the event goes to each process |
/// | `from = Aggregate` of `#[on]` | that the event is taken only from the streams of this aggregate |
/// | `upsert` of `#[on]` and `#[rejected]` | that the process may live or not |
/// | `name = "…"` of `#[deadline]` | the name under which the deadline is kept |
/// | `after = Duration` of `#[deadline]` | when it is due, from the beginning of the process on; without it, a step sets it |
/// | `crate = path` of `#[process]` | where annals is, if it is not `::annals` |
///
/// It writes a `React<Event>` for each `#[on]`, a `Refused<Command>` for each `#[rejected]`, a constant for each deadline by
/// which steps set it and take it back, `Process`, and registers the process.
///
/// The constant is named after the method, `TOO_SLOW` of `fn too_slow`, and is as visible as the method says: of a `pub` one it
/// is `pub`. Of a private one it is `pub(crate)`, so that the tests of other modules name it as well.
///
/// # Mistakes
///
/// - An event that several aggregates list goes to no process by itself: say whose id is the process's by `from` or `key`.
/// - A command that may be refused wants its `#[rejected]`: a refusal that nobody takes parks the process.
/// - All steps are in one block: the list of a process's steps is one.
#[proc_macro_attribute]
pub fn process(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[process]` belongs on a process manager's `impl`",
        parse::process::parse,
        check::process::check,
        expand::process::expand,
    )
}

/// Reads the marked methods of a reactor's impl: what reaches outside when something has happened.
///
/// ```
/// use std::sync::Mutex;
///
/// use annals::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// struct Registered {
///     address: String,
/// }
///
/// struct Mailer(Mutex<Vec<String>>);
///
/// impl Mailer {
///     async fn send(&self, to: &str, idempotency_key: String) -> std::io::Result<()> {
///         self.0.lock().unwrap().push(format!("{to}: {idempotency_key}"));
///         Ok(())
///     }
/// }
///
/// struct Welcome;
///
/// #[reactor(name = "welcome", services = Mailer)]
/// impl Welcome {
///     #[on(key = address)]
///     async fn registered(event: &Registered, cx: &EventContext<Self>) -> std::io::Result<()> {
///         cx.services().send(&event.address, cx.idempotency_key()).await
///     }
/// }
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which its checkpoint is kept, without `-` |
/// | `services = Type` | what its calls may use, by `cx.services()`; by default `()` |
/// | `start = …` | from where in the log it starts when it is registered first: `head` or `beginning`; by default `head` |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// An `#[on]` takes `&Event` and, last and only if it wants it, `&EventContext<Self>`. It may be async. It returns nothing,
/// commands, or a `Result` of one of them and any error. Commands are a command of any type, and `Option`, `Vec`, arrays and
/// tuples of commands; they go out as those of a process do.
///
/// Calls for one key are made in order, one after the other. Without an option, the key is the event's own stream, whatever
/// aggregate it is of.
///
/// | Option of `#[on]` | What it says |
/// |---|---|
/// | `key = field` | that the text of the event's field of this name is the key; `key = (a, b)` for both texts, with `/` between them |
/// | `key = \|event\| …` | the key, as anything with `Display`, or a `Vec`, an array or an `Option` of it: there is a call for each |
/// | `from = Aggregate` | that the event is taken only from the streams of this aggregate |
///
/// It writes a `CallOn<Event>` for each method, `Reactor`, and registers the reactor. The type may be a unit struct.
///
/// # Mistakes
///
/// - An event comes at least once: pass `cx.idempotency_key()` on, so that who is called can tell a second call.
/// - An error that is not passed on is a success: the event does not come again.
/// - Renaming a reactor by `name` makes another one of it, which starts anew.
#[proc_macro_attribute]
pub fn reactor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[reactor]` belongs on the `impl` of a type of your own",
        parse::reactor::parse,
        check::reactor::check,
        expand::reactor::expand,
    )
}

/// Reads the steps of a saga: calls to other systems, each undone if a later one fails.
///
/// ```
/// use std::time::Duration;
///
/// use annals::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     total: u64,
///     payment: Option<String>,
/// }
///
/// struct Bank;
///
/// impl Bank {
///     async fn charge(&self, total: u64, idempotency_key: &str) -> std::io::Result<String> {
///         Ok(format!("{total} by {idempotency_key}"))
///     }
/// }
///
/// struct Checkout;
///
/// #[saga(name = "checkout", data = Order, services = Bank)]
/// impl Checkout {
///     #[step(undo = refund, retries = 2, timeout = Duration::from_secs(10))]
///     async fn charge(order: &mut Order, bank: &Bank, cx: &StepContext) -> std::io::Result<()> {
///         order.payment = Some(bank.charge(order.total, cx.idempotency_key()).await?);
///         Ok(())
///     }
///
///     async fn refund(order: &Order) {
///         println!("gives back {:?}", order.payment);
///     }
///
///     #[step]
///     async fn ship(_: &Order) {}
/// }
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `name = "…"` | the name under which its logs are kept, without `-` and `/` |
/// | `data = Type` | what the steps work on: it is begun with, and may be changed by them |
/// | `services = Type` | what the steps call; by default nothing |
/// | `version = N` | the version of the data's shape; by default 1 |
/// | `upcast(from = N, with = path)` | what leads data of version `N` up to the next; without `with`, nothing has to be done |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// A step is an `async fn` without `self`. It takes `&mut` data or `&` data, the services, and `&StepContext`; trailing ones may be
/// left out, and where there are no services, the context comes second. It returns nothing, or `Result<(), E>` with any error.
/// Steps are done in the order in which they stand.
///
/// | Option of `#[step]` | What it says |
/// |---|---|
/// | `undo = function` | what undoes it: an `async fn` of the same impl without a mark, which takes the same |
/// | `retries = N` | how often it is tried again when it fails; by default not at all. An undo is tried again five times |
/// | `timeout = Duration` | how long a try may take, of it or of its undo; by default as long as the runner says, a minute |
/// | `name = "…"` | the name under which the log keeps it; by default the function's |
///
/// It writes `Saga`, and registers the saga. The type may be a unit struct.
///
/// # Mistakes
///
/// - A step may be called twice, after a crash and when it is tried again: pass `cx.idempotency_key()` on.
/// - The undo of the step that failed is not called: a step that does two things is two steps.
/// - A step that is renamed is another step: keep its name by `name = "…"` while sagas are under way.
#[proc_macro_attribute]
pub fn saga(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(
        arguments,
        item,
        "`#[saga]` belongs on the `impl` of a type of your own",
        parse::saga::parse,
        check::saga::check,
        expand::saga::expand,
    )
}

/// Makes a struct a query: what someone wants to know.
///
/// ```
/// use annals::Query;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, Query)]
/// #[query(result = u64)]
/// struct CountAccounts {
///     owner: String,
/// }
///
/// assert_eq!(<CountAccounts as Query>::NAME, "CountAccounts");
/// ```
///
/// | Option | What it says |
/// |---|---|
/// | `result = Type` | what the answer is |
/// | `name = "…"` | the name by which HTTP handlers know it; by default the struct's |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// It writes `Query`. Who answers it, a [`#[query_handler]`](macro@query_handler) says.
///
/// # Mistakes
///
/// - A query and its result need `Serialize`, the query `Deserialize`, too: they are asked by name as JSON.
#[proc_macro_derive(Query, attributes(query))]
pub fn query(item: TokenStream) -> TokenStream {
    derive(item, parse::query::parse, check::query::check, expand::query::expand)
}

/// Has a `fn` answer a query.
///
/// ```
/// use annals::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, Query)]
/// #[query(result = String)]
/// struct Greeting {
///     name: String,
/// }
///
/// #[query_handler]
/// async fn greet(query: Greeting, cx: &QueryContext) -> String {
///     format!("{}, {}", query.name, cx.user().unwrap_or("nobody"))
/// }
///
/// # futures::executor::block_on(async {
/// let queries = QueryBus::new(ReadModels::new(MemoryStore::new()));
/// assert_eq!(queries.ask(Greeting { name: "hello".into() }).user("ada").await?, "hello, ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// It takes the query and, last and only if it wants it, `&QueryContext`; it returns the query's result, or a `Result` of it.
/// It may be async. The one option is `crate = path`, where annals is, if it is not `::annals`.
///
/// It writes `HandledQuery` for the query, and the route by the query's name. The `fn` itself stays what it is.
///
/// # Mistakes
///
/// - It stands in the crate of its query, beside other items: not in an `impl`.
#[proc_macro_attribute]
pub fn query_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse(item.clone()) {
        Ok(function) => stages(
            query_handler::Input { arguments: arguments.into(), function },
            parse::query_handler::parse,
            check::query_handler::check,
            expand::query_handler::expand,
        ),
        Err(error) => beside(&error, item),
    }
}

/// Marks a method that applies an event, in a `#[handlers]` impl.
#[proc_macro_attribute]
pub fn apply(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[apply]` belongs on a method in a `#[handlers]` impl", item)
}

/// Marks a method that handles a command, in a `#[handlers]` impl.
#[proc_macro_attribute]
pub fn handle(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[handle]` belongs on a method in a `#[handlers]` impl", item)
}

/// Marks a method that takes an event, in a `#[projection]`, a `#[process]` or a `#[reactor]` impl.
#[proc_macro_attribute]
pub fn on(_: TokenStream, item: TokenStream) -> TokenStream {
    mark(
        "`#[on]` belongs on a method in a `#[projection]`, a `#[process]` or a `#[reactor]` impl",
        item,
    )
}

/// Marks a method that takes the refusal of a command, in a `#[process]` impl.
#[proc_macro_attribute]
pub fn rejected(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[rejected]` belongs on a method in a `#[process]` impl", item)
}

/// Marks a method that a deadline calls, in a `#[process]` impl.
#[proc_macro_attribute]
pub fn deadline(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[deadline]` belongs on a method in a `#[process]` impl", item)
}

/// Marks the method that makes the tables, in a `#[sql_projection]` impl.
#[proc_macro_attribute]
pub fn setup(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[setup]` belongs on a method in a `#[sql_projection]` impl", item)
}

/// Marks a step, in a `#[saga]` impl.
#[proc_macro_attribute]
pub fn step(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[step]` belongs on a function in a `#[saga]` impl", item)
}

fn mark(message: &str, item: TokenStream) -> TokenStream {
    expand::mark::expand(message, item.into()).into()
}

fn derive<M>(
    item: TokenStream,
    parse: fn(DeriveInput, &Errors) -> M,
    check: fn(&mut M, &Errors),
    expand: fn(&M) -> TokenStream2,
) -> TokenStream {
    match syn::parse(item) {
        Ok(item) => stages(item, parse, check, expand),
        Err(error) => error.into_compile_error().into(),
    }
}

/// Reads an attribute on an impl; `elsewhere` says what it belongs on.
fn attribute<M>(
    arguments: TokenStream,
    item: TokenStream,
    elsewhere: &str,
    parse: fn(Input, &Errors) -> M,
    check: fn(&mut M, &Errors),
    expand: fn(&M) -> TokenStream2,
) -> TokenStream {
    let read = |input: ParseStream<'_>| Block::parse(input, elsewhere);
    match read.parse(item.clone()) {
        Ok(block) => stages(Input { arguments: arguments.into(), block }, parse, check, expand),
        Err(error) => beside(&error, item),
    }
}

/// The item as it is, and what is wrong with it.
fn beside(error: &syn::Error, item: TokenStream) -> TokenStream {
    let mut tokens: TokenStream = error.to_compile_error().into();
    tokens.extend(item);
    tokens
}

/// Goes through the stages: mistakes do not keep the rest from being printed.
fn stages<I, M>(
    input: I,
    parse: fn(I, &Errors) -> M,
    check: fn(&mut M, &Errors),
    expand: fn(&M) -> TokenStream2,
) -> TokenStream {
    let errors = Errors::new();
    let mut model = parse(input, &errors);
    check(&mut model, &errors);
    let mut tokens = errors.into_compile_errors();
    tokens.extend(expand(&model));
    tokens.into()
}
