//! `#[projection]` with its `#[on]`.

use proc_macro2::Span;
use syn::{Ident, LitInt, LitStr, Type};

use crate::model::{CratePath, MarkedImpl};

/// A `#[projection]` impl.
pub(crate) struct Projection {
    pub(crate) block: MarkedImpl,
    pub(crate) options: Options,
}

/// What stands in the parentheses of `#[projection]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) crate_path: CratePath,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) batch: Option<LitInt>,
    /// Where `inline` stands.
    pub(crate) inline: Option<Span>,
    /// The aggregates all of whose events are taken or passed over.
    pub(crate) exhaustive: Vec<Type>,
    /// The events that are passed over.
    pub(crate) ignored: Vec<Type>,
}

/// `on_error = …`.
pub(crate) struct OnError {
    /// What the user typed.
    pub(crate) word: Ident,
    /// The variant that it stands for.
    pub(crate) variant: &'static str,
}
