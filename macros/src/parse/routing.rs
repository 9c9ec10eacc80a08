//! Which rows an `#[on]` goes to: `key = …` and `each(…)`.

use syn::parse::{Parse, ParseStream, Parser};
use syn::{Expr, Ident, Lit, Member, Result, Token};

use crate::model::method::{Each, KeyBy};
use crate::parse::value::Value;

/// `owner`, `(owner, day)`, or a closure. A field is told from the rest by being a name.
pub(crate) fn read_key(expr: Expr) -> Result<KeyBy> {
    match expr {
        Expr::Closure(closure) => Ok(KeyBy::Closure(Box::new(closure))),
        Expr::Tuple(fields) if !fields.elems.is_empty() => {
            fields.elems.iter().map(read_field).collect::<Result<_>>().map(KeyBy::Fields)
        }
        field => Ok(KeyBy::Fields(vec![read_field(&field)?])),
    }
}

/// `customer = customer` in parentheses.
pub(crate) fn read_each(value: &Value<'_>) -> Result<Each> {
    let word = value.name.span();
    let mut pairs = value.list::<Pair>()?.into_iter();
    match (pairs.next(), pairs.next()) {
        (Some(Pair { column, field }), None) => Ok(Each { word, column, field }),
        // #[on(each())]
        _ => Err(syn::Error::new(word, "each")),
    }
}

/// `column = field`
struct Pair {
    column: Ident,
    field: Member,
}

impl Parse for Pair {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let column = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { column, field: input.parse()? })
    }
}

/// The name of a field, or its number in a tuple struct.
fn read_field(expr: &Expr) -> Result<Member> {
    match expr {
        Expr::Group(group) => read_field(&group.expr),
        Expr::Path(path) if path.qself.is_none() => {
            path.path.require_ident().cloned().map(Member::Named)
        }
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => {
                Member::parse.parse_str(number.base10_digits()).map(|mut member| {
                    if let Member::Unnamed(index) = &mut member {
                        index.span = number.span();
                    }
                    member
                })
            }
            other => Err(syn::Error::new_spanned(other, "field")),
        },
        other => Err(syn::Error::new_spanned(other, "field")),
    }
}
