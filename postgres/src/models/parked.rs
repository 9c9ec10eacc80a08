//! Events that wait for their row.

use std::borrow::Cow;

use annals::projection::ParkedEvent;
use annals::{CheckpointId, Position, StoreError, StreamId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::append::unsigned;
use crate::database::Database;
use crate::error::store_error;
use crate::instant::Instant;

/// Reads what is parked of a reader: all, or that of one key.
pub(crate) async fn parked(
    database: &Database,
    reader: &CheckpointId,
    key: Option<&str>,
) -> Result<Vec<ParkedEvent>, StoreError> {
    let doing = "read parked events";
    let key = key.map(escaped);
    let query = || {
        database
            .statements
            .parked()
            .bind(&reader.name)
            .bind(i64::from(reader.version))
            .bind(i64::from(reader.shard))
            .bind(key.as_deref())
    };
    let rows = database.fetch_all(doing, query).await?;
    let events: Result<Vec<ParkedEvent>, sqlx::Error> =
        rows.iter().map(|row| read(reader, row)).collect();
    let mut events = events.map_err(|error| store_error(doing, error))?;
    // By their keys as they are, not as they are kept.
    events.sort_by(|one, two| (one.position, &one.key).cmp(&(two.position, &two.key)));
    Ok(events)
}

/// Reads one that is parked.
pub(crate) fn read(reader: &CheckpointId, row: &PgRow) -> Result<ParkedEvent, sqlx::Error> {
    Ok(ParkedEvent {
        reader: reader.clone(),
        key: plain(row.try_get("key")?).into_owned(),
        position: Position::from(unsigned(row.try_get("position")?)),
        stream_id: StreamId::from_name(plain(row.try_get("stream_id")?)),
        event_type: plain(row.try_get("event_type")?).into_owned(),
        error: row.try_get("error")?,
        attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
        parked_at: row.try_get::<Instant, _>("parked_at")?.0,
        retry_at: row.try_get::<Option<Instant>, _>("retry_at")?.map(|instant| instant.0),
    })
}

/// A text as it is kept: PostgreSQL takes no U+0000, but the key of a row that was refused for it has to come back as it was.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\0']) {
        text.replace('\\', "\\\\").replace('\0', "\\0").into()
    } else {
        text.into()
    }
}

/// A text for people.
pub(super) fn readable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn plain(kept: &str) -> Cow<'_, str> {
    if !kept.contains('\\') {
        return kept.into();
    }
    let mut text = String::with_capacity(kept.len());
    let mut letters = kept.chars();
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' if letters.next() == Some('0') => '\0',
            letter => letter,
        });
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::{escaped, plain};

    #[test]
    fn an_escaped_text_comes_back() {
        for text in ["ada", "", "\0", "a\\0b", "a\\\\\0", "[\"a\",\"\\\"\"]", "\\"] {
            assert!(!escaped(text).contains('\0'));
            assert_eq!(plain(&escaped(text)), text);
        }
    }
}
