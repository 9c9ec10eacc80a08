//! Samples: made where they can be, given by hand where not, and read on every run.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Mode, Schema, SchemaFile};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::file::Folder;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Isbn(String);

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
pub struct BookListed {
    isbn: Isbn,
    #[serde(default)]
    pages: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
pub struct ShelfId(String);

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = ShelfId, events(BookListed))]
pub struct Shelf;

/// A command of one release: its name in the program, and its fields beside the id.
macro_rules! list_book {
    ($module:ident $method:ident { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Serialize, Deserialize, Command)]
            pub struct ListBook {
                #[command(id)]
                pub shelf: ShelfId,
                $($field)*
            }
        }

        #[handlers]
        impl Shelf {
            #[handle(upsert)]
            fn $method(_: Option<&Self>, command: $module::ListBook) -> BookListed {
                BookListed { isbn: command.isbn.into(), pages: 0 }
            }
        }
    };
}

list_book!(first first { pub isbn: Isbn });
list_book!(stricter stricter { pub isbn: Isbn, pub pages: u32 });
list_book!(stricter_made stricter_made { pub isbn: AnyIsbn, pub pages: u32 });
list_book!(lenient lenient { pub isbn: AnyIsbn });

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnyIsbn(String);

impl From<AnyIsbn> for Isbn {
    fn from(isbn: AnyIsbn) -> Self {
        Self(isbn.0)
    }
}

#[handlers]
impl Shelf {
    #[apply(upsert)]
    fn listed(_: Option<Self>, _: &BookListed) -> Self {
        Self
    }
}

fn command<C: HandledBy<Shelf>>() -> Schema {
    Schema::new().with_command::<Shelf, C>()
}

#[test]
fn a_command_of_which_none_can_be_made_waits_for_one_too() {
    let folder = Folder::new("given-command");
    let path = folder.path("schema.json");
    let schema = command::<first::ListBook>();
    let message = schema.check(&path, Mode::Accept).unwrap_err();
    let expected = "command `ListBook`: no sample can be made of what it reads
    changed: `$.isbn` takes no made-up value: `a` is no ISBN
    breaks:  nothing, but nothing proves that it reads what is sent
    write:   JSON as it is sent into `commands` / `ListBook` / `samples` of the schema file";
    assert!(message.contains(expected), "{message}");
    assert!(message.ends_with("the rest was accepted"), "{message}");
    let message = schema.check(&path, Mode::Check).unwrap_err();
    assert!(message.contains(expected), "{message}");
    assert!(message.ends_with("the file waits for samples"), "{message}");

    let mut file = SchemaFile::read(&path).unwrap().unwrap();
    let sent = json!({ "shelf": "a", "isbn": "978-3-16-148410-0" });
    file.commands.get_mut("ListBook").unwrap().samples.push(sent.into());
    file.write(&path).unwrap();
    schema.check(&path, Mode::Check).unwrap();
    let found = command::<stricter::ListBook>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::CommandChanged, "{found}");
}

#[test]
fn a_command_that_changed_without_a_sample_is_not_taken_for_what_it_was() {
    let before = command::<first::ListBook>().to_file();
    for after in [command::<stricter::ListBook>(), command::<stricter_made::ListBook>()] {
        let found = after.held_against(&before);
        assert_eq!(
            found.to_string(),
            "command `ListBook`: what it reads changed, and no sample is kept of what it read before
    changed: `$.pages` is new, and has to be there: u32
    breaks:  nothing that is kept here, but nothing proves that it reads what is sent
    write:   JSON as it is sent into `commands` / `ListBook` / `samples` of the schema file"
        );
        assert_eq!(found.findings[0].kind, FindingKind::NoSample);
        assert_eq!(found.accepted, before, "what was read before stays known");
    }
}

#[test]
fn a_command_takes_samples_as_soon_as_they_can_be_made() {
    let before = command::<first::ListBook>().to_file();
    let found = command::<lenient::ListBook>().held_against(&before);
    assert!(found.findings.is_empty(), "{found}");
    assert_eq!(found.additions, ["command `ListBook`: samples of what it reads"]);
    assert!(command::<lenient::ListBook>().held_against(&found.accepted).is_unchanged());
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
    kept.samples.push(json!({ "isbn": "978-3-16-148410-0" }).into());
    file.write(&path).unwrap();
    schema().check(&path, Mode::Check).unwrap();
}

#[test]
fn a_given_sample_is_kept_and_has_to_read() {
    let mut file = schema().to_file();
    let kept = file.events.get_mut("BookListed").unwrap().versions.get_mut(&1).unwrap();
    kept.samples = vec![json!({ "isbn": "978-3-16-148410-0", "pages": 7 }).into()];
    let comparison = schema().held_against(&file);
    assert!(comparison.is_unchanged(), "{comparison}");
    assert_eq!(comparison.accepted, file, "given samples stay");

    let kept = file.events.get_mut("BookListed").unwrap().versions.get_mut(&1).unwrap();
    kept.samples.push(json!({ "isbn": "3-16-148410-0" }).into());
    let comparison = schema().held_against(&file);
    assert_eq!(comparison.findings[0].kind, FindingKind::NoWayUp);
    assert_eq!(
        comparison.to_string(),
        "event `BookListed`: what is stored at its version 1 does not read any more
    breaks:  {\"isbn\":\"3-16-148410-0\"} does not read: BookListed: `3-16-148410-0` is no ISBN at line 1 column 24
    write:   types that read it again, in the fields of `BookListed`"
    );
}
