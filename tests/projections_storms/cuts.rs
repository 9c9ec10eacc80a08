//! Connections cut at any step of a batch: at any byte that is sent or answered, while rows are read, and before, during and
//! after they are written. Rows and checkpoint change together or not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{Batch, BatchError, Projector, projector};
use annals::{CheckpointChange, EventStore, Fence, ReadModelStore, WriteError};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use annals_testing::conformance::faulty::Faulty;
use fastrand::Rng;

use crate::flaws::Flaw;
use crate::models::ItemRow;
use crate::proxy::{Cuts, Proxy, Way};
use crate::stores::{bus, listed, priced, record};
use crate::{builder, found, prepared, weather};

/// How many batches are cut at least, and how many at most until all that may come of it has come.
const CUTS: u32 = 80;
const MOST_CUTS: u32 = 2_000;

/// The rows that each batch changes.
const ROWS: usize = 3;

/// How batches ended whose connection was cut.
#[derive(Debug, Default)]
struct Ends {
    done: u32,
    unknown_but_done: u32,
    failed: u32,
}

/// What connections are cut between, and how.
struct Cutter {
    projector: Arc<dyn Projector>,
    store: Faulty<PostgresStore, Flaw>,
    proxy: Proxy,
    /// The same database without the proxy.
    end: PostgresStore,
    fence: Fence,
    bus: CommandBus,
    /// How often each row was changed.
    changes: u32,
    ends: Ends,
}

impl Cutter {
    /// Applies a batch whose connection is cut after so many bytes, and holds the rows against the checkpoint.
    async fn check(&mut self, way: Way, bytes: usize) -> Result<(), String> {
        for row in 0..ROWS {
            record(&self.bus, &row.to_string(), priced(i64::from(self.changes))).await;
        }
        let reader = self.fence.id.clone();
        let kept = self.end.checkpoint(&reader).await.expect("the store is there");
        let read = ReadAll::after(kept.unwrap_or_default());
        let events = self.end.log_page(&read).await.expect("the log is read").events;
        let position = events.last().expect("there are some").position;
        let checkpoint = CheckpointChange { fence: self.fence.clone(), position };
        let codec = self.end.codec();
        let batch = Batch::new(&self.store, codec, 1, &events, checkpoint);
        self.proxy.set(Cuts::After(way, bytes));
        let applied = self.projector.apply(&batch).await;
        self.proxy.set(Cuts::None);
        // A claim waits for what is still under way, and nothing comes after it.
        self.end.release_lease(&self.fence).await.expect("the store is there");
        let fence = self.end.claim_lease(&reader, "cut", Duration::from_hours(1)).await;
        self.fence = fence.expect("the store is there").expect("it was given up");
        let reached = self.end.checkpoint(&reader).await.expect("the store is there");
        let is_done = reached == Some(position);
        let changes = u32::try_from(events.len() / ROWS).expect("a few");
        match (&applied, is_done) {
            (Ok(_), true) => self.ends.done += 1,
            (Ok(_), false) => return Err(format!("told done, but it is at {reached:?}")),
            (Err(BatchError::Write(WriteError::UnknownCommit { .. })), true) => {
                self.ends.unknown_but_done += 1;
            }
            (Err(error), true) => return Err(format!("done, but told {error:?}")),
            (Err(_), false) => self.ends.failed += 1,
        }
        self.changes += if is_done { changes } else { 0 };
        let (rows, parked) = found(&self.end).await;
        let is_sound = parked.is_empty()
            && rows.len() == ROWS
            && rows.iter().all(|row| row.changes == self.changes);
        if is_sound { Ok(()) } else { Err(format!("after {applied:?}: {rows:?}, {parked:?}")) }
    }
}

/// Cuts connections until it is enough.
async fn cut_anywhere(
    (storm, flaw): (&str, Flaw),
    patience: Duration,
    is_enough: impl Fn(&Ends) -> bool,
) -> Result<Ends, String> {
    let database = TestDatabase::on_own_server().await.expect("a database");
    let end = prepared(database.url()).await;
    let proxy = Proxy::start(database.url()).await.expect("a port is free");
    let store = builder().max_connections(1).patience(patience);
    let store = store.connect(&proxy.url(database.url())).await.expect("the server can be reached");
    let projector = projector::<ItemRow>();
    let reader = projector.definition().reader(1);
    let fence = end.claim_lease(&reader, "cut", Duration::from_hours(1)).await;
    let fence = fence.expect("the store is there").expect("it is free");
    let (store, bus) = (Faulty::new(store, flaw), bus(&end));
    for row in 0..ROWS {
        record(&bus, &row.to_string(), listed("Ada", 0)).await;
    }
    let ends = Ends::default();
    let mut cutter = Cutter { projector, store, proxy, end, fence, bus, changes: 0, ends };
    cutter.first().await;
    let weather = weather(storm);
    let mut rng = Rng::with_seed(weather.seed);
    let until = Instant::now() + weather.length;
    let mut cuts = 0;
    while cuts < CUTS || Instant::now() < until || !is_enough(&cutter.ends) {
        if cuts == MOST_CUTS {
            break;
        }
        // Much of what matters is said at the beginning of a connection, and at the end of what is answered.
        let bytes = 1 << rng.u32(5..13);
        let way = if rng.bool() { Way::ToServer } else { Way::ToClient };
        let bytes = rng.usize(..bytes);
        cutter.check(way, bytes).await.map_err(|wrong| format!("{way:?} {bytes}: {wrong}"))?;
        cuts += 1;
    }
    println!("storm `{storm}`, with patience for {patience:?}: {:?}", cutter.ends);
    Ok(cutter.ends)
}

impl Cutter {
    /// Applies what lists the items, uncut.
    async fn first(&mut self) {
        let read = ReadAll::after(Position::START);
        let events = self.end.log_page(&read).await.expect("the log is read").events;
        let position = events.last().expect("there are some").position;
        let checkpoint = CheckpointChange { fence: self.fence.clone(), position };
        let batch = Batch::new(&self.end, self.end.codec(), 1, &events, checkpoint);
        self.projector.apply(&batch).await.expect("it is applied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_anywhere_in_a_batch() {
    let ends = cut_anywhere(("cuts", Flaw::None), Duration::from_secs(5), |_| true).await;
    let ends = ends.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(ends.done > 0 && ends.unknown_but_done == 0 && ends.failed == 0, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_anywhere_in_a_batch_that_is_not_sent_again() {
    let all = |ends: &Ends| ends.done > 0 && ends.unknown_but_done > 0 && ends.failed > 0;
    let ends = cut_anywhere(("cuts, not sent again", Flaw::None), Duration::ZERO, all).await;
    let ends = ends.unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(all(&ends), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cuts_finds_a_checkpoint_that_is_written_apart() {
    let ends = cut_anywhere(("cuts, apart", Flaw::Apart), Duration::ZERO, |_| false).await;
    assert!(ends.is_err(), "no row was changed without its checkpoint: {ends:?}");
}
