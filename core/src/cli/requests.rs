//! What only the owner of a projection or process can do: asked of it, and waited for.

use std::time::{Duration, Instant};

use super::app::{Fault, Store};
use crate::request::{Request, Wish, ask, requests, take_back};

/// How often it is looked whether a request is done.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Asks, and waits; tells whether all of it is done. What is not stays asked for a while, in which somebody who runs it does it.
pub(super) async fn ask_and_wait(
    store: &Store,
    asked: &[Request],
    patience: Duration,
) -> Result<bool, Fault> {
    ask_for(store, asked, patience).await?;
    wait_for(store, asked, patience).await
}

/// Asks of somebody who is waited for.
pub(super) async fn ask_for(
    store: &Store,
    asked: &[Request],
    patience: Duration,
) -> Result<(), Fault> {
    let waited_for: Vec<Request> =
        asked.iter().map(|request| request.waited_for(patience)).collect();
    Ok(ask(store, &waited_for).await?)
}

/// Waits for what was asked; tells whether all of it is done.
pub(super) async fn wait_for(
    store: &Store,
    asked: &[Request],
    patience: Duration,
) -> Result<bool, Fault> {
    let until = Instant::now() + patience;
    loop {
        let open = requests(store).await?;
        if !asked.iter().any(|request| is_open(&open, request)) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether somebody else has asked to have the same tried again, and it is not done yet.
pub(super) async fn is_retried(store: &Store, dropped: &[Request]) -> Result<bool, Fault> {
    let open = requests(store).await?;
    Ok(open.iter().any(|request| {
        let Wish::Retry { key } = &request.wish else { return false };
        let is_it = |drop: &Request| {
            drop.reader == request.reader
                && matches!(&drop.wish, Wish::Drop { key: of } if of == key)
        };
        dropped.iter().any(is_it)
    }))
}

/// Of how many of them whoever came to it found nothing to do any more; takes those back.
pub(super) async fn in_vain(store: &Store, asked: &[Request]) -> Result<usize, Fault> {
    let mut vain = requests(store).await?;
    vain.retain(|kept| kept.is_vain && asked.iter().any(|asked| asked.is_same(kept)));
    if !vain.is_empty() {
        take_back(store, &vain).await?;
    }
    Ok(vain.len())
}

/// For which keys nothing was done, of those that were asked for.
pub(super) async fn undone(store: &Store, asked: &[Request]) -> Result<Vec<String>, Fault> {
    let open = requests(store).await?;
    let undone = asked.iter().filter(|request| is_open(&open, request));
    let key = |request: &Request| match &request.wish {
        Wish::Retry { key } | Wish::Drop { key } => Some(key.clone()),
        _ => None,
    };
    Ok(undone.filter_map(key).collect())
}

/// Takes back what nobody has done.
pub(super) async fn forget(store: &Store, asked: &[Request]) -> Result<(), Fault> {
    Ok(take_back(store, asked).await?)
}

fn is_open(open: &[Request], asked: &Request) -> bool {
    open.iter().any(|request| request.is_same(asked) && !request.is_vain)
}
