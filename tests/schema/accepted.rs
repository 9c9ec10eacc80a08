//! What `ANNALS_SCHEMA=accept` takes, and what it refuses.

use std::fs;

use annals::prelude::*;
use annals_testing::schema::{Mode, Schema, SchemaFile};
use serde::{Deserialize, Serialize};

use crate::file::Folder;

mod first {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct TicketBought {
        pub seat: String,
    }
}

mod second {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2)]
    pub struct TicketBought {
        pub seat: String,
        #[event(since = 2, default = 1)]
        pub count: u32,
    }
}

mod changed {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct TicketBought {
        pub seat: u32,
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct TicketReturned;

#[test]
fn an_addition_waits_to_be_accepted() {
    let folder = Folder::new("additions");
    let path = folder.path("schema.json");
    Schema::new().with_event::<first::TicketBought>().check(&path, Mode::Accept).unwrap();

    let schema = Schema::new().with_event::<second::TicketBought>().with_event::<TicketReturned>();
    let message = schema.check(&path, Mode::Check).unwrap_err();
    assert_eq!(
        message,
        format!(
            "the program differs from the schema file `{}`

new, and not in the file:
    event `TicketBought`: its version 2
    event `TicketReturned`

nothing breaks; take it into the file: ANNALS_SCHEMA=accept cargo test",
            path.display()
        )
    );
    let before = fs::read_to_string(&path).unwrap();
    schema.check(&path, Mode::Check).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), before, "a check writes nothing");

    schema.check(&path, Mode::Accept).unwrap();
    schema.check(&path, Mode::Check).unwrap();
    let file = SchemaFile::read(&path).unwrap().unwrap();
    let versions = &file.events["TicketBought"].versions;
    assert_eq!(versions.keys().collect::<Vec<_>>(), [&1, &2], "the first is kept");
}

#[test]
fn what_breaks_history_is_refused_even_then() {
    let folder = Folder::new("breaks");
    let path = folder.path("schema.json");
    Schema::new().with_event::<first::TicketBought>().check(&path, Mode::Accept).unwrap();
    let before = fs::read_to_string(&path).unwrap();

    let schema = Schema::new().with_event::<changed::TicketBought>().with_event::<TicketReturned>();
    let message = schema.check(&path, Mode::Accept).unwrap_err();
    assert_eq!(
        message,
        format!(
            "the program differs from the schema file `{}`

event `TicketBought`: its shape changed, and its version is still 1
    changed: `$.seat` was string, is u32
    breaks:  {{\"seat\":\"a\"}} does not read: TicketBought: invalid type: string \"a\", expected u32 at line 1 column 11
    write:   #[event(version = 2)] on `TicketBought`
             #[event(since = 2, convert_with = path::to::a_function)] on the field `seat`

new, and not in the file:
    event `TicketReturned`

nothing was accepted: history would break. Where nothing of it was ever stored, before a first release, say, delete its \
entry from the file by hand, and run ANNALS_SCHEMA=accept cargo test",
            path.display()
        )
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), before);

    // The way out for what was never stored.
    let mut file = SchemaFile::read(&path).unwrap().unwrap();
    file.events.remove("TicketBought");
    file.write(&path).unwrap();
    schema.check(&path, Mode::Accept).unwrap();
    schema.check(&path, Mode::Check).unwrap();
}

#[test]
fn accepted_once_more_the_file_stays_as_it_is() {
    let folder = Folder::new("stable");
    let path = folder.path("schema.json");
    let schema = Schema::new().with_event::<second::TicketBought>().with_event::<TicketReturned>();
    schema.check(&path, Mode::Accept).unwrap();
    let (before, written) = (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap());
    schema.check(&path, Mode::Accept).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written.modified().unwrap());
}
