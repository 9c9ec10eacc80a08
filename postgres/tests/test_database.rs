//! Test databases: one for each test, gone afterwards, whatever happens to the test or its process.

use std::error::Error;
use std::fs::Permissions;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, panic, thread};

use annals_postgres::testing::TestDatabase;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use tokio::time::timeout;

type Verdict = Result<(), Box<dyn Error>>;

/// Tells a test that it is the child of another.
const CHILD: &str = "ANNALS_TEST_DATABASE_CHILD";

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&url.parse::<PgConnectOptions>()?).await
}

/// Whether a database can be connected to; any other answer than that it is not there fails the test.
async fn is_there(url: &str) -> bool {
    match connect(url).await {
        Ok(_) => true,
        Err(error) => {
            let code = error.as_database_error().and_then(DatabaseError::code);
            assert_eq!(code.as_deref(), Some("3D000"), "{error}");
            false
        }
    }
}

/// The folder of the private server that an address leads to; `None` on the server at `DATABASE_URL`.
fn folder_of(url: &str) -> Option<PathBuf> {
    let (_, path) = url.split_once("host=%2F")?;
    let path = path.split('&').next()?.replace("%2F", "/");
    Some(format!("/{path}").into())
}

fn goes_away(folder: &Path) -> bool {
    let start = Instant::now();
    while folder.exists() && start.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(10));
    }
    !folder.exists()
}

#[tokio::test]
async fn two_databases_at_once_are_apart() -> Verdict {
    let (one, two) = tokio::try_join!(TestDatabase::create(), TestDatabase::create())?;
    assert_ne!(one.url(), two.url());
    connect(one.url()).await?.execute("CREATE TABLE only_here ()").await?;
    let refused = connect(two.url()).await?.execute("TABLE only_here").await;
    assert!(refused.is_err());
    Ok(())
}

#[tokio::test]
async fn a_database_is_utf8_and_its_version_is_told() -> Verdict {
    let database = TestDatabase::create().await?;
    let mut connection = connect(database.url()).await?;
    let encoding: String =
        sqlx::query_scalar("SHOW server_encoding").fetch_one(&mut connection).await?;
    let version: String =
        sqlx::query_scalar("SHOW server_version_num").fetch_one(&mut connection).await?;
    assert_eq!((encoding.as_str(), version), ("UTF8", database.server_version().to_string()));
    Ok(())
}

#[tokio::test]
async fn a_dropped_database_is_gone_with_its_connections() -> Verdict {
    let database = TestDatabase::create().await?;
    let url = database.url().to_owned();
    let mut connection = connect(&url).await?;
    drop(database);
    assert!(connection.execute("SELECT 1").await.is_err());
    assert!(!is_there(&url).await);
    Ok(())
}

#[test]
fn a_database_can_be_dropped_outside_of_a_runtime() -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let database = runtime.block_on(TestDatabase::create())?;
    let url = database.url().to_owned();
    drop(runtime);
    drop(database);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    assert!(!runtime.block_on(is_there(&url)));
    Ok(())
}

#[tokio::test]
async fn a_test_that_panics_leaves_no_database() -> Verdict {
    let database = TestDatabase::create().await?;
    let url = database.url().to_owned();
    let panicked = tokio::spawn(async move {
        let _database = database;
        panic::panic_any("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert!(!is_there(&url).await);
    Ok(())
}

/// Each on a runtime of its own, as tests are.
#[test]
fn many_tests_start_at_once() {
    let threads: Vec<_> = (0..16)
        .map(|_| {
            thread::spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let database = TestDatabase::create().await.unwrap();
                    connect(database.url()).await.unwrap();
                    database.url().to_owned()
                })
            })
        })
        .collect();
    let mut urls: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 16);
}

#[tokio::test]
async fn a_restart_keeps_what_was_committed() -> Verdict {
    let database = TestDatabase::on_own_server().await?;
    let mut before = connect(database.url()).await?;
    before.execute("CREATE TABLE kept AS SELECT 7 AS number").await?;
    for _ in 0..2 {
        database.restart_immediately().await?;
        assert!(before.execute("SELECT 1").await.is_err());
        let mut after = connect(database.url()).await?;
        let number: i32 = sqlx::query_scalar("TABLE kept").fetch_one(&mut after).await?;
        assert_eq!(number, 7);
    }
    Ok(())
}

#[tokio::test]
async fn an_own_server_ends_with_its_database() -> Verdict {
    let database = TestDatabase::on_own_server().await?;
    let folder = folder_of(database.url()).expect("a private server");
    assert!(folder.exists());
    drop(database);
    assert!(goes_away(&folder));
    Ok(())
}

#[tokio::test]
async fn a_server_that_others_use_is_not_restarted() -> Verdict {
    let database = TestDatabase::create().await?;
    let refused = database.restart_immediately().await.unwrap_err();
    assert!(refused.to_string().contains("on_own_server"), "{refused}");
    assert!(is_there(database.url()).await);
    Ok(())
}

/// Runs one test of this file in a process of its own, which is told so, on the server at an address, if there is one.
fn child(test: &str, database_url: Option<&str>) -> io::Result<Child> {
    command(test, database_url)?.spawn()
}

fn command(test: &str, database_url: Option<&str>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", test, "--nocapture"]).env(CHILD, "1").stdout(Stdio::piped());
    match database_url {
        Some(url) => command.env("DATABASE_URL", url),
        None => command.env_remove("DATABASE_URL"),
    };
    Ok(command)
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// By itself, it does nothing.
#[tokio::test]
async fn child_holds_databases() -> Verdict {
    if is_child() {
        let shared = TestDatabase::create().await?;
        let own = TestDatabase::on_own_server().await?;
        println!("\n{CHILD} {}\n{CHILD} {}", shared.url(), own.url());
        thread::sleep(Duration::from_mins(1));
    }
    Ok(())
}

/// Also in the middle of the start of its servers.
#[test]
fn a_process_that_is_killed_at_any_time_leaves_nothing() -> Verdict {
    for milliseconds in [20, 300, 1000, 2000] {
        let folder = env::temp_dir().join(format!("a{milliseconds}-{}", std::process::id()));
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o1777))?;
        let mut child = command("child_holds_databases", None)?.env("TMPDIR", &folder).spawn()?;
        thread::sleep(Duration::from_millis(milliseconds));
        child.kill()?;
        child.wait()?;
        // It cannot be removed before what is in it.
        let start = Instant::now();
        while let Err(error) = fs::remove_dir(&folder) {
            assert!(start.elapsed() < Duration::from_secs(30), "{}: {error}", folder.display());
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

#[test]
fn a_process_that_is_killed_leaves_nothing() -> Verdict {
    let mut child = child("child_holds_databases", None)?;
    let urls: Vec<String> = BufReader::new(child.stdout.take().expect("piped"))
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| Some(line.strip_prefix(CHILD)?.trim().to_owned()))
        .take(2)
        .collect();
    // SIGKILL: the child does nothing more.
    child.kill()?;
    child.wait()?;
    assert_eq!(urls.len(), 2);
    for url in urls {
        let folder = folder_of(&url).expect("a private server");
        assert!(goes_away(&folder), "{}", folder.display());
    }
    Ok(())
}

/// By itself, it does nothing.
#[tokio::test]
async fn child_drops_calls() -> Verdict {
    if is_child() {
        // Later each time, until one comes to its end.
        let mut cut = 0_u64;
        while timeout(Duration::from_millis(cut), TestDatabase::create()).await.is_err() {
            cut = 2 * cut + 1;
        }
        assert!(cut > 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_leaves_no_database() -> Verdict {
    let own = TestDatabase::on_own_server().await?;
    let ended = child("child_drops_calls", Some(own.url()))?.wait_with_output()?;
    assert!(ended.status.success());
    let mut connection = connect(own.url()).await?;
    let left: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'annals_test_%'")
            .fetch_all(&mut connection)
            .await?;
    assert!(left.len() == 1 && own.url().contains(&left[0]), "{left:?} beside {}", own.url());
    Ok(())
}

/// What a killed process left on a server that outlives it goes with the next test there: what is old and that nobody uses.
#[tokio::test]
async fn old_databases_are_removed_from_a_server_that_stays() -> Verdict {
    let own = TestDatabase::on_own_server().await?;
    let mut connection = connect(own.url()).await?;
    let name = |age: Duration, number: u32| {
        let made = (SystemTime::now() - age).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        format!("annals_test_{:012x}7{number:03x}8000000000000000", made.as_millis())
    };
    let (hour, day) = (Duration::from_hours(1), Duration::from_hours(25));
    let [young, old, used] = [name(hour, 1), name(day, 2), name(day, 3)];
    // Not one of ours, though it begins alike.
    let other = "annals_test_of_ada".to_owned();
    for made in [&young, &old, &used, &other] {
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {made}"))).await?;
    }
    let own_name = own.url().split(['/', '?']).nth(3).expect("a database is named");
    let visitor = connect(&own.url().replace(own_name, &used)).await?;
    let ended = child("child_drops_calls", Some(own.url()))?.wait_with_output()?;
    assert!(ended.status.success());
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'annals_test_%' AND datname <> $1 ORDER BY 1",
    )
    .bind(own_name)
    .fetch_all(&mut connection)
    .await?;
    let mut expected = vec![young, used, other];
    expected.sort_unstable();
    assert_eq!(left, expected);
    drop(visitor);
    Ok(())
}

/// By itself, it does nothing.
#[tokio::test]
async fn child_tells_all_it_knows() -> Verdict {
    if is_child() {
        match TestDatabase::create().await {
            Ok(database) => {
                assert!(database.url().contains("s3cret"));
                println!("made {database:?} {:?}", database.restart_immediately().await);
            }
            Err(error) => println!("refused {error} {error:?} {:?}", error.source()),
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_password_is_told() -> Verdict {
    let own = TestDatabase::on_own_server().await?;
    let trusting = own.url().replace("postgres@", "postgres:s3cret@");
    for (url, expected) in [
        (&*trusting, "made"),
        ("postgres://ada:s3cret@localhost:1/none", "refused"),
        ("postgres://ada:s3cret@localhost:65536/none", "refused"),
        ("postgres://ada:s3cret@", "refused"),
    ] {
        let ended = child("child_tells_all_it_knows", Some(url))?.wait_with_output()?;
        let told = String::from_utf8(ended.stdout)?;
        assert!(told.contains(expected), "{url}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_folder_is_closed_to_others() -> Verdict {
    let database = TestDatabase::on_own_server().await?;
    let folder = folder_of(database.url()).expect("a private server");
    assert_eq!(fs::metadata(folder)?.permissions().mode() & 0o077, 0);
    Ok(())
}
