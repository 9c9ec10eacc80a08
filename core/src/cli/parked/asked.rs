//! `parked retry` and `parked drop`: what only whoever runs it can do with what is parked.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Of, ParkedKey, keys, of_key};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, cut};
use crate::cli::requests::{ask_and_wait, ask_for, forget, in_vain, is_retried, undone, wait_for};
use crate::cli::span;
use crate::request::{Request, Wish};

/// How many keys are named of those for which nothing was done, and how many letters of each.
const NAMED: usize = 20;
const CUT: usize = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Chosen {
    /// The projection, process manager or reactor
    name: String,
    /// The key of the row, or the id of the process, as `list` shows it
    #[arg(required_unless_present = "all")]
    key: Option<String>,
    /// All that is parked of it
    #[arg(long, conflicts_with = "key")]
    all: bool,
    /// The version of the projection; without it, the one that this program links, or the newest
    #[arg(long)]
    version: Option<u32>,
    /// How long to wait for it to be done
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    wait: Duration,
}

/// `{"did", "keys", "done", "left"}`: how many keys were asked for, whether all was done in time, and for how many of them
/// events are parked now; with `"undone"`, the keys for which nothing was done, if there are any, and with `"missed"`, for how many
/// there was nothing to drop any more, if there are any.
#[derive(Serialize)]
struct Outcome {
    did: &'static str,
    keys: usize,
    done: bool,
    left: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    undone: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<usize>,
}

impl Chosen {
    pub(super) async fn run(
        self,
        store: &Store,
        console: &mut Console,
        did: &'static str,
    ) -> Result<Verdict, Fault> {
        let Self { name, key, version, wait, .. } = self;
        let found = of_key(store, &name, version, key.as_deref()).await?;
        let is_drop = did == "dropped";
        if is_drop && !found.is_empty() {
            console.confirm(&question(&name, &found))?;
        }
        let wish = |key: String| if is_drop { Wish::Drop { key } } else { Wish::Retry { key } };
        let asked: Vec<Request> = found
            .iter()
            .map(|(_, parked)| {
                Request::new(parked.first.reader.clone(), wish(parked.first.key.clone()))
            })
            .collect();
        if is_drop && !asked.is_empty() {
            ask_for(store, &asked, wait).await?;
            // Tried again before that, it may be applied: nobody can say then that it was given up.
            if is_retried(store, &asked).await? {
                forget(store, &asked).await?;
                return Err(Fault::Absent(format!(
                    "somebody has what is parked of `{name}` tried again at this moment: look what is left of it, and ask again"
                )));
            }
        }
        let done = asked.is_empty()
            || if is_drop {
                wait_for(store, &asked, wait).await?
            } else {
                ask_and_wait(store, &asked, wait).await?
            };
        // Tried again meanwhile, it is applied, and nothing was given up.
        let missed = if is_drop { in_vain(store, &asked).await? } else { 0 };
        let mut left_undone = Vec::new();
        if !done {
            // Done later, it would surprise whoever has gone.
            left_undone = undone(store, &asked).await?;
            forget(store, &asked).await?;
        }
        let missed = (missed > 0).then_some(missed);
        let left = keys(store, Some(&name)).await?;
        let left = left.iter().filter(|(_, left)| {
            found.iter().any(|(_, before)| {
                before.first.reader == left.first.reader && before.first.key == left.first.key
            })
        });
        let (left, is_wrong) = (left.count(), !left_undone.is_empty() || missed.is_some());
        let (keys, done) = (found.len(), left_undone.is_empty());
        console.answer(&Outcome { did, keys, done, left, undone: left_undone, missed })?;
        Ok(Verdict::wrong_if(is_wrong || left > 0))
    }
}

/// What is asked before it is given up.
fn question(name: &str, found: &[(Of, ParkedKey)]) -> String {
    let events: u64 = found.iter().map(|(_, parked)| parked.events).sum();
    let keys = span::count(found.len() as u64, "key");
    let events = span::count(events, "event");
    format!("gives up {events} for {keys} of `{name}`")
}

impl Answer for Outcome {
    fn text(&self) -> String {
        let Self { did, keys, left, undone, missed, .. } = self;
        let did = if *missed == Some(*keys) { "not dropped" } else { did };
        let are = if *left == 1 { "is" } else { "are" };
        let of_keys = span::count(*keys as u64, "key");
        let mut text = match (keys, undone.len(), left) {
            (0, ..) => "nothing is parked".to_owned(),
            (keys, undone, _) if undone == *keys => {
                "nobody runs it now: nothing was done".to_owned()
            }
            (_, 0, 0) => format!("{did}: nothing is parked any more for {of_keys}"),
            (_, 0, left) => format!("{did}: of {of_keys}, {left} {are} parked still"),
            (keys, undone, _) => format!("{did}: {} of {of_keys}", keys - undone),
        };
        if undone.len() < *keys && !undone.is_empty() {
            let named: Vec<String> =
                undone.iter().take(NAMED).map(|key| format!("`{}`", cut(key, CUT))).collect();
            // Writing to a text does not fail.
            let _ = write!(text, "; nothing was done, as nobody runs it, for {}", named.join(", "));
            if undone.len() > NAMED {
                let _ = write!(text, " and {} more", undone.len() - NAMED);
            }
        }
        if let Some(missed) = missed {
            let missed = span::count(*missed as u64, "key");
            let _ = write!(
                text,
                "; for {missed} there was nothing to drop: it was tried again meanwhile and applied, or dropped by another"
            );
        }
        text
    }
}
