//! How fast Annals is beside hand-written code for the same work: `cargo bench -p annals-tests --bench performance`.
//!
//! Both run on one server, on the same tables, in turns. The server is the one at `DATABASE_URL`, as it is set; without it, a private
//! one in the folder that `TMPDIR` names, which waits for the disk as one in production does, unless `--no-fsync` asks it not to: then
//! its files are in memory if there is room, and nothing hides what Annals adds. `-- --quick` takes about a minute; all of it takes some ten minutes and 10 GB.

use std::env;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use clap::Parser;
use sqlx::PgPool;

mod appends;
mod code;
mod commands;
mod compile_time;
mod domain;
mod growth;
mod latency;
mod loads;
mod measure;
mod memory;
mod projection;
mod raw;
mod report;
mod tried_out;

use report::{Machine, Report};

/// Annals beside hand-written code for the same work. Exits with 1 if a bound is not met.
#[derive(Parser)]
struct Options {
    /// Fewer rounds, smaller logs, and no compiling unless that part is named
    #[arg(long)]
    quick: bool,
    /// The parts to run; all, unless some are named
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Have the private server not wait for the disk
    #[arg(long)]
    no_fsync: bool,
    /// Where to write the figures as JSON; `cargo bench` begins in the folder `tests`
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/performance.json"))]
    json: PathBuf,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Code,
    Memory,
    Loads,
    Commands,
    Appends,
    Latency,
    Projection,
    TriedOut,
    Growth,
    Compile,
}

/// What the parts that need a server work on.
struct Bench {
    store: PostgresStore,
    pool: PgPool,
    report: Report,
    /// How often each candidate runs.
    rounds: usize,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    // Before anything is measured: what cannot be written would be lost.
    let json = std::path::absolute(&options.json).unwrap_or_else(|_| options.json.clone());
    if let Err(error) = File::options().append(true).create(true).open(&json) {
        eprintln!("`{}` cannot be written: {error}", json.display());
        std::process::exit(2);
    }
    let is_private = env::var_os("DATABASE_URL").is_none_or(|url| url.is_empty());
    let waits_for_the_disk = is_private && !options.no_fsync;
    if waits_for_the_disk && env::var_os("TMPDIR").is_none() {
        again_on_disk();
    }
    let database = TestDatabase::create().await.expect("a server");
    if waits_for_the_disk {
        wait_for_the_disk(database.url()).await;
    }
    let store = PostgresStore::builder().max_connections(80).connect(database.url());
    let store = store.await.expect("the server is there");
    store.migrate().await.expect("migrated");
    let pool = raw::pool(database.url(), 20).await;
    let report = Report::new(machine(&pool, options.quick).await);
    let rounds = if options.quick { 5 } else { 11 };
    let mut bench = Bench { store, pool, report, rounds };
    let is_asked = |part| match &*options.part {
        [] => part != Part::Compile || !options.quick,
        parts => parts.contains(&part),
    };
    if is_asked(Part::Code) {
        code::all(&mut bench.report, rounds);
    }
    if is_asked(Part::Memory) {
        memory::all(&mut bench.report, rounds).await;
    }
    if is_asked(Part::Loads) {
        bench.loads().await;
    }
    if is_asked(Part::Commands) {
        bench.commands().await;
    }
    if is_asked(Part::Appends) {
        bench.large_append().await;
    }
    if is_asked(Part::Latency) {
        bench.latencies(database.url()).await;
    }
    if is_asked(Part::Projection) {
        bench.projection().await;
    }
    if is_asked(Part::TriedOut) {
        bench.tried_out().await;
    }
    if is_asked(Part::Growth) {
        growth::costs(&mut bench.report).await;
    }
    if is_asked(Part::Compile) {
        compile_time::costs(&mut bench.report);
    }
    if options.quick && options.part.is_empty() {
        println!(
            "\nThe compile time is not part of a quick run unless it is asked for: `--part compile`."
        );
    }
    let is_met = bench.report.end(&json).expect("a file for the figures");
    drop(database);
    if !is_met {
        std::process::exit(1);
    }
}

/// Begins once more, in this process, with a private server whose files are not in memory: there it would wait for no disk.
fn again_on_disk() -> ! {
    let program = env::current_exe().expect("the program's own path");
    let mut again = Command::new(program);
    // `/tmp` may be in memory itself; what is in `/var/tmp` outlives a restart.
    let lasting = Some(PathBuf::from("/var/tmp")).filter(|folder| folder.is_dir());
    again.args(env::args_os().skip(1)).env("TMPDIR", lasting.unwrap_or_else(env::temp_dir));
    panic!("it cannot begin anew: {}", again.exec())
}

/// Sets the private server as it is in production.
async fn wait_for_the_disk(url: &str) {
    let pool = raw::pool(url, 1).await;
    for setting in [
        "ALTER SYSTEM SET fsync = on",
        "ALTER SYSTEM SET full_page_writes = on",
        "SELECT pg_reload_conf()",
    ] {
        sqlx::raw_sql(setting).execute(&pool).await.expect("set");
    }
    // The server's processes take it up in their own time.
    loop {
        let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&pool).await.expect("told");
        if fsync == "on" {
            return pool.close().await;
        }
        tokio::time::sleep(raw::POLL).await;
    }
}

async fn machine(pool: &PgPool, is_quick: bool) -> Machine {
    let settings: (String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')",
    )
    .fetch_one(pool)
    .await
    .expect("settings");
    let (server, fsync, synchronous_commit) = settings;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Machine { server, fsync, synchronous_commit, cores, is_quick }
}
