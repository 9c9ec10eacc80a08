//! The item that a derive stands on.

use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields};

use crate::model::Item;
use crate::model::item::{Field, Kind};

/// What stands above an item and above each of its fields.
pub(crate) struct Attributes {
    pub(crate) item: Vec<Attribute>,
    pub(crate) fields: Vec<Vec<Attribute>>,
    /// Above the variants of an enum, and above their fields.
    pub(crate) variants: Vec<Vec<Attribute>>,
}

/// Parts an item from its attributes.
pub(crate) fn parse(input: DeriveInput) -> (Item, Attributes) {
    let mut variants = Vec::new();
    let (kind, keyword, fields) = match input.data {
        Data::Struct(data) => (Kind::Struct, data.struct_token.span(), data.fields),
        Data::Enum(data) => {
            for variant in data.variants {
                variants.push(variant.attrs);
                variants.extend(variant.fields.into_iter().map(|field| field.attrs));
            }
            (Kind::Enum, data.enum_token.span(), Fields::Unit)
        }
        Data::Union(data) => (Kind::Union, data.union_token.span(), Fields::Unit),
    };
    let members: Vec<_> = fields.members().collect();
    let braced = matches!((kind, &fields), (Kind::Struct, Fields::Named(_)));
    let (fields, above_fields) = fields
        .into_iter()
        .zip(members)
        .map(|(field, member)| (Field { member, ty: field.ty }, field.attrs))
        .unzip();
    let item = Item {
        ident: input.ident,
        vis: input.vis,
        kind,
        keyword,
        generics: input.generics,
        braced,
        fields,
    };
    (item, Attributes { item: input.attrs, fields: above_fields, variants })
}
