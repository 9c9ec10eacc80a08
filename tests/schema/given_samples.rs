//! Samples: made where they can be, given by hand where not, and read on every run.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Mode, Schema, SchemaFile};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::file::Folder;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Isbn(String);

impl TryFrom<String> for Isbn {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with("978-") { Ok(Self(text)) } else { Err(format!("`{text}` is no ISBN")) }
    }
}

impl From<Isbn> for String {
    fn from(isbn: Isbn) -> Self {
        isbn.0
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct BookListed {
    isbn: Isbn,
    #[serde(default)]
    pages: u32,
}

fn schema() -> Schema {
    Schema::new().with_event::<BookListed>()
}

#[test]
fn where_none_can_be_made_one_has_to_be_given() {
    let folder = Folder::new("given");
    let path = folder.path("schema.json");
    let message = schema().check(&path, Mode::Accept).unwrap_err();
    let expected = "event `BookListed`: no sample can be made of its version 1
    changed: `$.isbn` takes no made-up value: `a` is no ISBN
    breaks:  nothing, but nothing proves that history reads
    write:   JSON as it is stored into `events` / `BookListed` / `versions` / `1` / `samples` of the schema file";
    assert!(message.contains(expected), "{message}");
    assert!(message.ends_with("the rest was accepted"), "{message}");

    let message = schema().check(&path, Mode::Check).unwrap_err();
    assert!(message.contains(expected), "{message}");
    assert!(message.ends_with("the file waits for samples"), "{message}");

    let mut file = SchemaFile::read(&path).unwrap().unwrap();
    let kept = file.events.get_mut("BookListed").unwrap().versions.get_mut(&1).unwrap();
    kept.samples.push(json!({ "isbn": "978-3-16-148410-0" }));
    file.write(&path).unwrap();
    schema().check(&path, Mode::Check).unwrap();
}

#[test]
fn a_given_sample_is_kept_and_has_to_read() {
    let mut file = schema().to_file();
    let kept = file.events.get_mut("BookListed").unwrap().versions.get_mut(&1).unwrap();
    kept.samples = vec![json!({ "isbn": "978-3-16-148410-0", "pages": 7 })];
    let comparison = schema().held_against(&file);
    assert!(comparison.is_unchanged(), "{comparison}");
    assert_eq!(comparison.accepted, file, "given samples stay");

    let kept = file.events.get_mut("BookListed").unwrap().versions.get_mut(&1).unwrap();
    kept.samples.push(json!({ "isbn": "3-16-148410-0" }));
    let comparison = schema().held_against(&file);
    assert_eq!(comparison.findings[0].kind, FindingKind::NoWayUp);
    assert_eq!(
        comparison.to_string(),
        "event `BookListed`: what is stored at its version 1 does not read any more
    breaks:  {\"isbn\":\"3-16-148410-0\"} does not read: BookListed: `3-16-148410-0` is no ISBN at line 1 column 24
    write:   types that read it again, in the fields of `BookListed`"
    );
}
