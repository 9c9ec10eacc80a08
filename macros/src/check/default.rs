//! What a field is in older events, as far as its text tells.

use syn::{Expr, Lit, UnOp};

use crate::errors::Errors;
use crate::model::Event;

/// The way up goes over JSON values, whose integers have 64 bits.
pub(super) fn check(event: &mut Event, errors: &Errors) {
    for (_, default) in
        event.options.marks.iter().flatten().filter_map(|mark| mark.default.as_ref())
    {
        // #[event(since = 2, default = 18446744073709551616)] tokens: u128
        if is_beyond_64_bits(default) {
            errors.on(
                default,
                "an integer beyond 64 bits cannot be added on the way up; write `previous = Type`, whose `From` can",
            );
            event.versions_refused = true;
        }
    }
}

fn is_beyond_64_bits(default: &Expr) -> bool {
    let digits = |literal: &Expr| match literal {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(integer) => integer.base10_digits().parse::<u128>().ok(),
            _ => None,
        },
        _ => None,
    };
    match default {
        Expr::Unary(negated) if matches!(negated.op, UnOp::Neg(_)) => {
            digits(&negated.expr).is_some_and(|value| value > i64::MIN.unsigned_abs().into())
        }
        literal => digits(literal).is_some_and(|value| value > u64::MAX.into()),
    }
}
