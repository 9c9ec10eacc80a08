//! Tests of reactors: what has happened, and what they call and send because of it.

use std::sync::Arc;

use annals::process::Fault;
use annals::reactor::{AnyReactor, IntoSentCommands, ReactorCommand, reactor};
use annals::{PlainJson, Reactor, RecordedEvent};

use crate::history::{History, IntoHistory};
use crate::report;
use crate::runtime::block_on;

/// A reactor under test: it is called as the engine calls it, without an engine and without a store.
///
/// A `when` has it called for an event, for each key, and each `then_…` looks at what came of it. What is given before has
/// happened before the reactor was there: it is not called for it.
///
/// Each call is made twice, as by an engine that was stopped before its checkpoint moved: the second has the same idempotency
/// key, may not fail, and has to return the same commands. What stands for a service in a test keeps
/// [`Calls`](crate::Calls), which takes two under one key for one.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
/// # struct GuestId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct GuestInvited { address: String }
/// # #[derive(Debug, Aggregate)]
/// # #[aggregate(id = GuestId, events(GuestInvited))]
/// # struct Guest;
/// # #[handlers]
/// # impl Guest {
/// #     #[apply]
/// #     fn invited(_: &GuestInvited) -> Self { Self }
/// # }
/// use std::sync::Arc;
///
/// use annals_testing::{Calls, given_history, recorded};
///
/// trait Mail: Send + Sync {
///     fn send(&self, to: &str, idempotency_key: &str);
/// }
///
/// impl Mail for Arc<Calls<String>> {
///     fn send(&self, to: &str, idempotency_key: &str) {
///         self.record(idempotency_key, to.to_owned());
///     }
/// }
///
/// struct Invitations;
///
/// #[reactor(name = "invitations", services = Box<dyn Mail>)]
/// impl Invitations {
///     #[on]
///     async fn invited(event: &GuestInvited, cx: &EventContext<Self>) {
///         cx.services().send(&event.address, &cx.idempotency_key());
///     }
/// }
///
/// let sent = Arc::new(Calls::default());
/// given_history([])
///     .reactor::<Invitations>(Box::new(sent.clone()))
///     .when(recorded::<Guest>("ada", GuestInvited { address: "ada@example.org".into() }))
///     .then_no_commands();
/// assert_eq!(sent.made(), ["ada@example.org"]);
/// ```
pub struct ReactorTest<R: Reactor> {
    history: History,
    reactor: Arc<dyn AnyReactor>,
    services: Arc<R::Services>,
    story: Vec<String>,
    /// What came of the last `when`.
    last: Option<Vec<Call>>,
    /// Whether the test expects that a call of the last `when` failed.
    failed_as_expected: bool,
}

/// A call for one key, and what it gave back.
struct Call {
    key: String,
    returned: Result<Vec<ReactorCommand>, String>,
}

impl<R: Reactor> ReactorTest<R> {
    pub(crate) fn new(history: History, services: R::Services) -> Self {
        let services = Arc::new(services);
        let story = history.events().iter();
        let story = story.map(|event| format!("given  {}", report::recorded(event))).collect();
        Self {
            history,
            reactor: reactor::<R>(services.clone()),
            services,
            story,
            last: None,
            failed_as_expected: false,
        }
    }

    /// Has the next event happen, or several: one, an array or a `Vec`.
    ///
    /// # Panics
    ///
    /// If the reactor does not take one of them, a call before failed and the test did not expect it, or a call that is made
    /// again does something else.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when(mut self, events: impl IntoHistory) -> Self {
        self.ensure_done();
        self.last = Some(Vec::new());
        self.failed_as_expected = false;
        for event in events.into_history() {
            self.history.extend([event]);
            if let Some(event) = self.history.events().last().cloned() {
                self.deliver(&event);
            }
        }
        self
    }

    #[track_caller]
    fn deliver(&mut self, event: &RecordedEvent) {
        self.story.push(format!("when   {}", report::recorded(event)));
        let taken = self.reactor.filter().event_types.unwrap_or_default();
        if !taken.iter().any(|name| *name == *event.event_type) {
            let (name, taken) = (R::NAME, taken.join(", "));
            self.fail(&format!("no `#[on]` of `{name}` takes the event; it takes {taken}"));
        }
        let (keys, again) = (self.route(event), self.route(event));
        if keys != again {
            self.fail(&format!(
                "the event goes to {keys:?}, and asked again, to {again:?}: a key depends on what is not in its event"
            ));
        }
        for key in keys {
            let returned = self.call(&key, event);
            if let Ok(commands) = &returned {
                self.ensure_same(&key, commands, self.run(&key, event));
            }
            self.last.get_or_insert_default().push(Call { key, returned });
        }
    }

    #[track_caller]
    fn route(&self, event: &RecordedEvent) -> Vec<String> {
        match self.reactor.route(event, &PlainJson) {
            Ok(keys) => keys,
            Err(fault) => {
                self.fail(&format!("the event names no key: {}", report::in_words(&fault)))
            }
        }
    }

    /// Makes a call for the first time.
    fn call(&mut self, key: &str, event: &RecordedEvent) -> Result<Vec<ReactorCommand>, String> {
        let returned = self.run(key, event).map_err(|fault| report::in_words(&fault));
        match &returned {
            Ok(commands) => {
                self.story.push(format!("called `{key}`"));
                let sent = commands.iter().map(|sent| (sent.name, &sent.content));
                self.story
                    .extend(sent.map(|(name, said)| format!("sent   `{key}`: {name} {said}")));
            }
            Err(why) => self.story.push(format!("failed `{key}`: {why}")),
        }
        returned
    }

    fn run(&self, key: &str, event: &RecordedEvent) -> Result<Vec<ReactorCommand>, Fault> {
        block_on(self.reactor.call(key, event, &PlainJson))
    }

    /// A call that is made again has to do what it did.
    #[track_caller]
    fn ensure_same(
        &self,
        key: &str,
        first: &[ReactorCommand],
        again: Result<Vec<ReactorCommand>, Fault>,
    ) {
        match again {
            Ok(again) if again == first => {}
            Ok(again) => {
                let difference = report::diff(&shown(first), &shown(&again), "first", "again");
                self.fail(&format!(
                    "the call for `{key}` returns other commands when it is made again: they depend on what is not in the event, as a clock, a random number or a service\n\n{difference}"
                ));
            }
            Err(fault) => self.fail(&format!(
                "the call for `{key}` fails when it is made again: {}\n\nan event comes at least once: by `cx.idempotency_key()`, who is called can tell a second call",
                report::in_words(&fault)
            )),
        }
    }

    /// Fails if a call failed and the test does not expect it.
    #[track_caller]
    fn ensure_done(&self) {
        let failed = self.last.iter().flatten().find_map(|call| call.failed());
        if let Some((key, why)) = failed
            && !self.failed_as_expected
        {
            self.fail(&format!(
                "the call for `{key}` failed: {why}\n\nexpect that by `.then_failed(…)`"
            ));
        }
    }

    /// Fails if nothing has happened that the reactor was called for.
    #[track_caller]
    fn ensure_called(&self) -> &[Call] {
        self.ensure_done();
        let Some(last) = &self.last else {
            self.fail("nothing has happened yet: `.when(…)` comes first")
        };
        if last.is_empty() {
            self.fail("the event was passed over: it goes to no key\n\nexpect that by `.then_not_called()`");
        }
        last
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        panic!("{}\n\n{why}", report::story(&self.story))
    }
}

#[expect(
    clippy::return_self_not_must_use,
    reason = "an expectation is checked where it stands, and the last one ends the test"
)]
impl<R: Reactor> ReactorTest<R> {
    /// Expects exactly these commands, in this order.
    ///
    /// # Panics
    ///
    /// If others were returned, a call failed, or the reactor was not called.
    #[track_caller]
    pub fn then_commands(self, expected: impl IntoSentCommands) -> Self {
        let mut commands = Vec::new();
        if let Err(error) = expected.extend_into(&mut commands) {
            self.fail(&report::in_words(&error));
        }
        let calls = self.ensure_called().iter();
        let found: Vec<ReactorCommand> =
            calls.filter_map(|call| call.returned.clone().ok()).flatten().collect();
        if commands != found {
            let difference = report::diff(&shown(&commands), &shown(&found), "expected", "found");
            self.fail(&format!("other commands than expected\n\n{difference}"));
        }
        self
    }

    /// Expects that no command was returned.
    ///
    /// # Panics
    ///
    /// If one was, a call failed, or the reactor was not called.
    #[track_caller]
    pub fn then_no_commands(self) -> Self {
        self.then_commands(())
    }

    /// Looks at the services, and at what they were asked.
    ///
    /// # Panics
    ///
    /// If a call failed and the test did not expect it, the reactor was not called, or the look fails.
    #[track_caller]
    pub fn then_called(self, look: impl FnOnce(&R::Services)) -> Self {
        self.ensure_called();
        look(&self.services);
        self
    }

    /// Expects that the reactor was not called: the event goes to no key, or comes of another aggregate.
    ///
    /// # Panics
    ///
    /// If it was called.
    #[track_caller]
    pub fn then_not_called(self) -> Self {
        if let Some(call) = self.last.iter().flatten().next() {
            let key = &call.key;
            self.fail(&format!("expected no call, but there was one for `{key}`"));
        }
        self
    }

    /// Expects that a call failed, and that the message contains this. A call that fails is not made again.
    ///
    /// # Panics
    ///
    /// If none did, or with another message.
    #[track_caller]
    pub fn then_failed(mut self, message: &str) -> Self {
        let failed = self.last.iter().flatten().filter_map(Call::failed);
        let failed: Vec<_> = failed.collect();
        if failed.is_empty() {
            self.fail("expected a call that fails, but none did");
        }
        if !failed.iter().any(|(_, why)| why.contains(message)) {
            let found: Vec<_> = failed.iter().map(|(key, why)| format!("`{key}`: {why}")).collect();
            let found = found.join("\n  ");
            self.fail(&format!("expected a call that fails with `{message}`, found\n\n  {found}"));
        }
        self.failed_as_expected = true;
        self
    }
}

impl Call {
    fn failed(&self) -> Option<(&str, &str)> {
        Some((&self.key, self.returned.as_ref().err()?))
    }
}

fn shown(commands: &[ReactorCommand]) -> String {
    report::commands(commands.iter().map(|command| (command.name, &command.content)))
}
