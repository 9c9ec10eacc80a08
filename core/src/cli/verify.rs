//! `verify`: whether what is stored is whole.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use clap::Args;
use futures::TryStreamExt;
use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console, safe};
use super::reader::Of;
use super::{events, linked, parked, progress, sagas, span};
use crate::causes::chain;
use crate::position::Position;
use crate::projection::sample::Sampled;
use crate::store::{EventStoreExt, ReadAll, ReaderSeen, StoreError};
use crate::stream::StreamId;

/// How many streams are looked at at once.
const PAGE: usize = 10_000;

/// How many findings of a check are told; the others are counted.
const TOLD: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Look at so many of the newest events, whether this program reads them
    #[arg(long, default_value_t = 10_000)]
    events: u64,
    /// Leave out the read models, whose events are folded from the beginning of the log
    #[arg(long)]
    skip_read_models: bool,
}

/// `{"ok", "checks": [{"check", "looked_at", "findings", "more"}]}`: `findings` are sentences, `more` are not told.
#[derive(Serialize)]
struct Verified {
    ok: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "these are the names in the JSON")]
struct Check {
    check: String,
    looked_at: String,
    findings: Vec<String>,
    more: usize,
}

impl Check {
    fn new(check: impl Into<String>, looked_at: String, mut findings: Vec<String>) -> Self {
        let more = findings.len().saturating_sub(TOLD);
        findings.truncate(TOLD);
        Self { check: check.into(), looked_at, findings, more }
    }
}

impl Verify {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        let mut checks = vec![
            done("streams", streams(&store).await)?,
            done("checkpoints", checkpoints(&store).await)?,
            done("events", newest(&store, self.events).await)?,
            done("parked", parked(&store).await)?,
        ];
        if !self.skip_read_models {
            let linked = linked::projections();
            let bar = progress::of(linked.len() as u64, "read models");
            for projection in linked {
                let name = format!("read model `{}`", projection.name);
                let check = match (projection.sample)(store.clone()).await {
                    Ok(Some(sampled)) => Ok(read_model(&name, sampled)),
                    Ok(None) => {
                        bar.inc(1);
                        continue;
                    }
                    Err(error) => Err(error.into()),
                };
                checks.push(done(&name, check)?);
                bar.inc(1);
            }
            bar.finish_and_clear();
        }
        let ok = checks.iter().all(|check| check.findings.is_empty());
        console.answer(&Verified { ok, checks })?;
        Ok(Verdict::wrong_if(!ok))
    }
}

/// A check that failed is a finding, and the others are done; a store that does not answer ends them all.
fn done(name: &str, checked: Result<Check, Fault>) -> Result<Check, Fault> {
    let is_away = |error: &(dyn Error + 'static)| {
        error.downcast_ref().is_some_and(StoreError::is_unavailable)
    };
    match checked {
        Err(Fault::Store(error)) if !is_away(&*error) => {
            Ok(Check::new(name, "could not be checked".to_owned(), vec![chain(&*error)]))
        }
        checked => checked,
    }
}

/// The rows are what the log says.
fn read_model(name: &str, sampled: Sampled) -> Check {
    let looked =
        format!("{} up to position {}", span::count(sampled.rows as u64, "row"), sampled.until);
    let findings = sampled.findings.into_iter().map(|(key, finding)| {
        if key.is_empty() { finding } else { format!("row `{key}`: {finding}") }
    });
    Check::new(name, looked, findings.collect())
}

/// The versions of each stream are 1, 2, 3 and so on.
async fn streams(store: &Store) -> Result<Check, Fault> {
    let bar = progress::counting("streams");
    let (mut streams, mut events) = (0, 0);
    let mut findings = Vec::new();
    let mut after: Option<StreamId> = None;
    loop {
        let checked = store.check_streams(after.as_ref(), PAGE).await?;
        streams += checked.streams;
        events += checked.events;
        bar.set_position(streams);
        findings.extend(checked.broken.into_iter().map(|broken| {
            let crate::store::BrokenStream { stream_id, events, first, last } = broken;
            format!("stream `{stream_id}` has {events} events at versions {first} to {last}")
        }));
        match checked.last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    bar.finish_and_clear();
    Ok(Check::new(
        "streams",
        format!("{} with {}", span::count(streams, "stream"), span::count(events, "event")),
        findings,
    ))
}

/// No reader stands beyond the log's end.
async fn checkpoints(store: &Store) -> Result<Check, Fault> {
    // First the readers: the log's end only rises.
    let mut readers = store.readers().await?;
    // Those that never began, or are no more since the number of shards is another one, stand nowhere.
    readers.retain(|reader| reader.position.is_some());
    let head = store.head().await?;
    let is_ahead = |reader: &&ReaderSeen| reader.position.is_some_and(|at| at > head);
    let findings = readers.iter().filter(is_ahead).map(|reader| {
        let position = reader.position.unwrap_or_default();
        let who = Of::reader(&reader.id).map_or_else(
            || reader.id.name.clone(),
            |of| format!("{} `{}`", of.kind.as_str(), of.name),
        );
        format!("{who} stands at position {position}, but the log ends at {head}")
    });
    let findings = findings.collect();
    Ok(Check::new("checkpoints", span::count(readers.len() as u64, "reader"), findings))
}

/// This program reads the newest events whose types it links.
async fn newest(store: &Store, count: u64) -> Result<Check, Fault> {
    let head = store.head().await?;
    let after = Position::from(head.get().saturating_sub(count));
    let bar = progress::of(head.get() - after.get(), "events");
    let (mut looked_at, mut findings) = (0_u64, Vec::new());
    if after < head {
        let mut newest = store.read_all(ReadAll::after(after));
        while let Some(event) = newest.try_next().await? {
            looked_at += 1;
            bar.set_position(event.position.get().saturating_sub(after.get()));
            if let Some(why) = events::fault_of(store, &event) {
                let (position, stream) = (event.position, &event.stream_id);
                findings.push(format!("the event at position {position}, in `{stream}`: {why}"));
            }
        }
    }
    bar.finish_and_clear();
    Ok(Check::new(
        "events",
        format!("{} from position {} on", span::count(looked_at, "event"), after.get() + 1),
        findings,
    ))
}

/// Nothing waits for a person, or for the next try.
async fn parked(store: &Store) -> Result<Check, Fault> {
    let keys = parked::keys(store, None).await?;
    let mut counted: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (of, _) in &keys {
        *counted.entry((of.kind.as_str(), &of.name)).or_default() += 1;
    }
    let sagas = sagas::parked(store).await?;
    let sagas = sagas.into_iter().map(|(name, count)| {
        let (is, count) = (if count == 1 { "is" } else { "are" }, count as u64);
        let sagas = span::count(count, "saga");
        format!("{sagas} `{name}` {is} parked: `sagas list {name}`")
    });
    let findings = counted.into_iter().map(|((kind, name), keys)| {
        let have = if keys == 1 { "has" } else { "have" };
        let keys = span::count(keys, "key");
        format!("of {kind} `{name}`, {keys} {have} parked events: `parked list {name}`")
    });
    let findings = findings.chain(sagas).collect();
    Ok(Check::new("parked", span::count(keys.len() as u64, "key"), findings))
}

impl Answer for Verified {
    fn text(&self) -> String {
        let mut text = String::new();
        for Check { check, looked_at, findings, more } in &self.checks {
            let verdict = if findings.is_empty() { "ok   " } else { "WRONG" };
            let _ = writeln!(text, "{verdict}  {}: {looked_at}", safe(check));
            for finding in findings {
                let _ = writeln!(text, "         {}", safe(finding));
            }
            if *more > 0 {
                let _ = writeln!(text, "         and {more} more");
            }
        }
        text
    }
}
