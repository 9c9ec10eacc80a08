//! The bank: does what a line asks for, on the embedded store.
//!
//! It reads no line and writes none.

use std::error::Error;

use annals::prelude::*;
use futures::TryStreamExt;
use serde_json::Value;

use crate::account::{Account, AccountEvent};
use crate::answer::{Answer, Entry};
use crate::request::Order;

/// What stops the program: not a refusal, but a bank that no longer works.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// The accounts, the way to them by commands, and the way to read them.
pub(crate) struct Bank {
    bus: CommandBus,
    accounts: Repository<Account>,
}

impl Bank {
    /// Opens a bank without accounts, by this clock.
    pub(crate) fn new(clock: impl Clock + Clone) -> Result<Self, SetupError> {
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let bus = CommandBus::builder(store.clone()).clock(clock).build()?;
        Ok(Self { accounts: Repository::new(store), bus })
    }

    /// Has a command done, and says how its account stands then.
    pub(crate) async fn command(&self, order: Order) -> Result<Answer, Fault> {
        let mut dispatch = self.bus.dispatch_json(order.name, Value::Object(order.content));
        if let Some(key) = order.key {
            dispatch = dispatch.idempotency_key(key);
        }
        if let Some(user) = order.user {
            dispatch = dispatch.user(user);
        }
        match dispatch.await {
            Ok(receipt) => self.balance(receipt.stream_id.id(), Some(receipt.stream_version)).await,
            Err(refused) if refused.is_refusal() => {
                Ok(Answer::Refused { reason: refused.to_string() })
            }
            Err(error @ (DispatchError::KeyReused { .. } | DispatchError::Conflict(_))) => {
                Ok(Answer::Refused { reason: error.to_string() })
            }
            Err(error) if error.is_invalid() => Ok(Answer::Misread { reason: error.to_string() }),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Says how an account stands, or stood at a version.
    pub(crate) async fn balance(&self, account: &str, at: Option<u64>) -> Result<Answer, Fault> {
        let load = self.accounts.load(account);
        let load = match at {
            Some(version) => load.at_version(version),
            None => load,
        };
        Ok(match load.await {
            Ok(Some(loaded)) => Answer::Standing {
                stream: loaded.stream_id,
                version: loaded.stream_version,
                account: loaded.state,
            },
            Ok(None) => self.not_found(account, at)?,
            Err(error @ LoadError::NoSuchVersion { .. }) => {
                Answer::Refused { reason: error.to_string() }
            }
            Err(LoadError::Id(error)) => Answer::Misread { reason: error.to_string() },
            Err(fault) => return Err(fault.into()),
        })
    }

    /// Says what happened to an account.
    pub(crate) async fn history(&self, account: &str) -> Result<Answer, Fault> {
        let stream = match self.accounts.stream_id(account) {
            Ok(stream) => stream,
            Err(error) => return Ok(Answer::Misread { reason: error.to_string() }),
        };
        let history = self.accounts.history(account).map_err(Fault::from);
        let events: Vec<Entry> = history
            .and_then(async |(recorded, event)| entry(&recorded, event))
            .try_collect()
            .await?;
        if events.is_empty() {
            return self.not_found(account, None);
        }
        Ok(Answer::History { stream, events })
    }

    fn not_found(&self, account: &str, at: Option<u64>) -> Result<Answer, Fault> {
        let stream_id = self.accounts.stream_id(account)?;
        let at = at.map(|version| format!(" at version {version}")).unwrap_or_default();
        Ok(Answer::Refused { reason: format!("`{stream_id}` does not exist{at}") })
    }
}

/// Shows an event of an account.
fn entry(recorded: &RecordedEvent, event: AccountEvent) -> Result<Entry, Fault> {
    Ok(Entry {
        version: recorded.stream_version,
        recorded_at: recorded.recorded_at,
        event_type: event.event_type(),
        data: serde_json::from_str(&event.encode()?)?,
        event,
        user: recorded.metadata.user.clone(),
    })
}
