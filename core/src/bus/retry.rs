//! How a command is tried again after a conflict.

use std::time::Duration;

/// How often, and after what pauses, a command is decided again after a conflict.
///
/// Before the `n`-th retry it waits a random time between half and all of `pause × 2ⁿ⁻¹`, at most the longest pause, so
/// that writers who met once do not meet again ("equal jitter").
///
/// ```
/// use std::time::Duration;
///
/// use annals::RetryPolicy;
///
/// let policy = RetryPolicy::times(3).with_pause(Duration::from_millis(4));
/// assert!(policy.pause_before(1) <= Some(Duration::from_millis(4)));
/// assert_eq!(policy.pause_before(4), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    times: u32,
    pause: Duration,
    longest: Duration,
}

impl RetryPolicy {
    /// Retries up to `times` times, with a first pause of a millisecond and a longest of 50.
    pub const fn times(times: u32) -> Self {
        Self { times, pause: Duration::from_millis(1), longest: Duration::from_millis(50) }
    }

    /// Does not retry.
    pub const fn never() -> Self {
        Self::times(0)
    }

    /// Sets the first pause.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Sets the longest pause.
    #[must_use]
    pub const fn with_longest_pause(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The pause before the `retry`-th retry, from 1; `None` if there is none any more.
    pub fn pause_before(&self, retry: u32) -> Option<Duration> {
        if retry == 0 || retry > self.times {
            return None;
        }
        let doubled = 1_u32.checked_shl(retry - 1).unwrap_or(u32::MAX);
        let pause = self.pause.saturating_mul(doubled).min(self.longest);
        Some(pause.mul_f64(0.5 + fastrand::f64() / 2.0))
    }
}

impl Default for RetryPolicy {
    /// Retries ten times.
    fn default() -> Self {
        Self::times(10)
    }
}
