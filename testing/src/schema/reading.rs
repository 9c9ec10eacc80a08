//! Reading samples with the code of the program, which may refuse what was made up, or panic at it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use annals::registry::{CommandRegistration, EventRegistration};
use annals::{DecodeError, Stored};
use serde_json::Value;

use super::sample::Sample;

/// A sample that does not read.
pub(super) struct Failure {
    /// The sample, and why.
    pub(super) said: String,
    /// Whether it is for the program's own functions to say what they take: they refused it, or panicked. What was made up
    /// says nothing then.
    pub(super) by_program: bool,
}

/// Reads a sample of a version of an event, under one of its names.
pub(super) fn of_event(
    event: &EventRegistration,
    name: &str,
    version: u32,
    sample: &Sample,
) -> Result<(), Failure> {
    read(sample, || (event.read)(Stored::new(name, version, sample.as_str())))
}

/// Reads a sample of a command, as it comes from a queue.
pub(super) fn of_command(command: &CommandRegistration, sample: &Sample) -> Result<(), Failure> {
    let content = serde_json::from_str(sample.as_str());
    let content = content.map_err(|error| DecodeError::content(command.command, &error));
    read(sample, || (command.read)(&content?))
}

/// Reads a sample of today's version, writes it, reads what was written, and writes that.
///
/// # Errors
///
/// When what was written does not read, or reads as something else. A sample that does not read tells nothing.
pub(super) fn written_and_read(event: &EventRegistration, sample: &Sample) -> Result<(), String> {
    let again = |json: &str| {
        let stored = Stored::new(event.event.name, event.event.version, json);
        catch_unwind(AssertUnwindSafe(|| (event.write_again)(stored)))
    };
    let Ok(Ok(written)) = again(sample.as_str()) else { return Ok(()) };
    match again(&written) {
        Ok(Ok(twice)) if is_same_json(&twice, &written) => Ok(()),
        Ok(Ok(twice)) => Err(format!("{written} reads as {twice}")),
        Ok(Err(error)) => Err(format!("{written} does not read: {error}")),
        Err(panic) => Err(format!("{written} does not read: it panics: {}", words(&*panic))),
    }
}

/// What an event writes of what was stored at a version, if it reads that.
pub(super) fn written(event: &EventRegistration, version: u32, json: &str) -> Option<Value> {
    let write = || (event.write_again)(Stored::new(event.event.name, version, json));
    let written = catch_unwind(AssertUnwindSafe(write)).ok()?.ok()?;
    serde_json::from_str(&written).ok()
}

/// What the steps of an event make of what was stored at a version, before it is read; `None` if one refuses it.
pub(super) fn led_up(event: &EventRegistration, version: u32, json: Value) -> Option<Value> {
    let lead =
        || (version..event.event.version).try_fold(json, |json, from| (event.upcast)(from, json));
    catch_unwind(AssertUnwindSafe(lead)).ok()?.ok()
}

/// Which digits get lost on the way up from a version: a large integer that is a fraction now reads, and is another number.
pub(super) fn lost_digits(
    event: &EventRegistration,
    name: &str,
    version: u32,
    sample: &Sample,
) -> Option<String> {
    let write = || (event.write_again)(Stored::new(name, version, sample.as_str()));
    let written = catch_unwind(AssertUnwindSafe(write)).ok()?.ok()?;
    let before = serde_json::from_str(sample.as_str()).ok()?;
    let (before, after) = rounded(&before, &serde_json::from_str(&written).ok()?)?;
    Some(format!("{sample} loses digits: {before} becomes {after:.0}"))
}

/// The first integer that stands elsewhere as the fraction next to it, which holds 53 bits.
fn rounded(before: &Value, after: &Value) -> Option<(Value, f64)> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().find_map(|(key, before)| rounded(before, after.get(key)?))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.iter().zip(after).find_map(|(before, after)| rounded(before, after))
        }
        (Value::Number(integer), Value::Number(fraction)) => {
            let (integer, fraction) =
                (integer.as_i128()?, fraction.as_f64().filter(|_| fraction.is_f64())?);
            let is_large = integer.unsigned_abs() > 1 << f64::MANTISSA_DIGITS;
            #[expect(
                clippy::cast_precision_loss,
                clippy::float_cmp,
                reason = "that is the question"
            )]
            let is_next = integer as f64 == fraction;
            (is_large && is_next).then(|| (before.clone(), fraction))
        }
        _ => None,
    }
}

/// Maps may be written in any order.
fn is_same_json(one: &str, other: &str) -> bool {
    let value = |json| serde_json::from_str::<Value>(json).ok();
    one == other || value(one) == value(other)
}

fn read(sample: &Sample, read: impl FnOnce() -> Result<(), DecodeError>) -> Result<(), Failure> {
    let failure = |why: &dyn std::fmt::Display, by_program| Failure {
        said: format!("{sample} does not read: {why}"),
        by_program,
    };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failure(&error, error.is_refused_by_step())),
        Err(panic) => Err(failure(&format_args!("it panics: {}", words(&*panic)), true)),
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}
