//! A field of an earlier version that is not there any more: it was removed or renamed, or a step made something of it.

use annals::prelude::*;
use annals_testing::schema::{FindingKind, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{check, check_adds};

/// An event `Noted` of one release: what its attribute says, and its fields.
macro_rules! noted {
    ($module:ident [$($option:tt)*] { $($field:tt)* }) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event($($option)*)]
            pub struct Noted {
                $($field)*
            }
        }
    };
}

noted!(first [version = 1] { pub order: String, pub note: Option<String> });
noted!(forgotten [version = 2] {
    pub order: String,
    #[event(since = 2)]
    pub remark: Option<String>,
});
noted!(forgotten_and_nothing [version = 2, upcast(from = 1)] { pub order: String });
noted!(renamed [version = 2] {
    pub order: String,
    #[event(since = 2, renamed_from = "note")]
    pub remark: Option<String>,
});
noted!(removed [version = 2, removed(since = 2, "note")] {
    pub order: String,
    #[event(since = 2)]
    pub remark: Option<String>,
});
noted!(removed_later [version = 3, upcast(from = 1), removed(since = 3, "note")] {
    pub order: String,
});
noted!(read_by_alias [version = 2, upcast(from = 1)] {
    pub order: String,
    #[serde(alias = "note")]
    pub remark: Option<String>,
});
noted!(used [version = 2, upcast(from = 1, with = used_up)] { pub order: String });
noted!(third [version = 3, upcast(from = 1)] {
    pub order: String,
    #[event(since = 3)]
    pub remark: Option<String>,
});

/// Makes something of the note, and leaves it there.
fn used_up(mut old: Value) -> Value {
    let note = old["note"].as_str().map(|note| format!(" ({note})")).unwrap_or_default();
    old["order"] = format!("{}{note}", old["order"].as_str().unwrap_or_default()).into();
    old
}

mod by_type {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    #[event(name = "Noted", version = 2, previous = super::first::Noted)]
    pub struct Noted {
        pub order: String,
    }

    impl From<super::first::Noted> for Noted {
        fn from(old: super::first::Noted) -> Self {
            Self { order: old.order }
        }
    }
}

fn one<E: Event>() -> Schema {
    Schema::new().with_event::<E>()
}

#[test]
fn what_nobody_says_a_word_about_is_asked_for() {
    check(
        &one::<first::Noted>(),
        &one::<forgotten::Noted>(),
        FindingKind::FieldLeftBehind,
        "event `Noted`: its version 1 has a field `note`, and nothing says what became of it
    changed: `$.note` is gone, `$.remark` of the same shape is new
    breaks:  what is stored in `note` is lost when it is read
    write:   #[event(version = 2, removed(since = 2, \"note\"))] on `Noted`, if it was dropped
             or #[event(since = 2, renamed_from = \"note\")] on the field that it is now",
    );
    let found =
        one::<forgotten_and_nothing::Noted>().held_against(&one::<first::Noted>().to_file());
    assert_eq!(found.findings[0].kind, FindingKind::FieldLeftBehind, "{found}");
}

#[test]
fn the_last_version_that_has_it_is_named() {
    let mut kept = one::<first::Noted>().to_file();
    let versions = &mut kept.events.get_mut("Noted").unwrap().versions;
    versions.insert(2, versions[&1].clone());
    let found = one::<third::Noted>().held_against(&kept);
    assert_eq!(found.findings.len(), 1, "{found}");
    assert_eq!(
        found.findings[0].headline,
        "event `Noted`: its version 2 has a field `note`, and nothing says what became of it"
    );
    assert_eq!(
        found.findings[0].write[0],
        "#[event(version = 3, removed(since = 3, \"note\"))] on `Noted`, if it was dropped"
    );
}

#[test]
fn what_was_removed_or_renamed_or_used_is_not_asked_for() {
    let added = &["event `Noted`: its version 2"];
    check_adds(&one::<first::Noted>(), &one::<renamed::Noted>(), added);
    check_adds(&one::<first::Noted>(), &one::<removed::Noted>(), added);
    check_adds(&one::<first::Noted>(), &one::<read_by_alias::Noted>(), added);
    check_adds(&one::<first::Noted>(), &one::<used::Noted>(), added);
    let by_type = one::<first::Noted>().with_event::<by_type::Noted>();
    check_adds(&one::<first::Noted>(), &by_type, added);
    let added = &["event `Noted`: its version 3"];
    check_adds(&one::<first::Noted>(), &one::<removed_later::Noted>(), added);
}
