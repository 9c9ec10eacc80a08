//! Property tests: arbitrary sequences of a user's commands against an invariant on the state.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use annals::{Aggregate, Handle, HandledBy};
use proptest::collection::{SizeRange, vec};
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use proptest::test_runner::{Config, TestRunner};

use crate::commands::AnyCommand;
use crate::scenario::Scenario;

/// Begins a property test of an aggregate that asks no services.
///
/// ```
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, Serialize, Deserialize, AggregateId)]
/// # struct JarId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Filled(u32);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Fill {
/// #     #[command(id)]
/// #     jar: JarId,
/// #     grams: u32,
/// # }
/// # #[derive(Aggregate)]
/// # #[aggregate(id = JarId, events(Filled))]
/// # struct Jar {
/// #     grams: u32,
/// # }
/// # #[handlers]
/// # impl Jar {
/// #     #[handle(upsert)]
/// #     fn fill(jar: Option<&Self>, command: Fill) -> Option<Filled> {
/// #         let inside = jar.map_or(0, |jar| jar.grams);
/// #         (inside + command.grams <= 100).then_some(Filled(command.grams))
/// #     }
/// #     #[apply(upsert)]
/// #     fn filled(jar: Option<Self>, event: &Filled) -> Self {
/// #         Self { grams: jar.map_or(0, |jar| jar.grams) + event.0 }
/// #     }
/// # }
/// use annals_testing::sequences;
///
/// sequences::<Jar>()
///     .of(0..60_u32, |grams| Fill { jar: "j".into(), grams })
///     .keep(|jar| assert!(jar.grams <= 100));
/// ```
pub fn sequences<A: Aggregate<Services = ()>>() -> Sequences<A> {
    sequences_with(())
}

/// Begins a property test of an aggregate whose handlers ask these services.
pub fn sequences_with<A: Aggregate>(services: A::Services) -> Sequences<A> {
    Sequences {
        services: Arc::new(services),
        commands: Vec::new(),
        length: (0..=30).into(),
        config: Config { failure_persistence: None, ..Config::default() },
    }
}

/// Arbitrary sequences of commands.
///
/// As many sequences are tried as proptest is told to, 256 by default, `PROPTEST_CASES` otherwise. Commands that are
/// refused leave the state as it is. Each event and state is also checked as in every test of this crate.
#[must_use = "sequences without `.keep(…)` test nothing"]
pub struct Sequences<A: Aggregate> {
    services: Arc<A::Services>,
    commands: Vec<BoxedStrategy<AnyCommand<A>>>,
    length: SizeRange,
    config: Config,
}

impl<A: Aggregate> Sequences<A> {
    /// Adds commands of one type, made of arbitrary values. Each type that is added is as likely as any other.
    pub fn of<V, C>(
        mut self,
        values: impl Strategy<Value = V> + 'static,
        command: impl Fn(V) -> C + 'static,
    ) -> Self
    where
        V: fmt::Debug + 'static,
        C: HandledBy<A>,
        A: Handle<C>,
    {
        self.commands.push(values.prop_map(move |value| AnyCommand::new(command(value))).boxed());
        self
    }

    /// Sets how many commands a sequence has; up to 30 unless set.
    pub fn length(mut self, length: impl Into<SizeRange>) -> Self {
        self.length = length.into();
        self
    }

    /// Sets how many sequences are tried.
    pub fn cases(mut self, cases: u32) -> Self {
        self.config.cases = cases;
        self
    }

    /// Holds every state that a sequence leads to against an invariant.
    ///
    /// # Panics
    ///
    /// If one breaks it, with the shortest sequence found that does; or if no commands were added.
    #[track_caller]
    pub fn keep(self, invariant: impl Fn(&A)) {
        assert!(!self.commands.is_empty(), "add commands by `.of(…)` before `.keep(…)`");
        let sequences = vec(Union::new(self.commands), self.length);
        let services = self.services;
        let result = TestRunner::new(self.config).run(&sequences, |sequence| {
            let mut scenarios: HashMap<String, Scenario<A>> = HashMap::new();
            for command in &sequence {
                let scenario =
                    scenarios.entry(command.id().to_owned()).or_insert_with(Scenario::new);
                // A refusal is an answer like any other.
                let _ = command.decide(scenario, &services);
                if let Some(state) = scenario.state() {
                    invariant(state);
                }
            }
            Ok(())
        });
        if let Err(broken) = result {
            panic!("a sequence of commands breaks the invariant\n\n{broken}");
        }
    }
}

impl<A: Aggregate> fmt::Debug for Sequences<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequences").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}
