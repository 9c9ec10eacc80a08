use annals::prelude::*;
use serde::{Deserialize, Serialize};

mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(_: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("")
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(text: D) -> Result<Option<u32>, D::Error> {
        String::deserialize(text).map(|text| text.parse().ok())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
#[event(version = 2)]
#[serde(default)]
struct Limited {
    #[event(since = 2)]
    #[serde(with = "text")]
    limit: Option<u32>,
    #[event(since = 2)]
    #[serde(with = "text", default)]
    other: Option<u32>,
}

impl Default for Limited {
    fn default() -> Self {
        Self { limit: Some(100), other: None }
    }
}

fn main() {}
