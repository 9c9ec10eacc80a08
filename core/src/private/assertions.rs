//! What the macros know of types only: checked in constants, so that a mistake stops the compiler.

use super::message::{Message, contains, same};
use crate::event::EventName;
use crate::process::SentCommand;

/// Stops the compiler if the last of the events that `types` names is stored under a name of one before it.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_new_name(events: &[EventName], types: &[&str]) {
    let last = types.len() - 1;
    let mut index = 0;
    while index < last {
        assert_apart(&events[index], types[index], &events[last], types[last]);
        index += 1;
    }
}

/// Stops the compiler if there is a name under which both are read.
#[track_caller]
const fn assert_apart(a: &EventName, a_type: &str, b: &EventName, b_type: &str) {
    if same(a.name, b.name) {
        if comes_after(a, b) {
            earlier_listed(b_type, a_type);
        }
        if comes_after(b, a) {
            earlier_listed(a_type, b_type);
        }
        Message::new()
            .and("`")
            .and(a_type)
            .and("` and `")
            .and(b_type)
            .and("` are both stored as `")
            .and(a.name)
            .and("`; give one of them another `#[event(name = …)]`")
            .panic()
    }
    if contains(b.aliases, a.name) {
        alias_of_a_name(b_type, a_type, a.name);
    }
    if contains(a.aliases, b.name) {
        alias_of_a_name(a_type, b_type, b.name);
    }
    let mut index = 0;
    while index < a.aliases.len() {
        let alias = a.aliases[index];
        if contains(b.aliases, alias) {
            Message::new()
                .and("`")
                .and(a_type)
                .and("` and `")
                .and(b_type)
                .and("` both read what is stored as `")
                .and(alias)
                .and("`; take `alias = \"")
                .and(alias)
                .and("\"` out of the `#[event(…)]` of one of them")
                .panic()
        }
        index += 1;
    }
}

/// Whether `earlier` is stored at the version of a struct that leads up to `event`.
const fn comes_after(event: &EventName, earlier: &EventName) -> bool {
    let mut next = event.previous;
    while let Some(event) = next {
        if event.version == earlier.version {
            return true;
        }
        next = event.previous;
    }
    false
}

#[track_caller]
const fn earlier_listed(earlier: &str, ty: &str) -> ! {
    Message::new()
        .and("`")
        .and(earlier)
        .and("` is an earlier struct of `")
        .and(ty)
        .and("`, as which all that was stored is read; take `")
        .and(earlier)
        .and("` out of the list")
        .panic()
}

#[track_caller]
const fn alias_of_a_name(with_alias: &str, with_name: &str, name: &str) -> ! {
    Message::new()
        .and("`")
        .and(with_name)
        .and("` is stored as `")
        .and(name)
        .and("`, which `")
        .and(with_alias)
        .and("` has for an alias; take `alias = \"")
        .and(name)
        .and("\"` out of the `#[event(…)]` of `")
        .and(with_alias)
        .and("`")
        .panic()
}

/// Stops the compiler if the last of the commands that `types` names has the name of one before it.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_new_command(commands: &[SentCommand], types: &[&str]) {
    let last = types.len() - 1;
    let mut index = 0;
    while index < last {
        if same(commands[index].name, commands[last].name) {
            Message::new()
                .and("`")
                .and(types[index])
                .and("` and `")
                .and(types[last])
                .and("` are both called `")
                .and(commands[last].name)
                .and("`; give one of them another `#[command(name = …)]`")
                .panic()
        }
        index += 1;
    }
}

/// Stops the compiler if an aggregate ignores a name under which one of its events is read; `types` are the events'.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_listed_is_read(events: &[EventName], types: &[&str], ignored: &str) {
    let mut index = 0;
    while index < types.len() {
        let (event, ty) = (&events[index], types[index]);
        if same(event.name, ignored) || contains(event.aliases, ignored) {
            Message::new()
                .and("what is stored as `")
                .and(ignored)
                .and("` is read as `")
                .and(ty)
                .and("`, which is listed, and not passed over; take `\"")
                .and(ignored)
                .and("\"` out of `ignore(…)`, or `")
                .and(ty)
                .and("` out of `events(…)`")
                .panic()
        }
        index += 1;
    }
}

/// Stops the compiler if the earlier struct of an event is none: it has another stored name, or no lower version.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_previous(event: &EventName, ty: &str, previous_ty: &str) {
    let Some(previous) = event.previous else { return };
    if !same(previous.name, event.name) {
        Message::new()
            .and("`")
            .and(previous_ty)
            .and("` is stored as `")
            .and(previous.name)
            .and("`, `")
            .and(ty)
            .and("` as `")
            .and(event.name)
            .and("`: they are one event; write `#[event(name = \"")
            .and(event.name)
            .and("\")]` on `")
            .and(previous_ty)
            .and("`")
            .panic()
    }
    if previous.version < event.version {
        return;
    }
    let versions = Message::new()
        .and("`")
        .and(previous_ty)
        .and("` is at version ")
        .and_number(previous.version)
        .and(", `")
        .and(ty)
        .and("` at version ")
        .and_number(event.version)
        .and(": an earlier struct has a lower version; ");
    let Some(next) = previous.version.checked_add(1) else {
        versions
            .and("no version is above that of `")
            .and(previous_ty)
            .and("`; give it a lower one")
            .panic()
    };
    let raised = versions.and("write `version = ").and_number(next).and("` on `").and(ty).and("`");
    if previous.version == event.version {
        raised.panic()
    }
    // The two may lead in a circle.
    raised.and(", or take `previous` out if it is the earlier one").panic()
}

/// Stops the compiler if a version above that of the earlier struct has no way up; `steps` are those above, in order.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_steps(event: &EventName, previous_ty: &str, steps: &[u32]) {
    let Some(previous) = event.previous else { return };
    // Otherwise `assert_previous` has stopped the compiler.
    if previous.version >= event.version {
        return;
    }
    let mut next = previous.version + 1;
    let mut index = 0;
    while index < steps.len() {
        // Those below are reported by `assert_step`.
        if steps[index] > next {
            missing(next, previous_ty);
        }
        if steps[index] == next {
            next += 1;
        }
        index += 1;
    }
    if next < event.version {
        missing(next, previous_ty);
    }
}

#[track_caller]
const fn missing(from: u32, previous_ty: &str) -> ! {
    Message::new()
        .and("no way up from version ")
        .and_number(from)
        .and(" to ")
        .and_number(from + 1)
        .and(": `")
        .and(previous_ty)
        .and("` covers the versions below; say what changed with `#[event(since = ")
        .and_number(from + 1)
        .and(", …)]` on a field or `upcast(from = ")
        .and_number(from)
        .and(", with = function)`, or that nothing has to be done with `upcast(from = ")
        .and_number(from)
        .and(")`")
        .panic()
}

/// Stops the compiler if a step is never taken, since the earlier struct covers its version.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_step(event: &EventName, previous_ty: &str, from: u32) {
    let Some(previous) = event.previous else { return };
    if from <= previous.version && previous.version < event.version {
        Message::new()
            .and("the step from version ")
            .and_number(from)
            .and(" to ")
            .and_number(from + 1)
            .and(" is never taken: what is stored up to version ")
            .and_number(previous.version)
            .and(" is read as `")
            .and(previous_ty)
            .and("`, from which `From` leads to the present struct; leave this out")
            .panic()
    }
}

/// Stops the compiler if the earlier struct of an event is never used, since no version that it covers is read.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_oldest(event: &EventName, previous_ty: &str) {
    let Some(previous) = event.previous else { return };
    if event.oldest > previous.version {
        Message::new()
            .and("no version before ")
            .and_number(event.oldest)
            .and(" is read, and `")
            .and(previous_ty)
            .and("` covers those up to ")
            .and_number(previous.version)
            .and("; leave `previous` out, or lower `oldest`")
            .panic()
    }
}

/// Stops the compiler if readers of an earlier struct's version are said to read the event.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_readable_from(event: &EventName, previous_ty: &str) {
    let Some(previous) = event.previous else { return };
    if event.readable_from <= previous.version && previous.version < event.version {
        Message::new()
            .and("readers of version ")
            .and_number(event.readable_from)
            .and(" cannot read the event: `")
            .and(previous_ty)
            .and("` of version ")
            .and_number(previous.version)
            .and(" has another shape; write `readable_from = ")
            .and_number(previous.version + 1)
            .and("` or above")
            .panic()
    }
}

/// Stops the compiler at an `Option` that serde reads by a function, `word`, and fills by a default that may be `Some`.
///
/// # Panics
///
/// Then, while compiling.
#[track_caller]
pub const fn assert_not_optional(is_option: bool, word: &str) {
    if is_option {
        Message::new()
            .and("serde's `")
            .and(word)
            .and("` may read no null, and serde's default may be another than `None`, which the field is where it is absent; add `#[serde(default)]` to the field")
            .panic()
    }
}
