//! How long a write is borne while the server is away, and what its caller is told in the end.

use std::error::Error;
use std::time::{Duration, Instant};

use annals::{Append, StoreError, StreamId, WriteError};

/// What is being done, for messages.
pub(crate) const DOING: &str = "append";

/// The pause after the first failure; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How often a group of appends may meet what others have just stored.
pub(super) const TRIES: u32 = 1_000;

/// After how many tries whoever meets others leaves others some time.
pub(super) const HASTY: u32 = 10;

/// How often a unit of work may: its tries are several round trips each.
const MEETINGS: u32 = 100;

/// How often a write has met what others have just stored, and then found nothing that stands against it.
#[derive(Debug, Default)]
pub(crate) struct Met {
    tries: u32,
}

impl Met {
    /// Takes note of it once more, and waits where it is often.
    pub(crate) async fn again(&mut self) -> Result<(), StoreError> {
        self.tries += 1;
        if self.tries > MEETINGS {
            return Err(StoreError::unavailable("append: others were faster each time"));
        }
        if self.tries > HASTY {
            let pause = FIRST_PAUSE * (self.tries - HASTY).min(10);
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        }
        Ok(())
    }
}

/// A time in which the server undoes what is sent, or is away.
pub(crate) struct Outage {
    patience: Duration,
    ends: Option<Instant>,
    pause: Duration,
}

impl Outage {
    /// It begins with the first failure, and is borne for `patience` from then.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, ends: None, pause: FIRST_PAUSE }
    }

    /// Takes note of a failure, and tells whether it is not borne any more.
    pub(crate) fn is_over(&mut self) -> bool {
        let now = Instant::now();
        now >= *self.ends.get_or_insert(now + self.patience)
    }

    /// Waits, each time longer, and not in step with others.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64())).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// What a caller is told when its work came to no end: that nobody knows, if a connection was lost with them.
pub(crate) fn unknown_or(is_lost: bool, appends: &[Append], error: &StoreError) -> WriteError {
    let error = again(error);
    match appends.first() {
        Some(first) if is_lost => {
            let stream_id: StreamId = first.stream_id.clone();
            WriteError::UnknownOutcome { stream_id, source: error }
        }
        None if is_lost => WriteError::UnknownCommit { source: error },
        _ => error.into(),
    }
}

/// The same error for one more caller: its causes are told in words.
fn again(error: &StoreError) -> StoreError {
    let message = error.to_string();
    let told = if error.is_unavailable() {
        StoreError::unavailable(message)
    } else if error.is_invalid() {
        StoreError::invalid(message)
    } else {
        StoreError::other(message)
    };
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    // Some say at their own level what their cause says too.
    causes.dedup_by(|below, above| above.contains(&**below));
    if causes.is_empty() { told } else { told.with_source(causes.join(": ")) }
}
