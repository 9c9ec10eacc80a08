//! What the macro of reactors writes.

use std::fmt::Display;

use crate::context::EventContext;
use crate::projection::Route;
use crate::reactor::Reactor;
use crate::recorded_event::RecordedEvent;

/// The key of an event without one: the name of its stream.
pub fn route_by_stream(recorded: &RecordedEvent) -> Route<String> {
    Route::One(recorded.stream_id.to_string())
}

/// The key of an event whose fields say it: their texts, with `/` between them.
#[expect(clippy::needless_pass_by_value, reason = "what the macro writes makes them")]
pub fn route_by_texts<const N: usize>(texts: [String; N]) -> Route<String> {
    Route::One(texts.join("/"))
}

/// A field of an event whose text is the key of a reactor's calls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no text that could be a key",
    label = "lacks `Display`",
    note = "the key of a reactor's calls is a text; where the event holds it in another way, write `key = |event| …`"
)]
pub trait KeyText {
    /// The text.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> KeyText for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

/// The text of a field: `key = field`.
pub fn text_of_key<T: KeyText + ?Sized>(field: &T) -> String {
    field.text()
}

/// Asks an event for its key: `key = |event| …`. The key may borrow from the event.
pub fn keyed<'a, E, K>(event: &'a E, key: impl FnOnce(&'a E) -> K) -> K {
    key(event)
}

/// One key. It tells the impls of [`IntoTexts`] apart.
#[derive(Debug)]
pub enum OneText {}

/// Several keys. It tells the impls of [`IntoTexts`] apart.
#[derive(Debug)]
pub enum SeveralTexts {}

/// What `key = |event| …` of a reactor gives back: one key or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no text that could be a key, nor several",
    label = "expected anything with `Display`, or a `Vec`, an array or an `Option` of it",
    note = "the key of a reactor's calls is a text; those for one key go in order"
)]
pub trait IntoTexts<M> {
    /// Makes the route to the keys.
    fn into_route(self) -> Route<String>;
}

impl<T: Display> IntoTexts<OneText> for T {
    fn into_route(self) -> Route<String> {
        Route::One(self.to_string())
    }
}

impl<T: Display> IntoTexts<SeveralTexts> for Vec<T> {
    fn into_route(self) -> Route<String> {
        several(self)
    }
}

impl<T: Display> IntoTexts<SeveralTexts> for Option<T> {
    fn into_route(self) -> Route<String> {
        several(self)
    }
}

impl<T: Display, const N: usize> IntoTexts<SeveralTexts> for [T; N] {
    fn into_route(self) -> Route<String> {
        several(self)
    }
}

fn several(keys: impl IntoIterator<Item = impl Display>) -> Route<String> {
    Route::Many(keys.into_iter().map(|key| key.to_string()).collect())
}

/// The last parameter of an `#[on]` of a reactor.
#[diagnostic::on_unimplemented(
    message = "the last parameter of an `#[on]` of `{R}` is `&EventContext<Self>`, not `{Self}`",
    label = "expected `&EventContext<Self>`",
    note = "an `#[on]` takes its event and, last and only if it wants it, `cx: &EventContext<Self>`; what a reactor uses comes by `cx.services()`"
)]
pub trait ReactorContext<'a, R: Reactor> {
    /// The context as the method takes it.
    fn from_context(cx: &'a EventContext<R>) -> Self;
}

impl<'a, R: Reactor> ReactorContext<'a, R> for &'a EventContext<R> {
    fn from_context(cx: &'a EventContext<R>) -> Self {
        cx
    }
}
