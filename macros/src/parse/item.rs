//! The item that a derive stands on.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields};

use crate::model::Item;
use crate::model::item::{Field, Kind, Variant};

/// What stands above an item and above each of its fields.
pub(crate) struct Attributes {
    pub(crate) item: Vec<Attribute>,
    pub(crate) fields: Vec<Vec<Attribute>>,
    /// Above the variants of an enum.
    pub(crate) variants: Vec<Vec<Attribute>>,
    /// Above the fields of its variants.
    pub(crate) variant_fields: Vec<Vec<Attribute>>,
}

/// Parts an item from its attributes.
pub(crate) fn parse(input: DeriveInput) -> (Item, Attributes) {
    let (mut variants, mut above_variants, mut variant_fields) =
        <(Vec<_>, Vec<_>, Vec<_>)>::default();
    let (kind, keyword, fields) = match input.data {
        Data::Struct(data) => (Kind::Struct, data.struct_token.span(), data.fields),
        Data::Enum(data) => {
            for variant in data.variants {
                let has_fields = !matches!(variant.fields, Fields::Unit);
                let fields = has_fields.then(|| variant.fields.to_token_stream());
                variants.push(Variant { ident: variant.ident, fields });
                above_variants.push(variant.attrs);
                variant_fields.extend(variant.fields.into_iter().map(|field| field.attrs));
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
        .map(|(field, member)| (Field { vis: field.vis, member, ty: field.ty }, field.attrs))
        .unzip();
    let item = Item {
        ident: input.ident,
        vis: input.vis,
        kind,
        keyword,
        generics: input.generics,
        braced,
        fields,
        variants,
    };
    let above = Attributes {
        item: input.attrs,
        fields: above_fields,
        variants: above_variants,
        variant_fields,
    };
    (item, above)
}
