//! `version = …` and `upcast(…)`.

use crate::model::upcast::{Number, Upcast};
use crate::parse::options::{Place, Refused, Spec, Table};
use crate::parse::value::Value;

const UPCAST: Table<Upcast> = Table {
    attribute: "upcast",
    options: &[
        Spec::once(
            "from",
            Place::Here,
            "the version that the step leads up from, as in `from = 1`",
            |upcast, value| {
                upcast.from = Some(version(value)?);
                Ok(())
            },
        ),
        Spec::once(
            "with",
            Place::Here,
            "the path of a function, as in `with = split_name`",
            |upcast, value| {
                upcast.with = Some(value.function()?);
                Ok(())
            },
        ),
    ],
};

/// `= 3`
pub(crate) fn version(value: &Value<'_>) -> syn::Result<Number> {
    Number::new(&value.number::<u32>()?)
}

/// `(from = 1, with = split_name)`; without its `mark` if something in it was refused.
pub(crate) fn upcast(value: &Value<'_>) -> syn::Result<Upcast> {
    let (mut upcast, refused): (Upcast, Refused) = value.options_or_refused(&UPCAST)?;
    let sound = !refused.may_be("from") && !refused.may_be("with");
    upcast.mark = sound.then(|| value.name.span());
    Ok(upcast)
}
