//! Which rows an `#[on]` goes to: `key = …` and `each(…)`.

use proc_macro2::Span;

use crate::errors::Errors;
use crate::model::method::{Method, Receiver};

/// Reports what is wrong with a method's routing; `inline` says where the projection is said to be so.
pub(crate) fn check(method: &mut Method, inline: Option<Span>, errors: &Errors) {
    let key = method.routing.key.as_ref().map(|key| key.word);
    let each = method.routing.each.as_ref().map(|each| each.word);
    match (key, each) {
        // #[on(key = owner, each(customer = customer))]
        (Some(_), Some(each)) => {
            errors.at(each, "`key` names a row, `each` all with a value; leave one of them out");
            method.routing.each = None;
        }
        (None, Some(each)) => check_each(method, each, errors),
        _ => {}
    }
    // #[projection(inline)] … #[on(key = owner)]
    if let (Some(word), Some(_)) = (key.or(each), inline) {
        errors.at(
            word,
            "an inline projection's rows follow their events' own streams; leave this out, or `inline` of the `#[projection]`",
        );
    }
}

fn check_each(method: &mut Method, each: Span, errors: &Errors) {
    let message = match (method.upsert, &method.receiver) {
        // #[on(upsert, each(customer = customer))]
        (Some(_), _) => "`each` changes rows that are there; leave `upsert` out",
        // #[on(each(customer = customer))] fn renamed(event: &CustomerRenamed) -> Self
        (None, Receiver::None) if !method.refused => {
            "`each` changes rows that are there: write `&mut self`, or `self` to give back the row or `None`"
        }
        _ => return,
    };
    errors.at(each, message);
    method.refused = true;
}
