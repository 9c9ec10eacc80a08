//! What the generated code costs beside the same by hand.

use std::hint::black_box;

use annals::prelude::*;
use annals::{NewEvent, Payload, Stored, StreamHead};
use serde::{Deserialize, Serialize};

#[path = "../../contract/bank.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the contract are not run here")]
mod bank;

use bank::*;

use super::measure::in_turns_at_once;
use super::report::{Bound, Report, Unit};

pub fn all(report: &mut Report, rounds: usize) {
    fold(report, rounds);
    decode(report, rounds);
    decode_with_upcasters(report, rounds);
    old_versions(report, rounds);
}

/// Ten million decoded events, folded through the generated dispatch and by hand.
fn fold(report: &mut Report, rounds: usize) {
    const EVENTS: usize = 10_000_000;
    let mut events: Vec<AccountEvent> = Vec::with_capacity(EVENTS);
    events.push(AccountOpened { owner: "Ada".into() }.into());
    for number in 1..EVENTS as u64 {
        // Not a pattern that a branch predictor learns.
        let amount = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60;
        events.push(if amount < 8 {
            MoneyDeposited { amount: 16 }.into()
        } else {
            Withdrawn { amount: 0 }.into()
        });
    }
    let cx = EventContext::<Account>::new("ada".into(), recorded());
    let generated = || {
        let mut state = None;
        for event in black_box(&events) {
            if Account::apply(&mut state, event, &cx).is_err() {
                panic!("a history that does not fit");
            }
        }
        black_box(state);
    };
    let by_hand = || {
        let mut state = None;
        for event in black_box(&events) {
            fold_by_hand(&mut state, event);
        }
        black_box(state);
    };
    let turns = in_turns_at_once(rounds, generated, by_hand);
    let (work, bound) = ("fold a decoded event", Some(Bound::AboveAtMost(1.0)));
    report.compare(work, &turns, EVENTS, Unit::Nanoseconds, bound);
}

fn fold_by_hand(state: &mut Option<Account>, event: &AccountEvent) {
    match event {
        AccountEvent::AccountOpened(event) => {
            *state = Some(Account { owner: event.owner.clone(), balance: 0, closed: false });
        }
        AccountEvent::MoneyDeposited(event) => {
            if let Some(account) = state {
                account.balance += event.amount;
            }
        }
        AccountEvent::Withdrawn(event) => {
            if let Some(account) = state {
                account.balance -= event.amount;
            }
        }
        AccountEvent::AccountClosed(_) => {
            if let Some(account) = state {
                account.closed = true;
            }
        }
    }
}

/// A million stored events, decoded by their stored names and by hand into the same enum.
fn decode(report: &mut Report, rounds: usize) {
    const EVENTS: usize = 1_000_000;
    let stored: Vec<(&str, String)> = (0..EVENTS)
        .map(|number| match number % 3 {
            0 => ("AccountOpened", format!(r#"{{"owner":"owner {number}"}}"#)),
            1 => ("MoneyDeposited", format!(r#"{{"amount":{number}}}"#)),
            _ => ("MoneyWithdrawn", format!(r#"{{"amount":{number}}}"#)),
        })
        .collect();
    let generated = || {
        for (name, json) in black_box(&stored) {
            black_box(AccountEvent::decode(Stored::new(name, 1, json)).unwrap().unwrap());
        }
    };
    let by_hand = || {
        for (name, json) in black_box(&stored) {
            black_box(decode_by_hand(name, json).unwrap());
        }
    };
    let turns = in_turns_at_once(rounds, generated, by_hand);
    let (work, bound) = ("decode an event by its stored name", Some(Bound::CostAtMost(1.1)));
    report.compare(work, &turns, EVENTS, Unit::Nanoseconds, bound);
}

/// An event as it is today, and the same with a way up from four versions before it.
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Placed {
    order: u64,
    currency: String,
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 5, upcast(from = 2, with = same), removed(since = 4, "size"))]
struct PlacedForYears {
    #[event(since = 4, renamed_from = "nr")]
    order: u64,
    #[event(since = 2, default = "EUR")]
    currency: String,
    #[event(since = 5)]
    note: Option<String>,
}

fn same(old: serde_json::Value) -> serde_json::Value {
    old
}

/// A million events at their present version, with upcasters declared and without.
fn decode_with_upcasters(report: &mut Report, rounds: usize) {
    const EVENTS: usize = 1_000_000;
    let texts: Vec<String> = (0..EVENTS)
        .map(|number| format!(r#"{{"order":{number},"currency":"EUR","note":"number {number}"}}"#))
        .collect();
    let with = || {
        for json in black_box(&texts) {
            black_box(PlacedForYears::decode(Stored::new("PlacedForYears", 5, json)).unwrap());
        }
    };
    let without = || {
        for json in black_box(&texts) {
            black_box(Placed::decode(Stored::new("Placed", 1, json)).unwrap());
        }
    };
    let turns = in_turns_at_once(rounds, with, without);
    let work = "decode at the present version with upcasters, beside without";
    report.compare(work, &turns, EVENTS, Unit::Nanoseconds, Some(Bound::CostAtMost(1.05)));
}

/// The same five versions, by four marks and by four earlier structs.
mod five_versions {
    use annals::Event;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize, Event)]
    #[event(name = "Marked", version = 5, removed(since = 4, "size"))]
    pub(super) struct ByMarks {
        #[event(since = 3, renamed_from = "nr")]
        order: u64,
        #[event(since = 2, default = "EUR")]
        currency: String,
        #[event(since = 5)]
        note: Option<String>,
    }

    /// Writes a version and the conversion from the one before it.
    macro_rules! version {
        ($name:ident $version:literal { $($field:ident: $ty:ty,)* }) => {
            #[derive(Debug, Clone, Serialize, Deserialize, Event)]
            #[event(name = "Typed", version = $version)]
            pub(super) struct $name { $($field: $ty,)* }
        };
        ($name:ident $version:literal from $previous:ident $old:ident
            { $($field:ident: $ty:ty = $value:expr,)* }) => {
            #[derive(Debug, Clone, Serialize, Deserialize, Event)]
            #[event(name = "Typed", version = $version, previous = $previous)]
            pub(super) struct $name { $($field: $ty,)* }

            impl From<$previous> for $name {
                fn from($old: $previous) -> Self {
                    Self { $($field: $value,)* }
                }
            }
        };
    }

    version!(V1 1 { nr: u64, size: u32, });
    version!(V2 2 from V1 old { nr: u64 = old.nr, size: u32 = old.size, currency: String = "EUR".into(), });
    version!(V3 3 from V2 old { order: u64 = old.nr, size: u32 = old.size, currency: String = old.currency, });
    version!(V4 4 from V3 old { order: u64 = old.order, currency: String = old.currency, });
    version!(ByTypes 5 from V4 old {
        order: u64 = old.order,
        currency: String = old.currency,
        note: Option<String> = None,
    });
}

/// A million events of version 1, by four marks, by four types, and as they were read then.
fn old_versions(report: &mut Report, rounds: usize) {
    use five_versions::{ByMarks, ByTypes, V1};

    const EVENTS: usize = 1_000_000;
    let old: Vec<String> =
        (0..EVENTS).map(|number| format!(r#"{{"nr":{number},"size":3}}"#)).collect();
    let marks = || old.iter().for_each(|json| read_first::<ByMarks>(json));
    let types = || old.iter().for_each(|json| read_first::<ByTypes>(json));
    let then = || old.iter().for_each(|json| read_first::<V1>(json));
    for (work, turns) in [
        (
            "decode version 1 by four marks, beside as it was then",
            in_turns_at_once(rounds, marks, then),
        ),
        (
            "decode version 1 by four types, beside as it was then",
            in_turns_at_once(rounds, types, then),
        ),
    ] {
        report.compare(work, &turns, EVENTS, Unit::Nanoseconds, None);
    }
}

fn read_first<E: Event>(json: &str) {
    black_box(E::decode(Stored::new(E::NAME, 1, black_box(json))).unwrap());
}

fn decode_by_hand(name: &str, json: &str) -> serde_json::Result<AccountEvent> {
    Ok(match name {
        "AccountOpened" => AccountEvent::AccountOpened(serde_json::from_str(json)?),
        "MoneyDeposited" => AccountEvent::MoneyDeposited(serde_json::from_str(json)?),
        "MoneyWithdrawn" => AccountEvent::Withdrawn(serde_json::from_str(json)?),
        "AccountClosed" => AccountEvent::AccountClosed(serde_json::from_str(json)?),
        _ => unreachable!("no such event"),
    })
}

fn recorded() -> RecordedEvent {
    let event = NewEvent::new(uuid::Uuid::nil(), "MoneyDeposited", 1, Payload::new("null"));
    let head = StreamHead::new(1, Position::from(1), Timestamp::default());
    RecordedEvent::new(event, StreamId::new("account", "ada"), head)
}
