//! The marked methods of an impl: `#[apply]` and `#[handle]` of `#[handlers]`, `#[on]` of `#[projection]`, `#[on]`, `#[rejected]`
//! and `#[deadline]` of `#[process]`, `#[on]` of `#[reactor]`.

use proc_macro2::{Span, TokenStream};
use syn::{Expr, ExprClosure, Generics, Ident, LitStr, Member, Type, Visibility};

use crate::model::marked_impl::Carried;

/// A method with a mark.
pub(crate) struct Method {
    pub(crate) mark: Mark,
    pub(crate) upsert: Option<Span>,
    pub(crate) routing: Routing,
    pub(crate) deadline: Deadline,
    /// Where the mark stands.
    pub(crate) mark_span: Span,
    /// Where a second mark on the same method stands.
    pub(crate) second_mark: Option<Span>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) carried: Carried,
    pub(crate) asyncness: Option<Span>,
    pub(crate) unsafety: Option<Span>,
    pub(crate) generics: Option<Generics>,
    pub(crate) receiver: Receiver,
    /// The first parameter of an upsert, or of what can only be one: the state, or none.
    pub(crate) state: Option<Type>,
    /// The event or the command.
    pub(crate) subject: Option<Subject>,
    /// Why the command was refused.
    pub(crate) reason: Option<Type>,
    pub(crate) context: Option<Type>,
    /// The context, where it does not come last.
    pub(crate) context_first: Option<TokenStream>,
    /// Parameters after the context.
    pub(crate) surplus: Vec<TokenStream>,
    /// The return type; `None` if it is left out.
    pub(crate) output: Option<Type>,
    /// Whether the check has refused the method: its impl is then written without a body, so that one mistake stays
    /// one error.
    pub(crate) refused: bool,
}

/// What a method is marked as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Apply,
    Handle,
    /// Of a projection.
    On,
    /// Of a process.
    React,
    Rejected,
    Deadline,
    /// Of a reactor.
    Call,
}

/// What stands in the parentheses of `#[deadline]`.
#[derive(Default)]
pub(crate) struct Deadline {
    pub(crate) name: Option<LitStr>,
    /// How long after the beginning of the process, if it is set then.
    pub(crate) after: Option<Expr>,
    /// Whether a name was given that could not be read: nobody should miss it.
    pub(crate) name_refused: bool,
}

/// From where an `#[on]` takes its event, and to which rows it goes.
#[derive(Default)]
pub(crate) struct Routing {
    pub(crate) key: Option<Key>,
    pub(crate) each: Option<Each>,
    /// `from = Aggregate`.
    pub(crate) from: Option<Type>,
    /// Whether a key was given that could not be read: nobody should miss it.
    pub(crate) refused: bool,
}

/// `key = …`.
pub(crate) struct Key {
    /// Where the word `key` stands.
    pub(crate) word: Span,
    pub(crate) by: KeyBy,
}

/// What says the key.
pub(crate) enum KeyBy {
    /// `key = owner`, or `key = (owner, day)` for a key of several columns.
    Fields(Vec<Member>),
    /// `key = |event| …`.
    Closure(Box<ExprClosure>),
}

/// `each(column = field)`.
pub(crate) struct Each {
    /// Where the word `each` stands.
    pub(crate) word: Span,
    /// The field of the read model whose column has the value.
    pub(crate) column: Ident,
    /// The field of the event that is the value.
    pub(crate) field: Member,
}

/// How a method takes the state.
#[derive(Clone)]
pub(crate) enum Receiver {
    /// No `self`: it creates.
    None,
    /// `&self`.
    Shared(TokenStream),
    /// `&mut self`.
    Mutable(TokenStream),
    /// `self` or `mut self`.
    Value(TokenStream),
    /// `self: Type`.
    Typed(TokenStream),
}

/// The event of an `#[apply]` or an `#[on]`, or the command of a `#[handle]`.
pub(crate) struct Subject {
    /// The parameter's type as written.
    pub(crate) written: Type,
    /// The type without its `&`.
    pub(crate) ty: Type,
    pub(crate) passing: Passing,
}

/// How a parameter is passed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passing {
    Value,
    Shared,
    Mutable,
}

impl Mark {
    /// The mark's name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Handle => "handle",
            Self::On | Self::React | Self::Call => "on",
            Self::Rejected => "rejected",
            Self::Deadline => "deadline",
        }
    }

    /// The mark as messages begin with it: "an `#[apply]`".
    pub(crate) fn named(self) -> String {
        let article = match self {
            Self::Apply | Self::On | Self::React | Self::Call => "an",
            Self::Handle | Self::Rejected | Self::Deadline => "a",
        };
        format!("{article} `#[{}]`", self.word())
    }

    /// What a method with the mark is written for, each once.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Apply | Self::On | Self::React | Self::Call => "event",
            Self::Handle | Self::Rejected => "command",
            Self::Deadline => "deadline",
        }
    }

    /// How an upsert with the mark takes the state.
    pub(crate) fn upserted(self) -> &'static str {
        match self {
            Self::Handle => "Option<&Self>",
            _ => "Option<Self>",
        }
    }

    /// What a method with the mark sees and changes.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Self::Apply | Self::Handle | Self::Call => "state",
            Self::On => "row",
            Self::React | Self::Rejected | Self::Deadline => "process",
        }
    }

    /// The type of its last parameter.
    pub(crate) fn context(self) -> &'static str {
        match self {
            Self::Handle => "Context",
            _ => "EventContext",
        }
    }

    /// All that a method with the mark takes: "its event and, last, `&EventContext<Self>`".
    pub(crate) fn takes(self) -> String {
        let context = self.context();
        match self {
            Self::Rejected => {
                format!("its command, then `&Rejection` and, last, `&{context}<Self>`")
            }
            Self::Deadline => format!("nothing but `&{context}<Self>`"),
            _ => format!("its {} and, last, `&{context}<Self>`", self.noun()),
        }
    }

    /// Whether a method with the mark is a step of a process.
    pub(crate) fn is_step(self) -> bool {
        matches!(self, Self::React | Self::Rejected | Self::Deadline)
    }
}
