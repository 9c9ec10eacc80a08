//! What a test begins with.

use annals::prelude::*;
use annals_testing::{given, given_commands, given_nothing};
use serde::{Deserialize, Serialize};

use crate::bank::*;
use crate::failure::failure_of;

fn open() -> OpenAccount {
    OpenAccount { account: "ada".into(), owner: "Ada".into() }
}

fn deposit(amount: u64) -> Deposit {
    Deposit { account: "ada".into(), amount }
}

#[test]
fn commands_can_be_given() {
    given_commands::<Account>((open(), deposit(5), deposit(7)))
        .when(Withdraw { account: "ada".into(), amount: 12 })
        .then(Withdrawn { amount: 12 });
    given_commands::<Account>([open()])
        .and_given(MoneyDeposited { amount: 3 })
        .when(deposit(1))
        .then_state(|account| assert_eq!(account.balance, 4));
    let failure = failure_of(|| {
        given_commands::<Account>((open(), deposit(0))).when(deposit(5)).then_nothing();
    });
    assert_eq!(
        failure.message,
        r#"given command Deposit {"account":"ada","amount":0} was refused: an amount must be more than zero"#
    );
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let failure = failure_of(|| {
        given::<Account>(MoneyDeposited { amount: 3 }).when(open()).then_nothing();
    });
    assert!(
        failure.message.ends_with(
            r#"event MoneyDeposited {"amount":3} cannot be applied: it needs the aggregate, which does not exist"#
        ),
        "{failure:?}"
    );
}

#[test]
fn a_test_is_about_one_aggregate() {
    let failure = failure_of(|| {
        let bob = Deposit { account: "bob".into(), amount: 5 };
        given_commands::<Account>([open()]).when(bob).then_nothing();
    });
    assert!(failure.message.starts_with("this test is about `bob`, but command `OpenAccount`"));
}

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
struct NoteId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct NoteWritten {
    at: Timestamp,
    by: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct WriteNote {
    #[command(id)]
    note: NoteId,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = NoteId, events(NoteWritten))]
struct Note {
    id: u64,
    written: Vec<Timestamp>,
    recorded: Vec<Timestamp>,
    versions: Vec<u64>,
}

#[handlers]
impl Note {
    #[handle(upsert)]
    async fn write(_: Option<&Self>, _: WriteNote, cx: &Context<Self>) -> NoteWritten {
        // A handler that needs a Tokio runtime finds one, in a plain test too.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        NoteWritten { at: cx.now(), by: cx.metadata().user.clone() }
    }

    #[apply(upsert)]
    fn written(note: Option<Self>, event: &NoteWritten, cx: &EventContext<Self>) -> Self {
        let mut note = note.unwrap_or_else(|| Self {
            id: cx.id().0,
            written: Vec::new(),
            recorded: Vec::new(),
            versions: Vec::new(),
        });
        note.written.push(event.at);
        note.recorded.push(cx.recorded_at());
        note.versions.push(cx.stream_version());
        note
    }
}

fn instant(hour: u32) -> Timestamp {
    format!("2026-03-01T{hour:02}:00:00Z").parse().unwrap()
}

fn write() -> WriteNote {
    WriteNote { note: NoteId(7) }
}

fn instants_and_metadata() {
    given_nothing::<Note>()
        .at(instant(9))
        .and_given(NoteWritten { at: instant(8), by: None })
        .at(instant(10))
        .with_metadata(Metadata::default().with_user("ada"))
        .when(write())
        .then(NoteWritten { at: instant(10), by: Some("ada".into()) })
        .at(instant(11))
        .when(write())
        .then(NoteWritten { at: instant(11), by: Some("ada".into()) })
        .then_state(|note| {
            assert_eq!(note.id, 7);
            assert_eq!(note.written, [instant(8), instant(10), instant(11)]);
            assert_eq!(note.recorded, [instant(9), instant(10), instant(11)]);
            assert_eq!(note.versions, [1, 2, 3]);
        });
}

#[test]
fn instants_and_metadata_are_set_for_what_follows() {
    instants_and_metadata();
}

#[tokio::test]
async fn the_harness_works_inside_a_runtime_too() {
    instants_and_metadata();
}
