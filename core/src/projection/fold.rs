//! Rows in memory, and the events that change them.
//!
//! It knows no store: whoever folds brings the rows that the events touch, and takes what has become of them.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Projection;
use super::handler::{EventHandler, On};
use super::route::Route;
use super::step::RowError;
use crate::codec::{DecodeError, PayloadCodec, PayloadOf};
use crate::context::EventContext;
use crate::event::Event;
use crate::read_model::{ColumnError, ModelKey, RowKey, Test};
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
pub struct Routed<P: Projection> {
    recorded: RecordedEvent,
    event: Box<dyn DecodedEvent<P>>,
    route: Result<Route<P::Key>, RowError>,
}

impl<P: Projection> Routed<P> {
    /// The event as it was recorded.
    pub const fn recorded(&self) -> &RecordedEvent {
        &self.recorded
    }

    /// The keys of the rows that it goes to, if it names them, and the test that its rows pass, if it names that.
    ///
    /// # Errors
    ///
    /// When a key does not go into its columns.
    pub fn wanted(&self) -> Result<(Vec<RowKey>, Option<&Test>), ColumnError> {
        match &self.route {
            Ok(Route::One(key)) => Ok((vec![key.to_row_key()?], None)),
            Ok(Route::Many(keys)) => {
                let mut wanted = Vec::with_capacity(keys.len());
                for key in keys {
                    let key = key.to_row_key()?;
                    if !wanted.contains(&key) {
                        wanted.push(key);
                    }
                }
                Ok((wanted, None))
            }
            Ok(Route::Each(test)) => Ok((Vec::new(), Some(test))),
            Err(_) => Ok((Vec::new(), None)),
        }
    }
}

impl<P: Projection> fmt::Debug for Routed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed").field("recorded", &self.recorded).finish_non_exhaustive()
    }
}

/// What an event did to one row.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The key of the row; `None` if the event names none.
    pub key: Option<RowKey>,
    /// Why the row is as it was, if it is.
    pub result: Result<(), RowError>,
}

/// Rows of `P` in memory, by their keys.
pub struct Fold<P> {
    rows: HashMap<RowKey, Slot<P>>,
    /// Whether the store has not recorded the events yet, so that their instants and positions are guesses.
    guesses: bool,
}

struct Slot<P> {
    row: Option<P>,
    is_changed: bool,
}

impl<P: Projection> Fold<P> {
    /// Begins without rows.
    pub fn new() -> Self {
        Self { rows: HashMap::new(), guesses: false }
    }

    /// Adds a row as it is kept.
    ///
    /// # Errors
    ///
    /// When its key does not go into its columns.
    pub fn insert(&mut self, row: P) -> Result<(), ColumnError> {
        let key = row.key().to_row_key()?;
        self.rows.insert(key, Slot { row: Some(row), is_changed: false });
        Ok(())
    }

    /// Refuses steps that ask for what only the store will know: from here on, events are not recorded yet.
    pub(crate) fn refuse_guesses(&mut self) {
        self.guesses = true;
    }

    /// Finds a row.
    pub fn row(&self, key: &RowKey) -> Option<&P> {
        self.rows.get(key)?.row.as_ref()
    }

    /// All rows, in any order.
    pub fn rows(&self) -> impl Iterator<Item = &P> {
        self.rows.values().filter_map(|slot| slot.row.as_ref())
    }

    /// Applies an event to all its rows but those that `is_left_out` names, and tells what it did to each.
    ///
    /// A row for which the event fails is as it was before.
    pub fn apply(
        &mut self,
        event: &Routed<P>,
        is_left_out: &mut dyn FnMut(&RowKey) -> bool,
    ) -> Vec<Outcome> {
        let keys = match &event.route {
            Ok(route) => self.keys_of(route),
            Err(error) => return vec![Outcome { key: None, result: Err(again(error)) }],
        };
        let keys = match keys {
            Ok(keys) => keys,
            Err(error) => return vec![Outcome { key: None, result: Err(error.into()) }],
        };
        let mut outcomes = Vec::with_capacity(keys.len());
        for (row_key, key) in keys {
            if is_left_out(&row_key) {
                continue;
            }
            let result = self.step(&row_key, key, event);
            outcomes.push(Outcome { key: Some(row_key), result });
        }
        outcomes
    }

    /// What has become of the rows: the row, or `None` where it is no more.
    pub fn into_changes(self) -> Vec<(RowKey, Option<P>)> {
        let changed = self.rows.into_iter().filter(|(_, slot)| slot.is_changed);
        changed.map(|(key, slot)| (key, slot.row)).collect()
    }

    fn keys_of(&self, route: &Route<P::Key>) -> Result<Vec<(RowKey, P::Key)>, ColumnError> {
        match route {
            Route::One(key) => Ok(vec![(key.to_row_key()?, key.clone())]),
            Route::Many(several) => {
                let mut keys: Vec<(RowKey, P::Key)> = Vec::with_capacity(several.len());
                for key in several {
                    let row_key = key.to_row_key()?;
                    if keys.iter().all(|(known, _)| *known != row_key) {
                        keys.push((row_key, key.clone()));
                    }
                }
                Ok(keys)
            }
            Route::Each(test) => {
                let mut keys = Vec::new();
                for (row_key, slot) in &self.rows {
                    if let Some(row) = &slot.row
                        && test.passes(&row.column(test.column)?)
                    {
                        keys.push((row_key.clone(), row.key()));
                    }
                }
                // In one order, so that what fails first is the same each time.
                keys.sort_unstable_by(|(one, _), (two, _)| one.cmp(two));
                Ok(keys)
            }
        }
    }

    fn step(&mut self, row_key: &RowKey, key: P::Key, event: &Routed<P>) -> Result<(), RowError> {
        let slot = self.rows.get_mut(row_key);
        let before = slot.as_ref().and_then(|slot| slot.row.clone());
        let mut row = before;
        let cx = EventContext::new(key, event.recorded.clone());
        let stepped =
            catch_unwind(AssertUnwindSafe(|| event.event.step(&mut row, &cx))).map_err(panicked);
        stepped.flatten()?;
        if self.guesses && cx.has_asked_store() {
            return Err(RowError::AskedStore);
        }
        if let Some(row) = &row {
            let found = row.key().to_row_key()?;
            if found != *row_key {
                let (routed, found) = (row_key.to_string(), found.to_string());
                return Err(RowError::Key { routed, found });
            }
        }
        match slot {
            Some(slot) => *slot = Slot { row, is_changed: true },
            None => {
                self.rows.insert(row_key.clone(), Slot { row, is_changed: true });
            }
        }
        Ok(())
    }
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
/// When the event cannot be read.
pub(crate) fn route<P: Projection>(
    handlers: &[EventHandler<P>],
    recorded: &RecordedEvent,
    codec: &dyn PayloadCodec,
) -> Result<Option<Routed<P>>, DecodeError> {
    let Some(handler) = handlers.iter().find(|handler| handler.takes(recorded)) else {
        return Ok(None);
    };
    let event = read(recorded, codec, handler.decode)?;
    let routed = catch_unwind(AssertUnwindSafe(|| event.route(recorded)));
    let route = routed.map_err(panicked).flatten();
    Ok(Some(Routed { recorded: recorded.clone(), event, route }))
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

#[expect(clippy::needless_pass_by_value, reason = "what a panic leaves is boxed")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> RowError {
    RowError::Panicked(message_of(&*panic))
}

/// What a panic said.
pub fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a value that is no text".to_owned())
}

/// The same error once more: an event whose key cannot be told fails each time that it is applied.
fn again(error: &RowError) -> RowError {
    match error {
        RowError::Exists => RowError::Exists,
        RowError::Missing => RowError::Missing,
        RowError::Column(error) => RowError::Column(error.clone()),
        RowError::Panicked(text) => RowError::Panicked(text.clone()),
        error => RowError::Failed(error.to_string().into()),
    }
}
