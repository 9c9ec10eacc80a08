//! Commands of several types as values of one.

use std::fmt;
use std::sync::Arc;

use annals::{Aggregate, Handle, HandledBy};

use crate::report;
use crate::scenario::{Failure, Scenario};

type Decide<A> =
    dyn Fn(&mut Scenario<A>, &Arc<<A as Aggregate>::Services>) -> Result<(), String> + Send + Sync;

/// A command that `A` handles, whatever its type.
pub struct AnyCommand<A: Aggregate> {
    text: String,
    stream: String,
    decide: Arc<Decide<A>>,
}

impl<A: Aggregate> AnyCommand<A> {
    /// Takes a command of one type.
    pub fn new<C>(command: C) -> Self
    where
        C: HandledBy<A>,
        A: Handle<C>,
    {
        Self {
            text: report::command(&command),
            stream: command.target().to_string(),
            decide: Arc::new(move |scenario, services| {
                match scenario.decide(command.clone(), services) {
                    Ok(_) => Ok(()),
                    Err(Failure::Rejected(error)) => Err(error.to_string()),
                    Err(other) => Err(other.in_words()),
                }
            }),
        }
    }

    /// The text of the id of the aggregate that the command is for.
    pub(crate) fn id(&self) -> &str {
        &self.stream
    }

    /// Has the command decided; an error is its refusal.
    #[track_caller]
    pub(crate) fn decide(
        &self,
        scenario: &mut Scenario<A>,
        services: &Arc<A::Services>,
    ) -> Result<(), String> {
        (self.decide)(scenario, services)
    }
}

impl<A: Aggregate> Clone for AnyCommand<A> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), stream: self.stream.clone(), decide: self.decide.clone() }
    }
}

impl<A: Aggregate> fmt::Debug for AnyCommand<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands for several commands of `A`: an array or a `Vec` of one type, or a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for commands of `{A}`",
    label = "expected an array, a `Vec` or a tuple of commands",
    note = "for one command, write `[command]`"
)]
pub trait IntoCommands<A: Aggregate> {
    /// The commands, in their order.
    fn into_commands(self) -> Vec<AnyCommand<A>>;
}

impl<A: Handle<C>, C: HandledBy<A>, const N: usize> IntoCommands<A> for [C; N] {
    fn into_commands(self) -> Vec<AnyCommand<A>> {
        self.into_iter().map(AnyCommand::new).collect()
    }
}

impl<A: Handle<C>, C: HandledBy<A>> IntoCommands<A> for Vec<C> {
    fn into_commands(self) -> Vec<AnyCommand<A>> {
        self.into_iter().map(AnyCommand::new).collect()
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<A: Aggregate $(+ Handle<$name>)+, $($name: HandledBy<A>),+> IntoCommands<A> for ($($name,)+) {
            fn into_commands(self) -> Vec<AnyCommand<A>> {
                #[expect(non_snake_case, reason = "each variable is named after its type")]
                let ($($name,)+) = self;
                vec![$(AnyCommand::new($name)),+]
            }
        }
    };
}

tuples!(C1);
tuples!(C1 C2);
tuples!(C1 C2 C3);
tuples!(C1 C2 C3 C4);
tuples!(C1 C2 C3 C4 C5);
tuples!(C1 C2 C3 C4 C5 C6);
tuples!(C1 C2 C3 C4 C5 C6 C7);
tuples!(C1 C2 C3 C4 C5 C6 C7 C8);
