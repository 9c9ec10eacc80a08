//! Which fields are an `Option`: the macros cannot know, since a type may have another name.

use std::marker::PhantomData;

/// A type whose value may be absent from a JSON object.
#[diagnostic::on_unimplemented(
    message = "the field has no `default`, and what was stored before does not have it",
    label = "`{Self}` is not an `Option`",
    note = "write `#[event(since = …, default = …)]`, or make the field an `Option`, which is `None` where it is absent"
)]
pub trait Optional {}

impl<T> Optional for Option<T> {}

/// Stops the compiler if a type is not an `Option`.
pub const fn assert_optional<T: Optional>() {}

/// Tells whether `T` is an `Option`: this constant comes before the one that [`MaybeOptional`] has for any type.
#[derive(Debug)]
pub struct Optionality<T>(PhantomData<T>);

impl<T> Optionality<Option<T>> {
    /// It is.
    pub const IS_OPTION: bool = true;
}

/// Of all other types.
pub trait MaybeOptional {
    /// It is not.
    const IS_OPTION: bool = false;
}

impl<T> MaybeOptional for Optionality<T> {}
