//! How an outage of the store is borne: with pauses that grow, for as long as it lasts, and told each time.

use std::time::Duration;

use crate::store::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The pauses of one outage.
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { pause: FIRST_PAUSE }
    }

    /// The next pause, longer than the one before, and not in step with other subscribers'.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = self.pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// Tells of the outage and waits.
    pub(crate) async fn wait(&mut self, subscription: &str, doing: &str, error: &StoreError) {
        let pause = self.next_pause();
        tracing::warn!(subscription, doing, %error, ?pause, "the store is unavailable: tries again");
        tokio::time::sleep(pause).await;
    }
}

/// Asks the store until it answers with something else than that it is unavailable.
pub(crate) async fn retried<T, F>(
    subscription: &str,
    doing: &str,
    ask: impl Fn() -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::new();
    loop {
        match ask().await {
            Err(error) if error.is_unavailable() => backoff.wait(subscription, doing, &error).await,
            answer => return answer,
        }
    }
}
