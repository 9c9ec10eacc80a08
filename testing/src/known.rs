//! One process of a test: where it stands, and what it has sent.

use annals::Timestamp;
use annals::process::Instance;
use serde_json::Value;

/// A command that was sent: its name, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) content: Value,
}

/// One process.
pub(crate) struct Known {
    pub(crate) instance: Instance,
    /// How many steps it has done.
    pub(crate) steps: u64,
    /// Why it waits for a person, if it does.
    pub(crate) parked: Option<String>,
    /// All that it has sent.
    pub(crate) sent: Vec<Sent>,
}

impl Known {
    pub(crate) const fn new(instance: Instance) -> Self {
        Self { instance, steps: 0, parked: None, sent: Vec::new() }
    }

    /// The deadlines that stand, by their names; of a process that is done, none.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        let lives = self.instance.state().is_some();
        let set = self.instance.deadlines().iter().filter(move |_| lives);
        set.map(|(name, due)| (&**name, *due))
    }

    /// Why there is no state, in words.
    pub(crate) const fn end(&self) -> &'static str {
        if self.steps == 0 { "never began" } else { "is done" }
    }

    /// The commands on their way, in their order.
    pub(crate) fn outgoing(&self) -> impl Iterator<Item = Sent> {
        let outgoing = self.instance.outgoing().iter();
        outgoing
            .map(|command| Sent { name: command.name.clone(), content: command.content.clone() })
    }

    pub(crate) fn accept_all(&mut self) {
        while self.instance.is_busy() {
            self.instance.accepted();
        }
    }
}

impl Sent {
    pub(crate) fn in_words(&self) -> String {
        format!("{} {}", self.name, self.content)
    }
}
