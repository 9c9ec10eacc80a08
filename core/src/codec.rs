//! What leaves memory: payloads, and the one codec that they all go through.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A payload as a store keeps it: JSON text.
///
/// It is the text that a [`PayloadCodec`] made, which is valid JSON, so that stores may keep it in a JSON column.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Arc<str>);

impl Payload {
    /// Takes JSON text.
    pub fn new(json: impl Into<Arc<str>>) -> Self {
        Self(json.into())
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a payload is of, for codecs that treat subjects differently, such as one key for each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadOf<'a> {
    /// An event of a stream.
    Event {
        /// The name of the stream.
        stream: &'a str,
        /// The stored name of the event.
        event_type: &'a str,
    },
    /// A snapshot of a stream's state.
    Snapshot {
        /// The name of the stream.
        stream: &'a str,
    },
    /// A row of a read model.
    Row {
        /// The name of the read model.
        model: &'a str,
    },
    /// A command that waits to go out.
    Command {
        /// The name of the command.
        command: &'a str,
    },
}

/// The one way by which payloads leave memory and come back.
///
/// The default, [`PlainJson`], changes nothing. Another may encrypt or compress, as long as what it makes is JSON text:
/// a string in quotes will do.
///
/// ```
/// use std::borrow::Cow;
///
/// use annals::{CodecError, Payload, PayloadCodec, PayloadOf};
///
/// /// Turns each payload into a JSON string with its bytes reversed.
/// struct Reversed;
///
/// impl PayloadCodec for Reversed {
///     fn seal(&self, _: PayloadOf<'_>, json: String) -> Result<Payload, CodecError> {
///         let reversed: String = json.chars().rev().collect();
///         Ok(Payload::new(serde_json::Value::from(reversed).to_string()))
///     }
///
///     fn open<'a>(
///         &self,
///         _: PayloadOf<'_>,
///         payload: &'a Payload,
///     ) -> Result<Cow<'a, str>, CodecError> {
///         let reversed: String = serde_json::from_str(payload.as_str())
///             .map_err(|error| CodecError::new(error.to_string()))?;
///         Ok(reversed.chars().rev().collect::<String>().into())
///     }
/// }
/// ```
pub trait PayloadCodec: Send + Sync + 'static {
    /// Makes a payload of JSON text.
    ///
    /// # Errors
    ///
    /// When the codec cannot, for want of a key, say.
    fn seal(&self, of: PayloadOf<'_>, json: String) -> Result<Payload, CodecError>;

    /// Gives back the JSON text of a payload.
    ///
    /// # Errors
    ///
    /// When the payload was not made by this codec, or a key is gone.
    fn open<'a>(&self, of: PayloadOf<'_>, payload: &'a Payload)
    -> Result<Cow<'a, str>, CodecError>;
}

/// The default codec: the JSON text as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainJson;

impl PayloadCodec for PlainJson {
    fn seal(&self, _: PayloadOf<'_>, json: String) -> Result<Payload, CodecError> {
        Ok(Payload::new(json))
    }

    fn open<'a>(&self, _: PayloadOf<'_>, payload: &'a Payload) -> Result<Cow<'a, str>, CodecError> {
        Ok(Cow::Borrowed(payload.as_str()))
    }
}

/// A payload that a codec could not seal or open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CodecError {
    reason: String,
}

impl CodecError {
    /// Says why.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// An event, state or command that could not be written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct EncodeError {
    name: String,
    reason: String,
}

impl EncodeError {
    /// Names what could not be written, and says why.
    pub fn new(name: impl Into<String>, reason: &dyn fmt::Display) -> Self {
        Self { name: name.into(), reason: reason.to_string() }
    }
}

/// A stored event or state that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    // In a box: what every decode returns stays small.
    misread: Box<Misread>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Misread {
    name: String,
    reason: String,
    by_step: bool,
}

impl DecodeError {
    /// Names what could not be read, and says why.
    pub fn new(name: impl Into<String>, reason: impl Into<String>) -> Self {
        let (name, reason) = (name.into(), reason.into());
        Self { misread: Box::new(Misread { name, reason, by_step: false }) }
    }

    /// Whether a step from one version to the next refused what was stored: a function of the program, or a `TryFrom`. What
    /// does not fit a type is no such refusal.
    pub fn is_refused_by_step(&self) -> bool {
        self.misread.by_step
    }

    /// Says that a step refused it.
    pub(crate) fn refused_by_step(mut self) -> Self {
        self.misread.by_step = true;
        self
    }

    /// Says that the stored content is not what the type wants.
    #[cold]
    pub fn content(name: impl Into<String>, reason: &dyn fmt::Display) -> Self {
        Self::new(name, reason.to_string())
    }

    /// Says that what is stored is of a newer version than this program knows.
    #[cold]
    pub fn version(name: impl Into<String>, stored: u32, known: u32) -> Self {
        let reason =
            format!("stored at version {stored}, this program knows up to version {known}");
        Self::new(name, reason)
    }

    /// Says that what is stored is of a version that this program no longer reads.
    #[cold]
    pub fn too_old(name: impl Into<String>, stored: u32, oldest: u32) -> Self {
        let reason =
            format!("stored at version {stored}, this program reads from version {oldest}");
        Self::new(name, reason)
    }

    /// Says on which step of the way it happened.
    pub(crate) fn in_step(mut self, step: fmt::Arguments<'_>) -> Self {
        self.misread.reason = format!("{step}: {}", self.misread.reason);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.misread.name, self.misread.reason)
    }
}

impl std::error::Error for DecodeError {}
