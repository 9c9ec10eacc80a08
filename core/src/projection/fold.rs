//! Rows in memory, and the events that change them.
//!
//! It knows no store: whoever folds brings the rows that the events touch, and takes what has become of them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Projection;
use super::handler::{EventHandler, On};
use super::route::Route;
use super::step::RowError;
use crate::causes::chain;
use crate::codec::{DecodeError, PayloadCodec, PayloadOf};
use crate::context::EventContext;
use crate::event::Event;
use crate::read_model::{ColumnError, ModelKey, Row, RowKey, Test, open_row};
use crate::recorded_event::RecordedEvent;
use crate::upcast::Stored;

/// An event of `P`, read.
pub(crate) trait DecodedEvent<P: Projection>: Send + Sync {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<P::Key>, RowError>;

    fn step(&self, row: &mut Option<P>, cx: &EventContext<P>) -> Result<(), RowError>;
}

pub(super) struct Pending<E>(pub(super) E);

impl<P: On<E>, E: Event> DecodedEvent<P> for Pending<E> {
    fn route(&self, recorded: &RecordedEvent) -> Result<Route<P::Key>, RowError> {
        <P as On<E>>::route(&self.0, recorded)
    }

    fn step(&self, row: &mut Option<P>, cx: &EventContext<P>) -> Result<(), RowError> {
        <P as On<E>>::step(row, &self.0, cx)
    }
}

/// An event that was read and knows its rows.
pub(crate) struct Routed<P: Projection> {
    recorded: RecordedEvent,
    event: Box<dyn DecodedEvent<P>>,
    goes: Goes<P>,
}

/// To which rows an event goes.
enum Goes<P: Projection> {
    /// To that of this key.
    One([(RowKey, P::Key); 1]),
    /// To those of these keys, each once.
    To(Vec<(RowKey, P::Key)>),
    /// To all that pass a test when it is applied.
    Each(Test),
}

impl<P: Projection> Goes<P> {
    fn by(route: Route<P::Key>) -> Result<Self, ColumnError> {
        let several = match route {
            Route::One(key) => return Ok(Self::One([(key.to_row_key()?, key)])),
            Route::Many(several) => several,
            Route::Each(test) => return Ok(Self::Each(test)),
        };
        let mut known = HashSet::with_capacity(several.len());
        let mut keys = Vec::with_capacity(several.len());
        for key in several {
            let row_key = key.to_row_key()?;
            if known.insert(row_key.clone()) {
                keys.push((row_key, key));
            }
        }
        Ok(Self::To(keys))
    }
}

impl<P: Projection> Routed<P> {
    /// The event as it was recorded.
    pub(crate) const fn recorded(&self) -> &RecordedEvent {
        &self.recorded
    }

    /// The keys of the rows that it goes to, if it names them.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &RowKey> {
        let keys = match &self.goes {
            Goes::One(key) => &key[..],
            Goes::To(keys) => &keys[..],
            Goes::Each(_) => &[],
        };
        keys.iter().map(|(row_key, _)| row_key)
    }

    /// The test that its rows pass, if it names that.
    pub(crate) const fn test(&self) -> Option<&Test> {
        match &self.goes {
            Goes::One(_) | Goes::To(_) => None,
            Goes::Each(test) => Some(test),
        }
    }
}

/// An event failed for a row, which is as it was.
pub(crate) struct Failed {
    /// The key of the row.
    pub(crate) key: RowKey,
    pub(crate) error: RowError,
}

/// Rows of `P` in memory, by their keys.
pub(crate) struct Fold<P> {
    rows: HashMap<RowKey, Slot<P>>,
    /// Rows as they are kept that do not read as their type, and why.
    unreadable: HashMap<RowKey, (Row, RowError)>,
    /// Whether the store has not recorded the events yet, so that their instants and positions are guesses.
    guesses: bool,
}

struct Slot<P> {
    row: Option<P>,
    change: Option<Changed>,
}

/// What has become of a row.
pub(crate) enum Changed {
    /// It is there, with these values.
    There(Row),
    /// It is no more.
    Gone,
}

impl<P: Projection> Fold<P> {
    /// Begins without rows.
    pub(crate) fn new() -> Self {
        Self { rows: HashMap::new(), unreadable: HashMap::new(), guesses: false }
    }

    /// Adds a row as it is kept.
    ///
    /// # Errors
    ///
    /// When its key does not go into its columns.
    pub(crate) fn insert(&mut self, row: P) -> Result<(), ColumnError> {
        let key = row.key().to_row_key()?;
        self.rows.insert(key, Slot { row: Some(row), change: None });
        Ok(())
    }

    /// Reads a row as it is kept. One that does not read as its type fails for each event that goes to it.
    pub(crate) fn read(&mut self, row: Row, codec: &dyn PayloadCodec) {
        let key = P::TABLE.key_of(&row);
        let read = || {
            let read = open_row(P::TABLE, row.clone(), codec).and_then(P::from_row);
            read.map_err(RowError::Unreadable)
        };
        match caught(read) {
            Ok(read) => {
                self.rows.insert(key, Slot { row: Some(read), change: None });
            }
            Err(error) => {
                self.unreadable.insert(key, (row, error));
            }
        }
    }

    /// Refuses steps that ask for what only the store will know: from here on, events are not recorded yet.
    pub(crate) fn refuse_guesses(&mut self) {
        self.guesses = true;
    }

    /// Finds a row.
    pub(crate) fn row(&self, key: &RowKey) -> Option<&P> {
        self.rows.get(key)?.row.as_ref()
    }

    /// Applies an event to all its rows but those that `is_left_out` names; tells to how many it was applied, and for which it failed.
    ///
    /// A row for which the event fails is as it was before: its step refuses it or panics, or what the step wrote does not go
    /// into the columns, or does not read back from them.
    pub(crate) fn apply(
        &mut self,
        event: &Routed<P>,
        is_left_out: &mut dyn FnMut(&RowKey) -> bool,
    ) -> (u64, Vec<Failed>) {
        let found;
        let keys = match &event.goes {
            Goes::One(key) => &key[..],
            Goes::To(keys) => &keys[..],
            Goes::Each(test) => {
                found = self.found_by(test);
                &found
            }
        };
        let (mut applied, mut failed) = (0, Vec::new());
        for (row_key, key) in keys {
            if is_left_out(row_key) {
                continue;
            }
            applied += 1;
            if let Err(error) = self.step(row_key, key, event) {
                failed.push(Failed { key: row_key.clone(), error });
            }
        }
        if let Goes::Each(test) = &event.goes {
            for (key, (row, error)) in &self.unreadable {
                if test.passes(&row.0[test.column]) && !is_left_out(key) {
                    applied += 1;
                    failed.push(Failed { key: key.clone(), error: again(error) });
                }
            }
        }
        (applied, failed)
    }

    /// What has become of the rows that changed, as the values that are written.
    pub(crate) fn into_written(self) -> impl Iterator<Item = (RowKey, Changed)> {
        self.rows.into_iter().filter_map(|(key, slot)| Some((key, slot.change?)))
    }

    /// The keys of the rows that pass a test now, in their order, so that what fails first is the same each time.
    fn found_by(&self, test: &Test) -> Vec<(RowKey, P::Key)> {
        let passes = |row: &P| row.column(test.column).is_ok_and(|value| test.passes(&value));
        let rows = self.rows.iter().filter_map(|(key, slot)| Some((key, slot.row.as_ref()?)));
        let found = rows.filter(|(_, row)| passes(row)).map(|(key, row)| (key.clone(), row.key()));
        let mut found: Vec<_> = found.collect();
        found.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
        found
    }

    fn step(&mut self, row_key: &RowKey, key: &P::Key, event: &Routed<P>) -> Result<(), RowError> {
        if let Some((_, error)) = self.unreadable.get(row_key) {
            return Err(again(error));
        }
        let slot = self.rows.get_mut(row_key);
        let mut row = slot.as_ref().and_then(|slot| slot.row.clone());
        let cx = EventContext::new(key.clone(), event.recorded.clone());
        let guesses = self.guesses;
        let next = caught(|| {
            event.event.step(&mut row, &cx)?;
            if guesses && cx.has_asked_store() {
                return Err(RowError::AskedStore);
            }
            written(row, row_key)
        })?;
        match slot {
            Some(slot) => *slot = next,
            None => drop(self.rows.insert(row_key.clone(), next)),
        }
        Ok(())
    }
}

/// What is written of a row that has the key that it is to have, and the row as it reads back: so what the next event meets
/// does not depend on whether it was written in between.
fn written<P: Projection>(row: Option<P>, routed: &RowKey) -> Result<Slot<P>, RowError> {
    let Some(row) = row else { return Ok(Slot { row: None, change: Some(Changed::Gone) }) };
    let values = row.to_row()?;
    if !P::TABLE.has_key(&values, routed) {
        let (routed, found) = (routed.to_string(), P::TABLE.key_of(&values).to_string());
        return Err(RowError::Key { routed, found });
    }
    let row = P::from_row(values.clone()).map_err(RowError::NotReadBack)?;
    Ok(Slot { row: Some(row), change: Some(Changed::There(values)) })
}

impl<P: Projection> Default for Fold<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for Fold<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fold").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// Reads an event and finds its rows; `None` if the projection does not take it.
///
/// # Errors
///
/// When the event cannot be read, or the key of its row not be told: behind it, nobody knows which rows have to wait.
pub(crate) fn route<P: Projection>(
    handlers: &[EventHandler<P>],
    recorded: &RecordedEvent,
    codec: &dyn PayloadCodec,
) -> Result<Option<Routed<P>>, DecodeError> {
    let Some(handler) = handlers.iter().find(|handler| handler.takes(recorded)) else {
        return Ok(None);
    };
    let event = read(recorded, codec, handler.decode)?;
    let goes = caught(|| Ok(Goes::by(event.route(recorded)?)?)).map_err(|error| {
        let reason = format!("the key of its row cannot be told: {}", chain(&error));
        DecodeError::new(&*recorded.event_type, reason)
    })?;
    Ok(Some(Routed { recorded: recorded.clone(), event, goes }))
}

/// Opens what an event says, and reads it; a panic is an error.
pub(crate) fn read<T>(
    recorded: &RecordedEvent,
    codec: &dyn PayloadCodec,
    decode: impl FnOnce(Stored<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let name = &*recorded.event_type;
    let of = PayloadOf::Event { stream: recorded.stream_id.as_str(), event_type: name };
    let json =
        codec.open(of, &recorded.data).map_err(|error| DecodeError::content(name, &error))?;
    let decode = || decode(recorded.stored(&json));
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        Err(DecodeError::new(name, format!("panicked: {}", message_of(&*panic))))
    })
}

/// Does what a user wrote; a panic is an error.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T, RowError>) -> Result<T, RowError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(RowError::Panicked(message_of(&*panic))))
}

/// What a panic said.
pub fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a value that is no text".to_owned())
}

/// The same error once more: a row that does not read fails for each event.
fn again(error: &RowError) -> RowError {
    match error {
        RowError::Unreadable(error) => RowError::Unreadable(error.clone()),
        RowError::Panicked(text) => RowError::Panicked(text.clone()),
        error => RowError::Failed(chain(error).into()),
    }
}
