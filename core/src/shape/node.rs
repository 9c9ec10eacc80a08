//! What is known of one place of a type, and how it becomes more.
//!
//! A type is read again and again from made-up values. Each pass learns something: what a place asks for, which value it
//! accepts, what it does without. When a pass learns nothing, the innermost place that refused gets its next value, and
//! one that has refused all is given up; so passes come to an end.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use super::Shape;
use super::deserializer::{Error, Giver};
use super::struct_node::{ANY_OTHER, Fields, Tagged};

/// How many values a place is given before it is given up; more than any list of values has.
pub(super) const ATTEMPTS: usize = 40;

/// How often a type is read at most; far more than it takes to learn all of a large one.
const PASSES: usize = 100_000;

/// One place of a type.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The name under which a struct asked for its fields.
    pub(super) struct_name: Option<&'static str>,
    /// Which value is given next.
    pub(super) attempt: usize,
    /// Whether the value stays, whatever those around it try.
    pub(super) fixed: bool,
    /// Whether all is known that can be found out.
    pub(super) done: bool,
    /// Why no value is accepted.
    pub(super) refused: Option<String>,
    /// Why the first value was not accepted.
    why: Option<String>,
    /// Whether a place inside failed in this pass.
    pub(super) failed_inside: bool,
}

/// What a place asks for.
#[derive(Debug, Clone, Default)]
pub(super) enum Kind {
    /// Nothing yet.
    #[default]
    Unread,
    /// A scalar.
    Leaf(Shape),
    Any,
    /// The name of a variant as a value.
    Name(&'static [&'static str]),
    Option(Box<Node>),
    Seq(Box<Node>),
    Tuple(Vec<Node>),
    Map(Box<Node>, Box<Node>),
    Struct(Fields),
    /// By its name, as serde has it.
    Enum(&'static str, Vec<(&'static str, Node)>),
    Tagged(Box<Tagged>),
    /// The path of the place that it is a repetition of.
    Recursive(String),
}

/// Where a pass is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) above: Option<&'a Place<'a>>,
    /// What this place asked, by the name of the visitor's type, which is the type's own.
    pub(super) visitor: &'static str,
    pub(super) segment: Segment,
    /// How many values those around have refused.
    pub(super) attempt: usize,
    /// Counts what was learnt.
    pub(super) learnt: &'a Cell<usize>,
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment {
    Root,
    /// A field or a variant.
    Named(&'static str),
    /// The value of an option, which is where the option is.
    Same,
    Element,
    Number(usize),
    Key,
    Value,
}

impl Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Named(name) => write!(f, ".{name}"),
            Self::Same => Ok(()),
            Self::Element => f.write_str("[]"),
            Self::Number(number) => write!(f, "[{number}]"),
            Self::Key => f.write_str("{key}"),
            Self::Value => f.write_str("{}"),
        }
    }
}

impl Place<'_> {
    pub(super) fn learn(&self) {
        self.learnt.set(self.learnt.get() + 1);
    }

    pub(super) fn path(&self) -> String {
        let above = self.above.map(Place::path).unwrap_or_default();
        format!("{above}{}", self.segment)
    }

    /// The path of the place around this one that asked the same.
    pub(super) fn repeats(&self, visitor: &str) -> Option<String> {
        if self.visitor == visitor {
            return Some(self.path());
        }
        self.above?.repeats(visitor)
    }
}

impl Node {
    pub(super) fn trace<T: DeserializeOwned>() -> Self {
        let mut root = Self::default();
        let learnt = Cell::new(0);
        let place =
            Place { above: None, visitor: "", segment: Segment::Root, attempt: 0, learnt: &learnt };
        for _ in 0..PASSES {
            if root.done {
                return root;
            }
            let pass = || drop(root.give(&place, |root| T::deserialize(root)));
            // A snapshot asks for a shape, too: no command may fail by a value that nobody has stored.
            if catch_unwind(AssertUnwindSafe(pass)).is_err() {
                root.give_up("its `Deserialize` panics");
            }
        }
        root.give_up("it asks for something else each time");
        root
    }

    fn give_up(&mut self, why: &str) {
        self.refused = Some(why.to_owned());
        self.done = true;
    }

    pub(super) fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Gives the place a value, and learns from what happens.
    pub(super) fn give<T>(
        &mut self,
        place: &Place<'_>,
        read: impl FnOnce(Giver<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let before = place.learnt.get();
        self.failed_inside = false;
        let result = read(Giver { node: self, place: *place });
        self.settle(place, before, result.as_ref().err());
        result
    }

    /// Learns from the end of a pass, which failed or not.
    pub(super) fn settle(&mut self, place: &Place<'_>, before: usize, error: Option<&Error>) {
        if let Kind::Tagged(tagged) = &mut self.kind {
            tagged.settle(place, before, error, mem::take(&mut self.failed_inside));
        }
        if self.done {
            // Those around try other values; that this one does not fit says nothing new.
            return;
        }
        if let Some(error) = error
            && !self.failed_inside
            && self.learn(error)
        {
            place.learn();
        }
        let learnt = place.learnt.get() > before;
        match error {
            None if self.is_finished() || !learnt => self.done = true,
            Some(error) if !learnt => {
                // What the first value was refused for says more than what the last, oddest one was.
                let why = self.why.get_or_insert_with(|| error.to_string());
                self.attempt += 1;
                if self.attempt == ATTEMPTS {
                    self.refused = Some(mem::take(why));
                    self.done = true;
                }
            }
            _ => return,
        }
        place.learn();
    }

    /// Takes from an error what it says of the kind of this place.
    fn learn(&mut self, error: &Error) -> bool {
        if let (Kind::Struct(fields), Error::UnknownVariant(names)) = (&mut self.kind, error)
            && let Some(tagged) = fields.as_flattened_enum(names)
        {
            self.kind = Kind::Tagged(Box::new(tagged));
            self.attempt = 0;
            return true;
        }
        match (&mut self.kind, error) {
            // Whatever is wrong with any other name, it is the name.
            (Kind::Enum(_, variants), _)
                if matches!(&variants[..], [.., (ANY_OTHER, last)] if !last.done)
                    && only_last_is_unknown(variants) =>
            {
                variants.pop();
                true
            }
            (Kind::Struct(fields), error) => {
                let learnt = fields.learn(error, self.attempt);
                if learnt {
                    self.attempt = 0;
                }
                learnt
            }
            // A struct that asks for a map has flattened fields; what asks for anything, and misses a key, may be an enum
            // that misses its tag.
            (Kind::Map(..) | Kind::Any, Error::Missing(field)) => {
                self.kind = Kind::Struct(Fields::flattened(field));
                self.attempt = 0;
                true
            }
            (Kind::Name(known @ []), Error::UnknownVariant(names @ [_, ..])) => {
                *known = names;
                true
            }
            _ => false,
        }
    }

    /// Whether nothing more can be learnt inside.
    fn is_finished(&self) -> bool {
        match &self.kind {
            Kind::Unread => false,
            Kind::Leaf(_) | Kind::Any | Kind::Name(_) | Kind::Recursive(_) => true,
            Kind::Option(inner) | Kind::Seq(inner) => inner.done,
            Kind::Map(key, value) => key.done && value.done,
            Kind::Tuple(places) => places.iter().all(|place| place.done),
            Kind::Struct(fields) => fields.are_finished(),
            Kind::Enum(_, variants) => variants.iter().all(|(_, variant)| variant.done),
            Kind::Tagged(tagged) => tagged.is_finished(),
        }
    }

    /// Whether the place accepts a value.
    pub(super) fn is_good(&self) -> bool {
        self.done && self.refused.is_none()
    }

    pub(super) fn shape(&self) -> Shape {
        match &self.kind {
            Kind::Unread if self.is_good() => Shape::Anything,
            Kind::Unread => Shape::Opaque,
            Kind::Leaf(shape) => shape.clone(),
            Kind::Any => Shape::Anything,
            Kind::Name([]) => Shape::Text,
            Kind::Name(names) => {
                Shape::Enum(names.iter().map(|name| ((*name).to_owned(), Shape::Unit)).collect())
            }
            Kind::Option(inner) => Shape::Nullable(Box::new(inner.shape())),
            Kind::Seq(inner) => Shape::Seq(Box::new(inner.shape())),
            Kind::Tuple(places) => tuple(places.iter().map(Self::shape).collect()),
            Kind::Map(key, value) => {
                Shape::Mapping { key: Box::new(key.shape()), value: Box::new(value.shape()) }
            }
            Kind::Struct(fields) => fields.shape(),
            Kind::Enum(_, variants) => Shape::Enum(
                variants.iter().map(|(name, node)| ((*name).to_owned(), node.shape())).collect(),
            ),
            Kind::Tagged(tagged) => tagged.shape(),
            Kind::Recursive(path) => Shape::Recursive(path.clone()),
        }
    }

    /// The places inside, with their segments of the path.
    pub(super) fn inside(&self) -> Vec<(Segment, &Self)> {
        let named = |(name, node)| (Segment::Named(name), node);
        match &self.kind {
            Kind::Unread | Kind::Leaf(_) | Kind::Any | Kind::Name(_) | Kind::Recursive(_) => vec![],
            Kind::Option(inner) => vec![(Segment::Same, inner)],
            Kind::Seq(inner) => vec![(Segment::Element, inner)],
            Kind::Map(key, value) => vec![(Segment::Key, key), (Segment::Value, value)],
            Kind::Tuple(places) => {
                places.iter().enumerate().map(|(at, node)| (Segment::Number(at), node)).collect()
            }
            Kind::Struct(fields) => fields.inside().map(named).collect(),
            Kind::Enum(_, variants) => {
                variants.iter().map(|(name, node)| named((*name, node))).collect()
            }
            Kind::Tagged(tagged) => {
                tagged.variants.iter().map(|(name, node)| named((*name, node))).collect()
            }
        }
    }

    /// Collects the innermost places that accept nothing, and why. Tells whether there are any, or the type contains
    /// itself here.
    pub(super) fn collect_opaque(&self, path: &str, opaque: &mut BTreeMap<String, String>) -> bool {
        let mut explained = matches!(self.kind, Kind::Recursive(_));
        for (segment, node) in self.inside() {
            explained |= node.collect_opaque(&format!("{path}{segment}"), opaque);
        }
        if let Some(why) = &self.refused
            && !explained
        {
            opaque.insert(path.to_owned(), why.clone());
            explained = true;
        }
        explained
    }
}

/// Whether the last variant is the one that was given.
fn only_last_is_unknown(variants: &[(&'static str, Node)]) -> bool {
    variants.split_last().is_some_and(|(_, others)| others.iter().all(|(_, variant)| variant.done))
}

/// Equal places are an array.
fn tuple(shapes: Vec<Shape>) -> Shape {
    match &shapes[..] {
        [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|shape| shape == first) => {
            Shape::Array(Box::new(first.clone()), shapes.len())
        }
        _ => Shape::Tuple(shapes),
    }
}
