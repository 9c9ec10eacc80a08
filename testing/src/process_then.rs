//! What a test expects of processes.

use std::collections::BTreeSet;

use annals::Timestamp;
use annals::process::{IntoCommands, Process};
use serde_json::Value;

use crate::known::{Known, Sent};
use crate::process_test::ProcessTest;
use crate::report;

#[expect(
    clippy::return_self_not_must_use,
    reason = "an expectation is checked where it stands, and the last one ends the test"
)]
impl<P: Process> ProcessTest<P> {
    /// Expects exactly these commands, in this order.
    ///
    /// # Panics
    ///
    /// If others were sent, or nothing took what happened.
    #[track_caller]
    pub fn then_commands(self, expected: impl IntoCommands<P>) -> Self {
        let (mut commands, mut deadlines) = (Vec::new(), Vec::new());
        expected.extend_into(&mut commands, &mut deadlines);
        if !deadlines.is_empty() {
            self.fail("a change of a deadline is no command: look at it by `.then_deadline(…)`");
        }
        let expected: Vec<Sent> = commands.iter().map(|command| self.sent(command)).collect();
        self.ensure_stepped();
        let found = self.instances.last().sent.iter();
        let found: Vec<&Sent> =
            found.filter(|(id, _)| self.is_of(id)).map(|(_, sent)| sent).collect();
        if !expected.iter().eq(found.iter().copied()) {
            let lines = |sent: &[&Sent]| {
                report::commands(sent.iter().map(|sent| (&*sent.name, &sent.content)))
            };
            let expected: Vec<&Sent> = expected.iter().collect();
            let difference = report::diff(&lines(&expected), &lines(&found), "expected", "found");
            self.fail(&format!("other commands than expected\n\n{difference}"));
        }
        self
    }

    /// Expects that no command was sent.
    ///
    /// # Panics
    ///
    /// If one was, or nothing took what happened.
    #[track_caller]
    pub fn then_no_commands(self) -> Self {
        self.then_commands(())
    }

    /// Expects that what happened was passed over: no such process lives, or it has seen it.
    ///
    /// # Panics
    ///
    /// If a process did a step.
    #[track_caller]
    pub fn then_skipped(self) -> Self {
        self.ensure_going();
        let last = self.instances.last();
        if let Some(id) = last.stepped.iter().find(|id| self.is_of(id)) {
            self.fail(&format!(
                "expected that the event is passed over, but process `{id}` took it"
            ));
        }
        self
    }

    /// Expects that a deadline is set, and when it is due.
    ///
    /// # Panics
    ///
    /// If it is not set, or due at another instant.
    #[track_caller]
    pub fn then_deadline(self, name: impl AsRef<str>, at: Timestamp) -> Self {
        let name = name.as_ref();
        let names: Vec<_> =
            self.instances.process().deadlines().into_iter().map(|(name, _)| name).collect();
        if !names.contains(&name) {
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            self.fail(&format!("`{}` has no deadline `{name}`; it has {known}", P::NAME));
        }
        let (id, known) = self.one();
        match known.deadlines().find(|(set, _)| *set == name) {
            Some((_, due)) if due == at => {}
            Some((_, due)) => self
                .fail(&format!("deadline `{name}` of process `{id}`: expected {at}, found {due}")),
            None => self.fail(&format!("deadline `{name}` of process `{id}` is not set")),
        }
        self
    }

    /// Expects that no deadline is set.
    ///
    /// # Panics
    ///
    /// If one is.
    #[track_caller]
    pub fn then_no_deadlines(self) -> Self {
        self.ensure_going();
        for (id, known) in self.scope() {
            if let Some((name, due)) = known.deadlines().next() {
                self.fail(&format!("deadline `{name}` of process `{id}` is set, for {due}"));
            }
        }
        self
    }

    /// Expects that the process is done: as soon as its last commands are accepted.
    ///
    /// # Panics
    ///
    /// If it lives, or never began.
    #[track_caller]
    pub fn then_done(self) -> Self {
        self.ensure_going();
        let scope = self.scope();
        if scope.is_empty() {
            self.fail("expected that the process is done, but none began");
        }
        for (id, known) in scope {
            if known.steps == 0 {
                self.fail(&format!("expected that process `{id}` is done, but it never began"));
            }
            if let Some(state) = known.instance.state() {
                let state = report::pretty(state.get());
                self.fail(&format!("expected that process `{id}` is done, but it lives: {state}"));
            }
        }
        self
    }

    /// Expects that the process lives.
    ///
    /// # Panics
    ///
    /// If it is done, or never began.
    #[track_caller]
    pub fn then_not_done(self) -> Self {
        self.ensure_going();
        let scope = self.scope();
        if scope.is_empty() {
            self.fail("expected that the process lives, but none began");
        }
        for (id, known) in scope {
            if known.instance.state().is_none() {
                self.fail(&format!("expected that process `{id}` lives, but it {}", known.end()));
            }
        }
        self
    }

    /// Expects this state. Where the type has no equality, its JSON is compared.
    ///
    /// # Panics
    ///
    /// If it is another, or there is none.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "an expectation is written in place")]
    pub fn then_state(self, expected: P) -> Self {
        let (id, known) = self.one();
        let Some(found) = known.instance.state() else {
            self.fail(&format!("expected a state, but process `{id}` {}", known.end()));
        };
        let (state, json) =
            match (serde_json::from_str(found.get()), serde_json::to_value(&expected)) {
                (Ok(state), Ok(json)) => (state, json),
                (Err(error), _) | (_, Err(error)) => self
                    .fail(&format!("the state does not survive being written and read: {error}")),
            };
        let same = expected.same_state(&state);
        let found: Value = serde_json::from_str(found.get()).unwrap_or_default();
        if !same.unwrap_or(json == found) {
            let difference =
                report::diff(&format!("{json:#}\n"), &format!("{found:#}\n"), "expected", "found");
            self.fail(&format!("process `{id}` has another state than expected\n\n{difference}"));
        }
        self
    }

    /// Expects that a process waits for a person, and that the message contains this. What happens later it does not take.
    ///
    /// # Panics
    ///
    /// If none does, or for another reason.
    #[track_caller]
    pub fn then_parked(mut self, message: &str) -> Self {
        let parked = self.instances.known().iter().filter(|(id, _)| self.is_of(id));
        let mut parked =
            parked.filter_map(|(id, known)| Some((id.clone(), known.parked.clone()?))).peekable();
        if parked.peek().is_none() {
            self.fail("expected a parked process, but none is");
        }
        let parked: Vec<_> = parked.collect();
        let Some((id, _)) = parked.iter().find(|(_, why)| why.contains(message)) else {
            let found: Vec<_> = parked.iter().map(|(id, why)| format!("`{id}`: {why}")).collect();
            let found = found.join("\n  ");
            self.fail(&format!("expected a parked process with `{message}`, found\n\n  {found}"));
        };
        self.parked.push(id.clone());
        self
    }

    /// The processes that an expectation looks at: the one that was named, else those that the last `when…` was about, else all.
    fn scope(&self) -> Vec<(&str, &Known)> {
        let last = self.instances.last();
        let touched: BTreeSet<&String> = last.stepped.iter().chain(&last.skipped).collect();
        let known = self.instances.known().iter();
        known
            .filter(|(id, _)| match &self.of {
                Some(of) => of == *id,
                None => touched.is_empty() || touched.contains(id),
            })
            .map(|(id, known)| (&**id, known))
            .collect()
    }

    /// The one process that an expectation looks at.
    #[track_caller]
    fn one(&self) -> (&str, &Known) {
        self.ensure_going();
        let scope = self.scope();
        match &*scope {
            [one] => *one,
            [] => self.fail("no process began"),
            several => {
                let ids: Vec<_> = several.iter().map(|(id, _)| format!("`{id}`")).collect();
                let ids = ids.join(", ");
                self.fail(&format!("several processes are in play, {ids}: look at one by `.of(…)`"))
            }
        }
    }

    /// Fails if what happened last was passed over.
    #[track_caller]
    fn ensure_stepped(&self) {
        self.ensure_going();
        if !self.began {
            self.fail("nothing has happened yet: `.when(…)` and the like come first");
        }
        let last = self.instances.last();
        if last.stepped.iter().any(|id| self.is_of(id)) {
            return;
        }
        if let Some((id, known)) = last
            .skipped
            .iter()
            .filter(|id| self.is_of(id))
            .find_map(|id| self.instances.known().get_key_value(id))
        {
            self.fail(&format!(
                "the event was passed over: process `{id}` {}\n\nexpect that by `.then_skipped()`",
                known.end()
            ));
        }
    }
}
