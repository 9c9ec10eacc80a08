//! What is there already, and what that means for each append: looked up only when the one statement met something.

use std::collections::{HashMap, HashSet};

use annals::{
    Append, Conflict, ContentHash, KeyEntry, Position, Receipt, StoreError, StreamHead, StreamId,
    Timestamp, WriteError,
};
use sqlx::Row;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::batch::unsigned;
use crate::instant::Instant;
use crate::statements::Statements;

/// What the database holds of what some appends touch.
#[derive(Debug, Default)]
pub(crate) struct Known {
    heads: HashMap<StreamId, StreamHead>,
    keys: HashMap<(StreamId, String), Claim>,
    events: HashMap<Uuid, Place>,
    /// The streams that a call which goes along moves on.
    moved: HashSet<StreamId>,
}

#[derive(Debug)]
enum Claim {
    Stored(KeyEntry),
    /// By a call before, which goes along.
    Underway,
}

#[derive(Debug)]
enum Place {
    Stored(StreamId, StreamHead),
    /// In a call before, which goes along.
    Underway,
}

/// What becomes of one call.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is answered without storing anything.
    Answer(Result<Vec<Receipt>, WriteError>),
    /// It goes along.
    Go,
    /// It meets a call before it, whose end has to be waited for.
    Later,
}

impl Known {
    /// Looks up what some appends touch.
    ///
    /// The heads first and the events last: an append that another connection still has under way is then never told as a
    /// conflict with itself.
    pub(crate) async fn look(
        connection: &mut PgConnection,
        statements: &Statements,
        appends: &[&Append],
    ) -> Result<Self, sqlx::Error> {
        let mut known = Self::default();
        known.look_at_heads(connection, statements, appends).await?;
        known.look_at_keys(connection, statements, appends).await?;
        known.look_at_events(connection, statements, appends).await?;
        Ok(known)
    }

    async fn look_at_heads(
        &mut self,
        connection: &mut PgConnection,
        statements: &Statements,
        appends: &[&Append],
    ) -> Result<(), sqlx::Error> {
        let streams: HashSet<&str> =
            appends.iter().map(|append| append.stream_id.as_str()).collect();
        let streams: Vec<&str> = streams.into_iter().collect();
        let rows = statements.heads().bind(&streams).fetch_all(connection).await?;
        for row in rows {
            let stream_id = StreamId::from_name(row.try_get::<String, _>(0)?);
            let version: Option<i64> = row.try_get(1)?;
            let position: Option<i64> = row.try_get(2)?;
            let recorded_at: Option<Instant> = row.try_get(3)?;
            let now: Instant = row.try_get(4)?;
            let head = head(
                version.unwrap_or_default(),
                position.unwrap_or_default(),
                recorded_at.unwrap_or(now),
            );
            self.heads.insert(stream_id, head);
        }
        Ok(())
    }

    async fn look_at_keys(
        &mut self,
        connection: &mut PgConnection,
        statements: &Statements,
        appends: &[&Append],
    ) -> Result<(), sqlx::Error> {
        let (streams, keys): (Vec<&str>, Vec<&str>) = appends
            .iter()
            .filter_map(|append| Some((append.stream_id.as_str(), &*append.key.as_ref()?.key)))
            .unzip();
        if keys.is_empty() {
            return Ok(());
        }
        let rows = statements.keys().bind(&streams).bind(&keys).fetch_all(connection).await?;
        for row in &rows {
            let (stream_id, key, entry) = key_entry(row)?;
            self.keys.insert((stream_id, key), Claim::Stored(entry));
        }
        Ok(())
    }

    async fn look_at_events(
        &mut self,
        connection: &mut PgConnection,
        statements: &Statements,
        appends: &[&Append],
    ) -> Result<(), sqlx::Error> {
        let ids: Vec<Uuid> =
            appends.iter().flat_map(|append| append.events.iter().map(|event| event.id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = statements.events_by_id().bind(&ids).fetch_all(connection).await?;
        for row in rows {
            let stream_id = StreamId::from_name(row.try_get::<String, _>(1)?);
            let head = head(row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
            self.events.insert(row.try_get(0)?, Place::Stored(stream_id, head));
        }
        Ok(())
    }

    /// Decides about one call, and remembers what it does if it goes along.
    pub(crate) fn decide(&mut self, appends: &[Append]) -> Verdict {
        match self.first_answer(appends) {
            Ok(Some(receipts)) => return Verdict::Answer(Ok(receipts)),
            Ok(None) => {}
            Err(Stop::Later) => return Verdict::Later,
            Err(Stop::Refused(error)) => return Verdict::Answer(Err(error)),
        }
        match self.check(appends) {
            Ok(versions) => {
                self.go(appends, versions);
                Verdict::Go
            }
            Err(Stop::Later) => Verdict::Later,
            Err(Stop::Refused(error)) => Verdict::Answer(Err(error)),
        }
    }

    /// The receipts of a call that was done before, which the ids of its events tell; `None` if none of them is known.
    fn first_answer(&self, appends: &[Append]) -> Result<Option<Vec<Receipt>>, Stop> {
        let mut ids = HashSet::new();
        let mut known = None;
        for append in appends {
            for event in &append.events {
                if !ids.insert(event.id) {
                    return Err(id_in_use(append, event.id));
                }
                match self.events.get(&event.id) {
                    Some(Place::Underway) => return Err(Stop::Later),
                    Some(Place::Stored(..)) if known.is_none() => known = Some((append, event.id)),
                    _ => {}
                }
            }
        }
        let Some((append, id)) = known else { return Ok(None) };
        let receipts: Option<Vec<_>> =
            appends.iter().map(|append| self.first_receipt(append)).collect();
        receipts.map(Some).ok_or_else(|| id_in_use(append, id))
    }

    /// The receipt of an append whose events are all there, in this order at consecutive versions.
    fn first_receipt(&self, append: &Append) -> Option<Receipt> {
        let Some(first) = append.events.first() else {
            return Some(self.receipt_without_events(append));
        };
        let first = self.place(append, first.id)?.version;
        let mut last = None;
        for (version, event) in (first..).zip(&append.events) {
            last = Some(self.place(append, event.id).filter(|head| head.version == version)?);
        }
        Some(Receipt::new(append.stream_id.clone(), last?, append.events.len() as u64))
    }

    fn place(&self, append: &Append, id: Uuid) -> Option<StreamHead> {
        match self.events.get(&id)? {
            Place::Stored(stream_id, head) if *stream_id == append.stream_id => Some(*head),
            _ => None,
        }
    }

    /// The receipt that was kept with the append's key; without one, the present head.
    fn receipt_without_events(&self, append: &Append) -> Receipt {
        let stream_id = &append.stream_id;
        let kept = append.key.as_ref().and_then(|claim| {
            match self.keys.get(&(stream_id.clone(), claim.key.clone()))? {
                Claim::Stored(entry)
                    if entry.command == claim.command && entry.content == claim.content =>
                {
                    Some(entry.receipt.clone())
                }
                _ => None,
            }
        });
        kept.unwrap_or_else(|| Receipt::new(stream_id.clone(), self.head(stream_id), 0))
    }

    /// Checks each append against the state as those before it leave it; gives back where its streams then end.
    fn check(&self, appends: &[Append]) -> Result<HashMap<StreamId, u64>, Stop> {
        let mut versions: HashMap<StreamId, u64> = HashMap::new();
        let mut claimed = HashSet::new();
        for append in appends {
            let stream_id = &append.stream_id;
            if let Some(claim) = &append.key {
                match self.keys.get(&(stream_id.clone(), claim.key.clone())) {
                    Some(Claim::Underway) => return Err(Stop::Later),
                    Some(Claim::Stored(entry)) => {
                        return Err(Stop::Refused(WriteError::KeyUsed {
                            stream_id: stream_id.clone(),
                            key: claim.key.clone(),
                            entry: Box::new(entry.clone()),
                        }));
                    }
                    None => {}
                }
                if !claimed.insert((stream_id, &claim.key)) {
                    let message = format!("`{stream_id}`: key `{}` is claimed twice", claim.key);
                    return Err(Stop::Refused(StoreError::invalid(message).into()));
                }
            }
            let version =
                versions.entry(stream_id.clone()).or_insert_with(|| self.head(stream_id).version);
            if !append.expected.allows(*version) {
                // What goes along may still fail, and then there is no conflict.
                if self.moved.contains(stream_id) {
                    return Err(Stop::Later);
                }
                let conflict = Conflict::new(stream_id.clone(), append.expected, *version);
                return Err(Stop::Refused(conflict.into()));
            }
            *version += append.events.len() as u64;
        }
        Ok(versions)
    }

    fn go(&mut self, appends: &[Append], versions: HashMap<StreamId, u64>) {
        for (stream_id, version) in versions {
            let head = self.head(&stream_id);
            if version != head.version {
                self.moved.insert(stream_id.clone());
            }
            self.heads.insert(stream_id, StreamHead::new(version, head.position, head.recorded_at));
        }
        for append in appends {
            if let Some(claim) = &append.key {
                let place = (append.stream_id.clone(), claim.key.clone());
                self.keys.insert(place, Claim::Underway);
            }
            for event in &append.events {
                self.events.insert(event.id, Place::Underway);
            }
        }
    }

    fn head(&self, stream_id: &StreamId) -> StreamHead {
        let none = StreamHead::new(0, Position::START, Timestamp::default());
        self.heads.get(stream_id).copied().unwrap_or(none)
    }
}

/// Why a call does not go along.
enum Stop {
    Later,
    Refused(WriteError),
}

fn id_in_use(append: &Append, id: Uuid) -> Stop {
    let stream_id = &append.stream_id;
    let message = format!("append to stream `{stream_id}`: event id {id} is in use");
    Stop::Refused(StoreError::invalid(message).into())
}

fn head(version: i64, position: i64, recorded_at: Instant) -> StreamHead {
    StreamHead::new(unsigned(version), Position::from(unsigned(position)), recorded_at.0)
}

/// Reads a row of the keys.
pub(crate) fn key_entry(
    row: &sqlx::postgres::PgRow,
) -> Result<(StreamId, String, KeyEntry), sqlx::Error> {
    let stream_id = StreamId::from_name(row.try_get::<String, _>(0)?);
    let content: &[u8] = row.try_get(3)?;
    let content: [u8; 32] = content
        .try_into()
        .map_err(|_| sqlx::Error::Decode("the hash of a command has not 32 bytes".into()))?;
    let head = head(row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
    let receipt = Receipt::new(stream_id.clone(), head, unsigned(row.try_get(7)?));
    let entry =
        KeyEntry::new(row.try_get::<String, _>(2)?, ContentHash::from_bytes(content), receipt);
    Ok((stream_id, row.try_get(1)?, entry))
}
