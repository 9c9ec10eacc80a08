//! The deserializer that gives a type made-up values, and notes what it asks for.

use std::any::type_name;
use std::fmt::{self, Display};

use serde::de::{Deserializer, Visitor};
use serde_json::Value;

use super::Shape;
use super::access::{Elements, Entries, FieldsAccess, Nothing, Variant, below};
use super::node::{Kind, Node, Place, Segment};
use super::sample;
use super::struct_node::{ANY_OTHER, Fields, choose};

/// Why a type did not read a value.
#[derive(Debug)]
pub(super) enum Error {
    Missing(&'static str),
    Duplicate(&'static str),
    UnknownVariant(&'static [&'static str]),
    Other(String),
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "missing field `{field}`"),
            Self::Duplicate(field) => write!(f, "duplicate field `{field}`"),
            Self::UnknownVariant(_) => f.write_str("unknown variant"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Duplicate(field)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::UnknownVariant(expected)
    }
}

/// Gives one place its value.
pub(super) struct Giver<'a> {
    pub(super) node: &'a mut Node,
    pub(super) place: Place<'a>,
}

impl<'a> Giver<'a> {
    /// Notes what the place asks for, when it asks first.
    pub(super) fn ask(&mut self, kind: impl FnOnce() -> Kind) {
        if matches!(self.node.kind, Kind::Unread) {
            self.node.kind = kind();
            self.place.learn();
        }
    }

    /// Goes inside a type, unless it has come back to itself: then the place is cut.
    fn enter<V>(&mut self) -> Result<Place<'a>, Error> {
        self.enter_as(type_name::<V>())
    }

    // Apart from `enter`, so that it is compiled once.
    fn enter_as(&mut self, visitor: &'static str) -> Result<Place<'a>, Error> {
        if !self.node.done
            && let Some(path) = self.place.repeats(visitor)
        {
            self.node.kind = Kind::Recursive(path);
            self.node.refused = Some("it contains itself".to_owned());
            self.node.done = true;
            self.place.learn();
        }
        if let Kind::Recursive(_) = self.node.kind {
            return Err(Error::Other("it contains itself".to_owned()));
        }
        Ok(Place { visitor, ..self.inside() })
    }

    /// The same place, for what is inside.
    fn inside(&self) -> Place<'a> {
        Place { attempt: self.place.attempt + self.node.attempt, ..self.place }
    }

    fn index(&self) -> usize {
        sample::index(self.node, self.place.attempt)
    }

    fn leaf<'de, V: Visitor<'de>>(mut self, shape: Shape, visitor: V) -> Result<V::Value, Error> {
        let value = sample::scalar(&shape, self.index());
        self.ask(|| Kind::Leaf(shape.clone()));
        match (shape, &value) {
            (Shape::Char, Value::String(text)) => {
                visitor.visit_char(text.chars().next().unwrap_or('a'))
            }
            (Shape::U128, Value::Number(number)) => {
                visitor.visit_u128(number.as_u64().unwrap_or_default().into())
            }
            (Shape::I128, Value::Number(number)) => {
                visitor.visit_i128(number.as_i64().unwrap_or_default().into())
            }
            (Shape::Bytes, _) => visitor.visit_bytes(&[]),
            (_, value) => visit(value, visitor),
        }
    }

    fn any<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if let Kind::Struct(fields) = &self.node.kind
            && let Some(tagged) = fields.as_tag()
        {
            self.node.kind = Kind::Tagged(Box::new(tagged));
            self.place.learn();
        }
        match self.node.kind {
            Kind::Tagged(_) => return self.tagged(visitor),
            Kind::Struct(_) => return self.fields(visitor),
            _ => {}
        }
        let value = sample::any(self.index());
        self.ask(|| Kind::Any);
        visit(&value, visitor)
    }

    fn fields<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let place = self.enter::<V>()?;
        let attempt = self.index();
        let Node { kind: Kind::Struct(fields), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        let plan = fields.plan(attempt).into_iter();
        let access = FieldsAccess { tag: None, plan, fields, failed_inside, place };
        let read = visitor.visit_map(access)?;
        if fields.accept() {
            place.learn();
        }
        Ok(read)
    }

    fn tagged<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        let place = self.enter::<V>()?;
        let attempt = self.index();
        let Node { kind: Kind::Tagged(tagged), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        tagged.present = choose(&tagged.variants, attempt);
        let tag = tagged.tag;
        let Some((variant, Node { kind: Kind::Struct(fields), attempt, .. })) =
            tagged.variants.get_mut(tagged.present)
        else {
            return Err(Error::Other("it has no variants".to_owned()));
        };
        let place = Place { attempt: place.attempt + *attempt, ..place };
        let plan = fields.plan(*attempt).into_iter();
        let tag = Some((tag, *variant));
        visitor.visit_map(FieldsAccess { tag, plan, fields, failed_inside, place })
    }
}

/// A type that asks once for this and once for that cannot be traced.
fn changed_its_mind() -> Error {
    Error::Other("it reads different things at one place".to_owned())
}

/// Gives a value as `serde_json` does.
fn visit<'de, V: Visitor<'de>>(value: &Value, visitor: V) -> Result<V::Value, Error> {
    match value {
        Value::Null => visitor.visit_unit(),
        Value::Bool(value) => visitor.visit_bool(*value),
        Value::Number(number) => match number.as_u64() {
            Some(number) => visitor.visit_u64(number),
            None => visitor.visit_f64(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => visitor.visit_str(text),
        Value::Array(_) => visitor.visit_seq(Nothing),
        Value::Object(_) => visitor.visit_map(Nothing),
    }
}

macro_rules! leaves {
    ($($method:ident => $shape:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.leaf(Shape::$shape, visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Giver<'_> {
    type Error = Error;

    leaves! {
        deserialize_bool => Bool,
        deserialize_i8 => I8,
        deserialize_i16 => I16,
        deserialize_i32 => I32,
        deserialize_i64 => I64,
        deserialize_i128 => I128,
        deserialize_u8 => U8,
        deserialize_u16 => U16,
        deserialize_u32 => U32,
        deserialize_u64 => U64,
        deserialize_u128 => U128,
        deserialize_f32 => F32,
        deserialize_f64 => F64,
        deserialize_char => Char,
        deserialize_str => Text,
        deserialize_string => Text,
        deserialize_bytes => Bytes,
        deserialize_byte_buf => Bytes,
        deserialize_unit => Unit,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.ask(|| Kind::Name(&[]));
        match self.node.kind {
            Kind::Name(names) => visitor.visit_str(sample::name(names, self.index())),
            _ => Err(changed_its_mind()),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.leaf(Shape::Unit, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let around = self.place;
        let place = Place { attempt: around.attempt, ..self.enter::<V>()? };
        visitor.visit_newtype_struct(Giver { node: self.node, place })
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.ask(|| Kind::Option(Box::default()));
        let place = self.inside();
        let some = self.index() % 2 == 1;
        let Node { kind: Kind::Option(inner), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        if inner.done && !(some && inner.is_good()) {
            return visitor.visit_none();
        }
        inner
            .give(&below(&place, Segment::Same), |inner| visitor.visit_some(inner))
            .inspect_err(|_| *failed_inside = true)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.ask(|| Kind::Seq(Box::default()));
        let place = self.inside();
        let some = self.index() % 2 == 1;
        let Node { kind: Kind::Seq(inner), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        let given = if !inner.done || (some && inner.is_good()) {
            std::slice::from_mut(&mut **inner)
        } else {
            &mut []
        };
        visitor.visit_seq(Elements {
            left: given.iter_mut(),
            segment: Segment::Element,
            failed_inside,
            place,
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        mut self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.ask(|| {
            let mut places = Vec::new();
            places.resize_with(length, Node::default);
            Kind::Tuple(places)
        });
        let place = self.enter::<V>()?;
        let Node { kind: Kind::Tuple(places), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        visitor.visit_seq(Elements {
            left: places.iter_mut(),
            segment: Segment::Number(0),
            failed_inside,
            place,
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.ask(|| Kind::Map(Box::default(), Box::default()));
        match self.node.kind {
            Kind::Struct(_) => return self.fields(visitor),
            Kind::Tagged(_) => return self.tagged(visitor),
            _ => {}
        }
        let place = self.inside();
        let some = self.index() % 2 == 1;
        let Node { kind: Kind::Map(key, value), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        let known = key.done && value.done;
        let given = !known || (some && key.is_good() && value.is_good());
        visitor.visit_map(Entries { given, key, value, failed_inside, place })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.ask(|| Kind::Struct(Fields::new(fields)));
        self.node.struct_name = Some(name);
        if let Kind::Struct(fields) = &self.node.kind
            && let Some(tagged) = fields.as_enum(name)
        {
            self.node.kind = Kind::Tagged(Box::new(tagged));
            self.place.learn();
        }
        match self.node.kind {
            Kind::Tagged(_) => self.tagged(visitor),
            _ => self.fields(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let other = (!variants.is_empty()).then_some(ANY_OTHER);
        let names = variants.iter().copied().chain(other);
        let variants = || names.map(|variant| (variant, Node::default())).collect();
        self.ask(|| Kind::Enum(name, variants()));
        let place = self.enter::<V>()?;
        let attempt = self.index();
        let Node { kind: Kind::Enum(_, variants), failed_inside, .. } = self.node else {
            return Err(changed_its_mind());
        };
        let at = choose(variants, attempt);
        match variants.get_mut(at) {
            Some((name, node)) => visitor.visit_enum(Variant { name, node, failed_inside, place }),
            None => Err(Error::Other("it has no variants".to_owned())),
        }
    }
}
