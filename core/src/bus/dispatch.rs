//! One dispatch, as it is asked for.

use std::fmt;
use std::future::IntoFuture;

use futures::future::BoxFuture;
use uuid::Uuid;

use super::{DispatchError, Origin};
use crate::metadata::{Cause, Metadata};
use crate::receipt::Receipt;
use crate::store::KeyOwner;
use crate::timestamp::Timestamp;

type Answer<E> = BoxFuture<'static, Result<Receipt, DispatchError<E>>>;

/// A dispatch that begins when it is awaited.
///
/// # Cancel safety
///
/// A dropped dispatch has stored all of the command's events or none.
#[must_use = "a dispatch does nothing until it is awaited"]
pub struct Dispatch<E> {
    options: Options,
    run: Box<dyn FnOnce(Options) -> Answer<E> + Send>,
}

/// What the sender said beside the command.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(super) command_id: Option<Uuid>,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) metadata: Metadata,
    pub(super) expected_version: Option<u64>,
    pub(super) key: Option<(String, Option<KeyOwner>)>,
    pub(super) origin: Option<Origin>,
}

impl<E> Dispatch<E> {
    pub(super) fn new(run: impl FnOnce(Options) -> Answer<E> + Send + 'static) -> Self {
        Self { options: Options::default(), run: Box::new(run) }
    }

    /// Has the command done once under this key, which belongs to its stream: sent again, it is answered with the first
    /// receipt.
    ///
    /// Whether it is the same command, a hash of its JSON tells: as it came, or as its `Serialize` writes it. A field that is
    /// written in another order each time, such as a `HashSet`, makes it another command each time.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some((key.into(), None));
        self
    }

    /// Sets the id under which all that follows from one request is found; by default the command's own id.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.options.metadata.correlation_id = Some(id.into());
        self
    }

    /// Sets the id of what caused the command.
    pub fn causation_id(mut self, id: impl Into<String>) -> Self {
        self.options.metadata.command_causation_id = Some(id.into());
        self
    }

    /// Names what caused the command, an event or a step of a saga: it bears its correlation, user and headers.
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        let Metadata { correlation_id, command_causation_id, user, headers, .. } =
            cause.into().of_command();
        let metadata = &mut self.options.metadata;
        metadata.correlation_id = correlation_id;
        metadata.command_causation_id = command_causation_id;
        metadata.user = user;
        metadata.headers.extend(headers);
        self
    }

    /// Sets who sends the command.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.options.metadata.user = Some(user.into());
        self
    }

    /// Sets a header, which is stored with the events.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.metadata.headers.insert(name.into(), value.into());
        self
    }

    /// Sets the command's own id; by default one is made.
    pub fn command_id(mut self, id: Uuid) -> Self {
        self.options.command_id = Some(id);
        self
    }

    /// Sets the instant at which the command was issued; by default the bus's clock at the dispatch.
    pub fn issued_at(mut self, instant: Timestamp) -> Self {
        self.options.issued_at = Some(instant);
        self
    }

    /// Sends the command for a process, reactor or saga, under a key that does not expire.
    pub(crate) fn of_process(mut self, process: &str, key: &str, metadata: &Metadata) -> Self {
        self.options.key = Some((key.to_owned(), Some(KeyOwner::Process)));
        self.options.origin = Some(Origin::Process { name: process.to_owned() });
        self.options.issued_at = metadata.issued_at;
        self.options.metadata = metadata.clone();
        self
    }

    /// Has the command decided only on this version of its stream, 0 standing for a stream without events: any other is a
    /// conflict, and is not retried.
    pub fn expect_version(mut self, version: u64) -> Self {
        self.options.expected_version = Some(version);
        self
    }
}

impl<E> IntoFuture for Dispatch<E> {
    type Output = Result<Receipt, DispatchError<E>>;
    type IntoFuture = Answer<E>;

    fn into_future(self) -> Answer<E> {
        (self.run)(self.options)
    }
}

impl<E> fmt::Debug for Dispatch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("options", &self.options).finish_non_exhaustive()
    }
}
