//! Integers beyond 64 bits: the way up over JSON does not hold them, and says so.

use annals::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{check, check_error};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Minted {
    tokens: u128,
    #[event(since = 2, default = "EUR")]
    currency: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Burnt {
    #[event(since = 2, convert_with = half)]
    tokens: i128,
}

fn half(tokens: i128) -> i128 {
    tokens / 2
}

const ADVICE: &str =
    "the stored event has an integer beyond 64 bits, which only `previous = Type` leads up";

#[test]
fn a_stored_integer_beyond_64_bits_is_refused_with_the_way() {
    let minted = |tokens| Minted { tokens, currency: "EUR".into() };
    check(1, json!({ "tokens": u64::MAX }), minted(u64::MAX.into()));
    for (tokens, read_as) in
        [(u128::MAX, "3.402823669209385e+38"), (1 << 64, "1.8446744073709552e+19")]
    {
        let error =
            crate::read_text::<Minted>(1, &format!(r#"{{"tokens":{tokens}}}"#)).unwrap_err();
        let wanted = format!(
            "Minted: version 1 to 2: invalid type: floating point `{read_as}`, expected u128; {ADVICE}"
        );
        assert_eq!(error, wanted);
    }
    let error =
        crate::read_text::<Burnt>(1, &format!(r#"{{"tokens":{}}}"#, i128::MIN)).unwrap_err();
    let wanted = format!(
        "Burnt: version 1 to 2: field `tokens`: invalid type: floating point `-1.7014118346046923e+38`, expected i128; {ADVICE}"
    );
    assert_eq!(error, wanted);
}

#[test]
fn what_is_wrong_for_another_reason_says_nothing_of_it() {
    let error =
        crate::read_text::<Minted>(1, r#"{"tokens":1.5,"note":"a \" 18446744073709551616"}"#);
    let wanted = "Minted: version 1 to 2: invalid type: floating point `1.5`, expected u128";
    assert_eq!(error, Err(wanted.to_owned()));
    let error = crate::read_text::<Minted>(1, r#"{"tokens":"a","other":18446744073709551616}"#);
    let wanted = "Minted: version 1 to 2: invalid type: string \"a\", expected u128";
    assert_eq!(error, Err(wanted.to_owned()));
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(version = 2)]
struct Capped {
    #[event(since = 2, default = u128::MAX)]
    cap: u128,
    #[event(since = 2, default = 18446744073709551615)]
    most: u128,
    #[event(since = 2, default = -9223372036854775808)]
    least: i128,
    #[event(since = 2, convert_with = squared)]
    area: u128,
}

fn squared(side: u64) -> u128 {
    u128::from(side) * u128::from(side)
}

#[test]
fn a_default_beyond_64_bits_names_the_way() {
    check_error::<Capped>(
        1,
        json!({ "area": 5 }),
        "Capped: version 1 to 2: field `cap`: it becomes an integer beyond 64 bits, which only `previous = Type` leads up",
    );
    check_error::<Capped>(
        1,
        json!({ "area": u64::MAX }),
        "Capped: version 1 to 2: field `area`: it becomes an integer beyond 64 bits, which only `previous = Type` leads up",
    );
    let capped = Capped { cap: 5, most: u64::MAX.into(), least: i64::MIN.into(), area: 4 };
    check(1, json!({ "cap": 5, "area": 2 }), capped);
}
