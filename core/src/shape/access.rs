//! What is inside structs, lists, maps and enums, given piece by piece.

use std::vec;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::Shape;
use super::deserializer::{Error, Giver};
use super::node::{Kind, Node, Place, Segment};
use super::struct_node::Fields;

/// The place inside `place`.
pub(super) fn below<'a>(place: &'a Place<'a>, segment: Segment) -> Place<'a> {
    Place { above: Some(place), visitor: "", segment, ..*place }
}

/// The fields of a struct, after the tag of its enum if it has one.
pub(super) struct FieldsAccess<'a> {
    /// The key of the tag, and the variant.
    pub(super) tag: Option<(&'static str, &'static str)>,
    pub(super) plan: vec::IntoIter<usize>,
    pub(super) fields: &'a mut Fields,
    pub(super) failed_inside: &'a mut bool,
    pub(super) place: Place<'a>,
}

fn text<'de>(text: &'static str) -> StrDeserializer<'de, Error> {
    text.into_deserializer()
}

impl<'de> MapAccess<'de> for FieldsAccess<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if let Some((tag, _)) = self.tag {
            return seed.deserialize(text(tag)).map(Some);
        }
        let Some(next) = self.plan.as_slice().first() else { return Ok(None) };
        let name = self.fields.list[*next].name;
        self.fields.given_last = Some(name);
        seed.deserialize(text(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        if let Some((_, variant)) = self.tag.take() {
            return seed.deserialize(text(variant)).inspect_err(|_| *self.failed_inside = true);
        }
        let Some(index) = self.plan.next() else {
            return Err(Error::Other("it reads a value without a key".to_owned()));
        };
        let field = &mut self.fields.list[index];
        let below = below(&self.place, Segment::Named(field.name));
        let value = field.node.give(&below, |node| seed.deserialize(node));
        value.inspect_err(|_| *self.failed_inside = true)
    }
}

/// The elements of a list, and where the next one is.
pub(super) struct Elements<'a> {
    pub(super) left: std::slice::IterMut<'a, Node>,
    pub(super) segment: Segment,
    pub(super) failed_inside: &'a mut bool,
    pub(super) place: Place<'a>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.left.next() else { return Ok(None) };
        let below = below(&self.place, self.segment);
        if let Segment::Number(number) = &mut self.segment {
            *number += 1;
        }
        let value = node.give(&below, |node| seed.deserialize(node));
        value.map(Some).inspect_err(|_| *self.failed_inside = true)
    }
}

/// The one entry of a map, if it is given.
pub(super) struct Entries<'a> {
    pub(super) given: bool,
    pub(super) key: &'a mut Node,
    pub(super) value: &'a mut Node,
    pub(super) failed_inside: &'a mut bool,
    pub(super) place: Place<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if !std::mem::take(&mut self.given) {
            return Ok(None);
        }
        let below = below(&self.place, Segment::Key);
        let key = self.key.give(&below, |key| seed.deserialize(key));
        key.map(Some).inspect_err(|_| *self.failed_inside = true)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let below = below(&self.place, Segment::Value);
        let value = self.value.give(&below, |value| seed.deserialize(value));
        value.inspect_err(|_| *self.failed_inside = true)
    }
}

/// An empty list or object.
pub(super) struct Nothing;

impl<'de> SeqAccess<'de> for Nothing {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        _: T,
    ) -> Result<Option<T::Value>, Error> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Nothing {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Error> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, _: V) -> Result<V::Value, Error> {
        Err(Error::Other("it reads a value without a key".to_owned()))
    }
}

/// A variant of an enum.
pub(super) struct Variant<'a> {
    pub(super) name: &'static str,
    pub(super) node: &'a mut Node,
    pub(super) failed_inside: &'a mut bool,
    pub(super) place: Place<'a>,
}

impl Variant<'_> {
    fn give<T>(self, read: impl FnOnce(Giver<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let below = below(&self.place, Segment::Named(self.name));
        self.node.give(&below, read).inspect_err(|_| *self.failed_inside = true)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(text(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.give(|mut unit| {
            unit.ask(|| Kind::Leaf(Shape::Unit));
            Ok(())
        })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.give(|inner| seed.deserialize(inner))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.give(|inner| inner.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.give(|inner| inner.deserialize_struct("", fields, visitor))
    }
}
