//! Runners in processes of their own, which are killed, stopped and woken while sagas are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::{ProcessStore, ReadModelStore};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection, PgPool};

use crate::scene::{PATIENCE, story, until};

/// What tells a process of this program that it is to run sagas, and how: all of a storm, or two, one after the other, the first
/// of which waits in its second step.
const URL: &str = "ANNALS_SAGA_STORM_URL";
const WAITS: &str = "ANNALS_SAGA_STORM_WAITS";

const SAGAS: u32 = 60;

/// How long sagas stay with a process that is killed or stopped.
const LEASE: Duration = Duration::from_millis(400);

/// For how many rounds processes are killed and stopped; then they are left to themselves.
const ROUNDS: usize = 6;

/// The lock of the database that whoever waits in a step waits for.
const GATE: i64 = 7;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Errand {
    fails: bool,
}

struct Errands;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the database")]
    Database(#[from] sqlx::Error),
    #[error("it was told to")]
    Told,
}

/// A service outside, which keeps who called it.
struct Outside {
    pool: PgPool,
    waits: bool,
}

impl Outside {
    async fn call(&self, cx: &StepContext) -> Result<(), Failure> {
        let process = i64::from(std::process::id());
        let add = "INSERT INTO calls (key, process) VALUES ($1, $2)";
        sqlx::query(add).bind(cx.idempotency_key()).bind(process).execute(&self.pool).await?;
        // It takes a while, so that there is something to be in the midst of.
        sqlx::query("SELECT pg_sleep(0.02)").execute(&self.pool).await?;
        Ok(())
    }
}

#[saga(name = "errand", data = Errand, services = Outside)]
impl Errands {
    #[step(undo = undo_any, retries = 5)]
    async fn first(_: &Errand, outside: &Outside, cx: &StepContext) -> Result<(), Failure> {
        outside.call(cx).await
    }

    #[step(undo = undo_any, retries = 5)]
    async fn second(_: &Errand, outside: &Outside, cx: &StepContext) -> Result<(), Failure> {
        outside.call(cx).await?;
        if outside.waits && cx.saga_id() == "0" {
            let wait = "SELECT pg_advisory_lock_shared($1)";
            sqlx::query(wait).bind(GATE).execute(&outside.pool).await?;
        }
        Ok(())
    }

    #[step]
    async fn third(errand: &Errand, outside: &Outside, cx: &StepContext) -> Result<(), Failure> {
        outside.call(cx).await?;
        if errand.fails { Err(Failure::Told) } else { Ok(()) }
    }

    async fn undo_any(_: &Errand, outside: &Outside, cx: &StepContext) -> Result<(), Failure> {
        outside.call(cx).await
    }
}

fn errand(number: u32) -> Errand {
    Errand { fails: number.is_multiple_of(3) }
}

async fn connect(url: &str) -> (PostgresStore, PgPool) {
    let builder = PostgresStore::builder().max_connections(4);
    let store = builder.connect(url).await.expect("the server is there");
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(3);
    (store, options.connect(url).await.expect("the server is there"))
}

async fn start(store: &PostgresStore, pool: &PgPool, waits: bool) -> SagaRunner {
    SagaRunner::builder(store.clone(), Arc::new(Outside { pool: pool.clone(), waits }))
        .register::<Errands>()
        .lease(LEASE)
        .polling(Duration::from_millis(50))
        .start()
        .await
        .expect("the tables are there")
}

/// A database with the tables of the store and of what is outside.
async fn database() -> (TestDatabase, PostgresStore, PgPool) {
    let database = TestDatabase::create().await.expect("a database");
    let (store, pool) = connect(database.url()).await;
    store.migrate().await.expect("the tables are made");
    let table = "CREATE TABLE calls (number bigserial, key text NOT NULL, process bigint NOT NULL)";
    sqlx::query(table).execute(&pool).await.expect("the table is made");
    (database, store, pool)
}

/// The calls of a saga's steps, in their order: the key of each without the saga's id, and the process.
async fn calls(pool: &PgPool, number: u32) -> Vec<(String, u32)> {
    let calls = "SELECT key, process FROM calls WHERE key LIKE '%/' || $1 ORDER BY number";
    let calls: Vec<(String, i64)> = sqlx::query_as(calls)
        .bind(number.to_string())
        .fetch_all(pool)
        .await
        .expect("the table is there");
    let told = |(key, process): (String, i64)| {
        let key = key.strip_prefix("errand/").and_then(|key| key.rsplit_once('/'));
        let (key, _) = key.expect("the saga, the step and the id");
        (key.to_owned(), u32::try_from(process).expect("the number of a process"))
    };
    calls.into_iter().map(told).collect()
}

/// A process that runs sagas until it is dropped.
struct RunnerProcess(Child);

impl RunnerProcess {
    fn start(url: &str, waits: bool) -> Self {
        let program = env::current_exe().expect("the test is a program");
        let mut command = Command::new(program);
        command.args(["--exact", "storm::a_runner_of_a_storm", "--nocapture"]).env(URL, url);
        if waits {
            command.env(WAITS, "1");
        }
        // It ends with its input, however this process ends.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("a process can be started"))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    fn kill(mut self) {
        self.0.kill().expect("it is there");
        self.0.wait().expect("it has ended");
    }

    fn send(&self, signal: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|sent| sent.success()), "SIG{signal} cannot be sent");
    }

    /// The sagas that it has under way, as the index of those that have not ended tells.
    async fn has_under_way(&self, store: &PostgresStore) -> BTreeSet<u32> {
        let process = format!("{}/", self.id());
        let leases = store.leases("annals/saga/errand").await.expect("the store is there");
        let seats = leases.iter().filter(|lease| lease.owner.starts_with(&process));
        let mine: Vec<String> =
            seats.map(|lease| format!("runs/{}/{}", lease.id.shard, lease.epoch)).collect();
        let all = store.due_deadlines("annals/saga/errand", Timestamp::MAX, None, 1_000).await;
        let all = all.expect("the store is there").into_iter();
        let mine = all.filter(|listed| mine.contains(&listed.name));
        mine.map(|listed| listed.process.id().parse().expect("a number")).collect()
    }
}

impl Drop for RunnerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// By itself, it does nothing.
#[test]
fn a_runner_of_a_storm() {
    let Ok(url) = env::var(URL) else { return };
    let waits = env::var(WAITS).is_ok();
    thread::spawn(|| {
        _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (store, pool) = connect(&url).await;
        let sagas = start(&store, &pool, waits).await;
        if waits {
            for number in 0..2 {
                sagas.run::<Errands>(number, errand(1)).await.expect("it ends");
            }
        } else {
            // All processes want the same ones.
            let run = |number| sagas.run::<Errands>(number, errand(number)).into_future();
            join_all((0..SAGAS).map(run)).await;
        }
        std::future::pending::<()>().await;
    });
}

async fn ended(store: &PostgresStore) -> usize {
    let mut ended = 0;
    for number in 0..SAGAS {
        let story = story(store, "errand", &number.to_string()).await;
        ended += usize::from(story.last().is_some_and(|last| last == "ended"));
    }
    ended
}

/// What becomes of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Killed,
    Stopped,
}

/// Sagas in the midst of which a process was killed, or stood still for longer than its lease.
#[derive(Default)]
struct Disturbed {
    killed: BTreeSet<u32>,
    stopped: BTreeSet<u32>,
}

impl Disturbed {
    /// Kills or stops a process that has sagas under way, if there is one.
    async fn round(
        &mut self,
        url: &str,
        store: &PostgresStore,
        fleet: &mut Vec<RunnerProcess>,
        harm: Harm,
    ) -> bool {
        for at in 0..fleet.len() {
            if fleet[at].has_under_way(store).await.is_empty() {
                continue;
            }
            if harm == Harm::Killed {
                // What it has when it is dead, it had when it died.
                fleet[at].send("STOP");
                self.killed.extend(fleet[at].has_under_way(store).await);
                fleet.remove(at).kill();
                fleet.push(RunnerProcess::start(url, false));
            } else {
                fleet[at].send("STOP");
                self.stopped.extend(fleet[at].has_under_way(store).await);
                tokio::time::sleep(2 * LEASE).await;
                fleet[at].send("CONT");
            }
            return true;
        }
        false
    }
}

/// How often each call may have been made: once for each try, and once more for each runner that took the saga over meanwhile.
fn allowed(told: &[String]) -> BTreeMap<String, usize> {
    let (mut allowed, mut under_way) = (BTreeMap::new(), None);
    for record in told {
        let (is_undo, record) =
            record.strip_prefix("undo ").map_or((false, &**record), |record| (true, record));
        if let Some(step) = record.strip_prefix("called ") {
            under_way = Some(format!("{step}/{}", if is_undo { "undo" } else { "do" }));
        } else if record != "taken" {
            under_way = None;
        }
        if let Some(call) = &under_way {
            *allowed.entry(call.clone()).or_default() += 1;
        }
    }
    allowed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_or_stands_still_each_saga_is_run_once() {
    let (database, store, pool) = database().await;
    let began = Instant::now();
    let mut fleet: Vec<_> = (0..3).map(|_| RunnerProcess::start(database.url(), false)).collect();
    let (mut disturbed, mut rounds) = (Disturbed::default(), 0);
    while ended(&store).await < SAGAS as usize {
        assert!(began.elapsed() < 3 * PATIENCE, "they never end");
        let harm = if rounds % 2 == 0 { Harm::Killed } else { Harm::Stopped };
        if rounds < ROUNDS && disturbed.round(database.url(), &store, &mut fleet, harm).await {
            rounds += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sagas = start(&store, &pool, false).await;
    let mut taken = BTreeSet::new();
    for number in 0..SAGAS {
        let outcome = sagas.run::<Errands>(number, errand(number)).await.expect("it is over");
        let told = story(&store, "errand", &number.to_string()).await;
        let count = |record: &str| told.iter().filter(|told| *told == record).count();
        let undone = usize::from(errand(number).fails);
        assert_eq!(outcome.is_completed(), undone == 0, "{told:?}");
        assert_eq!((count("done first"), count("done second"), count("ended")), (1, 1, 1));
        assert_eq!((count("done third"), count("failed third")), (1 - undone, undone));
        assert_eq!((count("undo done first"), count("undo done second")), (undone, undone));
        if count("taken") > 0 {
            taken.insert(number);
        }
        let mut made = BTreeMap::<String, usize>::new();
        for (key, _) in calls(&pool, number).await {
            *made.entry(key).or_default() += 1;
        }
        assert_eq!(made.len(), 3 + 2 * undone, "{made:?}");
        let allowed = allowed(&told);
        for (call, count) in made {
            assert!(count <= allowed[&call], "{count} times {call}: {told:?}");
        }
    }
    let resumed = |of: &BTreeSet<u32>| of.intersection(&taken).count();
    let (killed, stopped) = (resumed(&disturbed.killed), resumed(&disturbed.stopped));
    println!(
        "{rounds} rounds: {killed} sagas resumed after a kill, {stopped} after a stop, in {:?}",
        began.elapsed()
    );
    assert!(killed > 0, "no kill was in the midst of a saga");
    assert!(stopped > 0, "nobody stood still in the midst of a saga");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stood_still_does_nothing_when_it_wakes() {
    let (database, store, pool) = database().await;
    let mut gate = PgConnection::connect(database.url()).await.expect("the server is there");
    let shut = sqlx::query("SELECT pg_advisory_lock($1)").bind(GATE);
    shut.execute(&mut gate).await.expect("nobody waits yet");
    let process = RunnerProcess::start(database.url(), true);
    let waits = ("second/do".to_owned(), process.id());
    until(async || calls(&pool, 0).await.last() == Some(&waits)).await;
    process.send("STOP");
    let sagas = start(&store, &pool, false).await;
    let outcome = sagas.outcome::<Errands>(0).await.expect("it is taken over");
    assert_eq!(outcome, SagaOutcome::Completed);
    let told = story(&store, "errand", "0").await;
    let first = ("first/do".to_owned(), process.id());
    let others = |step: &str| (format!("{step}/do"), std::process::id());
    let expected = [first, waits, others("second"), others("third")];
    assert_eq!(calls(&pool, 0).await, expected);

    // Its step is answered now, and it is woken.
    gate.close().await.expect("the server is there");
    process.send("CONT");
    // It sees that its saga has ended, and goes on with the next.
    until(async || story(&store, "errand", "1").await.last().is_some_and(|last| last == "ended"))
        .await;
    assert!(calls(&pool, 1).await.iter().any(|(_, by)| *by == process.id()));
    assert_eq!(calls(&pool, 0).await, expected);
    assert_eq!(story(&store, "errand", "0").await, told);
}
