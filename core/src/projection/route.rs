//! Which rows an event goes to.

use crate::read_model::{ModelKey, Test};

/// Which rows an event goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route<K> {
    /// That of one key.
    One(K),
    /// Those of several keys, each once.
    Many(Vec<K>),
    /// All that pass a test now.
    Each(Test),
}

/// What `key = |event| …` gives back: one key or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of type `{K}`, nor several",
    label = "expected `{K}`, or a `Vec`, an array or an `Option` of it"
)]
pub trait IntoKeys<K> {
    /// Makes the route to their rows.
    fn into_route(self) -> Route<K>;
}

impl<K: ModelKey> IntoKeys<K> for K {
    fn into_route(self) -> Route<K> {
        Route::One(self)
    }
}

impl<K: ModelKey> IntoKeys<K> for Vec<K> {
    fn into_route(self) -> Route<K> {
        Route::Many(self)
    }
}

impl<K: ModelKey> IntoKeys<K> for Option<K> {
    fn into_route(self) -> Route<K> {
        Route::Many(self.into_iter().collect())
    }
}

impl<K: ModelKey, const N: usize> IntoKeys<K> for [K; N] {
    fn into_route(self) -> Route<K> {
        Route::Many(self.into())
    }
}
