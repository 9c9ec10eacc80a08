//! Marks work on the names that serde writes.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::check;

macro_rules! case {
    ($($test:ident: $rule:literal, $name:literal;)+) => {$(
        #[test]
        fn $test() {
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
            #[event(name = "Cased", version = 3)]
            #[serde(rename_all = $rule)]
            struct Cased {
                #[event(since = 2, default = "EUR")]
                unit_of_2_account: String,
                #[event(since = 3, renamed_from = "old name")]
                r#type: u8,
            }
            let cased = Cased { unit_of_2_account: "EUR".into(), r#type: 4 };
            let Ok(Value::Object(written)) = serde_json::to_value(&cased) else { panic!() };
            assert!(written.contains_key($name), "{written:?}");
            check(1, json!({ "old name": 4 }), cased.clone());
            check(2, json!({ "old name": 4, $name: "EUR" }), cased);
        }
    )+};
}

case! {
    lower: "lowercase", "unit_of_2_account";
    upper: "UPPERCASE", "UNIT_OF_2_ACCOUNT";
    pascal: "PascalCase", "UnitOf2Account";
    camel: "camelCase", "unitOf2Account";
    snake: "snake_case", "unit_of_2_account";
    screaming: "SCREAMING_SNAKE_CASE", "UNIT_OF_2_ACCOUNT";
    kebab: "kebab-case", "unit-of-2-account";
    screaming_kebab: "SCREAMING-KEBAB-CASE", "UNIT-OF-2-ACCOUNT";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
#[serde(rename_all(serialize = "camelCase", deserialize = "camelCase"), tag = "kind")]
struct Mixed {
    #[event(since = 2, default = 1)]
    #[serde(rename = "Number", alias = "nr")]
    number_of: u8,
    #[event(since = 2, renamed_from = "street name")]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    home_street: String,
    #[event(since = 2, renamed_from = "zip")]
    #[serde(rename(serialize = "postCode", deserialize = "postCode"))]
    post: String,
}

#[test]
fn rename_wins_over_rename_all() {
    let expected = Mixed { number_of: 1, home_street: "A".into(), post: "B".into() };
    check(1, json!({ "street name": "A", "zip": "B" }), expected.clone());
    check(2, serde_json::to_value(&expected).unwrap(), expected);
}
