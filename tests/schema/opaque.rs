//! What of a type cannot be seen: it is told when it is new, and stands in the file.

use std::collections::{BTreeMap, BTreeSet};

use annals::prelude::*;
use annals_testing::schema::{Schema, SchemaFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::given_samples::Isbn;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct LoanTaken {
    pub best: Option<Isbn>,
    pub books: Vec<Isbn>,
    pub note: Value,
    pub days: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct TakeLoan {
    #[command(id)]
    pub card: String,
    pub note: Note,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Note {
    Number(u64),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = String, events(LoanTaken), snapshot(every = 10))]
pub struct Card {
    days: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[handlers]
impl Card {
    #[handle(upsert)]
    fn take(_: Option<&Self>, command: TakeLoan) -> LoanTaken {
        let note = serde_json::to_value(command.note).unwrap_or_default();
        LoanTaken { best: None, books: Vec::new(), note, days: 1 }
    }

    #[apply(upsert)]
    fn taken(_: Option<Self>, event: &LoanTaken) -> Self {
        Self { days: event.days, rest: BTreeMap::new() }
    }
}

fn schema() -> Schema {
    Schema::new()
        .with_event::<LoanTaken>()
        .with_aggregate::<Card>()
        .with_command::<Card, TakeLoan>()
}

#[test]
fn what_cannot_be_seen_is_told_when_it_is_new_and_kept_in_the_file() {
    let found = schema().held_against(&SchemaFile::default());
    assert!(found.findings.is_empty(), "{found}");
    assert_eq!(
        found.to_string(),
        "new, and not in the file:
    event `LoanTaken`
    aggregate `card`
    command `TakeLoan`

what changes here is not seen:
    `$.best` of event `LoanTaken` at version 1: it takes no made-up value: `a` is no ISBN
    `$.books[]` of event `LoanTaken` at version 1: it takes no made-up value: `a` is no ISBN
    `$.note` of event `LoanTaken` at version 1: it makes sense of any JSON itself
    `$` of the state of aggregate `card`, where snapshots need a new version: of what is flattened, only the fields that have to be there are seen
    `$.note` of command `TakeLoan`: it makes sense of any JSON itself"
    );
    let file = found.accepted;
    let opaque =
        |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<BTreeSet<_>>();
    let event = &file.events["LoanTaken"].versions[&1];
    assert_eq!(event.opaque, opaque(&["$.best", "$.books[]", "$.note"]));
    assert_eq!(file.commands["TakeLoan"].opaque, opaque(&["$.note"]));
    assert_eq!(file.aggregates["card"].snapshot.as_ref().unwrap().opaque, opaque(&["$"]));
    assert!(file.to_json().contains("\"opaque\": [\n"), "{}", file.to_json());
    assert!(schema().held_against(&file).is_unchanged(), "it is told once");
}

#[test]
fn a_file_that_does_not_say_it_yet_comes_to_say_it() {
    let whole = schema().to_file();
    let mut file = whole.clone();
    file.events.get_mut("LoanTaken").unwrap().versions.get_mut(&1).unwrap().opaque.clear();
    file.commands.get_mut("TakeLoan").unwrap().opaque.clear();
    file.aggregates.get_mut("card").unwrap().snapshot.as_mut().unwrap().opaque.clear();
    let found = schema().held_against(&file);
    assert_eq!(
        found.additions,
        [
            "event `LoanTaken`: what cannot be seen of its version 1",
            "aggregate `card`: what it lists or snapshots",
            "command `TakeLoan`: what it reads",
        ]
    );
    assert_eq!(found.notes.len(), 5, "{found}");
    assert_eq!(found.accepted, whole);
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Way {
    Post,
    Courier(Value),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", content = "with")]
pub enum Tagged {
    Post,
    Courier(Value),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct BagPacked {
    pub by_key: BTreeMap<Key, u8>,
    pub by_name: BTreeMap<String, Value>,
    pub pair: (u8, Value),
    pub same: [Value; 2],
    pub way: Way,
    pub tagged: Option<Tagged>,
}

#[test]
fn what_is_inside_cannot_be_seen_either() {
    let file = Schema::new().with_event::<BagPacked>().to_file();
    let opaque = &file.events["BagPacked"].versions[&1].opaque;
    let expected = [
        "$.by_key{key}",
        "$.by_name{}",
        "$.pair[1]",
        "$.same[]",
        "$.tagged.Courier",
        "$.way.Courier",
    ];
    assert_eq!(opaque.iter().collect::<Vec<_>>(), expected);
}
