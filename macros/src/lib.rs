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

use crate::errors::Errors;
use crate::parse::handlers::Input;

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
/// | `upcast(from = N, with = path)` | the function that leads the JSON of version N up to the next, `fn(Value) -> Result<Value, UpcastError>`; without `with`, the step needs nothing; may be given again |
/// | `removed(since = N, "name", …)` | fields that version N no longer has; may be given again |
/// | `previous = Type` | the struct of an earlier version, with the same stored name, from which `From` or `TryFrom` leads here |
/// | `oldest = N` | the oldest version that is read; by default 1, or that of `previous` |
/// | `readable_from = N` | that readers of version N can read the event by leaving out what they do not know; by default its own version |
/// | `retired` | that no handler may return the event any more; it is read and applied all the same |
/// | `crate = path` | where annals is, if it is not `::annals` |
///
/// | Option on a field | What it says |
/// |---|---|
/// | `since = N` | the version in which the field was added, or changed as the others say; repeat the attribute for another version |
/// | `default = …` | what the field is in older events: a string, by `From<&str>`; any other value; the path of a constant or a function |
/// | `renamed_from = "…"` | the name that it had in the JSON before |
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
/// the inner type and `str`, by which `load("ada")` takes either.
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
/// It writes `Aggregate`, which hands each event to its `#[apply]`, and the enum of the events with `From` each.
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
    match syn::parse(item.clone()) {
        Ok(block) => stages(
            Input { arguments: arguments.into(), block },
            parse::handlers::parse,
            check::handlers::check,
            expand::handlers::expand,
        ),
        Err(error) => {
            let mut tokens: TokenStream = error.into_compile_error().into();
            tokens.extend(item);
            tokens
        }
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

/// Will mark a method of a projection, a process or a reactor.
#[proc_macro_attribute]
pub fn on(_: TokenStream, item: TokenStream) -> TokenStream {
    mark(
        "`#[on]` is not there yet: projections, processes and reactors come with a later release",
        item,
    )
}

/// Will mark a step of a saga.
#[proc_macro_attribute]
pub fn step(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[step]` is not there yet: sagas come with a later release", item)
}

/// Will mark a method of a process that a deadline calls.
#[proc_macro_attribute]
pub fn deadline(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[deadline]` is not there yet: processes come with a later release", item)
}

/// Will mark a method of a process that a refused command calls.
#[proc_macro_attribute]
pub fn rejected(_: TokenStream, item: TokenStream) -> TokenStream {
    mark("`#[rejected]` is not there yet: processes come with a later release", item)
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
