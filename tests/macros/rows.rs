//! Read models, their projections and queries: what the columns hold, and which rows an event changes.

use annals::prelude::*;
use annals::read_model::{ColumnKind, Index};
use annals_testing::{given_history, recorded};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
struct TicketId(u32);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Sold {
    buyer: String,
    seats: Vec<u16>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Swapped(u16, u16);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct BuyerRenamed {
    from: String,
    to: String,
}

#[derive(Aggregate)]
#[aggregate(id = TicketId, events(Sold, Swapped, BuyerRenamed))]
struct Ticket;

#[handlers]
impl Ticket {
    #[apply]
    fn sold(_: &Sold) -> Self {
        Self
    }

    #[apply]
    fn swapped(&mut self, _: &Swapped) {}

    #[apply]
    fn renamed(&mut self, _: &BuyerRenamed) {}
}

/// Lists the same events once more, for its own streams.
#[derive(Aggregate)]
#[aggregate(id = TicketId, events(Sold))]
struct Voucher;

#[handlers]
impl Voucher {
    #[apply]
    fn sold(_: &Sold) -> Self {
        Self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, ColumnType)]
enum State {
    Free,
    #[column(name = "taken")]
    Sold,
}

#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "seats_2")]
struct Seat {
    #[read_model(key)]
    number: u16,
    #[read_model(index)]
    buyer: Option<String>,
    #[read_model(unique)]
    r#type: TicketId,
    state: State,
    swaps: u64,
    #[read_model(json)]
    notes: Vec<(u8, String)>,
}

#[projection(name = "seats", version = 3, on_error = stop, batch = 7, exhaustive(Ticket))]
impl Seat {
    // Several rows for one event, of one of the two aggregates that list it.
    #[on(upsert, from = Ticket, key = |event| event.seats.clone())]
    fn sold(_: Option<Self>, event: &Sold, cx: &EventContext<Self>) -> Self {
        Self {
            number: *cx.key(),
            buyer: Some(event.buyer.clone()),
            r#type: TicketId(u32::from(*cx.key())),
            state: State::Sold,
            swaps: 0,
            notes: vec![(1, "new".into())],
        }
    }

    // The field of a tuple struct.
    #[on(key = 0)]
    fn swapped(self, event: &Swapped) -> Result<Option<Self>, std::num::ParseIntError> {
        let swaps = self.swaps + "1".parse::<u64>()?;
        let state = State::Free;
        Ok((event.1 != 0).then_some(Self { swaps, state, ..self }))
    }

    // All rows whose column has the field's value.
    #[on(each(buyer = from))]
    fn renamed(&mut self, event: &BuyerRenamed) {
        self.buyer = Some(event.to.clone());
    }
}

fn seat(number: u16, buyer: &str) -> Seat {
    Seat {
        number,
        buyer: Some(buyer.into()),
        r#type: TicketId(number.into()),
        state: State::Sold,
        swaps: 0,
        notes: vec![(1, "new".into())],
    }
}

fn sold(buyer: &str, seats: &[u16]) -> Sold {
    Sold { buyer: buyer.into(), seats: seats.to_vec() }
}

#[test]
fn an_event_goes_to_the_rows_that_it_names() {
    let renamed = BuyerRenamed { from: "Ada".into(), to: "Ada L.".into() };
    given_history([
        recorded::<Ticket>("1", sold("Ada", &[4, 5, 5])),
        recorded::<Voucher>("1", sold("Eve", &[4])),
        recorded::<Ticket>("2", sold("Bob", &[6])),
    ])
    .project::<Seat>()
    .then_row(4, seat(4, "Ada"))
    .then_row(5, seat(5, "Ada"))
    .then_row(6, seat(6, "Bob"))
    .when(recorded::<Ticket>("1", renamed))
    .then_row(4, seat(4, "Ada L."))
    .then_row(5, seat(5, "Ada L."))
    .then_row(6, seat(6, "Bob"))
    .when(recorded::<Ticket>("1", Swapped(4, 9)))
    .then_row(4, Seat { swaps: 1, state: State::Free, ..seat(4, "Ada L.") })
    .when(recorded::<Ticket>("1", Swapped(4, 0)))
    .then_no_row(4);
}

#[test]
fn options_of_a_projection_are_what_was_written() {
    assert_eq!((<Seat as Projection>::NAME, Seat::VERSION), ("seats", 3));
    assert_eq!((Seat::ON_ERROR, Seat::BATCH), (OnError::Stop, Some(7)));
    const { assert!(!<Seat as Projection>::INLINE) };
    let names: Vec<_> =
        Seat::handlers().iter().flat_map(|handler| handler.names().collect::<Vec<_>>()).collect();
    assert_eq!(names, ["Sold", "Swapped", "BuyerRenamed"]);
}

#[test]
fn fields_are_columns() {
    let columns: Vec<_> = Seat::TABLE
        .columns
        .iter()
        .map(|column| (column.name, column.kind, column.nullable, column.index))
        .collect();
    let expected = [
        ("number", ColumnKind::Integer, false, Index::None),
        ("buyer", ColumnKind::Text, true, Index::Plain),
        ("type", ColumnKind::BigInt, false, Index::Unique),
        ("state", ColumnKind::Text, false, Index::None),
        ("swaps", ColumnKind::BigInt, false, Index::None),
        ("notes", ColumnKind::Json, false, Index::None),
    ];
    assert_eq!(columns, expected);
    assert_eq!((Seat::TABLE.name, Seat::TABLE.key), ("seats_2", &[0][..]));
}

#[test]
fn a_row_reads_back_as_it_was_written() {
    for row in [seat(1, "Ada"), Seat { buyer: None, notes: Vec::new(), ..seat(2, "") }] {
        let columns = row.to_row().unwrap();
        assert_eq!(columns.0.len(), 6);
        for (index, column) in columns.0.iter().enumerate() {
            assert_eq!(row.column(index).as_ref(), Ok(column));
        }
        assert_eq!(Seat::from_row(columns), Ok(row));
    }
}

#[test]
fn errors_name_the_column() {
    let row = Seat { swaps: u64::MAX, ..seat(1, "Ada") };
    let error = row.to_row().unwrap_err().to_string();
    assert!(error.starts_with("column `swaps`: 18446744073709551615 is above"), "{error}");
    let mut columns = seat(1, "Ada").to_row().unwrap();
    columns.0.swap(0, 3);
    let error = Seat::from_row(columns).unwrap_err().to_string();
    assert!(error.starts_with("column `number`: expected a value of kind integer"), "{error}");
    let mut columns = seat(1, "Ada").to_row().unwrap();
    columns.0[3] = "Sold".to_owned().to_value().unwrap();
    let error = Seat::from_row(columns).unwrap_err().to_string();
    assert_eq!(error, "column `state`: `Sold` is none of `Free`, `taken`");
}

#[test]
fn conditions_take_what_stands_for_the_value() {
    let _ = Seat::NUMBER.in_([1, 2]);
    let _ = Seat::BUYER.eq("Ada");
    let _ = Seat::BUYER.eq(None);
    let _ = Seat::TYPE.eq(7);
    let id = TicketId(7);
    let _ = (Seat::TYPE.ge(&id), Seat::TYPE.le(id));
}

/// A key of several columns, of the event's fields.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "renamings")]
struct Renaming {
    #[read_model(key)]
    from: String,
    times: i64,
    #[read_model(key)]
    to: String,
}

#[projection]
impl Renaming {
    #[on(upsert, key = (from, to))]
    fn renamed(row: Option<Self>, event: &BuyerRenamed) -> Self {
        let times = row.map_or(0, |row| row.times) + 1;
        Self { from: event.from.clone(), times, to: event.to.clone() }
    }

    // Under a `cfg` that does not hold: the event is not taken, and its type need not be there.
    #[cfg(any())]
    #[on(key = |event| event.nothing())]
    fn nothing(&mut self, _: &NotThere) {}
}

#[test]
fn a_key_may_have_several_columns() {
    let renamed = || BuyerRenamed { from: "Ada".into(), to: "Eve".into() };
    given_history([recorded::<Ticket>("1", renamed()), recorded::<Ticket>("2", renamed())])
        .project::<Renaming>()
        .then_row(("Ada", "Eve"), Renaming { from: "Ada".into(), times: 2, to: "Eve".into() });
    assert_eq!(Renaming::TABLE.key, [0, 2]);
    assert_eq!(<Renaming as Projection>::NAME, "renamings");
    assert_eq!(Renaming::handlers().len(), 1);
}

/// What a `macro_rules!` hands on has its own hygiene.
macro_rules! counts {
    ($row:ident, $table:literal, $event:ty, $key:expr, $count:expr) => {
        #[derive(Debug, Clone, PartialEq, ReadModel)]
        #[read_model(table = $table)]
        struct $row {
            #[read_model(key)]
            buyer: String,
            count: i64,
        }

        #[projection]
        impl $row {
            #[on(upsert, key = $key)]
            fn counted(row: Option<Self>, event: &$event, cx: &EventContext<Self>) -> Self {
                let count: fn(&$event) -> i64 = $count;
                let before = row.map_or(0, |row| row.count);
                Self { buyer: cx.key().clone(), count: before + count(event) }
            }
        }
    };
}

counts!(SoldTo, "sold_to", Sold, buyer, |event| event.seats.len() as i64);

#[test]
fn macros_write_projections() {
    given_history([recorded::<Ticket>("1", sold("Ada", &[1, 2]))])
        .project::<SoldTo>()
        .then_row("Ada", SoldTo { buyer: "Ada".into(), count: 2 });
}

#[tokio::test]
async fn a_handler_is_plain_or_async_with_or_without_context() {
    #[derive(Debug, Serialize, Deserialize, Query)]
    #[query(result = String, name = "who_asks")]
    struct Who(String);

    #[query_handler]
    fn who(Who(greeting): Who, cx: &QueryContext) -> String {
        format!("{greeting} {}", cx.user().unwrap_or("nobody"))
    }

    #[derive(Debug, Serialize, Deserialize, Query)]
    #[query(result = u8)]
    struct Half {
        r#of: u8,
    }

    #[query_handler]
    async fn half(query: Half) -> Result<u8, std::num::ParseIntError> {
        std::future::ready(query.r#of / "2".parse::<u8>()?).await;
        Ok(query.r#of / 2)
    }

    let queries = QueryBus::new(ReadModels::new(MemoryStore::new()));
    assert_eq!(queries.ask(Who("hello".into())).user("ada").await.unwrap(), "hello ada");
    assert_eq!(queries.ask(Half { r#of: 8 }).await.unwrap(), 4);
    let answer = queries.ask_json("who_asks", serde_json::json!("hi")).await.unwrap();
    assert_eq!(answer, "hi nobody");
    let answer = queries.ask_json("Half", serde_json::json!({ "of": 6 })).await.unwrap();
    assert_eq!(answer, 3);
}
