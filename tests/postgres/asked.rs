//! What a load asks of the database: metadata only where an `#[apply]` may look at it.

use annals::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Error, fresh};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct NoteId(String);

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub struct Noted {
    text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub struct NoteSigned {
    place: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Write {
    #[command(id)]
    note: NoteId,
    text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Sign {
    #[command(id)]
    note: NoteId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Jot {
    #[command(id)]
    note: NoteId,
    text: String,
}

/// One of its events is applied with its context, the other without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = NoteId, events(Noted, NoteSigned), snapshot())]
pub struct Note {
    text: String,
    by: Option<String>,
}

#[handlers]
impl Note {
    #[handle(upsert)]
    fn write(_: Option<&Self>, command: Write) -> Noted {
        Noted { text: command.text }
    }

    #[handle]
    fn sign(&self, _: Sign) -> NoteSigned {
        NoteSigned { place: "here".to_owned() }
    }

    #[apply(upsert)]
    fn noted(note: Option<Self>, event: &Noted) -> Self {
        Self { text: event.text.clone(), by: note.and_then(|note| note.by) }
    }

    #[apply]
    fn signed(&mut self, event: &NoteSigned, cx: &EventContext<Self>) {
        let user = cx.metadata().user.as_deref().unwrap_or("nobody");
        self.by = Some(format!("{user}, {}", event.place));
    }
}

/// None of its events is applied with its context.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = NoteId, events(Noted))]
pub struct Scrap(String);

#[handlers]
impl Scrap {
    #[handle(upsert)]
    fn jot(_: Option<&Self>, command: Jot) -> Noted {
        Noted { text: command.text }
    }

    #[apply(upsert)]
    fn noted(_: Option<Self>, event: &Noted) -> Self {
        Self(event.text.clone())
    }
}

#[tokio::test]
async fn a_load_reads_metadata_only_where_an_apply_takes_the_context() -> Result<(), Error> {
    let (store, _database) = fresh().await?;
    let bus = CommandBus::new(store.clone());
    let note = NoteId("n".to_owned());
    bus.dispatch(Write { note: note.clone(), text: "first".to_owned() }).user("ada").await?;
    bus.dispatch(Sign { note: note.clone() }).user("bob").await?;
    let notes = Repository::<Note>::new(store.clone());
    let scraps = Repository::<Scrap>::new(store.clone());
    bus.dispatch(Jot { note: note.clone(), text: "first".to_owned() }).await?;
    let loaded = notes.load(&note).await?.expect("it is there");
    assert_eq!(loaded.state.by.as_deref(), Some("bob, here"));
    // From the snapshot on, and back in time.
    notes.snapshot(&note).await?;
    bus.dispatch(Sign { note: note.clone() }).user("cyd").await?;
    assert_eq!(notes.load(&note).await?.expect("there").state.by.as_deref(), Some("cyd, here"));
    let then = notes.load(&note).at_version(2).await?.expect("it was there");
    assert_eq!(then.state.by.as_deref(), Some("bob, here"));

    const { assert!(Note::TAKES_CONTEXT && !Scrap::TAKES_CONTEXT) };
    // What nobody looks at need not even be readable.
    let spoilt = "ALTER TABLE annals.events DISABLE TRIGGER ALL; UPDATE annals.events SET metadata = '{\"user\":5}'";
    sqlx::raw_sql(spoilt).execute(store.pool()).await?;
    assert_eq!(scraps.load(&note).await?.expect("it is there").state, Scrap("first".to_owned()));
    notes.load(&note).await.expect_err("its metadata does not read");
    Ok(())
}
