//! What the generated code costs beside the same by hand: `cargo bench -p annals-tests --bench dsl`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload, Stored, StreamHead};
use serde::{Deserialize, Serialize};

#[path = "../contract/bank.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the contract are not run here")]
mod bank;
mod measure;

use bank::*;
use measure::{Times, sorted};

/// How often each candidate runs.
const ROUNDS: usize = 15;

fn main() {
    let mut bounds = Bounds::default();
    fold(&mut bounds);
    decode(&mut bounds);
    decode_with_upcasters(&mut bounds);
    append(&mut bounds);
    dispatch();
    bounds.exit();
}

/// Ten million decoded events, folded through the generated dispatch and by hand.
fn fold(bounds: &mut Bounds) {
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
    let (generated, by_hand) = in_turns(generated, by_hand);
    let ((generated, spread), (by_hand, spread_by_hand)) =
        (nanos_each(&generated, EVENTS), nanos_each(&by_hand, EVENTS));
    println!("fold {EVENTS} decoded events, ns an event");
    println!(
        "    generated {generated:.2} ±{spread:.2}   by hand {by_hand:.2} ±{spread_by_hand:.2}"
    );
    println!("    difference {:+.2} ns (bound: at most 1 ns)", generated - by_hand);
    bounds.check("fold", generated - by_hand <= 1.0);
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
fn decode(bounds: &mut Bounds) {
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
    let (generated, by_hand) = in_turns(generated, by_hand);
    let ratio = generated.median().as_secs_f64() / by_hand.median().as_secs_f64();
    let ((generated, spread), (by_hand, spread_by_hand)) =
        (nanos_each(&generated, EVENTS), nanos_each(&by_hand, EVENTS));
    println!("decode {EVENTS} events by their stored names, ns an event");
    println!(
        "    generated {generated:.1} ±{spread:.1}   by hand {by_hand:.1} ±{spread_by_hand:.1}"
    );
    println!("    ratio {ratio:.3} (bound: at most 1.1)");
    bounds.check("decode", ratio <= 1.1);
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
fn decode_with_upcasters(bounds: &mut Bounds) {
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
    let (with, without) = in_turns(with, without);
    let ratio = with.median().as_secs_f64() / without.median().as_secs_f64();
    let ((with, spread), (without, spread_without)) =
        (nanos_each(&with, EVENTS), nanos_each(&without, EVENTS));
    println!("decode {EVENTS} events at their present version, ns an event");
    println!(
        "    with upcasters {with:.1} ±{spread:.1}   without {without:.1} ±{spread_without:.1}"
    );
    println!("    ratio {ratio:.3} (bound: at most 1.05)");
    bounds.check("decode with upcasters", ratio <= 1.05);
    old_versions();
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
fn old_versions() {
    use five_versions::{ByMarks, ByTypes, V1};

    const EVENTS: usize = 1_000_000;
    let old: Vec<String> =
        (0..EVENTS).map(|number| format!(r#"{{"nr":{number},"size":3}}"#)).collect();
    let marks = || old.iter().for_each(|json| read_first::<ByMarks>(json));
    let types = || old.iter().for_each(|json| read_first::<ByTypes>(json));
    let then = || old.iter().for_each(|json| read_first::<V1>(json));
    let (marks, types) = in_turns(marks, types);
    let (then, _) = in_turns(then, || ());
    let [marks, types, then] = [marks, types, then].map(|times| nanos_each(&times, EVENTS));
    println!("decode {EVENTS} events of version 1, ns an event");
    println!(
        "    by four marks {:.1} ±{:.1}   by four types {:.1} ±{:.1}   as version 1 was read {:.1} ±{:.1}",
        marks.0, marks.1, types.0, types.1, then.0, then.1
    );
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

/// A thousand appends to a store in memory that holds ten thousand events, and to one that holds a million.
fn append(bounds: &mut Bounds) {
    const APPENDS: usize = 1_000;
    let runtime = runtime();
    let small = filled(&runtime, 10_000);
    let large = filled(&runtime, 1_000_000);
    let appends = |store: &MemoryStore| {
        runtime.block_on(async {
            for number in 0..APPENDS {
                let stream = StreamId::new("account", number % 100);
                store.append(vec![append_of(stream)]).await.unwrap();
            }
        });
    };
    let (large, small) = in_turns(|| appends(&large), || appends(&small));
    let ratio = large.median().as_secs_f64() / small.median().as_secs_f64();
    let ((large, spread), (small, spread_small)) =
        (nanos_each(&large, APPENDS), nanos_each(&small, APPENDS));
    println!("append to a store in memory, ns an append of one event");
    println!(
        "    at 1,000,000 events {large:.0} ±{spread:.0}   at 10,000 {small:.0} ±{spread_small:.0}"
    );
    println!("    ratio {ratio:.2} (bound: does not grow with what is stored; caches allow 2)");
    bounds.check("append", ratio <= 2.0);
}

/// Commands on ten thousand accounts in memory, one after the other: for orientation, no bound.
fn dispatch() {
    const COMMANDS: u32 = 20_000;
    let runtime = runtime();
    let bus = CommandBus::new(MemoryStore::new());
    let begin = Instant::now();
    runtime.block_on(async {
        for number in 0..COMMANDS {
            let account = AccountId::from(format!("account {}", number % 10_000));
            if number < 10_000 {
                bus.dispatch(OpenAccount { account, owner: "Ada".into() }).await.unwrap();
            } else {
                bus.dispatch(Deposit { account, amount: 1 }).await.unwrap();
            }
        }
    });
    let each: Duration = begin.elapsed() / COMMANDS;
    println!("dispatch on a store in memory: {each:?} a command, one task");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn filled(runtime: &tokio::runtime::Runtime, events: usize) -> MemoryStore {
    let store = MemoryStore::new();
    runtime.block_on(async {
        for number in 0..events {
            let stream = StreamId::new("account", number % 1_000);
            store.append(vec![append_of(stream)]).await.unwrap();
        }
    });
    store
}

fn append_of(stream: StreamId) -> Append {
    let data = Payload::new(r#"{"amount":1}"#);
    let event = NewEvent::new(uuid::Uuid::now_v7(), "MoneyDeposited", 1, data);
    Append::new(stream, Expected::Any, vec![event])
}

fn recorded() -> RecordedEvent {
    let event = NewEvent::new(uuid::Uuid::nil(), "MoneyDeposited", 1, Payload::new("null"));
    let head = StreamHead::new(1, Position::from(1), Timestamp::default());
    RecordedEvent::new(event, StreamId::new("account", "ada"), head)
}

/// Runs two candidates in turns, so that a slow moment of the machine meets both alike.
fn in_turns(mut one: impl FnMut(), mut other: impl FnMut()) -> (Times, Times) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    one();
    other();
    for round in 0..ROUNDS {
        // Who goes first changes, so that neither always finds the caches as the other left them.
        if round % 2 == 0 {
            ones.push(time(&mut one));
            others.push(time(&mut other));
        } else {
            others.push(time(&mut other));
            ones.push(time(&mut one));
        }
    }
    (sorted(ones), sorted(others))
}

/// The time of one run.
fn time(run: &mut impl FnMut()) -> Duration {
    let begin = Instant::now();
    run();
    begin.elapsed()
}

/// Nanoseconds for each of `count` things: the median, and half the distance between the quartiles.
fn nanos_each(times: &Times, count: usize) -> (f64, f64) {
    let each = |time: Duration| time.as_secs_f64() * 1e9 / count as f64;
    let (low, high) = times.quartiles();
    (each(times.median()), (each(high) - each(low)) / 2.0)
}

/// Counts bounds that are not met, for the exit code.
#[derive(Default)]
struct Bounds(usize);

impl Bounds {
    fn check(&mut self, what: &str, met: bool) {
        if !met {
            self.0 += 1;
            println!("    BOUND NOT MET: {what}");
        }
    }

    fn exit(self) {
        if self.0 > 0 {
            println!("\n{} bounds are not met", self.0);
            std::process::exit(1);
        }
        println!("\nall bounds are met");
    }
}
