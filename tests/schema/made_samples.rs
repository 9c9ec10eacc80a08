//! Samples that were made up, and that the program's own steps refuse: one that was really stored takes their place.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Mode, Schema, SchemaFile};
use serde::{Deserialize, Serialize};

use crate::file::Folder;

mod first {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct InvoiceIssued {
        pub due: String,
    }
}

mod second {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2)]
    pub struct InvoiceIssued {
        #[event(since = 2, renamed_from = "due", convert_with = days)]
        pub due_in_days: u32,
    }
}

fn days(text: String) -> Result<u32, std::num::ParseIntError> {
    text.trim_end_matches(" days").parse()
}

/// Both structs, and a `TryFrom` that parses.
mod by_type {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "InvoiceIssued")]
    pub struct V1 {
        pub due: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, previous = V1)]
    pub struct InvoiceIssued {
        pub due_in_days: u32,
    }

    impl TryFrom<V1> for InvoiceIssued {
        type Error = std::num::ParseIntError;

        fn try_from(old: V1) -> Result<Self, Self::Error> {
            Ok(Self { due_in_days: days(old.due)? })
        }
    }
}

/// Reads an invoice, and panics at what its release never wrote.
mod panicking {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2)]
    pub struct InvoiceIssued {
        #[event(since = 2, renamed_from = "due", convert_with = days_or_panic)]
        pub due_in_days: u32,
    }

    fn days_or_panic(text: String) -> u32 {
        days(text).expect("days")
    }
}

/// Takes a number for what was text.
mod no_way {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, upcast(from = 1))]
    pub struct InvoiceIssued {
        pub due: u32,
    }
}

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

/// Puts a sample in the place of those that were made of version 1.
fn replace_made(file: &mut SchemaFile, sample: &str) {
    let event = file.events.get_mut("InvoiceIssued").unwrap();
    let kept = event.versions.get_mut(&1).unwrap();
    kept.made.clear();
    kept.samples = vec![sample.parse().unwrap()];
}

const REFUSED: &str = "event `InvoiceIssued`: a made sample of its version 1 is refused on the way up
    breaks:  nothing that is known to be stored, but nothing proves that history reads: {\"due\":\"a\"} does not read: InvoiceIssued: version 1 to 2: field `due_in_days`: invalid digit found in string; nor do 2 more
    write:   replace the 3 made samples in the schema file at `events` / `InvoiceIssued` / `versions` / `1` / `made` by some as they were really stored, in `samples` beside it
             or a step that takes it, if the like was stored";

#[test]
fn a_made_sample_that_a_conversion_refuses_waits_for_one_that_was_stored() {
    let folder = Folder::new("made");
    let path = folder.path("schema.json");
    one::<first::InvoiceIssued>().check(&path, Mode::Accept).unwrap();
    let schema = one::<second::InvoiceIssued>();
    let message = schema.check(&path, Mode::Accept).unwrap_err();
    assert!(message.contains(REFUSED), "{message}");
    assert!(message.ends_with("the rest was accepted"), "{message}");

    let mut file = SchemaFile::read(&path).unwrap().unwrap();
    assert!(file.events["InvoiceIssued"].versions.contains_key(&2), "the rest was accepted");
    let found = schema.held_against(&file);
    assert_eq!(found.to_string(), REFUSED);
    assert_eq!(found.findings[0].kind, FindingKind::MadeSampleRefused);
    assert!(!found.breaks_history());

    replace_made(&mut file, r#"{ "due": "30 days" }"#);
    let found = schema.held_against(&file);
    assert!(found.is_unchanged(), "{found}");

    // What is given is history: there no step may refuse it.
    replace_made(&mut file, r#"{ "due": "soon" }"#);
    assert_eq!(schema.held_against(&file).findings[0].kind, FindingKind::NoWayUp);
}

#[test]
fn where_there_is_no_file_yet_there_is_one_to_put_it_into() {
    let folder = Folder::new("made-first");
    let path = folder.path("schema.json");
    let schema = one::<by_type::V1>().with_event::<by_type::InvoiceIssued>();
    let message = schema.check(&path, Mode::Accept).unwrap_err();
    assert!(message.contains("event `InvoiceIssued`: a made sample of its version 1"), "{message}");
    assert!(message.ends_with("the rest was accepted"), "{message}");

    let mut file = SchemaFile::read(&path).unwrap().unwrap();
    replace_made(&mut file, r#"{"due":"30 days"}"#);
    file.write(&path).unwrap();
    schema.check(&path, Mode::Check).unwrap();
}

#[test]
fn a_step_that_panics_at_it_refuses_it() {
    let mut file = one::<first::InvoiceIssued>().to_file();
    let found = one::<panicking::InvoiceIssued>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::MadeSampleRefused, "{found}");
    let panic =
        r#"{"due":"a"} does not read: it panics: days: ParseIntError { kind: InvalidDigit }"#;
    assert!(found.findings[0].breaks.contains(panic), "{found}");

    replace_made(&mut file, r#"{"due":"soon"}"#);
    let found = one::<panicking::InvoiceIssued>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::NoWayUp, "{found}");
}

/// Takes only dates for what was any text.
mod picky {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "String")]
    pub struct Date(String);

    impl TryFrom<String> for Date {
        type Error = &'static str;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            if text.starts_with("2099-") { Ok(Self(text)) } else { Err("a date is of 2099") }
        }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2, upcast(from = 1))]
    pub struct InvoiceIssued {
        pub due: Date,
    }
}

#[test]
fn what_does_not_fit_a_type_breaks_history() {
    let file = one::<first::InvoiceIssued>().to_file();
    let found = one::<no_way::InvoiceIssued>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::NoWayUp, "{found}");
    assert!(!found.to_string().contains("replace"), "text was stored: {found}");
}

#[test]
fn what_a_type_is_picky_about_may_not_have_been_stored() {
    let mut file = one::<first::InvoiceIssued>().to_file();
    let found = one::<picky::InvoiceIssued>().held_against(&file);
    assert_eq!(found.findings[0].kind, FindingKind::NoWayUp, "{found}");
    assert_eq!(
        found.findings[0].write.last().unwrap(),
        "or replace the 3 made samples in the schema file at `events` / `InvoiceIssued` / `versions` / `1` / `made` \
         by some as they were really stored, in `samples` beside it"
    );
    replace_made(&mut file, r#"{"due":"2099-12-31"}"#);
    let found = one::<picky::InvoiceIssued>().held_against(&file);
    assert!(!found.breaks_history(), "{found}");
}

/// Events and a step that are wrong at an edge only.
mod at_edges {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Agreed")]
    pub struct AgreedV1 {
        pub agreed: bool,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2)]
    pub struct Agreed {
        #[event(since = 2, convert_with = only_false)]
        pub agreed: bool,
    }

    fn only_false(agreed: bool) -> Result<bool, &'static str> {
        if agreed { Err("nobody agrees") } else { Ok(agreed) }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    pub struct NoteTaken {
        #[serde(skip_serializing_if = "String::is_empty")]
        pub note: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Paid")]
    pub struct PaidV1 {
        #[serde(alias = "sum")]
        pub amount: u64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(version = 2)]
    pub struct Paid {
        #[event(since = 2, renamed_from = "amount")]
        pub cents: u64,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Paid", version = 2)]
    pub struct PaidByBoth {
        #[event(since = 2, renamed_from = "amount", renamed_from = "sum")]
        pub cents: u64,
    }
}

#[track_caller]
fn check_finding<Before: Event, After: Event>(kind: FindingKind, said: &str) {
    let file = one::<Before>().to_file();
    let found = one::<After>().held_against(&file);
    assert_eq!(found.findings.first().map(|finding| finding.kind), Some(kind), "{found}");
    assert!(found.to_string().contains(said), "{found}");
}

#[test]
fn a_step_that_refuses_one_of_two_truths_is_found() {
    check_finding::<at_edges::AgreedV1, at_edges::Agreed>(
        FindingKind::MadeSampleRefused,
        r#"{"agreed":true} does not read"#,
    );
}

#[test]
fn what_is_left_out_where_it_is_empty_and_has_to_be_there_is_found() {
    let found = one::<at_edges::NoteTaken>().held_against(&Schema::new().to_file());
    assert!(found.to_string().contains("{} does not read"), "{found}");
}

#[test]
fn an_alias_that_was_dropped_on_the_way_up_is_found() {
    check_finding::<at_edges::PaidV1, at_edges::Paid>(
        FindingKind::NoWayUp,
        r#"{"sum":1} does not read"#,
    );
    let file = one::<at_edges::PaidV1>().to_file();
    let found = one::<at_edges::PaidByBoth>().held_against(&file);
    assert!(!found.breaks_history(), "{found}");
}
