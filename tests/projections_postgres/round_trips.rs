//! How often a batch goes to the server: counted on the wire.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals::prelude::*;
use annals::read_model::{Comparison, Is, Test, Value};
use annals::{ReadModelStore, RowChange};
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::counting::{Total, open};
use crate::tables::{ACCOUNTS, account, text};
use crate::{Error, definition, lease, upsert, write};

/// A store behind a proxy that counts what the server is asked to answer.
struct Counted {
    store: PostgresStore,
    direct: PostgresStore,
    asked: Arc<AtomicU64>,
    _database: TestDatabase,
}

impl Counted {
    async fn start() -> Result<Self, Error> {
        let database = TestDatabase::on_own_server().await?;
        let direct = PostgresStore::connect(database.url()).await?;
        direct.migrate().await?;
        let (_, path) = database.url().split_once("host=").expect("its server is on a socket");
        let folder = path.split('&').next().expect("a path").replace("%2F", "/");
        let socket = format!("{folder}/.s.PGSQL.5432");
        let name = database.url().split(['/', '?']).nth(3).expect("a database is named");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let asked = Arc::new(AtomicU64::new(0));
        tokio::spawn({
            let asked = asked.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(relay(client, socket.clone(), asked.clone()));
                }
            }
        });
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        // One connection, so that each statement is made ready once.
        let store = PostgresStore::builder()
            .max_connections(1)
            .wake_up(false)
            .poll_interval(Duration::from_secs(60))
            .connect(&url)
            .await?;
        Ok(Self { store, direct, asked, _database: database })
    }

    /// How often the server was asked while this was done.
    async fn trips<T, E>(&self, done: impl Future<Output = Result<T, E>>) -> Result<u64, E> {
        let before = self.asked.load(Ordering::SeqCst);
        done.await?;
        Ok(self.asked.load(Ordering::SeqCst) - before)
    }
}

async fn relay(client: TcpStream, socket: String, asked: Arc<AtomicU64>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = UnixStream::connect(socket).await?.into_split();
    let answers =
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    // The first message has no type.
    let (mut has_type, mut is_question) = (false, false);
    loop {
        let kind = if has_type { Some(from_client.read_u8().await?) } else { None };
        let length = from_client.read_u32().await?;
        let mut message = vec![0; length as usize - 4];
        from_client.read_exact(&mut message).await?;
        has_type = true;
        match kind {
            // Alone, it is how sqlx looks whether a connection that nobody needs any more is alive.
            Some(b'S') if !is_question => {}
            // What was sent is answered, and the client waits for it.
            Some(b'S' | b'Q') => {
                asked.fetch_add(1, Ordering::SeqCst);
                is_question = false;
            }
            _ => is_question = true,
        }
        let mut bytes: Vec<u8> = kind.into_iter().collect();
        bytes.extend(length.to_be_bytes());
        bytes.extend(message);
        if to_server.write_all(&bytes).await.is_err() {
            break;
        }
    }
    answers.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_read_once_and_written_once() -> Result<(), Error> {
    let counted = Counted::start().await?;
    let store = &counted.store;
    let definition = definition(ACCOUNTS, 1);
    store.prepare(&definition).await?;
    let table = definition.table_of(1).expect("it has one");
    let fence = lease(store, &definition, 1).await?;
    let changes = |count: usize| -> Vec<RowChange> {
        let put = |number: usize| upsert(&definition, 1, account(&format!("a{number}"), 1));
        let key = |number: usize| ACCOUNTS.key_of(&account(&format!("b{number}"), 1));
        let gone = |number| RowChange::Delete { table, key: key(number) };
        (0..count).map(put).chain((0..count).map(gone)).collect()
    };
    let test = |value| Test { column: 2, is: Is::Compared(Comparison::Equal, value) };
    let tests = [test(text("a@b")), test(Value::Null)];
    let keys: Vec<_> =
        (0..1_000).map(|number| ACCOUNTS.key_of(&account(&format!("a{number}"), 1))).collect();
    // The first of each shape is made ready.
    write(store, &fence, 1, changes(1)).await?;
    store.rows(&table, &keys[..1], &tests).await?;
    for count in [1, 2, 1_000] {
        assert_eq!(counted.trips(write(store, &fence, 1, changes(count))).await?, 1);
        assert_eq!(counted.trips(store.rows(&table, &keys[..count], &tests)).await?, 1);
    }
    Ok(())
}

/// Whatever a batch costs once, more batches cost at most four round trips each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_the_engine_takes_four_round_trips_at_most() -> Result<(), Error> {
    const BATCHES: u64 = 200;
    let counted = Counted::start().await?;
    let mut trips = Vec::new();
    for _ in 0..2 {
        let receipt = open(&counted.direct, usize::try_from(BATCHES)?).await?;
        let before = counted.asked.load(Ordering::SeqCst);
        let engine = ProjectionEngine::builder(counted.store.clone())
            .register::<Total>()
            .lease(Duration::from_hours(1))
            .polling(Duration::from_hours(1))
            .start()
            .await?;
        engine.wait_for::<Total>(&receipt, Duration::from_secs(60)).await?;
        engine.shutdown().await?;
        trips.push(counted.asked.load(Ordering::SeqCst) - before);
    }
    let accounts: i64 =
        sqlx::query_scalar("SELECT accounts FROM totals").fetch_one(counted.direct.pool()).await?;
    assert_eq!(accounts, 2 * i64::try_from(BATCHES)?);
    // The second engine finds its statements ready, but takes its lease and looks around as the first did: far less than 50.
    assert!(trips[1] >= 2 * BATCHES, "{trips:?}: that cannot be all");
    assert!(trips[1] <= 4 * BATCHES + 50, "{trips:?} for {BATCHES} batches");
    Ok(())
}
