//! The file: how it looks, what is wrong with it, and how it is written.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

use annals::prelude::*;
use annals_testing::schema::{Mode, Schema, SchemaFile};
use serde::{Deserialize, Serialize};

/// A folder of a test's own.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = path.join(format!("schema-{name}-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 10, oldest = 9, upcast(from = 9), alias = "Sold")]
struct ItemSold {
    item: String,
    price: Option<u32>,
}

fn schema() -> Schema {
    Schema::new().with_event::<ItemSold>()
}

#[test]
fn it_is_sorted_and_a_line_for_each_thing() {
    let mut file = schema().to_file();
    let event = file.events.get_mut("ItemSold").unwrap();
    let tenth = event.versions[&10].clone();
    event.versions.insert(9, tenth);
    assert_eq!(
        file.to_json(),
        r#"{
  "format": 1,
  "aggregates": {},
  "commands": {},
  "events": {
    "ItemSold": {
      "aliases": [
        "Sold"
      ],
      "versions": {
        "9": {
          "shape": {
            "struct": {
              "item": "string",
              "price": {
                "optional": true,
                "shape": {
                  "option": "u32"
                }
              }
            }
          },
          "samples": [],
          "made": [
            {
              "item": "a",
              "price": 1
            },
            {
              "item": "a"
            },
            {
              "item": "a",
              "price": null
            },
            {
              "item": "two words",
              "price": 4294967295
            },
            {
              "item": "",
              "price": 0
            }
          ]
        },
        "10": {
          "shape": {
            "struct": {
              "item": "string",
              "price": {
                "optional": true,
                "shape": {
                  "option": "u32"
                }
              }
            }
          },
          "samples": [],
          "made": [
            {
              "item": "a",
              "price": 1
            },
            {
              "item": "a"
            },
            {
              "item": "a",
              "price": null
            },
            {
              "item": "two words",
              "price": 4294967295
            },
            {
              "item": "",
              "price": 0
            }
          ]
        }
      }
    }
  }
}
"#
    );
}

#[test]
fn what_is_written_is_read() {
    let folder = Folder::new("read");
    let path = folder.path("deep/er/schema.json");
    assert_eq!(SchemaFile::read(&path).unwrap(), None);
    schema().to_file().write(&path).unwrap();
    assert_eq!(SchemaFile::read(&path).unwrap(), Some(schema().to_file()));
}

#[test]
fn a_missing_file_says_how_to_make_it() {
    let folder = Folder::new("missing");
    let path = folder.path("schema.json");
    let message = schema().check(&path, Mode::Check).unwrap_err();
    assert_eq!(
        message,
        format!(
            "there is no schema file `{}` in {}; make it: ANNALS_SCHEMA=accept cargo test",
            path.display(),
            env::current_dir().unwrap().display()
        )
    );
    schema().check(&path, Mode::Accept).unwrap();
    schema().check(&path, Mode::Check).unwrap();
    assert_eq!(folder.files(), ["schema.json"]);
}

/// Checks what is said of a file with this text, in either mode, and that it stays as it is.
#[track_caller]
fn check_broken(text: &str, expected: &str) {
    let folder = Folder::new("broken");
    let path = folder.path("schema.json");
    fs::write(&path, text).unwrap();
    for mode in [Mode::Check, Mode::Accept] {
        let message = schema().check(&path, mode).unwrap_err();
        assert_eq!(message, format!("read schema file `{}`: {expected}", path.display()));
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_broken_file_says_where() {
    check_broken("", "it is empty; restore it from git");
    check_broken(" \n", "it is empty; restore it from git");
    check_broken(
        "\u{feff}{ \"format\": 1 }",
        "it begins with a byte order mark, as some editors put it; restore it from git",
    );
    check_broken(
        "{\n  \"format\": 1,\n  \"aggre",
        "EOF while parsing a string at line 3 column 8; it was cut off: restore it from git",
    );
    check_broken(
        "{\n  \"format\": 1,\n=======\n}",
        "key must be a string at line 3 column 1; it is no JSON any more: restore it from git, or mend that line",
    );
    check_broken("{}", "this annals-testing reads format 1, the file has none");
    check_broken("{ \"format\": 2 }", "this annals-testing reads format 1, the file has 2");
    check_broken(
        "{\n  \"format\": 1,\n<<<<<<< HEAD\n  \"events\": {}\n=======\n>>>>>>> other\n}",
        "a merge conflict is left at line 3; keep both sides, since each was accepted, and renumber a version that both have; or restore it from git",
    );
    check_broken(
        "{ \"format\": 1, \"aggregates\": {}, \"commands\": {}, \"events\": {}, \"event\": {} }",
        "unknown field `event`, expected one of `format`, `aggregates`, `commands`, `events`, `processes`, `projections`, `queries`, `reactors`, `sagas` at line 1 column 70",
    );
    check_broken(
        "{ \"format\": 1, \"aggregates\": {}, \"commands\": {}, \"events\": { \"A\": { \"versions\": { \"1\": { \"shape\": \"strin\", \"samples\": [] } } } } }",
        "unknown variant `strin`, expected one of `bool`, `i8`, `i16`, `i32`, `i64`, `i128`, `u8`, `u16`, `u32`, `u64`, `u128`, `f32`, `f64`, `char`, `string`, `bytes`, `unit`, `any`, `opaque`, `option`, `seq`, `tuple`, `array`, `map`, `struct`, `flattened`, `enum`, `tagged`, `recursive` at line 1 column 105",
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    // A file with these events; its other maps are empty.
    let with_events = |events: &str| {
        format!(
            "{{\n\"format\": 1,\n\"aggregates\": {{}},\n\"commands\": {{}},\n\"events\": {{\n{events}\n}}\n}}"
        )
    };
    let version = r#"{ "shape": { "struct": {} }, "samples": [] }"#;
    check_broken(
        &with_events(&format!(
            "\"Sold\": {{ \"versions\": {{\n\"1\": {version},\n\"2\": {version},\n\"2\": {version}\n}} }}"
        )),
        "`events` / `Sold` / `versions` / `2` is there twice: two changes took one version; renumber them: the later one takes \
         the next number, here and in #[event(version = …)] on `Sold` at line 9 column 3",
    );
    check_broken(
        &with_events(&format!(
            "\"Sold\": {{ \"versions\": {{ \"1\": {version} }} }},\n\"Sold\": {{ \"versions\": {{ \"2\": {version} }} }}"
        )),
        "`events` / `Sold` is there twice: put the versions of both into one entry, and renumber those that have one number at \
         line 7 column 6",
    );
    check_broken(
        &with_events(
            r#""Sold": { "versions": { "1": { "shape": "any", "samples": [null, true, -1, 1.5, "a", { "b": [{ "c": 1, "c": 2 }] }] } } }"#,
        ),
        "`events` / `Sold` / `versions` / `1` / `samples` / `b` / `c` is there twice: put what both say into one entry at line 6 \
         column 106",
    );
}

#[test]
fn a_sample_of_any_json_is_no_key_twice() {
    let mut file = schema().to_file();
    let samples =
        &mut file.events.get_mut("ItemSold").unwrap().versions.get_mut(&10).unwrap().samples;
    *samples = vec![
        serde_json::json!([null, true, -1, u64::MAX, 1e300, "a", { "a": { "a": [] }, "b": {} }]).into(),
        // The text stays as it is: more digits than 64 bits have, keys in any order, what looks like JSON in a string.
        r#"{ "b": 340282366920938463463374607431768211455, "a": 0.10000000000000000000001, "c": "\\\"{ [, :" }"#.parse().unwrap(),
    ];
    let folder = Folder::new("any");
    let path = folder.path("schema.json");
    file.write(&path).unwrap();
    assert_eq!(SchemaFile::read(&path).unwrap(), Some(file));
}

#[test]
fn who_reads_while_it_is_written_sees_a_whole_file() {
    let folder = Folder::new("parallel");
    let path = folder.path("schema.json");
    let (small, mut large) = (schema().to_file(), schema().to_file());
    let event = large.events["ItemSold"].clone();
    large.events.extend((0..200).map(|number| (format!("Event{number}"), event.clone())));
    small.write(&path).unwrap();
    thread::scope(|scope| {
        for file in [&small, &large] {
            scope.spawn(|| (0..50).for_each(|_| file.write(&path).unwrap()));
        }
        scope.spawn(|| {
            for _ in 0..200 {
                let read = SchemaFile::read(&path).unwrap().unwrap();
                assert!(read == small || read == large);
            }
        });
    });
    assert_eq!(folder.files(), ["schema.json"], "nothing is left beside it");
}

#[test]
fn what_cannot_be_written_is_said() {
    let folder = Folder::new("unwritable");
    let path = folder.path("taken");
    fs::create_dir_all(path.join("by-a-folder")).unwrap();
    let message = schema().to_file().write(&path).unwrap_err().to_string();
    assert!(message.starts_with(&format!("write schema file `{}`: ", path.display())), "{message}");
    assert_eq!(folder.files(), ["taken"], "nothing is left beside it");
}
