//! The appends of several callers as the arrays of one statement.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use annals::{Append, Expected, KeyOwner, Metadata, Position, Receipt, StreamHead, StreamId};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::database::Query;
use crate::instant::Instant;
use crate::statements::Statements;

/// What callers want appended, one list of appends each, in the order in which it is done.
///
/// An append is given as what it expects and how many events of its stream come before it in the batch; the database
/// adds the stream's head.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    streams: Vec<&'a str>,
    categories: Vec<&'a str>,
    /// The streams' places, once they do not come in the order of their names.
    places: Option<HashMap<&'a str, usize>>,
    ends: Vec<End>,
    /// At which version each stream is expected before the batch, where anything is.
    expected: Vec<Option<i64>>,
    is_plain: IsPlain,
    checked: Checked,
    events: Events<'a>,
    keys: Keys<'a>,
    /// How each append ends, one after the other.
    outcomes: Vec<Outcome<'a>>,
}

/// Whether the plain statement can append a batch: each append has events and no key, none contradicts another about its stream, and
/// they come by streams in the order of their names.
#[derive(Debug)]
struct IsPlain(bool);

impl Default for IsPlain {
    fn default() -> Self {
        Self(true)
    }
}

/// Where a stream ends within the batch.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    events: i64,
    /// The place of its last event among the batch's, from 1.
    last: Option<i32>,
}

#[derive(Debug, Default)]
struct Checked {
    streams: Vec<i32>,
    versions: Vec<i64>,
    before: Vec<i64>,
}

#[derive(Debug, Default)]
struct Events<'a> {
    streams: Vec<i32>,
    numbers: Vec<i64>,
    ids: Vec<Uuid>,
    types: Vec<&'a str>,
    schema_versions: Vec<i64>,
    readable_from: Vec<i64>,
    data: Vec<&'a str>,
    /// Of each event, which of the texts is its metadata.
    metadata: Vec<usize>,
    /// Metadata as JSON: once for events that share it, one after the other.
    texts: Vec<(&'a Arc<Metadata>, String)>,
}

impl<'a> Events<'a> {
    fn add_metadata(&mut self, metadata: &'a Arc<Metadata>) -> Result<(), serde_json::Error> {
        if self.texts.last().is_none_or(|(last, _)| !Arc::ptr_eq(last, metadata)) {
            self.texts.push((metadata, serde_json::to_string(&**metadata)?));
        }
        self.metadata.push(self.texts.len() - 1);
        Ok(())
    }

    fn metadata(&self) -> Vec<&str> {
        self.metadata.iter().map(|text| &*self.texts[*text].1).collect()
    }
}

#[derive(Debug, Default)]
struct Keys<'a> {
    streams: Vec<i32>,
    texts: Vec<&'a str>,
    commands: Vec<&'a str>,
    contents: Vec<&'a [u8]>,
    lifetimes: Vec<Option<i64>>,
    after: Vec<i64>,
    last_events: Vec<Option<i32>>,
    events: Vec<i64>,
}

#[derive(Debug)]
struct Outcome<'a> {
    stream_id: &'a StreamId,
    stream: usize,
    end: End,
    events: u64,
}

/// What the database gave to a batch.
pub(crate) enum Given {
    /// The head that each event has made, in their order.
    Events(Vec<StreamHead>),
    /// What the function tells.
    Streams(GivenStreams),
}

pub(crate) struct GivenStreams {
    positions: Vec<i64>,
    head_versions: Vec<i64>,
    head_positions: Vec<i64>,
    head_instants: Vec<Instant>,
    instants: Vec<Instant>,
}

/// The longest time for which a key can be kept with an end, in microseconds: 200,000 years.
const LONGEST: i64 = 200_000 * 365 * 24 * 3_600 * 1_000_000;

impl<'a> Batch<'a> {
    pub(crate) fn of(
        appends: impl IntoIterator<Item = &'a Append>,
    ) -> Result<Self, serde_json::Error> {
        let mut batch = Self::default();
        for append in appends {
            batch.add(append)?;
        }
        Ok(batch)
    }

    fn add(&mut self, append: &'a Append) -> Result<(), serde_json::Error> {
        let stream = self.stream(&append.stream_id);
        let number = number(stream + 1);
        let before = self.ends[stream].events;
        let expected = match append.expected {
            Expected::Any => None,
            Expected::NoStream => Some(0),
            Expected::Exact(version) => Some(bounded(version)),
        };
        if let Some(version) = expected {
            self.checked.streams.push(number);
            self.checked.versions.push(version);
            self.checked.before.push(before);
            let at_first = version.saturating_sub(before);
            self.is_plain.0 &= *self.expected[stream].get_or_insert(at_first) == at_first;
        }
        self.is_plain.0 &= append.key.is_none() && !append.events.is_empty();
        for event in &append.events {
            let end = &mut self.ends[stream];
            end.events += 1;
            self.events.streams.push(number);
            self.events.numbers.push(end.events);
            self.events.ids.push(event.id);
            self.events.types.push(&event.event_type);
            self.events.schema_versions.push(event.schema_version.into());
            self.events.readable_from.push(event.readable_from.into());
            self.events.data.push(event.data.as_str());
            self.events.add_metadata(&event.metadata)?;
            end.last = Some(self::number(self.events.ids.len()));
        }
        let end = self.ends[stream];
        let events = append.events.len() as u64;
        if let Some(key) = &append.key {
            self.keys.streams.push(number);
            self.keys.texts.push(&key.key);
            self.keys.commands.push(&key.command);
            self.keys.contents.push(key.content.as_bytes());
            self.keys.lifetimes.push(match key.owner {
                KeyOwner::Caller { lifetime } => Some(micros(lifetime)),
                KeyOwner::Process => None,
            });
            self.keys.after.push(end.events);
            self.keys.last_events.push(end.last);
            self.keys.events.push(bounded(events));
        }
        self.outcomes.push(Outcome { stream_id: &append.stream_id, stream, end, events });
        Ok(())
    }

    fn stream(&mut self, stream_id: &'a StreamId) -> usize {
        let (name, next) = (stream_id.as_str(), self.streams.len());
        let order = self.streams.last().map_or(Ordering::Less, |last| (*last).cmp(name));
        let stream = match (&mut self.places, order) {
            (None, Ordering::Less) => next,
            (None, Ordering::Equal) => next - 1,
            (places, _) => {
                let numbered = || self.streams.iter().copied().zip(0..).collect();
                *places.get_or_insert_with(numbered).entry(name).or_insert(next)
            }
        };
        self.is_plain.0 &= self.places.is_none();
        if stream == next {
            self.streams.push(name);
            self.categories.push(stream_id.category());
            self.ends.push(End::default());
            self.expected.push(None);
        }
        stream
    }

    /// The statement that appends the batch in a transaction of its own.
    pub(crate) fn query_alone<'q>(&'q self, statements: &Statements) -> Query<'q> {
        // Not named, it would be planned each time, which costs more than the function does.
        if !self.is_plain.0 || !statements.are_named() {
            return self.query(statements);
        }
        let events = &self.events;
        if let ([stream], [category], [id]) = (&*self.streams, &*self.categories, &*events.ids) {
            return statements
                .append_event()
                .bind(stream)
                .bind(category)
                .bind(self.expected[0])
                .bind(id)
                .bind(events.types[0])
                .bind(events.schema_versions[0])
                .bind(events.readable_from[0])
                .bind(events.data[0])
                .bind(&*events.texts[events.metadata[0]].1);
        }
        statements
            .append_events()
            .bind(&self.streams)
            .bind(&self.categories)
            .bind(&self.expected)
            .bind(&events.streams)
            .bind(&events.numbers)
            .bind(&events.ids)
            .bind(&events.types)
            .bind(&events.schema_versions)
            .bind(&events.readable_from)
            .bind(&events.data)
            .bind(events.metadata())
    }

    /// The statement that appends the batch, in any transaction.
    pub(crate) fn query<'q>(&'q self, statements: &Statements) -> Query<'q> {
        let Self { checked, events, keys, .. } = self;
        statements
            .append()
            .bind(&self.streams)
            .bind(&self.categories)
            .bind(&checked.streams)
            .bind(&checked.versions)
            .bind(&checked.before)
            .bind(&events.streams)
            .bind(&events.numbers)
            .bind(&events.ids)
            .bind(&events.types)
            .bind(&events.schema_versions)
            .bind(&events.readable_from)
            .bind(&events.data)
            .bind(events.metadata())
            .bind(&keys.streams)
            .bind(&keys.texts)
            .bind(&keys.commands)
            .bind(&keys.contents)
            .bind(&keys.lifetimes)
            .bind(&keys.after)
            .bind(&keys.last_events)
            .bind(&keys.events)
    }

    /// The receipts of all appends, in their order.
    pub(crate) fn receipts(&self, given: &Given) -> Vec<Receipt> {
        self.outcomes.iter().map(|outcome| given.receipt(outcome)).collect()
    }
}

impl Given {
    /// Reads what a statement gave back for a batch; `None` if a stream was not where it was expected.
    pub(crate) fn read(rows: &[PgRow]) -> Result<Option<Self>, sqlx::Error> {
        let Some(first) = rows.first() else { return Ok(None) };
        if first.columns().len() == GivenStreams::COLUMNS {
            return GivenStreams::read(first).map(|streams| Some(Self::Streams(streams)));
        }
        let heads = rows.iter().map(|row| {
            let (position, version, instant): (i64, i64, Instant) =
                (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?, row.try_get_unchecked(2)?);
            Ok(StreamHead::new(unsigned(version), Position::from(unsigned(position)), instant.0))
        });
        let mut heads = heads.collect::<Result<Vec<_>, sqlx::Error>>()?;
        // They were drawn in the order of the batch.
        heads.sort_unstable_by_key(|head| head.position);
        Ok(Some(Self::Events(heads)))
    }

    fn receipt(&self, outcome: &Outcome<'_>) -> Receipt {
        let last = outcome.end.last.and_then(|last| usize::try_from(last).ok());
        let head = match self {
            Self::Events(heads) => {
                let last = last.expect("bug in annals: the plain statement was given no events");
                heads[last - 1]
            }
            Self::Streams(given) => given.head(outcome, last),
        };
        Receipt::new(outcome.stream_id.clone(), head, outcome.events)
    }
}

impl GivenStreams {
    /// How many columns the function has.
    const COLUMNS: usize = 5;

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            positions: row.try_get(0)?,
            head_versions: row.try_get(1)?,
            head_positions: row.try_get(2)?,
            head_instants: row.try_get(3)?,
            instants: row.try_get(4)?,
        })
    }

    fn head(&self, outcome: &Outcome<'_>, last: Option<usize>) -> StreamHead {
        let stream = outcome.stream;
        let version = unsigned(self.head_versions[stream] + outcome.end.events);
        let (position, instant) = match last {
            Some(last) => (self.positions[last - 1], self.instants[stream]),
            None => (self.head_positions[stream], self.head_instants[stream]),
        };
        StreamHead::new(version, Position::from(unsigned(position)), instant.0)
    }
}

/// A version as the database keeps it: one beyond its numbers is one that no stream reaches.
pub(crate) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of the database's, which are never below zero here.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A time in microseconds, short enough to be added to an instant.
pub(crate) fn micros(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX).min(LONGEST)
}

fn number(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
