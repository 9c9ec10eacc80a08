//! The values that are made up, and the samples that are made of those that were accepted.

use std::cell::RefCell;
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Shape;
use super::edge::{self, Edge};
use super::node::{ATTEMPTS, Kind, Node};
use super::struct_node::Presence;

/// How many variants of an enum are shown at most. A variant without a sample may go, and nothing would tell.
const VARIANTS: usize = 1_000;

/// What types that read only some strings may read.
const TEXTS: [&str; 30] = [
    "a",
    "00000000-0000-4000-8000-000000000001",
    "2000-01-01T00:00:00Z",
    "2000-01-01",
    "2000-01-01T00:00:00",
    "00:00:00",
    "2000-01-01T00:00:00+00:00[UTC]",
    "UTC",
    "PT1S",
    "1s",
    "1",
    "1.5",
    "a@example.com",
    "https://example.com/",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "1.0.0",
    "2000-01-01 00:00:00.0 +00:00:00",
    "00000000000000000000000000",
    "Mon",
    "EUR",
    "DE",
    "en",
    "true",
    "#000000",
    "00",
    "+12025550123",
    "/",
    "",
];

// Each is tried before a place is given up; what takes any value has seven others first.
const _: () = assert!(TEXTS.len() + 7 <= ATTEMPTS);

const WHOLE: [u8; 7] = [1, 0, 2, 10, 20, 50, 100];

const FRACTIONS: [f64; 5] = [0.5, 0.0, 1.0, 10.0, 100.0];

/// Which value a place is given: its own, if it was picky, else the one that those around it try.
pub(super) fn index(node: &Node, around: usize) -> usize {
    if node.fixed || node.attempt > 0 { node.attempt } else { around }
}

/// A value for a scalar.
pub(super) fn scalar(shape: &Shape, index: usize) -> Value {
    match shape {
        Shape::Bool => Value::Bool(index % 2 == 1),
        Shape::F32 | Shape::F64 => json!(FRACTIONS[index % FRACTIONS.len()]),
        Shape::Char => json!(["a", "A", "0"][index % 3]),
        Shape::Text => json!(TEXTS[index % TEXTS.len()]),
        Shape::Bytes => json!([]),
        Shape::Unit => Value::Null,
        _ => json!(WHOLE[index % WHOLE.len()]),
    }
}

/// A value for what takes any: first an empty object, at which an enum with a tag misses the tag. Text comes before
/// numbers: as a tag, serde takes the number of a variant for its name, which nobody has stored.
pub(super) fn any(index: usize) -> Value {
    match index {
        0 => json!({}),
        1 => Value::Null,
        2 => json!(TEXTS[0]),
        3 => json!(1),
        4 => json!(0.5),
        5 => json!(true),
        6 => json!([]),
        _ => json!(TEXTS[(index - 7) % TEXTS.len()]),
    }
}

/// The name of a variant; any name while none is known.
pub(super) fn name(names: &[&'static str], index: usize) -> &'static str {
    if names.is_empty() { TEXTS[0] } else { names[index % names.len()] }
}

/// Samples that the type reads.
pub(super) fn samples(node: &Node, reads: impl Fn(&Value) -> bool) -> Vec<Value> {
    let variants = variants(node).clamp(1, VARIANTS);
    let at_edge = RefCell::default();
    let sample = |full, pick, edge| Sample { full, pick, edge, at_edge: &at_edge };
    let mut samples = Vec::new();
    let mut add = |made: Value| {
        if !samples.contains(&made) && reads(&made) {
            samples.push(made);
        }
    };
    let full = (0..variants).map(|pick| sample(true, pick, None));
    full.chain([sample(false, 0, None)]).filter_map(|sample| sample.of(node, 0)).for_each(&mut add);
    for edge in [Edge::Null, Edge::Greatest, Edge::Least] {
        at_edge.borrow_mut().clear();
        for pick in 0..variants {
            let shown = at_edge.borrow().len();
            let Some(made) = sample(true, pick, Some(edge)).of(node, 0) else { continue };
            // Only with places that no other sample shows at this edge: else each variant would repeat all that is
            // around it.
            if at_edge.borrow().len() == shown {
                continue;
            }
            if reads(&made) {
                add(made);
            } else if let Some(base) = sample(true, pick, None).of(node, 0) {
                add(edge::approach(&base, &made, &reads));
            }
        }
    }
    samples
}

/// How many samples show each variant of each enum.
fn variants(node: &Node) -> usize {
    let own = match &node.kind {
        Kind::Name(names) => names.len(),
        Kind::Enum(_, variants) => variants.len(),
        Kind::Tagged(tagged) => tagged.variants.len(),
        _ => 1,
    };
    node.inside().into_iter().map(|(_, inside)| variants(inside)).fold(own, usize::max)
}

/// How a sample is made.
#[derive(Debug, Clone, Copy)]
struct Sample<'a> {
    /// With all that can be there, or only with what has to be.
    full: bool,
    /// Which variant of each enum.
    pick: usize,
    /// Where each place is, if not in the middle.
    edge: Option<Edge>,
    /// The places that were at the edge, in this sample or one before it.
    at_edge: &'a RefCell<HashSet<*const Node>>,
}

impl Sample<'_> {
    fn of(self, node: &Node, around: usize) -> Option<Value> {
        if !node.is_good() {
            return None;
        }
        let index = index(node, around);
        let around = around + node.attempt;
        let some = self.full || index % 2 == 1;
        Some(match &node.kind {
            Kind::Unread => Value::Null,
            Kind::Leaf(shape) => {
                let middle = scalar(shape, index);
                let of_text = |edge| (*shape == Shape::Text).then(|| edge::text(&middle, edge));
                let of = |edge| edge::scalar(shape, edge).or_else(|| of_text(edge).flatten());
                self.at_edge(node, of).unwrap_or(middle)
            }
            Kind::Any => {
                let middle = any(index);
                self.at_edge(node, |edge| edge::any(&middle, edge)).unwrap_or(middle)
            }
            Kind::Name(names) => name(names, index + self.pick).into(),
            Kind::Option(_) if self.edge == Some(Edge::Null) => {
                self.at_edge(node, |_| Some(Value::Null))?
            }
            Kind::Option(inner) => {
                if some { self.of(inner, around) } else { None }.unwrap_or(Value::Null)
            }
            Kind::Seq(inner) => {
                if some { self.of(inner, around) } else { None }.into_iter().collect()
            }
            Kind::Tuple(places) => {
                places.iter().map(|place| self.of(place, around)).collect::<Option<Value>>()?
            }
            Kind::Map(key, value) => {
                let entry = || Some((key_text(&self.of(key, around)?)?, self.of(value, around)?));
                some.then(entry).flatten().into_iter().collect()
            }
            Kind::Struct(_) => Value::Object(self.fields(node, around)?),
            Kind::Enum(_, variants) => {
                let (name, variant) = self.variant(variants, index)?;
                match (&variant.kind, self.of(variant, around)?) {
                    (Kind::Leaf(Shape::Unit), _) => name.into(),
                    (_, content) => json!({ name: content }),
                }
            }
            Kind::Tagged(tagged) => {
                let (name, variant) = self.variant(&tagged.variants, index)?;
                let mut object = self.fields(variant, around + variant.attempt)?;
                object.insert(tagged.tag.to_owned(), name.into());
                Value::Object(object)
            }
            Kind::Recursive(_) => return None,
        })
    }

    /// The value of a place at the edge, which is noted.
    fn at_edge(self, node: &Node, value: impl FnOnce(Edge) -> Option<Value>) -> Option<Value> {
        let value = value(self.edge?)?;
        self.at_edge.borrow_mut().insert(node);
        Some(value)
    }

    fn variant<'n>(
        self,
        variants: &'n [(&'static str, Node)],
        index: usize,
    ) -> Option<(&'static str, &'n Node)> {
        let good: Vec<_> = variants.iter().filter(|(_, variant)| variant.is_good()).collect();
        let (name, variant) = good.get((index + self.pick) % good.len().max(1))?;
        Some((name, variant))
    }

    fn fields(self, node: &Node, around: usize) -> Option<Map<String, Value>> {
        let Kind::Struct(fields) = &node.kind else { return None };
        let mut object = Map::new();
        for field in &fields.list {
            let value = match field.presence {
                Presence::Required | Presence::Unknown => Some(self.of(&field.node, around)?),
                Presence::Optional if self.full => self.of(&field.node, around),
                _ => None,
            };
            object.extend(value.map(|value| (field.name.to_owned(), value)));
        }
        Some(object)
    }
}

/// A key as JSON has it.
fn key_text(key: &Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(key.to_string()),
        _ => None,
    }
}
