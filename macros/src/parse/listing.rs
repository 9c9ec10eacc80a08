//! Lists of types that become the variants of an enum.

use syn::parse::{Parse, ParseStream};
use syn::{Ident, Result, Token, Type};

use crate::model::listing::Listed;

impl Parse for Listed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ty: Type = input.parse()?;
        let variant = if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            Some(input.parse()?)
        } else {
            last_segment(&ty)
        };
        Ok(Self { ty, variant })
    }
}

/// `Issued` of `billing::Issued`.
fn last_segment(ty: &Type) -> Option<Ident> {
    match ty {
        // What `$event:ty` of a `macro_rules!` stood for.
        Type::Group(group) => last_segment(&group.elem),
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
        _ => None,
    }
}
