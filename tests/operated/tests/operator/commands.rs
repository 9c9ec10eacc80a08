//! The commands that look, and those that clear away.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program::Shelf;

async fn lent() -> Shelf {
    let shelf = Shelf::new().await;
    shelf.add("b-1", "Emma").await;
    shelf.add("b-2", "Persuasion").await;
    for reader in ["Ada", "Bob", "Ada"] {
        shelf.lend("b-2", reader).await;
    }
    shelf
}

#[tokio::test]
async fn streams_are_shown_and_measured() {
    let shelf = lent().await;
    let stats = shelf.json("streams stats --window 4", 0);
    assert_eq!((&stats["streams"], &stats["events"]), (&json!(2), &json!(5)));
    let names = |kind: &str| -> Vec<(Value, Value)> {
        let sizes = stats[kind].as_array().expect("a list").iter();
        sizes.map(|size| (size["stream"].clone(), size["events"].clone())).collect()
    };
    assert_eq!(names("longest"), [(json!("book-b-2"), json!(4)), (json!("book-b-1"), json!(1))]);
    assert_eq!(names("growing"), [(json!("book-b-2"), json!(4))]);
    let none = shelf.operate("streams stats --category shelf").failed(1);
    assert_eq!(none, "error: no category is named `shelf`; there are: book\n");
    let shown = shelf.json("streams show book-b-2 --events 2", 0);
    assert_eq!((&shown["version"], shown["events"].as_array().map(Vec::len)), (&json!(4), Some(2)));
    assert_eq!(shown["events"][1]["data"], json!({ "to": "Ada" }));
    let text = shelf.operate("streams show book-b-2").with(0);
    assert!(text.starts_with("book-b-2: version 4, last at position 5 on "), "{text}");
    let absent = shelf.operate("streams show book-b-9").failed(1);
    assert_eq!(absent, "error: stream `book-b-9` has no events\n");
}

#[tokio::test]
async fn events_are_shown_and_followed() {
    let shelf = lent().await;
    let shown = shelf.json("events show 2", 0);
    assert_eq!((&shown["type"], &shown["unreadable"]), (&json!("BookAdded"), &Value::Null));
    let absent = shelf.operate("events show 9").failed(1);
    assert_eq!(absent, "error: no event is at position 9; the log ends at 5\n");
    let positions = |arguments: &str| -> Vec<u64> {
        let out = shelf.operate(&format!("events tail --json {arguments}")).with(0);
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.map(|line| line["position"].as_u64().expect("a position")).collect()
    };
    assert_eq!(positions("-n 2"), [4, 5]);
    assert_eq!(positions("--type BookAdded --type BookRecalled"), [1, 2]);
    assert_eq!(positions("--stream book-b-1"), [1]);
    assert_eq!(positions("--category book -n 1"), [5]);
    assert_eq!(positions("-n 0"), Vec::<u64>::new());

    let mut following = shelf
        .command()
        .args(["operate", "events", "tail", "-n", "1", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(following.stdout.take().expect("it is piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("the last event is told");
    assert!(line.starts_with("5  "), "{line}");
    shelf.lend("b-1", "Zoë").await;
    line.clear();
    lines.read_line(&mut line).expect("the next event is told");
    assert!(line.starts_with("6  ") && line.contains("{\"to\":\"Zoë\"}"), "{line}");
    // Whoever read it goes away: that is no fault of the program.
    drop(lines);
    shelf.lend("b-1", "Bob").await;
    assert!(following.wait().expect("it ends").success());
}

#[tokio::test]
async fn nothing_stored_reaches_a_terminal_as_a_command() {
    let shelf = Shelf::new().await;
    shelf.add("b\u{1b}[2J", "\u{1b}]0;owned\u{7}").await;
    for command in [
        "events tail",
        "events show 1",
        "streams stats",
        "streams show book-b\u{1b}[2J",
        "aggregate show book-b\u{1b}[2J",
    ] {
        let out = shelf.operate(command).with(0);
        assert!(
            !out.contains(['\u{1b}', '\u{7}']) && out.contains("u{1b}") || out.contains("u001b"),
            "{command}: {out:?}"
        );
    }
    let absent = shelf.operate("streams show \u{1b}[2J").failed(1);
    assert!(!absent.contains('\u{1b}'), "{absent:?}");
}

#[tokio::test]
async fn an_aggregate_is_shown_as_it_was() {
    let shelf = lent().await;
    let now = shelf.json("aggregate show book-b-2", 0);
    assert_eq!(
        now["state"],
        json!({ "title": "Persuasion", "lent_to": ["Ada", "Bob", "Ada"], "recalls": 0 })
    );
    let then = shelf.json("aggregate show book-b-2 --at-version 2", 0);
    assert_eq!(then["state"]["lent_to"], json!(["Ada"]));
    let at = then["recorded_at"].as_str().expect("an instant").to_owned();
    let then = shelf.json(&format!("aggregate show book-b-2 --as-of {at}"), 0);
    assert_eq!(then["version"], 2);
    let text = shelf.operate("aggregate show book-b-1").with(0);
    assert!(text.contains("title: \"Emma\""), "{text}");
    for (arguments, says) in [
        ("aggregate show book-b-2 --at-version 9", "has not reached version 9"),
        ("aggregate show book-b-9", "`book-b-9` does not exist"),
        ("aggregate show book-b-2 --as-of 1990-01-01T00:00:00Z", "`book-b-2` does not exist then"),
        ("aggregate show books-b-2", "did you mean `book`?"),
    ] {
        let failed = shelf.operate(arguments).failed(1);
        assert!(failed.contains(says), "{failed}");
    }
}

#[tokio::test]
async fn snapshots_and_keys_are_cleared_away() {
    let shelf = lent().await;
    let listed = shelf
        .until("snapshots list", |listed| {
            listed["snapshots"].as_array().is_some_and(|all| !all.is_empty())
        })
        .await;
    assert_eq!(listed["snapshots"][0]["stream"], "book-b-2");
    assert_eq!(shelf.json("snapshots list --stream book-b-1", 0)["snapshots"], json!([]));
    shelf.operate("snapshots drop").failed(2);
    let asked = shelf.operate("snapshots drop --older-than 0s").failed(2);
    assert!(asked.contains("add --yes"), "{asked}");
    assert_eq!(shelf.json("snapshots drop --keep 1 --yes", 0), json!({ "dropped": 0 }));
    assert_eq!(shelf.json("snapshots drop --older-than 0s --yes", 0), json!({ "dropped": 1 }));
    assert_eq!(shelf.operate("snapshots list").with(0), "there are no snapshots\n");
    assert_eq!(shelf.operate("idempotency purge").with(0), "no idempotency key had expired\n");
    let call = crate::shelf::LendBook { book: "b-1".into(), to: "Ada".to_owned() };
    let keyed = shelf.bus.dispatch(call).idempotency_key("once").await;
    keyed.expect("the book is lent");
    let all =
        sqlx::raw_sql("UPDATE annals.keys SET expires_at = now()").execute(shelf.store.pool());
    all.await.expect("the statement is right");
    assert_eq!(shelf.json("idempotency purge", 0), json!({ "purged": 1 }));
}

#[tokio::test]
async fn what_takes_room_is_shown() {
    let shelf = lent().await;
    let sizes = shelf.json("sizes", 0);
    let parts = sizes["parts"].as_array().expect("a list");
    let events = parts.iter().find(|part| part["name"] == "events").expect("the events");
    assert!(events["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{sizes}");
    assert!(
        shelf.operate("sizes").with(0).lines().last().is_some_and(|line| line.starts_with("all"))
    );
}

#[tokio::test]
async fn projections_are_listed() {
    let shelf = Shelf::new().await;
    let listed = shelf.operate("projections list").with(0);
    assert_eq!(
        listed,
        "NAME     VERSION  TABLE    GENERATION  LINKED  KEPT  NOTES\n\
         readers        1  readers           -  yes     no\n\
         titles         1  titles            -  yes     no\n"
    );
    let serving = shelf.serve(&[]);
    let listed = shelf.json("projections list", 0);
    assert_eq!(listed["projections"][0]["generation"], 1);
    serving.stop();
}

#[tokio::test]
async fn what_is_not_understood_is_told() {
    let shelf = Shelf::new().await;
    for wrong in [
        "",
        "projection list",
        "events show x",
        "aggregate show a-1 --at-version 1 --as-of 2020-01-01T00:00:00Z",
        "parked retry readers",
        "snapshots drop --keep 0",
    ] {
        shelf.operate(wrong).failed(2);
    }
    let help = shelf.operate("--help").with(0);
    assert!(help.contains("projections") && help.contains("verify"), "{help}");
    let nowhere = std::process::Command::new(env!("CARGO_BIN_EXE_shelf"))
        .args(["operate", "verify", "--database", "postgres:///nowhere?host=/nowhere"])
        .output()
        .expect("the program starts");
    assert_eq!(nowhere.status.code(), Some(1));
    let mut said = String::new();
    (&nowhere.stderr[..]).read_to_string(&mut said).expect("text");
    assert!(said.starts_with("error: "), "{said}");
}
