//! Which command goes to which handler by name, and what clashes across the program.

use std::collections::HashMap;
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::dispatch::Options;
use super::{CommandBus, DispatchError, DomainError, SetupError};
use crate::aggregate::Aggregate;
use crate::command::HandledBy;
use crate::event::EventName;
use crate::receipt::Receipt;
use crate::registry::{AggregateRegistration, CommandRegistration};
use crate::stream::StreamId;

/// How like a known name an unknown one must be to be taken for a slip, from 0 to 1.
const LIKENESS: f64 = 0.7;

type Answer = BoxFuture<'static, Result<Receipt, DispatchError<DomainError>>>;

/// The way from a command's JSON to its handler.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    run: fn(CommandBus, Value, Options) -> Answer,
    target: fn(&Value) -> Option<StreamId>,
}

impl Route {
    pub(crate) const fn of<A: Aggregate, C: HandledBy<A>>() -> Self {
        let run = |bus: CommandBus, content: Value, options| {
            async move {
                let command = C::deserialize(&content).map_err(|error: serde_json::Error| {
                    let (name, reason) = (C::NAME.to_owned(), error.to_string());
                    DispatchError::InvalidCommand { name, reason }
                })?;
                let answer = bus.execute::<C, A>(command, Some(content), options).await;
                answer.map_err(|error| error.map_rejected(DomainError))
            }
            .boxed()
        };
        let target =
            |content: &Value| Some(StreamId::of::<A>(C::deserialize(content).ok()?.target()));
        Self { run, target }
    }

    pub(super) fn run(self, bus: CommandBus, content: Value, options: Options) -> Answer {
        (self.run)(bus, content, options)
    }

    /// The stream of the aggregate that a command is for, if it can be read.
    pub(super) fn target(self, content: &Value) -> Option<StreamId> {
        (self.target)(content)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Route")
    }
}

/// The routes of a bus by the names of their commands.
#[derive(Debug)]
pub(super) struct Routes(HashMap<&'static str, Route>);

impl Routes {
    /// Collects routes, and refuses names that stand for two things.
    pub(super) fn of<'a, 'b>(
        commands: impl Iterator<Item = &'a CommandRegistration>,
        aggregates: impl Iterator<Item = &'b AggregateRegistration>,
        events: impl Iterator<Item = &'b EventName>,
    ) -> Result<Self, SetupError> {
        check_events(events)?;
        check_categories(aggregates)?;
        let mut routes = HashMap::new();
        let mut handlers: HashMap<&str, &CommandRegistration> = HashMap::new();
        for command in commands {
            if let Some(other) = handlers.insert(command.command, command) {
                return Err(clash_of_commands(other, command));
            }
            routes.insert(command.command, command.route);
        }
        Ok(Self(routes))
    }

    pub(super) fn find<E>(&self, name: String) -> Result<Route, DispatchError<E>> {
        self.0.get(&*name).copied().ok_or_else(|| {
            let nearest = nearest(&name, self.0.keys().copied());
            DispatchError::UnknownCommand { name, nearest }
        })
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.0.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

/// The known name that an unknown one is a slip of, if there is one.
pub(crate) fn nearest(
    name: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)))
        .map(|(_, known)| known)
}

fn clash_of_commands(one: &CommandRegistration, other: &CommandRegistration) -> SetupError {
    let (a, b) = sorted((one.type_name)(), (other.type_name)());
    if a == b {
        let (a, b) = sorted((one.aggregate_name)(), (other.aggregate_name)());
        let advice = "a command has one handler; let one of the two take another command";
        return SetupError::clash("the handler of command", one.command, a, b, advice);
    }
    let advice =
        "a command's name is unique in a program; give one another `#[command(name = \"…\")]`";
    SetupError::clash("the name of command", one.command, a, b, advice)
}

/// Refuses stored names of events that stand for two.
pub(crate) fn check_events<'a>(
    events: impl Iterator<Item = &'a EventName>,
) -> Result<(), SetupError> {
    let mut known: HashMap<&str, &EventName> = HashMap::new();
    for event in events {
        for name in std::iter::once(event.name).chain(event.aliases.iter().copied()) {
            let Some(other) = known.insert(name, event) else { continue };
            let Some(later) = event.later_of(other) else {
                let (a, b) = sorted((other.type_name)(), (event.type_name)());
                let advice = "a stored name is unique in a program; give one another `#[event(name = \"…\")]`";
                return Err(SetupError::clash("the stored event name", name, a, b, advice));
            };
            known.insert(name, later);
        }
    }
    Ok(())
}

fn check_categories<'a>(
    aggregates: impl Iterator<Item = &'a AggregateRegistration>,
) -> Result<(), SetupError> {
    let mut known: HashMap<&str, &AggregateRegistration> = HashMap::new();
    for aggregate in aggregates {
        let Some(other) = known.insert(aggregate.category, aggregate) else { continue };
        if (other.type_id)() != (aggregate.type_id)() {
            let (a, b) = sorted((other.type_name)(), (aggregate.type_name)());
            let advice = "two aggregates cannot share streams; give one another `#[aggregate(category = \"…\")]`";
            return Err(SetupError::clash("the category", aggregate.category, a, b, advice));
        }
    }
    Ok(())
}

/// Linking decides the order of registrations; a message should not depend on it.
pub(crate) fn sorted<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    if one <= other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::check_events;
    use crate::event::{Event, EventName};
    use crate::upcast::Previous;

    macro_rules! event {
        ($name:ident, $version:literal $(, $previous:ident)?) => {
            #[derive(Debug, Clone, Serialize, Deserialize)]
            struct $name;

            impl Event for $name {
                const NAME: &'static str = "Chained";
                const VERSION: u32 = $version;
                $(const PREVIOUS: Option<Previous<Self>> = Some(Previous::of::<$previous>());)?
            }

            $(impl From<$previous> for $name {
                fn from(_: $previous) -> Self {
                    Self
                }
            })?
        };
    }

    event!(First, 1);
    event!(Second, 2, First);
    event!(Third, 3, Second);
    event!(OtherSecond, 2, First);
    event!(Stranger, 1);

    /// Checks the events in every order, as linking may have it.
    fn check(events: &[EventName], clashes: bool) {
        let mut orders = vec![Vec::new()];
        for event in events {
            orders = orders
                .iter()
                .flat_map(|order: &Vec<&EventName>| {
                    (0..=order.len()).map(move |place| {
                        let mut order = order.clone();
                        order.insert(place, event);
                        order
                    })
                })
                .collect();
        }
        for order in orders {
            let names: Vec<_> = order.iter().map(|event| (event.type_name)()).collect();
            let checked = check_events(order.into_iter());
            assert_eq!(checked.is_err(), clashes, "{names:?}");
        }
    }

    #[test]
    fn earlier_structs_share_the_name_by_right() {
        let [first, second, third] =
            [EventName::of::<First>(), EventName::of::<Second>(), EventName::of::<Third>()];
        check(&[first, second, third], false);
        check(&[first, third], false);
    }

    #[test]
    fn nobody_else_shares_it() {
        let [first, second, third] =
            [EventName::of::<First>(), EventName::of::<Second>(), EventName::of::<Third>()];
        check(&[first, second, third, EventName::of::<OtherSecond>()], true);
        check(&[first, second, third, EventName::of::<Stranger>()], true);
        check(&[second, EventName::of::<OtherSecond>()], true);
    }
}
