//! `sagas list`: how many there are, and those that have not ended.

use clap::Args;
use serde::Serialize;

use super::{find, journal, runner};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, cut};
use crate::cli::linked;
use crate::cli::table::{Table, more};
use crate::event::Event;
use crate::saga::{Instance, Journal, Listed, SagaEnded, category_of};
use crate::store::{EventFilter, ReaderSeen};
use crate::timestamp::Timestamp;

/// How many letters of an error stand in a table.
const CUT: usize = 60;

#[derive(Debug, Args)]
pub(in crate::cli) struct Listing {
    /// Only of this name
    name: Option<String>,
    /// How many of those that have not ended at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// `{"sagas": [{"name", "running", "left", "parked", "ended"}], "unfinished": [{"saga", "id", "state", "since", "runner", "failed_step",
/// "error", "not_undone"}], "more"}`: `sagas` counts those of each name; the `state` of one that has not ended is `parked`, `running`, or
/// `left` if its runner is gone and no other has taken it up; `not_undone` names the steps of one that is parked, whose `error` is why
/// its log cannot be read, if that is so; `more` counts those that are not listed.
#[derive(Serialize)]
struct Told {
    sagas: Vec<Counted>,
    unfinished: Vec<Item>,
    more: usize,
}

#[derive(Serialize)]
struct Counted {
    name: &'static str,
    running: usize,
    left: usize,
    parked: usize,
    ended: u64,
}

#[derive(Serialize)]
struct Item {
    saga: &'static str,
    id: String,
    state: &'static str,
    since: Timestamp,
    runner: Option<String>,
    failed_step: Option<String>,
    error: Option<String>,
    not_undone: Vec<String>,
}

impl Listing {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let names: Vec<&'static str> = match &self.name {
            Some(name) => vec![find(name)?.name],
            None => linked::sagas().into_iter().map(|linked| linked.name).collect(),
        };
        let (journal, readers) = (journal(store), store.readers().await?);
        let head = store.head().await?;
        let (mut sagas, mut unfinished) = (Vec::new(), Vec::new());
        for name in names {
            let filter = EventFilter::all().categories([category_of(name)]);
            let filter = filter.event_types([SagaEnded::NAME]);
            let ended = store.count_events(&filter, head).await?;
            let listed = journal.unfinished(name).await?;
            let items: Vec<Item> =
                listed.into_iter().map(|listed| Item::new(name, listed, &readers)).collect();
            let count = |state: &str| items.iter().filter(|item| item.state == state).count();
            let (running, left, parked) = (count("running"), count("left"), count("parked"));
            sagas.push(Counted { name, running, left, parked, ended });
            unfinished.extend(items);
        }
        unfinished.sort_by_key(|item| (item.state != "parked", item.since));
        let more = unfinished.len().saturating_sub(self.limit);
        unfinished.truncate(self.limit);
        for item in unfinished.iter_mut().filter(|item| item.state == "parked") {
            item.read(&journal).await?;
        }
        let verdict = Verdict::wrong_if(sagas.iter().any(|counted| counted.parked > 0));
        console.answer(&Told { sagas, unfinished, more })?;
        Ok(verdict)
    }
}

impl Item {
    fn new(saga: &'static str, listed: Listed, readers: &[ReaderSeen]) -> Self {
        let Listed { stream_id, owner, since } = listed;
        let runner = owner.and_then(|owner| runner(saga, owner, readers));
        let state = match (owner, &runner) {
            (None, _) => "parked",
            (Some(_), Some(_)) => "running",
            (Some(_), None) => "left",
        };
        let id = stream_id.id().to_owned();
        let (failed_step, error, not_undone) = (None, None, Vec::new());
        Self { saga, id, state, since, runner, failed_step, error, not_undone }
    }

    /// Reads from its log why it is parked.
    async fn read(&mut self, journal: &Journal) -> Result<(), Fault> {
        let stream_id = super::stream_of(self.saga, &self.id);
        // It may have gone on meanwhile.
        match journal.load_of_many(self.saga, &stream_id).await? {
            Ok(Some(kept)) => {
                let instance: &Instance = &kept.instance;
                self.failed_step = instance.failed().map(|(step, _)| step.to_owned());
                self.error = instance.failed().map(|(_, error)| error.to_owned());
                self.not_undone =
                    instance.not_undone().iter().map(|failed| failed.step.clone()).collect();
            }
            Ok(None) => {}
            Err(unreadable) => self.error = Some(unreadable),
        }
        Ok(())
    }
}

impl Answer for Told {
    fn text(&self) -> String {
        let mut counts = Table::new(["SAGA", "#RUNNING", "#LEFT", "#PARKED", "#ENDED"]);
        for Counted { name, running, left, parked, ended } in &self.sagas {
            counts.row([
                (*name).to_owned(),
                running.to_string(),
                left.to_string(),
                parked.to_string(),
                ended.to_string(),
            ]);
        }
        let counts = counts.text("there are no sagas");
        if self.unfinished.is_empty() {
            return format!("{counts}{}", more(self.more));
        }
        let mut table =
            Table::new(["SAGA", "ID", "STATE", "SINCE", "RUNNER", "NOT UNDONE", "FAILED"]);
        for item in &self.unfinished {
            let failed = match (&item.failed_step, &item.error) {
                (Some(step), Some(error)) => format!("{step}: {error}"),
                (None, Some(error)) => error.clone(),
                _ => String::new(),
            };
            table.row([
                item.saga.to_owned(),
                item.id.clone(),
                item.state.to_owned(),
                item.since.to_string(),
                item.runner.clone().unwrap_or_default(),
                item.not_undone.join(", "),
                cut(&failed, CUT),
            ]);
        }
        format!("{counts}\n{}{}", table.text(""), more(self.more))
    }
}
