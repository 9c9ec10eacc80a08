//! Tests of processes: what has happened, and what they send because of it.

use std::marker::PhantomData;
use std::time::Duration;

use annals::process::{CommandEnum, Process, Rejection, RejectionKind, SentBy};
use annals::{Aggregate, DispatchError, HandledBy, HandlerError, Timestamp, ToId};

use crate::causes::target;
use crate::history::{History, IntoHistory, START};
use crate::instances::Instances;
use crate::known::Sent;
use crate::report;

/// A process under test: its steps are run as the engine runs them, without an engine and without a store.
///
/// A `when…` has processes take something, and each `then_…` looks at what came of the last one. Several processes may be in
/// play; [`of`](Self::of) looks at one. Commands count as accepted as soon as their process takes something else, or time
/// passes, unless [`when_rejected`](Self::when_rejected) and the like name one of them. The clock stands at the last event; a
/// deadline that a step sets to an instant that is past fires at once, or when the commands of that step are accepted.
///
/// Without being asked, each test checks that a step done again does the same, that the process reads back from its stream
/// as it was, and that events delivered a second time change nothing.
///
/// ```
/// # use std::time::Duration;
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
/// # struct GuestId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct GuestInvited;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct GuestAnswered;
/// # #[derive(Debug, Aggregate)]
/// # #[aggregate(id = GuestId, events(GuestInvited, GuestAnswered))]
/// # struct Guest;
/// # #[handlers]
/// # impl Guest {
/// #     #[apply]
/// #     fn invited(_: &GuestInvited) -> Self { Self }
/// #     #[apply]
/// #     fn answered(&mut self, _: &GuestAnswered) {}
/// # }
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct SendReminder { #[command(id)] guest: GuestId }
/// #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
/// #[process_manager(name = "invitation", id = GuestId, sends(SendReminder))]
/// struct Invitation {
///     reminders: u32,
/// }
///
/// #[process]
/// impl Invitation {
///     #[on]
///     fn invited(_: &GuestInvited) -> Self {
///         Self { reminders: 0 }
///     }
///
///     #[on]
///     fn answered(self, _: &GuestAnswered) -> Done<()> {
///         Done(())
///     }
///
///     #[deadline(name = "no_answer", after = Duration::from_hours(24))]
///     fn no_answer(&mut self, cx: &EventContext<Self>) -> SendReminder {
///         self.reminders += 1;
///         SendReminder { guest: cx.id().clone() }
///     }
/// }
///
/// use annals_testing::{given_history, recorded};
///
/// given_history([recorded::<Guest>("ada", GuestInvited)])
///     .process::<Invitation>()
///     .when_time_passes(Duration::from_hours(24))
///     .then_commands(SendReminder { guest: "ada".into() })
///     .then_state(Invitation { reminders: 1 })
///     .when(recorded::<Guest>("ada", GuestAnswered))
///     .then_no_commands()
///     .then_done();
/// ```
pub struct ProcessTest<P: Process> {
    history: History,
    pub(crate) instances: Instances,
    /// Whether a `when…` was there yet.
    pub(crate) began: bool,
    /// The process that expectations look at, if it is one.
    pub(crate) of: Option<String>,
    /// The processes that are parked, as the test expects.
    pub(crate) parked: Vec<String>,
    /// The instant up to which all is past.
    passed: Timestamp,
    types: PhantomData<fn() -> P>,
}

impl<P: Process> ProcessTest<P> {
    #[track_caller]
    pub(crate) fn new(history: History) -> Self {
        let mut test = Self {
            history,
            instances: Instances::new::<P>(),
            began: false,
            of: None,
            parked: Vec::new(),
            passed: Timestamp::MIN,
            types: PhantomData,
        };
        for event in test.history.events() {
            let delivered = test.instances.deliver("given", event);
            test.ensure(delivered);
        }
        let fired = test.instances.fire_past();
        test.ensure(fired);
        test
    }

    /// Has the next event happen, or several: one, an array or a `Vec`.
    ///
    /// # Panics
    ///
    /// If no step takes one of them, or what holds of every step does not.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when(mut self, events: impl IntoHistory) -> Self {
        self.begin();
        for mut event in events.into_history() {
            if event.recorded_at == Timestamp::MIN {
                event.recorded_at = self.now() + Duration::from_secs(1);
            }
            let misfit = if event.recorded_at < self.passed {
                let (at, passed) = (event.recorded_at, self.passed);
                Some(format!("the event was recorded at {at}, but it is {passed} already"))
            } else if self.instances.process().takes(&event) {
                None
            } else {
                let taken = self.instances.process().filter().event_types.unwrap_or_default();
                let taken = taken.join(", ");
                Some(format!("no `#[on]` of `{}` takes the event; it takes {taken}", P::NAME))
            };
            if let Some(misfit) = misfit {
                self.instances.tell(format!("when   {}", report::recorded(&event)));
                self.fail(&misfit);
            }
            self.history.extend([event]);
            if let Some(event) = self.history.events().last() {
                let delivered = self.instances.deliver("when ", event);
                self.ensure(delivered);
            }
        }
        self.end()
    }

    /// Has a command refused by its aggregate, with the error of its `#[handle]`.
    ///
    /// It is a command of its process's last step: those before it count as accepted, those after it do not go out.
    ///
    /// # Panics
    ///
    /// If no such command is on its way.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when_rejected<A: Aggregate, C: SentBy<P> + HandledBy<A>>(
        self,
        command: C,
        error: HandlerError<A, C>,
    ) -> Self {
        self.refuse(command, |_| Rejection::domain(error))
    }

    /// Has a command refused since its aggregate does not exist.
    ///
    /// # Panics
    ///
    /// As [`when_rejected`](Self::when_rejected).
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when_not_found(self, command: impl SentBy<P>) -> Self {
        self.refuse(command, |sent| {
            let why = target(&sent.name, &sent.content).map_or_else(
                || format!("the aggregate of command `{}` does not exist", sent.name),
                |stream_id| DispatchError::<Rejection>::NotFound { stream_id }.to_string(),
            );
            Rejection::new(RejectionKind::NotFound, why)
        })
    }

    /// Has a command refused since its aggregate exists already.
    ///
    /// # Panics
    ///
    /// As [`when_rejected`](Self::when_rejected).
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when_already_exists(self, command: impl SentBy<P>) -> Self {
        self.refuse(command, |sent| {
            let why = target(&sent.name, &sent.content).map_or_else(
                || format!("the aggregate of command `{}` exists already", sent.name),
                |stream_id| DispatchError::<Rejection>::AlreadyExists { stream_id }.to_string(),
            );
            Rejection::new(RejectionKind::AlreadyExists, why)
        })
    }

    /// Has a command refused by an interceptor.
    ///
    /// # Panics
    ///
    /// As [`when_rejected`](Self::when_rejected).
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when_refused(self, command: impl SentBy<P>, message: &str) -> Self {
        self.refuse(command, |_| Rejection::new(RejectionKind::Refused, message))
    }

    /// Has time pass, and the deadlines fire that are due by then, in the order of their instants.
    ///
    /// # Panics
    ///
    /// If what holds of every step does not.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn when_time_passes(mut self, time: Duration) -> Self {
        self.begin();
        self.passed = self.now() + time;
        self.instances.tell(format!("when   {time:?} pass, until {}", self.passed));
        let passed = self.instances.pass_until(self.passed);
        self.ensure(passed);
        self.end()
    }

    /// Has what follows look at one process only, up to the next `when…`. If that is the refusal of a command that several
    /// processes have sent, it is the one of this process.
    ///
    /// # Panics
    ///
    /// If the text is no id, or nothing that has happened went to that process.
    #[must_use = "a test without `.then…(…)` expects nothing"]
    #[track_caller]
    pub fn of(mut self, id: &(impl ToId<P::Id> + ?Sized)) -> Self {
        let id = match id.to_id() {
            Ok(id) => id.to_string(),
            Err(error) => panic!("of: {error}"),
        };
        let known = self.instances.known();
        if known.is_empty() {
            self.fail(&format!(
                "no process `{id}` is in play: nothing that has happened goes to one"
            ));
        }
        if !known.contains_key(&id) {
            let known: Vec<_> = known.keys().map(|known| format!("`{known}`")).collect();
            let known = known.join(", ");
            self.fail(&format!("no process `{id}` is in play; there are {known}"));
        }
        self.of = Some(id);
        self
    }

    #[track_caller]
    fn refuse(mut self, command: impl SentBy<P>, why: impl FnOnce(&Sent) -> Rejection) -> Self {
        let of = self.of.take();
        self.begin();
        let sent = self.sent(&command.into_command());
        let refused = self.instances.refuse(of.as_deref(), &sent, &why(&sent));
        self.ensure(refused);
        self.end()
    }

    /// Begins a `when…`.
    #[track_caller]
    fn begin(&mut self) {
        self.of = None;
        self.ensure_going();
        self.instances.begin();
        self.began = true;
    }

    /// Ends a `when…`.
    #[track_caller]
    fn end(mut self) -> Self {
        let fired = self.instances.fire_past();
        self.ensure(fired);
        let delivered = self.instances.deliver_again(self.history.events());
        self.ensure(delivered);
        self
    }

    fn now(&self) -> Timestamp {
        self.instances.now().max(START)
    }

    /// A command as it is compared.
    #[track_caller]
    pub(crate) fn sent(&self, command: &P::Command) -> Sent {
        let name = command.name().to_owned();
        match command.content() {
            Ok(content) => Sent { name, content },
            Err(error) => self.fail(&report::in_words(&error)),
        }
    }

    /// Fails if a process is parked and the test does not expect it.
    #[track_caller]
    pub(crate) fn ensure_going(&self) {
        for (id, known) in self.instances.known() {
            if let Some(why) = &known.parked
                && self.is_of(id)
                && !self.parked.contains(id)
            {
                self.fail(&format!(
                    "process `{id}` is parked: {why}\n\nexpect that by `.then_parked(…)`"
                ));
            }
        }
    }

    /// Whether expectations look at a process.
    pub(crate) fn is_of(&self, id: &str) -> bool {
        self.of.as_deref().is_none_or(|of| of == id)
    }

    #[track_caller]
    fn ensure(&self, done: Result<(), String>) {
        if let Err(why) = done {
            self.fail(&why);
        }
    }

    #[track_caller]
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{}\n\n{why}", report::story(self.instances.story()))
    }
}
