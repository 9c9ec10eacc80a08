//! A stand-by: refused while it follows, and as good as the primary once it is promoted.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Payload};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use super::Error;

const SOON: Duration = Duration::from_secs(30);

/// A copy of a private server that follows it; it ends with the test, and its folder goes with the server's.
struct StandBy {
    server: Child,
    url: String,
}

impl StandBy {
    async fn follow(primary: &TestDatabase, store: &PostgresStore) -> Result<Self, Error> {
        let programs: String =
            sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
                .fetch_one(store.pool())
                .await?;
        let (_, path) = primary.url().split_once("host=").expect("a private server is on a socket");
        let encoded = path.split('&').next().expect("a path").to_owned();
        let folder = PathBuf::from(encoded.replace("%2F", "/"));
        let (data, programs) = (folder.join("copy"), PathBuf::from(programs));
        let copied = {
            let mut copy = as_owner(&folder, &programs.join("pg_basebackup"))?;
            copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--pgdata"]);
            copy.arg(&data).arg(format!("--dbname=host={} user=postgres", folder.display()));
            tokio::task::spawn_blocking(move || copy.status()).await??
        };
        assert!(copied.success());
        // Its socket is in its own folder.
        let mut server = as_owner(&folder, &programs.join("postgres"))?;
        server.arg("-D").arg(&data).arg("-k").arg(&data);
        server.args(["-c", "listen_addresses=", "-p", "5432"]);
        // As on the primary.
        server.args(["-c", "max_connections=400", "-c", "dynamic_shared_memory_type=mmap"]);
        let server = server.spawn()?;
        let url = primary.url().replace(&encoded, &format!("{encoded}%2Fcopy"));
        Ok(Self { server, url })
    }

    /// Waits until it answers.
    async fn connect(&self) -> Result<PgConnection, Error> {
        let connected = timeout(SOON, async {
            loop {
                match PgConnection::connect(&self.url).await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        Ok(connected.await?)
    }
}

impl Drop for StandBy {
    fn drop(&mut self) {
        // At once, but so that it leaves nothing behind.
        _ = Command::new("kill").arg("-QUIT").arg(self.server.id().to_string()).status();
        _ = self.server.wait();
    }
}

/// A program of the server, run by the user to whom its folder belongs.
fn as_owner(folder: &Path, program: &Path) -> Result<Command, Error> {
    let owner = fs::metadata(folder)?;
    let mut command = Command::new(program);
    if owner.uid() != fs::metadata("/proc/self")?.uid() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn append() -> Append {
    let event = NewEvent::new(uuid::Uuid::now_v7(), "Happened", 1, Payload::new("{}"));
    Append::new(StreamId::new("stand", "by"), Expected::Any, vec![event])
}

#[tokio::test]
async fn a_stand_by_is_refused_until_it_is_promoted() -> Result<(), Error> {
    let primary = TestDatabase::on_own_server().await?;
    let store = PostgresStore::connect(primary.url()).await?;
    store.migrate().await?;
    store.append(vec![append()]).await?;
    let stand_by = StandBy::follow(&primary, &store).await?;
    let mut connection = stand_by.connect().await?;
    let refused = PostgresStore::connect(&stand_by.url).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "connect: the server is a stand-by, which does not tell which appends are under way: connect to the primary"
    );
    assert!(refused.is_unavailable(), "it may be promoted");
    store.append(vec![append()]).await?;
    let head = store.head().await?;
    timeout(SOON, async {
        let told = "SELECT max(position) FROM annals.events";
        while sqlx::query_scalar::<_, i64>(told).fetch_one(&mut connection).await? < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, Error>(())
    })
    .await??;
    connection.execute("SELECT pg_promote()").await?;
    let promoted = PostgresStore::connect(&stand_by.url).await?;
    assert_eq!(promoted.head().await?, head);
    let receipts = promoted.append(vec![append()]).await?;
    assert_eq!(receipts[0].stream_version, 3);
    // A sequence may have run ahead on the primary; nothing is below what was read.
    assert!(receipts[0].position > head);
    Ok(())
}
