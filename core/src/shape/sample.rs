//! The values that are made up, and the samples that are made of those that were accepted.

use std::cell::RefCell;
use std::collections::HashSet;
use std::mem;

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

/// Where the texts of what takes any value begin again: before, there is a value of each kind.
const TEXTS_OF_ANY: usize = 7;

// Each is tried before a place is given up; what takes any value has others first.
const _: () = assert!(TEXTS.len() + TEXTS_OF_ANY <= ATTEMPTS);

/// A key or the name of a variant while none is known: one that was a field's or a variant's would be taken for it, and hide
/// the others.
const ANY_NAME: &str = "any name";

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
        _ => json!(TEXTS[(index - TEXTS_OF_ANY) % TEXTS.len()]),
    }
}

/// The name of a variant; any name while none is known.
pub(super) fn name(names: &[&'static str], index: usize) -> &'static str {
    if names.is_empty() { ANY_NAME } else { names[index % names.len()] }
}

/// Samples that the type reads.
pub(super) fn samples(node: &Node, reads: impl Fn(&Value) -> bool) -> Vec<Value> {
    let at_edge = RefCell::default();
    let middle =
        Sample { full: true, pick: 0, other: None, edge: None, alias: None, at_edge: &at_edge };
    let mut samples = Vec::new();
    let mut add = |made: Value| {
        if !samples.contains(&made) && reads(&made) {
            samples.push(made);
        }
    };
    let picks = 0..variants(node).clamp(1, VARIANTS);
    let full = picks.clone().map(|pick| Sample { pick, ..middle });
    let all = full.chain([Sample { full: false, ..middle }]);
    all.filter_map(|sample| sample.of(node, 0)).for_each(&mut add);
    for special in specials(aliases(node), middle) {
        at_edge.borrow_mut().clear();
        for pick in picks.clone() {
            let shown = at_edge.borrow().len();
            let Some(made) = (Sample { pick, ..special }).of(node, 0) else { continue };
            // Only with places that no other sample shows at this edge: else each variant would repeat all that is
            // around it.
            if at_edge.borrow().len() == shown {
                continue;
            }
            if reads(&made) {
                add(made);
            } else if let Some(base) = (Sample { pick, ..middle }).of(node, 0) {
                add(edge::approach(&base, &made, &reads));
            }
        }
    }
    samples
}

/// What samples show beside the middle: what else is taken where anything may be, then the edges of all, then the other
/// names of fields.
fn specials(aliases: usize, middle: Sample<'_>) -> impl Iterator<Item = Sample<'_>> {
    let others = (1..TEXTS_OF_ANY).map(Some);
    let edges = [Edge::Null, Edge::Greatest, Edge::Least].map(Some).into_iter();
    let at_edges = edges.flat_map(move |edge| {
        let others = std::iter::once(None).chain((1..TEXTS_OF_ANY).map(Some));
        others.map(move |other| Sample { other, edge, ..middle })
    });
    let by_aliases = (0..aliases).map(move |alias| Sample { alias: Some(alias), ..middle });
    others.map(move |other| Sample { other, ..middle }).chain(at_edges).chain(by_aliases)
}

/// How many aliases the field with most of them has.
fn aliases(node: &Node) -> usize {
    let inside = node.inside().into_iter().map(|(_, inside)| aliases(inside)).max().unwrap_or(0);
    match &node.kind {
        Kind::Struct(fields) => inside.max(fields.most_aliases()),
        _ => inside,
    }
}

/// Samples with the ends of integers of 128 bits, as text.
pub(super) fn beyond(node: &Node, reads: impl Fn(&str) -> bool) -> Vec<String> {
    let mut samples = Vec::new();
    for edge in [Edge::GreatestBeyond, Edge::LeastBeyond] {
        let at_edge = RefCell::<HashSet<*const Node>>::default();
        for pick in 0..variants(node).clamp(1, VARIANTS) {
            let shown = at_edge.borrow().len();
            let sample = Sample {
                full: true,
                pick,
                other: None,
                edge: Some(edge),
                alias: None,
                at_edge: &at_edge,
            };
            let Some(made) = sample.of(node, 0) else { continue };
            let held = made.to_string();
            let json = edge::with_integers(&held);
            if at_edge.borrow().len() > shown && json != held && reads(&json) {
                samples.push(json);
            }
        }
    }
    samples
}

/// How many samples show each variant of each enum, and in each variant those of the enums inside.
fn variants(node: &Node) -> usize {
    let of_all = |variants: &[(&'static str, Node)]| {
        let good = variants.iter().filter(|(_, variant)| variant.is_good());
        good.fold(0_usize, |sum, (_, variant)| sum.saturating_add(self::variants(variant))).max(1)
    };
    match &node.kind {
        Kind::Name(names) => names.len().max(1),
        Kind::Enum(_, variants) => of_all(variants),
        Kind::Tagged(tagged) => of_all(&tagged.variants),
        _ => node.inside().into_iter().map(|(_, inside)| variants(inside)).fold(1, usize::max),
    }
}

/// How a sample is made.
#[derive(Debug, Clone, Copy)]
struct Sample<'a> {
    /// With all that can be there, or only with what has to be.
    full: bool,
    /// Which variant of each enum.
    pick: usize,
    /// Which other value where any is taken; all else is in the middle then.
    other: Option<usize>,
    /// Where each place is, if not in the middle.
    edge: Option<Edge>,
    /// Which alias each field has that has so many, if not its name.
    alias: Option<usize>,
    /// The places that were at the edge, or under an alias, in this sample or one before it.
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
                let of = |edge| {
                    let scalar = edge::scalar(shape, edge).or_else(|| edge::beyond(shape, edge));
                    scalar.or_else(|| of_text(edge).flatten())
                };
                self.at_edge(node, |edge| of(edge).filter(|at| *at != middle)).unwrap_or(middle)
            }
            Kind::Any => {
                let middle = any(index);
                self.other_or_edge(node, &middle).unwrap_or(middle)
            }
            Kind::Name(names) => name(names, index + self.pick).into(),
            Kind::Option(_) if self.edge == Some(Edge::Null) && self.other.is_none() => {
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
                let (inside, name, variant) = self.variant(variants, index)?;
                match (&variant.kind, inside.of(variant, around)?) {
                    (Kind::Leaf(Shape::Unit), _) => name.into(),
                    (_, content) => json!({ name: content }),
                }
            }
            Kind::Tagged(tagged) => {
                let (inside, name, variant) = self.variant(&tagged.variants, index)?;
                let mut object = inside.fields(variant, around + variant.attempt)?;
                object.insert(tagged.tag.to_owned(), name.into());
                Value::Object(object)
            }
            Kind::Recursive(_) => return None,
        })
    }

    /// The value of a place at the edge, which is noted.
    fn at_edge(self, node: &Node, value: impl FnOnce(Edge) -> Option<Value>) -> Option<Value> {
        if self.other.is_some() {
            return None;
        }
        let value = value(self.edge?)?;
        self.at_edge.borrow_mut().insert(node);
        Some(value)
    }

    /// Another value, or one at the edge, of a place that takes any.
    fn other_or_edge(self, node: &Node, middle: &Value) -> Option<Value> {
        let value = match (self.other.map(any), self.edge) {
            // Of its own kind it shows all without this.
            (Some(other), _) if mem::discriminant(&other) == mem::discriminant(middle) => None,
            (Some(other), None) => Some(other),
            (Some(other), Some(edge)) => edge::any(&other, edge),
            (None, edge) => edge::any(middle, edge?),
        }?;
        self.at_edge.borrow_mut().insert(node);
        Some(value)
    }

    /// The variant that is picked, and what is picked inside of it.
    fn variant<'n>(
        self,
        variants: &'n [(&'static str, Node)],
        index: usize,
    ) -> Option<(Self, &'static str, &'n Node)> {
        let mut good: Vec<_> = variants.iter().filter(|(_, variant)| variant.is_good()).collect();
        let first = index % good.len().max(1);
        good.rotate_left(first);
        let count = |(_, variant): &(&str, Node)| self::variants(variant);
        let all = good.iter().map(|variant| count(variant)).fold(0, usize::saturating_add);
        let mut pick = self.pick % all.max(1);
        for variant @ (name, node) in good {
            let inside = count(variant);
            if pick < inside {
                return Some((Self { pick, ..self }, name, node));
            }
            pick -= inside;
        }
        None
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
            let Some(value) = value else { continue };
            let alias = self.alias.and_then(|nth| fields.aliases_of(field.name).nth(nth));
            let name = alias.map_or(field.name, |alias| {
                self.at_edge.borrow_mut().insert(&raw const alias.node);
                alias.name
            });
            object.insert(name.to_owned(), value);
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
