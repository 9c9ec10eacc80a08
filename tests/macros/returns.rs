//! Every shape that a handler may return, bare and in a `Result`, by its own name and by an alias, sync and async.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fold::decide;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Ping(u8);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct Pong(u8);

#[derive(Debug, Aggregate)]
#[aggregate(id = String, events(Ping, Pong))]
struct Table;

#[handlers]
impl Table {
    #[apply(upsert)]
    fn ping(_: Option<Self>, _: &Ping) -> Self {
        Self
    }

    #[apply(upsert)]
    fn pong(_: Option<Self>, _: &Pong) -> Self {
        Self
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("out")]
struct Out;

type Played = Ping;
type Fallible<T> = Result<T, Out>;
type Outcome = Fallible<Played>;
type Maybe<T> = Option<T>;
type Several = Vec<TableEvent>;
type Nothing = ();

/// One command and one handler for each shape.
macro_rules! shapes {
    ($($name:ident: $output:ty = $value:expr => [$($event:literal),*]),* $(,)?) => {
        $(
            #[derive(Debug, Clone, Serialize, Deserialize, Command)]
            struct $name(#[command(id)] String);
        )*

        #[handlers]
        impl Table {
            $(
                #[handle(upsert)]
                #[expect(non_snake_case, reason = "each handler is named after its command")]
                #[allow(clippy::type_complexity, reason = "some of the shapes are")]
                fn $name(_: Option<&Self>, _: $name) -> $output {
                    $value
                }
            )*
        }

        #[test]
        fn each_shape_gives_its_events() {
            $(
                let decided = decide::<_, Table>(None, $name("t".into())).unwrap().unwrap();
                let names: Vec<&str> = decided.iter().map(TableEvent::event_type).collect();
                assert_eq!(names, [$($event),*] as [&str; 0 $(+ shapes!(@one $event))*], stringify!($output));
            )*
        }
    };
    (@one $event:literal) => { 1 };
}

shapes! {
    Unit: () = () => [],
    UnitAlias: Nothing = () => [],
    One: Ping = Ping(1) => ["Ping"],
    OneAlias: Played = Ping(1) => ["Ping"],
    Enum: TableEvent = Pong(1).into() => ["Pong"],
    Some1: Option<Ping> = Some(Ping(1)) => ["Ping"],
    None1: Maybe<Played> = None => [],
    Many: Vec<Pong> = vec![Pong(1), Pong(2)] => ["Pong", "Pong"],
    ManyAlias: Several = vec![Pong(1).into(), Ping(2).into()] => ["Pong", "Ping"],
    Array: [Ping; 2] = [Ping(1), Ping(2)] => ["Ping", "Ping"],
    EmptyArray: [Ping; 0] = [] => [],
    Pair: (Ping, Pong) = (Ping(1), Pong(2)) => ["Ping", "Pong"],
    Single: (Pong,) = (Pong(2),) => ["Pong"],
    Eight: (Ping, Pong, Ping, Pong, Ping, Pong, Ping, Pong) =
        (Ping(1), Pong(1), Ping(1), Pong(1), Ping(1), Pong(1), Ping(1), Pong(1))
        => ["Ping", "Pong", "Ping", "Pong", "Ping", "Pong", "Ping", "Pong"],
    Nested: (Option<Ping>, Vec<(Pong, [Ping; 1])>, ()) = (None, vec![(Pong(1), [Ping(1)])], ())
        => ["Pong", "Ping"],
    OkUnit: Result<(), Out> = Ok(()) => [],
    OkOne: Result<Ping, Out> = Ok(Ping(1)) => ["Ping"],
    OkAlias: Outcome = Ok(Ping(1)) => ["Ping"],
    OkEnum: Result<TableEvent, Out> = Ok(Ping(1).into()) => ["Ping"],
    OkSome: Fallible<Option<Ping>> = Ok(Some(Ping(1))) => ["Ping"],
    OkNone: Fallible<Maybe<Ping>> = Ok(None) => [],
    OkMany: Fallible<Vec<Ping>> = Ok(vec![Ping(1)]) => ["Ping"],
    OkArray: Fallible<[Played; 1]> = Ok([Ping(1)]) => ["Ping"],
    OkPair: Fallible<(Maybe<Ping>, Pong)> = Ok((None, Pong(1))) => ["Pong"],
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Wait(#[command(id)] String, bool);

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Rest(#[command(id)] String);

#[handlers]
impl Table {
    #[handle(upsert)]
    async fn wait(_: Option<&Self>, command: Wait) -> Fallible<(Ping, Option<Pong>)> {
        std::future::ready(()).await;
        if command.1 { Ok((Ping(1), Some(Pong(1)))) } else { Err(Out) }
    }

    #[handle(upsert)]
    async fn rest(_: Option<&Self>, _: Rest) {}
}

#[test]
fn async_handlers_return_the_same() {
    let wait = |really| decide::<_, Table>(None, Wait("t".into(), really)).unwrap();
    assert_eq!(wait(true).unwrap().len(), 2);
    assert_eq!(wait(false).unwrap_err(), Out);
    assert!(decide::<_, Table>(None, Rest("t".into())).unwrap().unwrap().is_empty());
}
