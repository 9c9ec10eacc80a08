//! Events that changed shape: how what is stored at another version becomes the event of today.
//!
//! [`Event`] says which versions there were and what each step changes; this module takes the way. It never writes:
//! what is stored stays as it was stored.

use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::codec::DecodeError;
use crate::event::{Event, EventName};

/// An event as it is stored: its JSON text, and what is needed to read it.
///
/// ```
/// use annals::Stored;
///
/// let stored = Stored::new("PriceSet", 1, r#"{"price":12.34}"#);
/// assert_eq!((stored.schema_version, stored.readable_from), (1, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored<'a> {
    /// The name under which it is stored.
    pub event_type: &'a str,
    /// The version of its shape.
    pub schema_version: u32,
    /// The lowest version whose readers can read it, by leaving out what they do not know.
    pub readable_from: u32,
    /// What it says, as the store's codec opened it.
    pub json: &'a str,
}

impl<'a> Stored<'a> {
    /// Takes an event that is readable from its own version on.
    #[inline]
    pub const fn new(event_type: &'a str, schema_version: u32, json: &'a str) -> Self {
        Self { event_type, schema_version, readable_from: schema_version, json }
    }

    /// Says that readers of a lower version can read it, too.
    #[must_use]
    #[inline]
    pub const fn with_readable_from(mut self, readable_from: u32) -> Self {
        self.readable_from = readable_from;
        self
    }
}

/// Why a step from one version of an event to the next failed.
///
/// ```
/// use annals::UpcastError;
/// use serde_json::{Value, json};
///
/// fn split_name(old: Value) -> Result<Value, UpcastError> {
///     let name = old["name"].as_str().ok_or_else(|| UpcastError::new("`name` is not a string"))?;
///     let (first, last) = name.split_once(' ').unwrap_or((name, ""));
///     Ok(json!({ "first_name": first, "last_name": last }))
/// }
///
/// assert_eq!(split_name(json!({})).unwrap_err().to_string(), "`name` is not a string");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcastError {
    reason: String,
}

impl UpcastError {
    /// Says why. The event and the step need no mention: whoever took the step adds them.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }

    /// Takes over an error with all its causes, for `map_err`.
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { reason: joined(&*error.into()) }
    }

    /// Says that nobody knows the step.
    pub(crate) fn no_step() -> Self {
        Self::new("the event does not say what this step changes")
    }
}

impl fmt::Display for UpcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for UpcastError {}

/// An event to which an earlier struct of it leads: it has `From` or `TryFrom` of it.
#[diagnostic::on_unimplemented(
    message = "nothing leads from `{P}` to `{Self}`",
    label = "no `From<{P}>` for `{Self}`",
    note = "write `impl From<{P}> for {Self}`, or `TryFrom` if there are old events that have no place in the new shape"
)]
pub trait FromPrevious<P>: Sized {
    /// Makes the event of today of the earlier one.
    ///
    /// # Errors
    ///
    /// When the `TryFrom` fails.
    fn from_previous(previous: P) -> Result<Self, UpcastError>;
}

#[diagnostic::do_not_recommend]
impl<P, E> FromPrevious<P> for E
where
    E: TryFrom<P>,
    <E as TryFrom<P>>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn from_previous(previous: P) -> Result<Self, UpcastError> {
        Self::try_from(previous).map_err(UpcastError::from_error)
    }
}

/// The struct of an earlier version of the event `E`, and the way from it to `E`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Previous<E> {
    /// How the earlier struct is stored.
    pub event: &'static EventName,
    /// Reads a stored event as the earlier struct, and leads it up.
    pub decode: fn(Stored<'_>) -> Result<E, DecodeError>,
}

impl<E: Event> Previous<E> {
    /// The earlier struct `P`, from which `From` or `TryFrom` leads to `E` in one go.
    pub const fn of<P: Event>() -> Self
    where
        E: FromPrevious<P>,
    {
        Self { event: const { &EventName::of::<P>() }, decode: through_previous::<P, E> }
    }
}

fn through_previous<P: Event, E: Event + FromPrevious<P>>(
    stored: Stored<'_>,
) -> Result<E, DecodeError> {
    let previous = P::decode(stored).map_err(|error| {
        if stored.schema_version == P::VERSION {
            error.in_step(format_args!("version {}", P::VERSION))
        } else {
            error
        }
    })?;
    E::from_previous(previous).map_err(|error| step_error(stored, P::VERSION, E::VERSION, &error))
}

/// Reads an event that is stored at another version than its struct's.
#[cold]
pub(crate) fn decode_other<E: Event>(stored: Stored<'_>) -> Result<E, DecodeError> {
    let Stored { event_type, schema_version: version, readable_from, json } = stored;
    if version > E::VERSION {
        if readable_from > E::VERSION {
            return Err(DecodeError::version(event_type, version, E::VERSION));
        }
        // What this program does not know of it, serde leaves out.
        return serde_json::from_str(json).map_err(|error| read_error::<E>(stored, &error));
    }
    if version < E::OLDEST {
        return Err(DecodeError::too_old(event_type, version, E::OLDEST));
    }
    if let Some(previous) = E::PREVIOUS
        && version <= previous.event.version
    {
        return (previous.decode)(stored);
    }
    if version >= E::DIRECT_FROM {
        return serde_json::from_str(json).map_err(|error| read_error::<E>(stored, &error));
    }
    let mut lifted: Value =
        serde_json::from_str(json).map_err(|error| read_error::<E>(stored, &error))?;
    for from in version..E::VERSION {
        lifted =
            E::upcast(from, lifted).map_err(|error| step_error(stored, from, from + 1, &error))?;
    }
    serde_json::from_value(lifted).map_err(|error| read_error::<E>(stored, &error))
}

/// "version 1 to 3: missing field `owner`"
fn read_error<E: Event>(stored: Stored<'_>, error: &serde_json::Error) -> DecodeError {
    DecodeError::content(stored.event_type, error).in_step(format_args!(
        "version {} to {}",
        stored.schema_version,
        E::VERSION
    ))
}

/// "version 1 to 2: `name` is not a string", and where the event began if it came from further below.
fn step_error(stored: Stored<'_>, from: u32, to: u32, error: &UpcastError) -> DecodeError {
    let failed = DecodeError::content(stored.event_type, error)
        .in_step(format_args!("version {from} to {to}"));
    if stored.schema_version == from {
        failed
    } else {
        failed.in_step(format_args!("stored at version {}", stored.schema_version))
    }
}

/// An error with all its causes.
fn joined(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
