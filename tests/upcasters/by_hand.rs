//! What the derive writes can be written by hand.

use annals::{Event, Previous, UpcastError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{check, check_error};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CountedV1(u32);

impl Event for CountedV1 {
    const NAME: &'static str = "Counted";
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    count: u32,
    by: String,
}

impl From<CountedV1> for Counted {
    fn from(old: CountedV1) -> Self {
        Self { count: old.0, by: "V1".into() }
    }
}

impl Event for Counted {
    const NAME: &'static str = "Counted";
    const VERSION: u32 = 4;
    const PREVIOUS: Option<Previous<Self>> = Some(Previous::of::<CountedV1>());

    fn upcast(from: u32, mut json: Value) -> Result<Value, UpcastError> {
        match from {
            3 => {
                json["by"] = "V3".into();
                Ok(json)
            }
            _ => Err(UpcastError::new(format_args!("nobody counted at {from}"))),
        }
    }
}

#[test]
fn an_event_by_hand_reads_its_versions() {
    check(1, json!(5), Counted { count: 5, by: "V1".into() });
    check_error::<Counted>(2, json!({}), "Counted: version 2 to 3: nobody counted at 2");
    check(3, json!({ "count": 5 }), Counted { count: 5, by: "V3".into() });
    check(4, json!({ "count": 5, "by": "x" }), Counted { count: 5, by: "x".into() });
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Silent;

impl Event for Silent {
    const NAME: &'static str = "Silent";
    const VERSION: u32 = 3;
    const DIRECT_FROM: u32 = 2;
}

#[test]
fn an_event_that_says_nothing_of_a_step_does_not_read_it() {
    check(2, json!(null), Silent);
    check_error::<Silent>(
        1,
        json!(null),
        "Silent: version 1 to 2: the event does not say what this step changes",
    );
}
