//! What JSON says, however its fields are ordered.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// What JSON says. Numbers are what is written: a `Value` has those beyond 64 bits as the nearest that a double can be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Object(BTreeMap<String, Content>),
    List(Vec<Content>),
    Text(String),
    /// A number, a truth value or null, as it is written.
    Token(String),
}

impl Content {
    /// Reads it from JSON.
    pub(super) fn of(json: &RawValue) -> serde_json::Result<Self> {
        // What is nested deeper than anybody reads is refused here.
        let _: serde_json::Value = serde_json::from_str(json.get())?;
        Self::read(json)
    }

    fn read(json: &RawValue) -> serde_json::Result<Self> {
        let text = json.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let read = |(name, field)| Ok((name, Self::read(field)?));
                Self::Object(fields.into_iter().map(read).collect::<serde_json::Result<_>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::List(items.into_iter().map(Self::read).collect::<serde_json::Result<_>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            _ => Self::Token(text.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(one: &str, other: &str) -> bool {
        let content = |json: &str| {
            let json = RawValue::from_string(json.to_owned()).expect("JSON");
            Content::of(&json).expect("it is read")
        };
        content(one) == content(other)
    }

    #[test]
    fn the_order_of_fields_and_blanks_say_nothing() {
        assert!(is_same(
            r#"{"a": [1, {"b": "x", "c": null}], "d": true}"#,
            r#"{"d":true,"a":[1,{"c":null,"b":"\u0078"}]}"#
        ));
    }

    #[test]
    fn numbers_beyond_a_double_are_told_apart() {
        assert!(is_same("[18446744073709551617]", "[18446744073709551617]"));
        assert!(!is_same("[18446744073709551617]", "[18446744073709551619]"));
        assert!(!is_same(r#"{"a":1}"#, r#"{"a":"1"}"#));
        assert!(!is_same("[1,2]", "[2,1]"));
    }
}
