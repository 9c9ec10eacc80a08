//! Events that changed shape: how what is stored at another version becomes the event of today.
//!
//! [`Event`] says which versions there were and what each step changes; this module takes the way. It never writes:
//! what is stored stays as it was stored.

use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::causes::chain;
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

/// A field of an event that has another name in the JSON since a version.
///
/// ```
/// use annals::Renamed;
///
/// let renamed = Renamed::new(2, "addr", "shipping_address");
/// assert_eq!((renamed.since, renamed.from, renamed.to), (2, "addr", "shipping_address"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renamed {
    /// The first version that has the new name.
    pub since: u32,
    /// The name in the version before.
    pub from: &'static str,
    /// The name from then on.
    pub to: &'static str,
}

impl Renamed {
    /// Takes the version and both names.
    pub const fn new(since: u32, from: &'static str, to: &'static str) -> Self {
        Self { since, from, to }
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
    /// Whether there is no step that could have refused anything.
    is_missing: bool,
}

impl UpcastError {
    /// Says why. The event and the step need no mention: whoever took the step adds them.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), is_missing: false }
    }

    /// Takes over an error with all its causes, for `map_err`.
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(chain(&*error.into()))
    }

    /// Says that nobody knows the step.
    pub(crate) fn no_step() -> Self {
        let reason = "the event does not say what this step changes".to_owned();
        Self { reason, is_missing: true }
    }
}

impl fmt::Display for UpcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for UpcastError {}

/// What a step from one version to the next may fail with: any error, a `String` or a `&str`.
#[diagnostic::on_unimplemented(
    message = "a step from version to version cannot fail with `{Self}`",
    label = "its error is `{Self}`, which is no `std::error::Error`",
    note = "implement `std::error::Error` for `{Self}`, or fail with an `UpcastError`, a `String` or a `&'static str`"
)]
pub trait StepError {
    /// Takes it over with all its causes.
    fn into_upcast_error(self) -> UpcastError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error + Send + Sync>>> StepError for E {
    fn into_upcast_error(self) -> UpcastError {
        UpcastError::from_error(self)
    }
}

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

// Recommended, unlike other blanket impls: of an error that is none the compiler would not speak otherwise.
impl<P, E: TryFrom<P>> FromPrevious<P> for E
where
    E::Error: StepError,
{
    fn from_previous(previous: P) -> Result<Self, UpcastError> {
        Self::try_from(previous).map_err(StepError::into_upcast_error)
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
        Self { event: const { EventName::earlier::<P, E>() }, decode: through_previous::<P, E> }
    }
}

fn through_previous<P, E>(stored: Stored<'_>) -> Result<E, DecodeError>
where
    P: Event,
    E: Event + FromPrevious<P>,
{
    let previous = P::decode(stored).map_err(|error| {
        if stored.schema_version == P::VERSION {
            error.in_step(format_args!("version {}", P::VERSION))
        } else {
            error
        }
    })?;
    E::from_previous(previous)
        .map_err(|error| step_error(stored, P::VERSION, E::VERSION, &error.into_upcast_error()))
}

/// Reads a state that is kept with its version, through the steps from there up to the present one; says why it cannot be read.
pub(crate) fn read_versioned<T: DeserializeOwned>(
    version: u32,
    known: u32,
    json: &str,
    upcast: fn(u32, Value) -> Result<Value, UpcastError>,
) -> Result<T, String> {
    if version == known {
        return serde_json::from_str(json).map_err(|error| error.to_string());
    }
    if version > known {
        return Err(format!("it is newer than version {known}, which this program knows"));
    }
    let mut value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    for from in version..known {
        value = upcast(from, value)
            .map_err(|error| format!("from version {from} to {}: {error}", from + 1))?;
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
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
        lifted = E::upcast(from, lifted).map_err(|mut error| {
            error.reason.push_str(&advice_on_wide(stored, &error.reason));
            step_error(stored, from, from + 1, &error)
        })?;
    }
    serde_json::from_value(lifted).map_err(|error| {
        let said = error.to_string();
        match earlier_name_of_missing::<E>(stored, &said) {
            Some(name) => read_error::<E>(
                stored,
                &format_args!("{said}, which version {version} calls `{name}`"),
            ),
            None => {
                read_error::<E>(stored, &format_args!("{said}{}", advice_on_wide(stored, &said)))
            }
        }
    })
}

/// What is said of an integer that a `Value` does not hold.
pub(crate) const BEYOND: &str = "beyond 64 bits, which only `previous = Type` leads up";

/// What to add to an error about a fraction, if it was an integer that is too wide for a `Value`.
#[cold]
fn advice_on_wide(stored: Stored<'_>, said: &str) -> String {
    // serde tells what it was given by its message only.
    if said.contains("invalid type: floating point") && has_wide_integer(stored.json) {
        format!("; the stored event has an integer {BEYOND}")
    } else {
        String::new()
    }
}

/// Whether JSON text has an integer of more than 64 bits.
fn has_wide_integer(json: &str) -> bool {
    let (mut in_text, mut escaped) = (false, false);
    let mut outside_of_texts = json.split(|letter| {
        let was_escaped = escaped;
        escaped = in_text && letter == '\\' && !was_escaped;
        in_text ^= letter == '"' && !was_escaped;
        in_text || !matches!(letter, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')
    });
    outside_of_texts.any(|number| {
        !number.is_empty()
            && number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
            && number.parse::<u64>().is_err()
            && number.parse::<i64>().is_err()
    })
}

/// "version 1 to 3: missing field `owner`"
fn read_error<E: Event>(stored: Stored<'_>, error: &dyn fmt::Display) -> DecodeError {
    DecodeError::content(stored.event_type, error).in_step(format_args!(
        "version {} to {}",
        stored.schema_version,
        E::VERSION
    ))
}

/// The name that a missing field has in what is stored, if it was renamed since.
#[cold]
fn earlier_name_of_missing<E: Event>(stored: Stored<'_>, said: &str) -> Option<&'static str> {
    // serde tells which field is missing by its message only.
    let missing = said.strip_prefix("missing field `")?.strip_suffix('`')?;
    let (mut name, mut before) = (missing, u32::MAX);
    let mut earlier = None;
    for renamed in E::RENAMED.iter().rev() {
        if renamed.since > stored.schema_version && renamed.since < before && renamed.to == name {
            (name, before) = (renamed.from, renamed.since);
            earlier = Some(renamed.from);
        }
    }
    // Where it is there after all, a field of the same name is missing further inside.
    let fields: Map<String, Value> = serde_json::from_str(stored.json).ok()?;
    earlier.filter(|name| !fields.contains_key(*name))
}

/// "version 1 to 2: `name` is not a string", and where the event began if it came from further below.
fn step_error(stored: Stored<'_>, from: u32, to: u32, error: &UpcastError) -> DecodeError {
    let mut failed = DecodeError::content(stored.event_type, error)
        .in_step(format_args!("version {from} to {to}"));
    if !error.is_missing {
        failed = failed.refused_by_step();
    }
    if stored.schema_version == from {
        failed
    } else {
        failed.in_step(format_args!("stored at version {}", stored.schema_version))
    }
}
