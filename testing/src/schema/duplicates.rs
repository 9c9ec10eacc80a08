//! Keys that a schema file has twice: which of the two counts is not for the reader to say.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Refuses text in which an object has a key twice.
///
/// A merge that kept both sides leaves them; of two that were accepted, serde takes the last.
pub(super) fn refuse(text: &str) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    Place(&mut Vec::new()).deserialize(&mut json)
}

/// A place in the file, by the keys that lead to it.
struct Place<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            self.0.push(key.clone());
            if !seen.insert(key) {
                return Err(A::Error::custom(message(self.0)));
            }
            map.next_value_seed(Place(self.0))?;
            self.0.pop();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Place(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// What to do about a key that is there twice: versions are told apart by numbers, all else by names.
fn message(place: &[String]) -> String {
    let shown: Vec<_> = place.iter().map(|key| format!("`{key}`")).collect();
    let advice = match place {
        [events, name, versions, _] if events == "events" && versions == "versions" => format!(
            "two changes took one version; renumber them: the later one takes the next number, here and in \
             #[event(version = …)] on `{name}`"
        ),
        [events, _] if events == "events" => {
            "put the versions of both into one entry, and renumber those that have one number"
                .to_owned()
        }
        _ => "put what both say into one entry".to_owned(),
    };
    format!("{} is there twice: {advice}", shown.join(" / "))
}
