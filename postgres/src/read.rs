//! Reads: pages of streams and of the log.

use std::sync::Arc;

use annals::{
    Direction, LogPage, Metadata, NewEvent, Page, Payload, Position, ReadAll, ReadStream,
    RecordedEvent, StoreError, StreamHead, StreamId,
};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::append::{bounded, unsigned};
use crate::database::Database;
use crate::error::store_error;
use crate::instant::Instant;
use crate::wake::Wake;

/// Reads a page of a stream.
pub(crate) async fn stream_page(
    database: &Database,
    read: &ReadStream,
) -> Result<Page, StoreError> {
    let doing = "read a stream";
    let statement = match read.direction {
        Direction::Forwards => database.statements.stream_forwards(),
        Direction::Backwards => database.statements.stream_backwards(),
    };
    let limit = read.limit.max(1);
    let rows = database
        .fetch_all(doing, || {
            sqlx::query(statement.clone())
                .bind(read.stream_id.as_str())
                .bind(bounded(read.from))
                .bind(bounded(read.to))
                // One more tells whether there are more.
                .bind(bounded(limit as u64).saturating_add(1))
        })
        .await?;
    let more = rows.len() > limit;
    let mut made = Rows::default();
    let events: Result<Vec<_>, _> =
        rows.iter().take(limit).map(|row| made.recorded(row, Some(&read.stream_id))).collect();
    Ok(Page::new(events.map_err(|error| store_error(doing, error))?, more))
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
        events.extend(log_part(database, &read, readable).await?);
        if events.len() < limit {
            reached = readable;
            continue;
        }
        // A full page may end anywhere.
        reached = events.last().map_or(readable, |last: &RecordedEvent| last.position);
        if reached == readable && !is_fresh {
            readable = wake.ceiling(database).await?.readable;
        }
        return Ok(LogPage::new(events, reached, reached < readable));
    }
}

/// Reads events of the log up to a position.
async fn log_part(
    database: &Database,
    read: &ReadAll,
    to: Position,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let doing = "read the log";
    let statements = &database.statements;
    let types = read.filter.event_types.as_deref().map(texts);
    let categories = read.filter.categories.as_deref().map(texts);
    let streams = read.filter.streams.as_deref().map(stream_names);
    let bounds = (bounded(read.after.get()), bounded(to.get()), bounded(read.limit as u64));
    let rows = database
        .fetch_all(doing, || {
            let statement = match (&streams, &types, &categories) {
                (Some(_), ..) => statements.log_by_stream(),
                (None, Some(_), _) => statements.log_by_type(),
                (None, None, Some(_)) => statements.log_by_category(),
                (None, None, None) => statements.log_all(),
            };
            let query = sqlx::query(statement).bind(bounds.0).bind(bounds.1).bind(bounds.2);
            match (&streams, &types, &categories) {
                (Some(streams), types, categories) => {
                    query.bind(streams).bind(types.as_ref()).bind(categories.as_ref())
                }
                (None, Some(types), categories) => query.bind(types).bind(categories.as_ref()),
                (None, None, Some(categories)) => query.bind(categories),
                (None, None, None) => query,
            }
        })
        .await?;
    let mut made = Rows::default();
    let events: Result<Vec<_>, _> = rows.iter().map(|row| made.recorded(row, None)).collect();
    events.map_err(|error| store_error(doing, error))
}

/// The names of a filter, each once: a name that is asked for twice would be found twice.
fn texts(names: &[std::borrow::Cow<'static, str>]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| name.clone().into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The names of the streams of a filter, each once.
fn stream_names(streams: &[StreamId]) -> Vec<&str> {
    let mut names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
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
            sqlx::query(database.statements.heads()).bind(&streams[..])
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
    metadata: Option<(String, Arc<Metadata>)>,
}

impl Rows {
    /// Makes an event of a row; the stream's name is in it unless it is known.
    fn recorded(
        &mut self,
        row: &PgRow,
        stream_id: Option<&StreamId>,
    ) -> Result<RecordedEvent, sqlx::Error> {
        let data: &str = row.try_get(7)?;
        let event = NewEvent::new(
            row.try_get(5)?,
            row.try_get::<String, _>(6)?,
            version(row.try_get(2)?)?,
            Payload::new(data),
        )
        .with_readable_from(version(row.try_get(3)?)?)
        .with_metadata(self.metadata(row.try_get(8)?)?);
        let stream_id = match stream_id {
            Some(stream_id) => stream_id.clone(),
            None => StreamId::from_name(row.try_get::<&str, _>(9)?),
        };
        let recorded_at: Instant = row.try_get(4)?;
        let head = StreamHead::new(
            unsigned(row.try_get(1)?),
            Position::from(unsigned(row.try_get(0)?)),
            recorded_at.0,
        );
        Ok(RecordedEvent::new(event, stream_id, head))
    }

    fn metadata(&mut self, text: &str) -> Result<Arc<Metadata>, sqlx::Error> {
        if let Some((last, metadata)) = &self.metadata
            && last == text
        {
            return Ok(metadata.clone());
        }
        let metadata: Metadata =
            serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let metadata = Arc::new(metadata);
        self.metadata = Some((text.to_owned(), metadata.clone()));
        Ok(metadata)
    }
}

fn version(kept: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(kept).map_err(|error| sqlx::Error::Decode(error.into()))
}
