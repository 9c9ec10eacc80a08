//! The signatures of marked methods.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;

use crate::errors::Errors;
use crate::model::method::{Mark, Method, Passing, Receiver};

/// Reports what is wrong with a method's signature; `false` if anything is.
pub(crate) fn check(method: &Method, errors: &Errors) -> bool {
    // #[apply] #[handle] fn open(…)
    if let Some(mark) = method.second_mark {
        let message = match method.mark {
            Mark::Apply | Mark::Handle => {
                "a method has one mark; a handler decides, an apply changes: write two methods"
            }
            // #[on] #[on(upsert)] fn opened(…)
            Mark::On | Mark::Call => "a method has one mark; write all options into one `#[on(…)]`",
            // #[on] #[rejected] fn reserved(…)
            Mark::React | Mark::Rejected | Mark::Deadline => {
                "a method has one mark; write a method for each, and all options into one mark"
            }
        };
        errors.at(mark, message);
        return false;
    }
    let outcomes = [
        check_kind(method, errors),
        check_receiver(method, errors),
        check_upsert(method, errors),
        check_subject(method, errors),
        check_order(method, errors),
        check_surplus(method, errors),
        check_output(method, errors),
    ];
    outcomes.into_iter().all(|sound| sound)
}

fn check_kind(method: &Method, errors: &Errors) -> bool {
    let mut sound = true;
    if let Some(span) = method.asyncness {
        let message = match method.mark {
            // #[apply] async fn opened(event: &AccountOpened) -> Self
            Mark::Apply => {
                "an `#[apply]` cannot be async: a replay asks nobody; what asks, a `#[handle]` does, and puts the answer into its event"
            }
            // #[on] async fn opened(event: &AccountOpened) -> Self
            Mark::On => {
                "an `#[on]` of a projection cannot be async: its row comes of the event alone, so that a rebuild gives the same"
            }
            // #[on] async fn confirmed(event: &OrderConfirmed) -> Self
            Mark::React | Mark::Rejected | Mark::Deadline => {
                "a step of a process cannot be async: it asks nobody, and what it sends goes out by itself; what reaches outside is a reactor"
            }
            Mark::Handle | Mark::Call => {
                return check_safe(method, errors) && check_generics(method, errors);
            }
        };
        errors.at(span, message);
        sound = false;
    }
    sound &= check_safe(method, errors);
    sound & check_generics(method, errors)
}

fn check_safe(method: &Method, errors: &Errors) -> bool {
    // #[handle] unsafe fn open(command: OpenAccount) -> AccountOpened
    let Some(span) = method.unsafety else { return true };
    let mark = method.mark.named();
    errors.at(span, format!("{mark} cannot be unsafe: it is called from safe code"));
    false
}

fn check_generics(method: &Method, errors: &Errors) -> bool {
    // #[handle] fn open<C>(command: C) -> AccountOpened
    let Some(generics) = &method.generics else { return true };
    let noun = method.mark.noun();
    let message = format!("a method with a mark cannot be generic; write one for each {noun}");
    errors.on(generics, message);
    false
}

fn check_receiver(method: &Method, errors: &Errors) -> bool {
    match (method.mark, &method.receiver) {
        // #[apply] fn deposited(&self, event: &MoneyDeposited)
        (Mark::Apply, Receiver::Shared(written)) => {
            errors.on(
                written,
                "an `#[apply]` changes the state: write `&mut self`, `self` to give back the next state, or none to create it",
            );
            false
        }
        // #[on] fn deposited(&self, event: &MoneyDeposited)
        (Mark::On, Receiver::Shared(written)) => {
            errors.on(
                written,
                "an `#[on]` changes its row: write `&mut self`, `self` to give back the row or `None`, or none to create it",
            );
            false
        }
        // #[handle] fn deposit(&mut self, command: Deposit) -> MoneyDeposited
        (Mark::Handle, Receiver::Mutable(written)) => {
            errors.on(
                written,
                "a `#[handle]` decides and changes nothing: write `&self`, and change the state in the `#[apply]` of its event",
            );
            false
        }
        // #[handle] fn deposit(self, command: Deposit) -> MoneyDeposited
        (Mark::Handle, Receiver::Value(written)) => {
            errors.on(
                written,
                "a `#[handle]` looks at the state: write `&self`, or none if it creates",
            );
            false
        }
        // #[apply] fn deposited(self: Box<Self>, event: &MoneyDeposited) -> Self
        (Mark::Apply | Mark::On, Receiver::Typed(written)) => {
            errors.on(written, "write `&mut self`, `self`, or none");
            false
        }
        (Mark::Handle, Receiver::Typed(written)) => {
            errors.on(written, "write `&self`, or none");
            false
        }
        // #[on] fn reserved(self: Box<Self>, event: &StockReserved) -> Self
        (Mark::React, Receiver::Typed(written)) => {
            errors.on(written, "write `&self`, `&mut self`, `self`, or none");
            false
        }
        // #[deadline(name = "too_slow")] fn too_slow(self: Box<Self>) -> Done<()>
        (Mark::Rejected | Mark::Deadline, Receiver::Typed(written)) => {
            errors.on(written, "write `&self`, `&mut self` or `self`");
            false
        }
        // #[deadline(name = "too_slow")] fn too_slow() -> Done<()>
        (Mark::Deadline, Receiver::None) => {
            let message =
                "a `#[deadline]` finds a process that lives: write `&self`, `&mut self` or `self`";
            errors.on(&method.name, message);
            false
        }
        // #[rejected] fn not_reserved(command: &ReserveStock) -> Self
        (Mark::Rejected, Receiver::None) if method.upsert.is_none() && method.state.is_none() => {
            let message = "a `#[rejected]` finds the process that sent the command: write `&self`, `&mut self` or `self`";
            errors.on(&method.name, message);
            false
        }
        // #[on] async fn opened(&self, event: &AccountOpened)
        (
            Mark::Call,
            Receiver::Shared(written)
            | Receiver::Mutable(written)
            | Receiver::Value(written)
            | Receiver::Typed(written),
        ) => {
            errors.on(
                written,
                "a reactor has no state: leave `self` out; what it uses comes by `cx.services()`",
            );
            false
        }
        _ => true,
    }
}

fn check_upsert(method: &Method, errors: &Errors) -> bool {
    let Some(upsert) = method.upsert else { return check_no_upsert(method, errors) };
    let (noun, state) = (method.mark.state(), method.mark.upserted());
    match &method.receiver {
        // #[handle(upsert)] fn restock(command: Restock) -> Restocked
        // #[handle(upsert)] fn restock(state: Option<&Self>) -> Restocked
        Receiver::None if method.state.is_none() || method.subject.is_none() => {
            let subject = method.mark.noun();
            let message =
                format!("`upsert` takes the {noun} first, as `{state}`, and then the {subject}");
            errors.at(upsert, message);
            false
        }
        Receiver::None => true,
        // #[handle(upsert)] fn restock(&self, command: Restock) -> Restocked
        Receiver::Shared(written)
        | Receiver::Mutable(written)
        | Receiver::Value(written)
        | Receiver::Typed(written) => {
            let message = format!(
                "`upsert` takes the {noun} as its first parameter: write `{noun}: {state}`"
            );
            errors.on(written, message);
            false
        }
    }
}

/// Checks that what takes the state if there is any says so.
fn check_no_upsert(method: &Method, errors: &Errors) -> bool {
    let Some(state) = &method.state else { return true };
    if method.mark == Mark::Call {
        // #[on] async fn opened(state: Option<Self>, event: &AccountOpened)
        let takes = method.mark.takes();
        errors.on(state, format!("a reactor has no state: an `#[on]` takes {takes}"));
        return false;
    }
    // #[handle] fn restock(state: Option<&Self>, command: Restock) -> Restocked
    let (word, noun) = (method.mark.word(), method.mark.state());
    let message =
        format!("what takes the {noun} if there is any is an upsert: write `#[{word}(upsert)]`");
    errors.on(state, message);
    false
}

fn check_order(method: &Method, errors: &Errors) -> bool {
    let Some(context) = &method.context_first else { return true };
    let message = match method.mark {
        // #[rejected] fn not_reserved(self, cx: &EventContext<Self>, command: &ReserveStock, why: &Rejection) -> Done<()>
        Mark::Rejected => "the context comes last, after the command and `&Rejection`".to_owned(),
        // #[handle] fn open(cx: &Context<Self>, command: OpenAccount) -> AccountOpened
        mark => format!("the context comes last, after the {}", mark.noun()),
    };
    errors.on(context, message);
    false
}

fn check_subject(method: &Method, errors: &Errors) -> bool {
    if method.mark == Mark::Deadline {
        return true;
    }
    let Some(subject) = &method.subject else {
        // The upsert's own message says it.
        if method.upsert.is_none() && method.state.is_none() {
            let message = match method.mark {
                // #[apply] fn opened() -> Self
                Mark::Apply => "an `#[apply]` takes an event, as in `event: &AccountOpened`",
                // #[on] fn opened() -> Self
                Mark::On | Mark::React | Mark::Call => {
                    "an `#[on]` takes an event, as in `event: &AccountOpened`"
                }
                // #[rejected] fn not_reserved(self) -> Done<()>
                Mark::Rejected | Mark::Deadline => {
                    "a `#[rejected]` takes the command that was refused, as in `command: &ReserveStock`"
                }
                // #[handle] fn open() -> AccountOpened
                Mark::Handle => "a `#[handle]` takes a command, as in `command: OpenAccount`",
            };
            errors.on(&method.name, message);
        }
        return false;
    };
    if !check_named(&subject.ty, errors) {
        return false;
    }
    let ty = subject.ty.to_token_stream().to_string().replace(' ', "");
    match (method.mark, subject.passing) {
        // #[handle] fn open(command: &OpenAccount) -> AccountOpened
        (Mark::Handle, Passing::Shared | Passing::Mutable) => {
            errors.on(
                &subject.written,
                format_args!("a `#[handle]` is given its command: write `{ty}`"),
            );
            false
        }
        (Mark::Handle, Passing::Value) | (_, Passing::Shared) => true,
        // #[apply] fn opened(event: AccountOpened) -> Self
        (mark, Passing::Value | Passing::Mutable) => {
            let (named, noun) = (mark.named(), mark.noun());
            errors.on(&subject.written, format!("{named} looks at its {noun}: write `&{ty}`"));
            false
        }
    }
}

fn check_surplus(method: &Method, errors: &Errors) -> bool {
    for parameter in &method.surplus {
        // #[apply] fn opened(event: &AccountOpened, cx: &EventContext<Self>, more: u64) -> Self
        let (named, takes) = (method.mark.named(), method.mark.takes());
        let message = format!("unknown parameter; {named} takes {takes}");
        errors.on(parameter, message);
    }
    method.surplus.is_empty()
}

fn check_output(method: &Method, errors: &Errors) -> bool {
    match (&method.output, method.mark, &method.receiver) {
        // #[handle] fn open(command: OpenAccount) -> impl IntoEvents<Self>
        (Some(output), ..) => check_named(output, errors),
        // #[apply] fn opened(event: &AccountOpened)
        (None, Mark::Apply, Receiver::None | Receiver::Value(_)) => {
            let message =
                "an `#[apply]` without `&mut self` gives back the next state: write `-> Self`";
            errors.on(&method.name, message);
            false
        }
        // #[on] fn opened(event: &AccountOpened)
        (None, Mark::On, Receiver::None | Receiver::Value(_)) => {
            let message = "an `#[on]` without `&mut self` gives back the row after the event: write `-> Self`";
            errors.on(&method.name, message);
            false
        }
        // #[on] fn confirmed(event: &OrderConfirmed)
        (None, mark, Receiver::None | Receiver::Value(_)) if mark.is_step() => {
            let named = mark.named();
            let message = format!(
                "{named} without `&self` or `&mut self` gives back the process after it: write `-> Self`, or `-> Done<()>` where it ends"
            );
            errors.on(&method.name, message);
            false
        }
        _ => true,
    }
}

/// Checks that the macro can name a type where no `impl` may stand.
pub(crate) fn check_named(ty: &Type, errors: &Errors) -> bool {
    match anonymous(ty.to_token_stream()) {
        // #[handle] fn open(command: OpenAccount) -> Result<impl IntoEvents<Self>, AccountError>
        Some(span) => {
            errors.at(span, "the macro has to name the type; write it out instead of `impl`");
            false
        }
        None => true,
    }
}

/// Where an `impl` stands in a type.
pub(crate) fn anonymous(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "impl" => Some(ident.span()),
        TokenTree::Group(group) => anonymous(group.stream()),
        _ => None,
    })
}
