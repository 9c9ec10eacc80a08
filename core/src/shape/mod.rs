//! Shapes: what the JSON of a type looks like, found out from what its `Deserialize` asks.
//!
//! A shape says what is stored, not how the program calls it: names of fields and variants are in it, names of Rust types
//! are not. It does not say whether two shapes read each other's history; the schema file of `annals-testing` does.

mod access;
mod deserializer;
mod edge;
mod node;
mod sample;
mod struct_node;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::node::Node;

/// How many bytes of a hash a [`Fingerprint`] keeps.
const FINGERPRINT_BYTES: usize = 8;

/// What the JSON of a type looks like.
///
/// ```
/// use annals::shape::Shape;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Placed {
///     order: String,
///     #[serde(default)]
///     lines: Vec<u32>,
/// }
///
/// let shape = serde_json::to_value(Shape::of::<Placed>())?;
/// assert_eq!(
///     shape,
///     serde_json::json!({
///         "struct": {
///             "lines": { "optional": true, "shape": { "seq": "u32" } },
///             "order": "string",
///         }
///     })
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the scalars are called as Rust calls them")]
// No variant is called as a type of `std` is: rustc would then write the type's whole path in every message.
pub enum Shape {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    #[serde(rename = "string")]
    Text,
    Bytes,
    /// Null: `()` and structs and variants without fields.
    Unit,
    /// Anything that the type makes sense of itself: `serde_json::Value`, untagged enums.
    #[serde(rename = "any")]
    Anything,
    /// A type whose `Deserialize` refused before it asked for anything.
    Opaque,
    /// A value or null.
    #[serde(rename = "option")]
    Nullable(Box<Shape>),
    /// A list.
    Seq(Box<Shape>),
    /// A list of fixed length.
    Tuple(Vec<Shape>),
    /// A tuple of so many equal values.
    Array(Box<Shape>, usize),
    /// An object with any keys.
    #[serde(rename = "map")]
    Mapping {
        /// What the keys are read as.
        key: Box<Shape>,
        /// The values.
        value: Box<Shape>,
    },
    /// An object with these keys.
    Struct(BTreeMap<String, Field>),
    /// An object with at least these keys: a struct with `#[serde(flatten)]`, whose optional keys cannot be seen.
    Flattened(BTreeMap<String, Field>),
    /// One of these variants; the variant `*` stands for any other name, which `#[serde(other)]` takes.
    Enum(BTreeMap<String, Shape>),
    /// An object that names its variant: an enum with `#[serde(tag = "…")]`.
    Tagged {
        /// The key whose value is the variant's name.
        tag: String,
        /// The key of the variant's content. Without one, it stands beside the tag, with all that a struct into which the enum
        /// is flattened has; only what has to be there is seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// The variants.
        variants: BTreeMap<String, Shape>,
    },
    /// What stands at this path already, from `$`: the type contains itself.
    Recursive(String),
}

impl Shape {
    /// Finds the shape of a type by reading it from made-up values.
    ///
    /// A `Deserialize` that panics at one is caught, unless the program is built with `panic = "abort"`, and is opaque then.
    pub fn of<T: DeserializeOwned>() -> Self {
        Node::trace::<T>().shape()
    }

    /// The shape in few letters, which does not change between builds.
    ///
    /// # Panics
    ///
    /// By a bug of annals only.
    pub fn fingerprint(&self) -> Fingerprint {
        // Maps are sorted, and nothing in a shape cannot be written: the text is the shape's own.
        let json = serde_json::to_string(self)
            .unwrap_or_else(|error| panic!("bug in annals: a shape cannot be written: {error}"));
        let hash = Sha256::digest(json);
        let mut text = String::new();
        for byte in &hash[..FINGERPRINT_BYTES] {
            let _ = write!(text, "{byte:02x}");
        }
        Fingerprint(text)
    }
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
#[non_exhaustive]
pub struct Field {
    /// What it is.
    pub shape: Shape,
    /// Whether the struct reads without it.
    pub optional: bool,
    /// Other names by which it is read: `#[serde(alias = "…")]`.
    pub aliases: BTreeSet<String>,
}

impl Field {
    /// A field without which the struct does not read.
    pub const fn required(shape: Shape) -> Self {
        Self { shape, optional: false, aliases: BTreeSet::new() }
    }
}

/// A field as it is written: its shape alone, where there is nothing else to say.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Plain(Shape),
    Marked {
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        aliases: BTreeSet<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        optional: bool,
        shape: Shape,
    },
}

impl From<Written> for Field {
    fn from(written: Written) -> Self {
        match written {
            Written::Plain(shape) => Self::required(shape),
            Written::Marked { aliases, optional, shape } => Self { shape, optional, aliases },
        }
    }
}

impl From<Field> for Written {
    fn from(field: Field) -> Self {
        if field.optional || !field.aliases.is_empty() {
            let Field { shape, optional, aliases } = field;
            Self::Marked { aliases, optional, shape }
        } else {
            Self::Plain(field.shape)
        }
    }
}

/// A [`Shape`] in few letters: the beginning of a hash of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Takes a fingerprint as it was stored.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that is found out about a type: its shape, and JSON that it reads.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Traced {
    /// The shape.
    pub shape: Shape,
    /// The name that serde has for the struct, if it is one with named fields. A type that leaves its reading to another,
    /// `#[serde(transparent)]` or `from`, has the other's.
    pub struct_name: Option<&'static str>,
    /// Where no made-up value is accepted, by path from `$`, and what the type said of the first one: a type that reads only
    /// some strings, say. What is known of its shape is in [`shape`](Self::shape) all the same.
    pub opaque: BTreeMap<String, String>,
    /// JSON that the type reads: with all that can be there, with each variant in turn, and with only what has to be there;
    /// then with null for each `Option`, with the greatest and the least of its scalars, and with each alias of its fields.
    /// None if it cannot be made up.
    pub samples: Vec<Value>,
    /// The JSON text of more such samples, whose integers of 128 bits a [`Value`] does not hold.
    pub beyond: Vec<String>,
}

impl Traced {
    /// Finds out about a type by reading it from made-up values.
    ///
    /// ```
    /// use annals::shape::{Shape, Traced};
    /// use serde_json::json;
    ///
    /// let traced = Traced::of::<Option<bool>>();
    /// assert_eq!(traced.shape, Shape::Nullable(Box::new(Shape::Bool)));
    /// assert_eq!(traced.samples, [json!(false), json!(null), json!(true)]);
    /// assert_eq!(Traced::of::<i8>().samples, [json!(1), json!(127), json!(-128)]);
    /// ```
    pub fn of<T: DeserializeOwned>() -> Self {
        Self::checked_by::<T>(|sample| serde_json::from_str::<T>(sample).is_ok())
    }

    /// Makes samples of what `reads` reads.
    pub(crate) fn checked_by<T: DeserializeOwned>(reads: impl Fn(&str) -> bool) -> Self {
        // A conversion may overflow at what nobody has stored.
        let reads =
            |json: &str| catch_unwind(AssertUnwindSafe(|| reads(json))).is_ok_and(|reads| reads);
        let node = Node::trace::<T>();
        let mut opaque = BTreeMap::new();
        node.collect_opaque("$", &mut opaque);
        Self {
            shape: node.shape(),
            struct_name: node.struct_name,
            opaque,
            samples: sample::samples(&node, |made| reads(&made.to_string())),
            beyond: sample::beyond(&node, reads),
        }
    }
}

/// The shape of an aggregate's state, with its fingerprint at hand: each load of a snapshot asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateShape {
    /// The shape.
    pub shape: Shape,
    /// Its fingerprint, which stands beside each snapshot.
    pub fingerprint: Fingerprint,
}

impl StateShape {
    /// Finds the shape of a state.
    pub fn of<A: DeserializeOwned>() -> Self {
        let shape = Shape::of::<A>();
        Self { fingerprint: shape.fingerprint(), shape }
    }
}
