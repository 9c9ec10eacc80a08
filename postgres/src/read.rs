//! Reads: pages of streams and of the log.

use std::borrow::Cow;
use std::sync::Arc;

use annals::registry::EventRegistration;
use annals::{
    Direction, EventFilter, LogPage, Metadata, NewEvent, Page, Payload, Position, ReadAll,
    ReadStream, RecordedEvent, SnapshotPage, StoreError, StreamHead, StreamId,
};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, ValueRef};

use crate::append::{bounded, unsigned};
use crate::database::{Database, PageOf};
use crate::error::store_error;
use crate::instant::Instant;
use crate::snapshots;
use crate::wake::Wake;

const POSITION: usize = 0;

/// The columns of an event's texts, which make its size.
const DATA: usize = 7;
const METADATA: usize = 8;

/// Reads a page of a stream.
pub(crate) async fn stream_page(
    database: &Database,
    read: &ReadStream,
) -> Result<Page, StoreError> {
    let doing = "read a stream";
    let limit = read.limit.max(1);
    // One more tells whether there are more.
    let wanted = (2, limit.saturating_add(1));
    let query = |asked: usize| {
        let query = match read.direction {
            Direction::Forwards => database.statements.stream_forwards(),
            Direction::Backwards => database.statements.stream_backwards(),
        };
        query
            .bind(read.stream_id.as_str())
            .bind(bounded(read.from))
            .bind(bounded(read.to))
            .bind(bounded(asked as u64))
            .bind(read.metadata)
    };
    let maker = || Rows::of(Some(&read.stream_id));
    let writer = database.lend_writer();
    let mut page = database.fetch_page(doing, writer, wanted, query, size, maker).await?;
    if page.is_full {
        page.items.pop();
    }
    Ok(Page::new(page.items, page.is_full))
}

/// Reads a snapshot and the part of its stream that begins with the event which it contains last.
pub(crate) async fn snapshot_page(
    database: &Database,
    read: &ReadStream,
    snapshot_version: u32,
) -> Result<SnapshotPage, StoreError> {
    let doing = "read a stream and its snapshot";
    let limit = read.limit.max(1);
    let query = |asked: usize| {
        let query = database.statements.snapshot_page().bind(read.stream_id.as_str());
        let query = query.bind(i64::from(snapshot_version)).bind(bounded(read.from));
        query.bind(bounded(asked as u64)).bind(read.metadata)
    };
    let wanted = (2, limit.saturating_add(1));
    let writer = database.lend_writer();
    let mut page = database.fetch_page(doing, writer, wanted, query, size, || Ok).await?;
    if page.is_full {
        page.items.pop();
    }
    let first = page.items.first();
    let first = first.ok_or_else(|| store_error(doing, sqlx::Error::RowNotFound))?;
    let failed = |error| store_error(doing, error);
    let is_kept = !is_null(first, KEPT).map_err(failed)?;
    if is_kept && is_null(first, KEPT_DATA).map_err(failed)? {
        // The stream has no event at the snapshot's version: it is read from where it was to be.
        let snapshot = snapshots::load(database, &read.stream_id, snapshot_version).await?;
        return Ok(SnapshotPage::new(snapshot, stream_page(database, read).await?));
    }
    let made = || -> Result<SnapshotPage, sqlx::Error> {
        if is_null(first, POSITION)? {
            return Ok(SnapshotPage::new(None, Page::new(Vec::new(), false)));
        }
        let snapshot = snapshots::read(first, KEPT, &read.stream_id, snapshot_version)?;
        let mut made = Rows::default();
        let events: Result<Vec<_>, _> =
            page.items.iter().map(|row| made.recorded(row, Some(&read.stream_id))).collect();
        Ok(SnapshotPage::new(snapshot, Page::new(events?, page.is_full)))
    };
    made().map_err(failed)
}

/// The first column of the snapshot beside a stream's events.
const KEPT: usize = 9;
const KEPT_DATA: usize = KEPT + 3;

fn is_null(row: &PgRow, column: usize) -> Result<bool, sqlx::Error> {
    Ok(row.try_get_raw(column)?.is_null())
}

/// How many bytes the texts of an event have.
fn size(row: &PgRow) -> usize {
    let bytes = |column| row.try_get_raw(column).ok()?.as_bytes().ok().map(<[u8]>::len);
    bytes(DATA).unwrap_or_default() + bytes(METADATA).unwrap_or_default()
}

/// Reads a page of the log.
///
/// Far behind its end, what was found readable before will do; at the end, the end is asked for.
pub(crate) async fn log_page(
    database: &Database,
    wake: &Wake,
    read: &ReadAll,
) -> Result<LogPage, StoreError> {
    let limit = read.limit.max(1);
    let mut events = Vec::new();
    let mut reached = read.after;
    let mut readable = wake.readable();
    let mut is_fresh = false;
    loop {
        if readable <= reached {
            if is_fresh {
                return Ok(LogPage::new(events, reached, false));
            }
            let ceiling = wake.ceiling(database).await?;
            if reached > ceiling.head {
                return Err(StoreError::ahead_of_the_log(reached, ceiling.head));
            }
            (readable, is_fresh) = (ceiling.readable, true);
            continue;
        }
        let read = ReadAll::after(reached).filter(read.filter.clone()).limit(limit - events.len());
        let part = log_part(database, &read, readable).await?;
        events.extend(part.events);
        let Some(cut) = part.cut else {
            reached = readable;
            continue;
        };
        reached = cut;
        if reached == readable && !is_fresh {
            readable = wake.ceiling(database).await?.readable;
        }
        return Ok(LogPage::new(events, reached, reached < readable));
    }
}

/// Events of the log up to a position.
struct Part {
    events: Vec<RecordedEvent>,
    /// Where it ends, if that is before the position, since it is full.
    cut: Option<Position>,
}

/// Reads events of the log up to a position.
async fn log_part(database: &Database, read: &ReadAll, to: Position) -> Result<Part, StoreError> {
    if let Some(streams) = &read.filter.streams {
        return streams_part(database, read, streams, to).await;
    }
    let doing = "read the log";
    let statements = &database.statements;
    // Of both, categories are looked at here: the database reads a page of each type at most, which it could not promise if it
    // had to look for a rare category.
    let types = read.filter.event_types.as_deref().map(texts);
    let categories = read.filter.categories.as_deref().map(texts);
    let bounds = (bounded(read.after.get()), bounded(to.get()));
    let query = |asked: usize| {
        let query = match (types.as_deref(), &categories) {
            (Some([_]), _) => statements.log_of_type(),
            (Some(_), _) => statements.log_by_type(),
            (None, Some(_)) => statements.log_by_category(),
            (None, None) => statements.log_all(),
        };
        let query = query.bind(bounds.0).bind(bounds.1).bind(bounded(asked as u64));
        match (types.as_deref(), &categories) {
            (Some([only]), _) => query.bind(only),
            (Some(names), _) => query.bind(names),
            (None, Some(names)) => query.bind(names),
            (None, None) => query,
        }
    };
    let page =
        database.fetch_page(doing, None, (1, read.limit), query, size, || Rows::of(None)).await?;
    let mut part = part(page);
    if types.is_some() && categories.is_some() {
        part.events.retain(|event| read.filter.matches(&event.event_type, &event.stream_id));
    }
    Ok(part)
}

/// Reads events of some streams. Their types are looked at here: the database reads a page of each stream at most, which it
/// could not promise if it had to look for rare ones.
async fn streams_part(
    database: &Database,
    read: &ReadAll,
    streams: &[StreamId],
    to: Position,
) -> Result<Part, StoreError> {
    let doing = "read the log";
    let mut any_type = read.filter.clone();
    any_type.event_types = None;
    let mut names: Vec<&str> = (streams.iter())
        .filter(|stream_id| any_type.matches("", stream_id))
        .map(StreamId::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    let query = |asked: usize| {
        database
            .statements
            .log_by_stream()
            .bind(bounded(read.after.get()))
            .bind(bounded(to.get()))
            .bind(bounded(asked as u64).min(LARGEST_PAGE))
            .bind(&names)
    };
    let page =
        database.fetch_page(doing, None, (1, read.limit), query, size, || Rows::of(None)).await?;
    let mut part = part(page);
    part.events.retain(|event| read.filter.matches(&event.event_type, &event.stream_id));
    Ok(part)
}

/// More than a page can hold, and little enough to be added to a version.
const LARGEST_PAGE: i64 = 1 << 40;

fn part(page: PageOf<RecordedEvent>) -> Part {
    // A full page may end anywhere.
    let cut = page.items.last().map(|last| last.position).filter(|_| page.is_full);
    Part { events: page.items, cut }
}

/// The names of a filter, each once: a name that is asked for twice would be found twice.
fn texts(names: &[std::borrow::Cow<'static, str>]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| name.clone().into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Counts the events that a filter takes, up to a position.
pub(crate) async fn count_events(
    database: &Database,
    filter: &EventFilter,
    to: Position,
) -> Result<u64, StoreError> {
    let doing = "count events";
    let types = filter.event_types.as_deref().map(texts);
    let categories = filter.categories.as_deref().map(texts);
    let streams: Option<Vec<&str>> =
        filter.streams.as_ref().map(|streams| streams.iter().map(StreamId::as_str).collect());
    let query = || {
        let count = database.statements.events_count().bind(bounded(to.get()));
        count.bind(&types).bind(&categories).bind(&streams)
    };
    let row = database.fetch_one(doing, query).await?;
    row.try_get(0).map(unsigned).map_err(|error| store_error(doing, error))
}

/// Tells where a stream ends.
pub(crate) async fn stream_head(
    database: &Database,
    stream_id: &StreamId,
) -> Result<StreamHead, StoreError> {
    let doing = "read a stream's head";
    let row = database
        .fetch_one(doing, || {
            let streams = [stream_id.as_str()];
            database.statements.heads().bind(&streams[..])
        })
        .await?;
    let head = || -> Result<StreamHead, sqlx::Error> {
        let version: Option<i64> = row.try_get(1)?;
        let position: Option<i64> = row.try_get(2)?;
        let recorded_at: Option<Instant> = row.try_get(3)?;
        let now: Instant = row.try_get(4)?;
        Ok(StreamHead::new(
            unsigned(version.unwrap_or_default()),
            Position::from(unsigned(position.unwrap_or_default())),
            recorded_at.unwrap_or(now).0,
        ))
    };
    head().map_err(|error| store_error(doing, error))
}

/// Makes events of rows.
///
/// Events of one command, and often of a whole stream, have the same metadata: it is read once, and shared.
#[derive(Default)]
struct Rows {
    stream_id: Option<StreamId>,
    event_type: Option<Cow<'static, str>>,
    metadata: Option<Arc<Metadata>>,
    /// What that metadata was read from.
    text: String,
}

impl Rows {
    /// Makes events of a page's rows, one after the other.
    fn of(stream_id: Option<&StreamId>) -> impl FnMut(PgRow) -> Result<RecordedEvent, sqlx::Error> {
        let mut made = Self::default();
        move |row| made.recorded(&row, stream_id)
    }

    /// Makes an event of a row; the stream's name is in it unless it is known.
    fn recorded(
        &mut self,
        row: &PgRow,
        stream_id: Option<&StreamId>,
    ) -> Result<RecordedEvent, sqlx::Error> {
        let data: &str = get(row, DATA)?;
        let event = NewEvent::new(
            get(row, 5)?,
            self.event_type(get(row, 6)?),
            version(get(row, 2)?)?,
            Payload::new(data),
        )
        .with_readable_from(version(get(row, 3)?)?)
        .with_metadata(self.metadata(get(row, METADATA)?)?);
        let stream_id = match stream_id {
            Some(stream_id) => stream_id.clone(),
            None => self.stream_id(get(row, 9)?),
        };
        let recorded_at: Instant = get(row, 4)?;
        let head = StreamHead::new(
            unsigned(get(row, 1)?),
            Position::from(unsigned(get(row, 0)?)),
            recorded_at.0,
        );
        Ok(RecordedEvent::new(event, stream_id, head))
    }

    /// Events that were appended together are often of one stream.
    fn stream_id(&mut self, name: &str) -> StreamId {
        match &self.stream_id {
            Some(last) if last.as_str() == name => last.clone(),
            _ => self.stream_id.insert(StreamId::from_name(name)).clone(),
        }
    }

    fn event_type(&mut self, name: &str) -> Cow<'static, str> {
        match &self.event_type {
            Some(last) if last == name => last.clone(),
            _ => self.event_type.insert(EventRegistration::name_of(name)).clone(),
        }
    }

    /// Reads metadata; what was not asked for is as none.
    fn metadata(&mut self, text: Option<&str>) -> Result<Arc<Metadata>, sqlx::Error> {
        let text = text.unwrap_or("{}");
        if let Some(metadata) = &self.metadata
            && self.text == text
        {
            return Ok(metadata.clone());
        }
        let metadata: Metadata =
            serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))?;
        text.clone_into(&mut self.text);
        Ok(self.metadata.insert(Arc::new(metadata)).clone())
    }
}

/// A value of an event's row. The statement says of which type it is: to ask that of each value costs as much as to decode it.
fn get<'r, T: Decode<'r, Postgres>>(row: &'r PgRow, column: usize) -> Result<T, sqlx::Error> {
    row.try_get_unchecked(column)
}

fn version(kept: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(kept).map_err(|error| sqlx::Error::Decode(error.into()))
}
