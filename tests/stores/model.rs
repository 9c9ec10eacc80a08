//! The store in memory does what a naive model does: a list of events that is copied for each call.

use std::collections::HashMap;

use annals::prelude::*;
use annals::{
    Append, ContentHash, Expected, KeyClaim, KeyOwner, NewEvent, Page, Payload, ReadStream,
    WriteError,
};
use futures::TryStreamExt;
use futures::executor::block_on;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

const CATEGORIES: [&str; 2] = ["one", "two"];
const NAMES: [&str; 2] = ["Opened", "Closed"];
const KEYS: [&str; 2] = ["k", "l"];

/// What is done with a store.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Wish>),
    /// Sends an earlier call again, as it was.
    Again(prop::sample::Index),
    /// Sends an event of an earlier call again, before a new one.
    InPart(prop::sample::Index),
    ReadStream {
        stream: usize,
        from: u64,
        to: u64,
        backwards: bool,
        limit: usize,
    },
    ReadLog {
        after: prop::sample::Index,
        names: Option<Vec<usize>>,
        categories: Option<Vec<usize>>,
        limit: usize,
    },
}

/// One append of a call.
#[derive(Debug, Clone)]
struct Wish {
    stream: usize,
    expected: Guess,
    events: Vec<usize>,
    key: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Guess {
    Any,
    NoStream,
    Head,
    Exact(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let wish = (
        0..4_usize,
        prop_oneof![
            3 => Just(Guess::Any),
            1 => Just(Guess::NoStream),
            3 => Just(Guess::Head),
            1 => (0..6_u64).prop_map(Guess::Exact),
        ],
        prop::collection::vec(0..NAMES.len(), 0..4),
        prop::option::weighted(0.2, 0..KEYS.len()),
    )
        .prop_map(|(stream, expected, events, key)| Wish { stream, expected, events, key });
    let some = |of: usize| prop::option::of(prop::collection::vec(0..of, 0..=of));
    prop_oneof![
        6 => prop::collection::vec(wish, 0..4).prop_map(Step::Append),
        1 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => any::<prop::sample::Index>().prop_map(Step::InPart),
        2 => (0..4_usize, 0..9_u64, 0..9_u64, any::<bool>(), 1..5_usize).prop_map(
            |(stream, from, to, backwards, limit)| Step::ReadStream {
                stream, from, to, backwards, limit
            }
        ),
        2 => (any::<prop::sample::Index>(), some(NAMES.len()), some(CATEGORIES.len()), 1..5_usize)
            .prop_map(|(after, names, categories, limit)| Step::ReadLog {
                after, names, categories, limit
            }),
    ]
}

fn stream(number: usize) -> StreamId {
    StreamId::new(CATEGORIES[number % 2], format!("a-{number}"))
}

/// An event as the model keeps it; its place in the list is its position.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    id: Uuid,
    stream: StreamId,
    version: u64,
    name: String,
}

impl Kept {
    fn of(event: &RecordedEvent) -> Self {
        let (stream, name) = (event.stream_id.clone(), event.event_type.to_string());
        Self { id: event.id, stream, version: event.stream_version, name }
    }
}

/// What a receipt says: version, position, number of events.
type Said = (u64, u64, u64);

/// What a writer is told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Stored(Vec<Said>),
    Conflict(StreamId, Expected, u64),
    KeyUsed(StreamId, String, Said),
    Invalid,
}

#[derive(Debug, Clone, Default)]
struct Model {
    log: Vec<Kept>,
    keys: HashMap<(StreamId, String), Said>,
    /// The calls that stored events, by those, and what was told.
    calls: Vec<(Vec<Uuid>, Vec<Said>)>,
}

impl Model {
    fn of_stream(&self, stream: &StreamId) -> Vec<Kept> {
        self.log.iter().filter(|event| event.stream == *stream).cloned().collect()
    }

    fn head(&self, stream: &StreamId) -> (u64, u64) {
        let last = self.log.iter().rposition(|event| event.stream == *stream);
        last.map_or((0, 0), |last| (self.log[last].version, last as u64 + 1))
    }

    fn append(&mut self, call: &[Append]) -> Told {
        let ids: Vec<Uuid> =
            call.iter().flat_map(|append| &append.events).map(|event| event.id).collect();
        if self.log.iter().any(|event| ids.contains(&event.id)) {
            let Some((_, told)) = self.calls.iter().find(|(known, _)| *known == ids) else {
                return Told::Invalid;
            };
            // Of an append that left no trace, only the present head can be told.
            let again = call.iter().zip(told).map(|(append, told)| {
                let traceless = append.events.is_empty() && append.key.is_none();
                let (version, position) = self.head(&append.stream_id);
                if traceless { (version, position, 0) } else { *told }
            });
            return Told::Stored(again.collect());
        }
        let mut after = self.clone();
        let mut told = Vec::new();
        for append in call {
            match after.append_one(self, append) {
                Ok(receipt) => told.push(receipt),
                Err(refused) => return refused,
            }
        }
        after.calls.push((ids, told.clone()));
        *self = after;
        Told::Stored(told)
    }

    fn append_one(&mut self, before: &Self, append: &Append) -> Result<Said, Told> {
        let stream = &append.stream_id;
        let key = append.key.as_ref().map(|claim| (stream.clone(), claim.key.clone()));
        if let Some(key) = &key {
            if let Some(used) = before.keys.get(key) {
                return Err(Told::KeyUsed(key.0.clone(), key.1.clone(), *used));
            }
            if self.keys.contains_key(key) {
                return Err(Told::Invalid);
            }
        }
        let version = self.head(stream).0;
        let fits = match append.expected {
            Expected::Any => true,
            Expected::NoStream => version == 0,
            Expected::Exact(expected) => version == expected,
        };
        if !fits {
            return Err(Told::Conflict(stream.clone(), append.expected, version));
        }
        for (version, event) in (version + 1..).zip(&append.events) {
            let (stream, name) = (stream.clone(), event.event_type.to_string());
            self.log.push(Kept { id: event.id, stream, version, name });
        }
        let (version, position) = self.head(stream);
        let receipt = (version, position, append.events.len() as u64);
        if let Some(key) = key {
            self.keys.insert(key, receipt);
        }
        Ok(receipt)
    }
}

/// A store and the model beside it.
#[derive(Default)]
struct Pair {
    store: MemoryStore,
    model: Model,
    calls: Vec<Vec<Append>>,
}

impl Pair {
    fn step(&mut self, step: Step) {
        match step {
            Step::Append(wishes) => {
                let call: Vec<Append> =
                    wishes.into_iter().map(|wish| self.append_of(wish)).collect();
                self.send(&call);
                self.calls.push(call);
            }
            Step::Again(index) => {
                if !self.calls.is_empty() {
                    self.send(&index.get(&self.calls).clone());
                }
            }
            Step::InPart(index) => {
                if !self.model.log.is_empty() {
                    let mut known = event(0);
                    known.id = index.get(&self.model.log).id;
                    let events = vec![known, event(1)];
                    self.send(&[Append::new(stream(0), Expected::Any, events)]);
                }
            }
            Step::ReadStream { stream: number, from, to, backwards, limit } => {
                let read = ReadStream::new(stream(number)).from(from).to(to).limit(limit);
                self.read_stream(if backwards { read.backwards() } else { read });
            }
            Step::ReadLog { after, names, categories, limit } => {
                let after = after.index(self.model.log.len() + 1) as u64;
                let mut filter = EventFilter::all();
                if let Some(names) = names {
                    filter = filter.event_types(names.into_iter().map(|name| NAMES[name]));
                }
                if let Some(categories) = categories {
                    let categories = categories.into_iter().map(|category| CATEGORIES[category]);
                    filter = filter.categories(categories);
                }
                let read = ReadAll::after(Position::from(after)).filter(filter).limit(limit);
                self.read_log(read);
            }
        }
    }

    fn append_of(&self, wish: Wish) -> Append {
        let stream = stream(wish.stream);
        let expected = match wish.expected {
            Guess::Any => Expected::Any,
            Guess::NoStream => Expected::NoStream,
            Guess::Head => Expected::at(self.model.head(&stream).0),
            Guess::Exact(version) => Expected::Exact(version),
        };
        let append = Append::new(stream, expected, wish.events.into_iter().map(event).collect());
        match wish.key {
            Some(key) => append.with_key(KeyClaim::new(
                KEYS[key],
                "Do",
                ContentHash::of(&json!(key)),
                KeyOwner::Process,
            )),
            None => append,
        }
    }

    fn send(&mut self, call: &[Append]) {
        let receipt =
            |receipt: &Receipt| (receipt.stream_version, receipt.position.get(), receipt.events);
        let told = match block_on(self.store.append(call.to_vec())) {
            Ok(receipts) => Told::Stored(receipts.iter().map(receipt).collect()),
            Err(WriteError::Conflict(told)) => {
                Told::Conflict(told.stream_id, told.expected, told.actual)
            }
            Err(WriteError::KeyUsed { stream_id, key, entry }) => {
                Told::KeyUsed(stream_id, key, receipt(&entry.receipt))
            }
            Err(WriteError::Store(error)) if error.is_invalid() => Told::Invalid,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(told, self.model.append(call), "{call:?}");
    }

    fn read_stream(&self, read: ReadStream) {
        let events = self.model.of_stream(&read.stream_id);
        let mut expected: Vec<Kept> = events
            .into_iter()
            .filter(|event| (read.from..=read.to).contains(&event.version))
            .collect();
        if read.direction == annals::Direction::Backwards {
            expected.reverse();
        }
        let Page { events, more, .. } = block_on(self.store.stream_page(&read)).unwrap();
        assert_eq!(more, expected.len() > read.limit, "{read:?}");
        expected.truncate(read.limit);
        assert_eq!(events.iter().map(Kept::of).collect::<Vec<_>>(), expected, "{read:?}");
    }

    fn read_log(&self, read: ReadAll) {
        let after = usize::try_from(read.after.get()).unwrap();
        let matches = |event: &&Kept| read.filter.matches(&event.name, &event.stream);
        let expected: Vec<Kept> = self.model.log[after..].iter().filter(matches).cloned().collect();
        let found: Vec<RecordedEvent> =
            block_on(self.store.read_all(read.clone()).try_collect()).unwrap();
        assert_eq!(found.iter().map(Kept::of).collect::<Vec<_>>(), expected, "{read:?}");
    }

    /// Holds all that is stored against the model.
    fn compare(&self) {
        self.read_log(ReadAll::after(Position::START));
        for number in 0..4 {
            let stream = stream(number);
            let head = block_on(self.store.stream_head(&stream)).unwrap();
            assert_eq!((head.version, head.position.get()), self.model.head(&stream));
            for key in KEYS {
                let entry = block_on(self.store.find_key(&stream, key)).unwrap();
                let kept = entry.map(|entry| entry.receipt).map(|receipt| {
                    (receipt.stream_version, receipt.position.get(), receipt.events)
                });
                let expected = self.model.keys.get(&(stream.clone(), key.to_owned()));
                assert_eq!(kept.as_ref(), expected, "key `{key}` of `{stream}`");
            }
        }
        let head = block_on(self.store.head()).unwrap();
        assert_eq!(head.get(), self.model.log.len() as u64, "the head of the log");
    }
}

fn event(name: usize) -> NewEvent {
    NewEvent::new(Uuid::now_v7(), NAMES[name], 1, Payload::new("{}"))
}

proptest! {
    #[test]
    fn the_store_does_what_a_naive_model_does(steps in prop::collection::vec(step(), 1..40)) {
        let mut pair = Pair::default();
        for step in steps {
            pair.step(step);
            pair.compare();
        }
    }
}
