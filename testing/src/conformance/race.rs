//! Races: tasks that begin together, and waits that end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::broken::Found;

/// How often a race is run: once proves little.
pub(super) const ROUNDS: u32 = 20;

/// How long a rule waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs all at once, from one barrier on, and gives back what each said, in their order.
pub(super) async fn race<F>(racers: impl IntoIterator<Item = F>) -> Result<Vec<F::Output>, Found>
where
    F: Future<Output: Send> + Send + 'static,
{
    let racers: Vec<F> = racers.into_iter().collect();
    let barrier = Arc::new(Barrier::new(racers.len()));
    // Racers that are left behind when a rule ends early are stopped with the set.
    let mut set = JoinSet::new();
    for (number, racer) in racers.into_iter().enumerate() {
        let barrier = barrier.clone();
        set.spawn(async move {
            barrier.wait().await;
            (number, racer.await)
        });
    }
    let mut outputs = Vec::with_capacity(set.len());
    while let Some(joined) = set.join_next().await {
        outputs.push(joined?);
    }
    outputs.sort_unstable_by_key(|(number, _)| *number);
    Ok(outputs.into_iter().map(|(_, output)| output).collect())
}

/// Waits for what must come, and says what did not.
pub(super) async fn soon<F: Future>(what: &str, future: F) -> Result<F::Output, Found> {
    let late = |_| Found(format!("{what}: nothing after {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, future).await.map_err(late)
}
