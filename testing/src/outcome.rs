//! What came of something that a process took, as two tries of it are compared.

use std::collections::BTreeMap;
use std::fmt::Write;

use annals::Timestamp;
use annals::process::{Fault, Process, Taken};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::report;

/// What came of it, as far as it has to be the same each time.
pub(crate) struct Outcome<'a> {
    /// The state as JSON.
    pub(crate) state: Option<&'a str>,
    pub(crate) rest: Rest<'a>,
}

/// What came of it beside the state.
#[derive(PartialEq)]
pub(crate) enum Rest<'a> {
    Skipped,
    Fault(String),
    Made(Vec<(&'a str, &'a Value)>, &'a BTreeMap<String, Timestamp>),
}

impl<'a> Outcome<'a> {
    pub(crate) fn of(taken: &'a Result<Taken, Fault>) -> Self {
        match taken {
            Ok(Taken::Made(made)) => {
                let after = &made.after;
                let commands = after.outgoing().iter();
                let commands = commands.map(|command| (&*command.name, &command.content)).collect();
                let state = after.state().map(RawValue::get);
                Self { state, rest: Rest::Made(commands, after.deadlines()) }
            }
            Ok(_) => Self { state: None, rest: Rest::Skipped },
            Err(fault) => Self { state: None, rest: Rest::Fault(report::in_words(fault)) },
        }
    }

    pub(crate) fn shown(&self) -> String {
        let (commands, deadlines) = match &self.rest {
            Rest::Skipped => return "skipped\n".to_owned(),
            Rest::Fault(why) => return format!("parked: {why}\n"),
            Rest::Made(commands, deadlines) => (commands, deadlines),
        };
        let mut text = match self.state {
            Some(state) => format!("state {}\n", report::pretty(state)),
            None => "done\n".to_owned(),
        };
        text += &report::commands(commands.iter().copied());
        for (name, due) in *deadlines {
            let _ = writeln!(text, "deadline {name} at {due}");
        }
        text
    }
}

/// Compares two states by their equality, and by their JSON if their type has none.
pub(crate) fn same_state<P: Process>(one: &str, other: &str) -> Result<bool, serde_json::Error> {
    let (first, second): (P, P) = (serde_json::from_str(one)?, serde_json::from_str(other)?);
    if let Some(same) = first.same_state(&second) {
        return Ok(same);
    }
    let (one, other): (Value, Value) = (serde_json::from_str(one)?, serde_json::from_str(other)?);
    Ok(one == other)
}
