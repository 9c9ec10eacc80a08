//! `#[sql_projection]`.

use quote::ToTokens;

use crate::check::marked_impl::{Refusals, check_block};
use crate::check::method::{anonymous, check_named};
use crate::check::projection::check_options;
use crate::errors::Errors;
use crate::model::SqlProjection;
use crate::model::method::{Passing, Subject};
use crate::model::sql_projection::{SqlMark, SqlMethod};

const REFUSALS: Refusals = Refusals {
    traits: "`#[sql_projection]` belongs on an inherent impl, not on a trait's; write `impl` and a type of your own",
    generics: "a SQL projection cannot be generic; leave the parameters out",
};

pub(crate) fn check(projection: &mut SqlProjection, errors: &Errors) {
    let SqlProjection { block, options, name_refused } = projection;
    check_block(block, &REFUSALS, errors);
    if block.refused.is_none() {
        // A method with both marks is told of that.
        let is = |method: &SqlMethod, mark| method.mark == mark || method.second_mark.is_some();
        let has = |mark| block.methods.iter().any(|method| is(method, mark));
        // #[sql_projection(name = "audit")] impl Audit { #[on] … }
        if !has(SqlMark::Setup) {
            let message = "a SQL projection makes its tables; write `#[setup]` above an `async fn` that takes `connection: &mut PgConnection`";
            errors.on(&block.self_ty, message);
        }
        // #[sql_projection(name = "audit")] impl Audit { #[setup] … }
        if !has(SqlMark::On) {
            let message = "a projection takes at least one event; write `#[on]` above a method";
            errors.on(&block.self_ty, message);
        }
    }
    // #[sql_projection] impl Audit { … }
    if options.name.is_none() && !*name_refused {
        let message = "a SQL projection is kept under a name: write `name = \"…\"` into `#[sql_projection(…)]`";
        errors.on(&block.self_ty, message);
    }
    check_options(options, errors);
    let mut sound: Vec<SqlMethod> = Vec::new();
    for mut method in block.methods.drain(..) {
        method.refused = !is_sound(&method, errors);
        // Neither a parameter of the method nor an `impl` can be named outside of it.
        let is_generic = method.generics.is_some();
        let is_named =
            |event: &mut Subject| !is_generic && anonymous(event.ty.to_token_stream()).is_none();
        method.event = method.event.take_if(|event| is_named(event));
        if !is_second(&method, &sound, errors) {
            sound.push(method);
        }
    }
    block.methods = sound;
}

fn is_sound(method: &SqlMethod, errors: &Errors) -> bool {
    // #[setup] #[on] async fn opened(…)
    if let Some(mark) = method.second_mark {
        let message = "a method has one mark; a `#[setup]` makes the tables, an `#[on]` takes an event: write two methods";
        errors.at(mark, message);
        return false;
    }
    let outcomes = [
        check_kind(method, errors),
        check_event(method, errors),
        check_database(method, errors),
        check_output(method, errors),
    ];
    outcomes.into_iter().all(|sound| sound)
}

fn check_kind(method: &SqlMethod, errors: &Errors) -> bool {
    let mut sound = true;
    let named = method.mark.named();
    // #[on] fn opened(event: &Opened, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error>
    if method.asyncness.is_none() {
        errors.on(&method.name, format_args!("{named} waits for the database: write `async fn`"));
        sound = false;
    }
    // #[on] async unsafe fn opened(event: &Opened, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error>
    if let Some(span) = method.unsafety {
        errors.at(span, format_args!("{named} cannot be unsafe: it is called from safe code"));
        sound = false;
    }
    // #[on] async fn opened<E: Event>(event: &E, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error>
    if let Some(generics) = &method.generics {
        let message = "a method with a mark cannot be generic; write one for each event";
        errors.on(generics, message);
        sound = false;
    }
    // #[on] async fn opened(&self, event: &Opened, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error>
    if let Some(receiver) = &method.receiver {
        errors.on(receiver, format_args!("{named} has no `self`: what it knows is in its tables"));
        sound = false;
    }
    sound
}

fn check_event(method: &SqlMethod, errors: &Errors) -> bool {
    if method.mark == SqlMark::Setup {
        return true;
    }
    let Some(event) = &method.event else {
        // #[on] async fn opened() -> Result<(), sqlx::Error>
        errors.on(&method.name, "an `#[on]` takes an event, as in `event: &AccountOpened`");
        return false;
    };
    // #[on] async fn opened(cx: &mut SqlContext<'_>, event: &Opened) -> Result<(), sqlx::Error>
    if let Some(context) = &method.context_first {
        errors.on(context, "the context comes last, after the event");
        return false;
    }
    if !check_named(&event.ty, errors) {
        return false;
    }
    // #[on] async fn opened(event: Opened, cx: &mut SqlContext<'_>) -> Result<(), sqlx::Error>
    if event.passing != Passing::Shared {
        let ty = event.ty.to_token_stream().to_string().replace(' ', "");
        errors.on(&event.written, format_args!("an `#[on]` looks at its event: write `&{ty}`"));
        return false;
    }
    true
}

fn check_database(method: &SqlMethod, errors: &Errors) -> bool {
    let takes = match method.mark {
        SqlMark::On => "its event and, last, `cx: &mut SqlContext<'_>`",
        SqlMark::Setup => "`connection: &mut PgConnection`",
    };
    let named = method.mark.named();
    for parameter in &method.surplus {
        // #[setup] async fn tables(connection: &mut PgConnection, more: u64) -> Result<(), sqlx::Error>
        errors.on(parameter, format_args!("unknown parameter; {named} takes {takes}"));
    }
    // What takes no event is told of that.
    let is_missing =
        method.database.is_none() && (method.mark == SqlMark::Setup || method.event.is_some());
    if is_missing {
        // #[on] async fn opened(event: &Opened) -> Result<(), sqlx::Error>
        errors.on(&method.name, format_args!("{named} takes {takes}"));
    }
    method.surplus.is_empty() && !is_missing
}

fn check_output(method: &SqlMethod, errors: &Errors) -> bool {
    let Some(output) = &method.output else {
        // #[on] async fn opened(event: &Opened, cx: &mut SqlContext<'_>)
        let named = method.mark.named();
        let message = format!("{named} passes errors on: write `-> Result<(), sqlx::Error>`");
        errors.on(&method.name, message);
        return false;
    };
    check_named(output, errors)
}

/// Whether a method before this one takes the same event, or is the setup.
fn is_second(method: &SqlMethod, before: &[SqlMethod], errors: &Errors) -> bool {
    let event = |method: &SqlMethod| {
        method.event.as_ref().map(|event| event.ty.to_token_stream().to_string())
    };
    let written = event(method);
    if method.mark == SqlMark::On && written.is_none() {
        return false;
    }
    // Methods under a `cfg` may stand for each other.
    let first = before.iter().find(|other| {
        other.mark == method.mark
            && other.carried.cfgs.is_empty()
            && method.carried.cfgs.is_empty()
            && event(other) == written
    });
    let Some(first) = first else { return false };
    let name = &first.name;
    match (&method.event, written) {
        // #[on] async fn opened(event: &Opened, …) … #[on] async fn reopened(event: &Opened, …) …
        (Some(event), Some(written)) => errors.on(
            &event.written,
            format_args!("`{written}` is taken by `{name}` already; an event has one `#[on]`"),
        ),
        // #[setup] async fn tables(…) … #[setup] async fn indexes(…) …
        _ => errors.on(
            &method.name,
            format_args!("`{name}` is the `#[setup]` already; a SQL projection has one"),
        ),
    }
    true
}
