//! A new version of a projection in several shards: the public name shows it once all of its rows are there.

use std::time::{Duration, Instant};

use annals::prelude::*;
use annals::projection::{ProjectionEngineBuilder, Pruned, Showing, projector};
use annals::shards::{Division, Shard};
use annals::{CheckpointId, ReadModelStore, ShardedStore};
use annals_postgres::PostgresStore;
use serde::{Deserialize, Serialize};

use crate::{Error, fresh};

const PATIENCE: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_millis(20);
const NOTES: i64 = 20;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
struct NoteId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(name = "ShardsNoted")]
struct Noted {
    times: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Take {
    #[command(id)]
    note: NoteId,
    times: i64,
}

#[derive(Debug, Clone, Aggregate)]
#[aggregate(id = NoteId, category = "sharded_note", events(Noted))]
struct Noting;

#[handlers]
impl Noting {
    #[handle(upsert)]
    fn take(_: Option<&Self>, command: Take) -> NotingEvent {
        Noted { times: command.times }.into()
    }

    #[apply(upsert)]
    fn noted(_: Option<Self>, _: &Noted) -> Self {
        Self
    }
}

macro_rules! version {
    ($name:ident, $version:literal, $column:ident: $ty:ty) => {
        mod $name {
            use super::*;

            #[derive(Debug, Clone, PartialEq, ReadModel)]
            #[read_model(table = "sharded_notes")]
            pub(super) struct Note {
                #[read_model(key)]
                note: NoteId,
                $column: $ty,
            }

            #[projection(name = "sharded_notes", version = $version)]
            impl Note {
                #[on(upsert)]
                fn noted(_: Option<Self>, event: &Noted, cx: &EventContext<Self>) -> Self {
                    Self { note: cx.key().clone(), $column: super::$column(event) }
                }
            }
        }
    };
}

version!(first, 1, times: i64);
version!(second, 2, often: String);

fn times(event: &Noted) -> i64 {
    event.times
}

fn often(event: &Noted) -> String {
    format!("{} times", event.times)
}

/// The columns that the public name shows, and how many rows.
async fn shown(store: &PostgresStore) -> Result<(String, i64), sqlx::Error> {
    let columns = "SELECT string_agg(a.attname, ', ' ORDER BY a.attname)
        FROM pg_attribute AS a WHERE a.attrelid = 'sharded_notes'::regclass AND a.attnum > 0";
    let columns = sqlx::query_scalar(columns).fetch_one(store.pool()).await?;
    let rows = "SELECT count(*) FROM sharded_notes";
    Ok((columns, sqlx::query_scalar(rows).fetch_one(store.pool()).await?))
}

async fn note(store: &PostgresStore) -> Result<Receipt, Error> {
    let bus = CommandBus::builder(store.clone()).register::<Noting>().build()?;
    let mut last = None;
    for number in 0..NOTES {
        let note = NoteId(number.to_string());
        last = Some(bus.dispatch(Take { note, times: number }).await?);
    }
    Ok(last.expect("there are some"))
}

fn builder(store: &PostgresStore) -> ProjectionEngineBuilder {
    ProjectionEngine::builder(store.clone()).polling(SOON).lease(Duration::from_secs(3))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_name_goes_to_a_version_once_all_of_its_shards_have_come_there()
-> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let last = note(&store).await?;
    let old = builder(&store).register::<first::Note>().start().await?;
    old.wait_for::<first::Note>(&last, PATIENCE).await?;
    let of_first = ("note, times".to_owned(), NOTES);
    while shown(&store).await? != of_first {
        tokio::time::sleep(SOON).await;
    }
    // One shard of the new version comes nowhere, as while another engine has its lease.
    let definition = projector::<second::Note>().definition().clone();
    store.prepare(&definition).await?;
    let reader = definition.reader(1);
    store.divide(&reader, Division::AtFirst(4)).await?;
    let held = CheckpointId { shard: 2, ..reader.clone() };
    let held = store.claim_lease(&held, "nobody", Duration::from_hours(1)).await?;
    let held = held.expect("it is free");
    let new = builder(&store).register::<second::Note>().shards::<second::Note>(4).start().await?;
    let all = async |of: &[usize]| -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            let reached = store.standing(&reader).await?.reached;
            if of.iter().all(|shard| reached[*shard] >= Some(last.position)) {
                return Ok(());
            }
            assert!(Instant::now() < until, "{reached:?}");
            tokio::time::sleep(SOON).await;
        }
    };
    all(&[0, 1, 3]).await?;
    let missing = (0..NOTES).filter(|note| Shard::of_key(&note.to_string(), 4).index() == 2);
    let missing = i64::try_from(missing.count())?;
    assert!(missing > 0);
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM annals.sharded_notes_v2")
        .fetch_one(store.pool())
        .await?;
    assert_eq!(there, NOTES - missing);
    // Each of the others has told often enough that it is at the log's end.
    tokio::time::sleep(SOON * 10).await;
    assert_eq!(shown(&store).await?, of_first, "not all of the new rows are there");
    store.release_lease(&held).await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let now = shown(&store).await?;
        if now != of_first {
            assert_eq!(now, ("note, often".to_owned(), NOTES), "all of it, in one step");
            break;
        }
        assert!(Instant::now() < until, "it still shows version 1");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Back is possible until the older one is gone, and the number of shards changes nothing of that.
    new.set_shards::<second::Note>(3).await?;
    new.operator().show_version("sharded_notes", 1, Showing::AsItIs).await?;
    assert_eq!(shown(&store).await?, of_first);
    new.operator().show_version("sharded_notes", 2, Showing::AsItIs).await?;
    old.set_shards::<first::Note>(2).await?;
    old.shutdown().await?;
    let gone = new.prune().await?;
    assert!(matches!(&gone[..], [(entry, Pruned::Done)] if entry.version == 1), "{gone:?}");
    assert_eq!(shown(&store).await?.1, NOTES);
    let before = CheckpointId::of_projection("sharded_notes", 1, 1);
    let standing = store.standing(&before).await?;
    assert_eq!((standing.layout.shards, standing.reached), (1, vec![None]), "nothing is kept");
    assert_eq!(store.standing(&reader).await?.layout.shards, 3);
    Ok(new.shutdown().await?)
}
