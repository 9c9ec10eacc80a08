//! What is appended: events, and the idempotency keys that are claimed with them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::codec::Payload;
use crate::metadata::Metadata;
use crate::receipt::Receipt;
use crate::stream::{Expected, StreamId};

/// The longest idempotency key, in bytes.
const MAX_KEY: usize = 1024;

/// The longest stored name of an event, in bytes.
const MAX_EVENT_TYPE: usize = 255;

/// Events for the end of one stream, and what is expected of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Append {
    /// The stream.
    pub stream_id: StreamId,
    /// What is expected of the stream.
    pub expected: Expected,
    /// The events, in their order. May be empty: then what is expected holds for the moment of the append, but an append that is
    /// under way meanwhile may still be stored at a position before those of this call's events.
    pub events: Vec<NewEvent>,
    /// The idempotency key that is claimed with the events.
    pub key: Option<KeyClaim>,
}

impl Append {
    /// Makes an append to one stream.
    pub fn new(stream_id: StreamId, expected: Expected, events: Vec<NewEvent>) -> Self {
        Self { stream_id, expected, events, key: None }
    }

    /// Says what is wrong with the append itself, if no store could keep it: stores ask before they write anything.
    pub fn fault(&self) -> Option<String> {
        let key = self.key.as_ref();
        let fault = (self.stream_id.fault())
            .or_else(|| key.and_then(KeyClaim::fault))
            .or_else(|| self.events.iter().find_map(NewEvent::fault))?;
        let name = self.stream_id.as_str().escape_debug();
        Some(format!("append to stream `{name}`: {fault}"))
    }

    /// Claims an idempotency key with it.
    #[must_use]
    pub fn with_key(mut self, key: KeyClaim) -> Self {
        self.key = Some(key);
        self
    }
}

/// An event that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEvent {
    /// Its id, made before the append, so that a retry finds out whether it is there.
    pub id: Uuid,
    /// The name under which it is stored.
    pub event_type: Cow<'static, str>,
    /// The version of its shape.
    pub schema_version: u32,
    /// The lowest version whose readers can read it.
    pub readable_from: u32,
    /// What it says, as the store's codec sealed it.
    pub data: Payload,
    /// Who caused it, and why.
    pub metadata: Arc<Metadata>,
}

impl NewEvent {
    /// Makes an event that is readable from its own version on, without metadata.
    pub fn new(
        id: Uuid,
        event_type: impl Into<Cow<'static, str>>,
        schema_version: u32,
        data: Payload,
    ) -> Self {
        Self {
            id,
            event_type: event_type.into(),
            schema_version,
            readable_from: schema_version,
            data,
            metadata: Arc::default(),
        }
    }

    /// Says that readers of a lower version can read it, too.
    #[must_use]
    pub fn with_readable_from(mut self, readable_from: u32) -> Self {
        self.readable_from = readable_from;
        self
    }

    /// Says who caused it, and why.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Arc<Metadata>) -> Self {
        self.metadata = metadata;
        self
    }

    fn fault(&self) -> Option<String> {
        let name = &*self.event_type;
        if name.is_empty() {
            Some("the stored name of an event is empty".to_owned())
        } else if name.len() > MAX_EVENT_TYPE {
            let length = name.len();
            Some(format!(
                "the stored name of an event is {length} bytes long, of at most {MAX_EVENT_TYPE}"
            ))
        } else if name.contains('\0') {
            Some("the stored name of an event contains a null character".to_owned())
        } else {
            None
        }
    }
}

/// An idempotency key that a command claims on its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyClaim {
    /// The key.
    pub key: String,
    /// The name of the command.
    pub command: Cow<'static, str>,
    /// What the command says.
    pub content: ContentHash,
    /// Whose key it is.
    pub owner: KeyOwner,
}

impl KeyClaim {
    /// Claims a key for a command.
    pub fn new(
        key: impl Into<String>,
        command: impl Into<Cow<'static, str>>,
        content: ContentHash,
        owner: KeyOwner,
    ) -> Self {
        Self { key: key.into(), command: command.into(), content, owner }
    }

    pub(crate) fn fault(&self) -> Option<String> {
        if self.key.is_empty() {
            Some("the idempotency key is empty".to_owned())
        } else if self.key.len() > MAX_KEY {
            let length = self.key.len();
            Some(format!("the idempotency key is {length} bytes long, of at most {MAX_KEY}"))
        } else if self.key.contains('\0') {
            Some("the idempotency key contains a null character".to_owned())
        } else {
            None
        }
    }
}

/// Whose idempotency key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    /// Given by a caller: it expires, and another content under it is refused.
    Caller {
        /// How long the key is kept.
        lifetime: Duration,
    },
    /// Made by a process: it never expires, and its content is not compared, since a newer release may write the same
    /// command differently.
    Process,
}

/// What is kept of an idempotency key: who used it, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyEntry {
    /// The name of the command that used it.
    pub command: Cow<'static, str>,
    /// What that command said.
    pub content: ContentHash,
    /// What it was answered.
    pub receipt: Receipt,
}

impl KeyEntry {
    /// Makes an entry.
    pub fn new(
        command: impl Into<Cow<'static, str>>,
        content: ContentHash,
        receipt: Receipt,
    ) -> Self {
        Self { command: command.into(), content, receipt }
    }

    /// Whether the key was used up without a command: a process took a refusal, or gave the command up, so that it is never to
    /// be done.
    pub fn is_withdrawn(&self) -> bool {
        self.command == WITHDRAWN
    }
}

/// What stands for the command that used a key under which none is to be done.
pub(crate) const WITHDRAWN: &str = "annals/withdrawn";

/// The SHA-256 of a command's canonical JSON: keys sorted, no white space.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes a command's JSON; the order of keys does not matter.
    ///
    /// ```
    /// use annals::ContentHash;
    /// use serde_json::json;
    ///
    /// let hash = ContentHash::of(&json!({ "a": 1, "b": [2] }));
    /// assert_eq!(hash, ContentHash::of(&json!({ "b": [2], "a": 1 })));
    /// assert_ne!(hash, ContentHash::of(&json!({ "a": 1, "b": [3] })));
    /// ```
    pub fn of(content: &serde_json::Value) -> Self {
        let mut canonical = String::new();
        write_canonical(content, &mut canonical);
        Self(Sha256::digest(canonical.as_bytes()).into())
    }

    /// Takes a hash as a store keeps it.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as a store keeps it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Sorts the keys itself: a feature of `serde_json` that any crate may turn on keeps them as they came.
fn write_canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, field)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(field, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
