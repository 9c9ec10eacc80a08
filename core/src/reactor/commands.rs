//! The commands that a reactor returns.

use std::error::Error;

use serde_json::Value;

use crate::codec::EncodeError;
use crate::command::Command;

/// A command that a reactor sends.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReactorCommand {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub content: Value,
}

impl ReactorCommand {
    /// Takes a command.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn of<C: Command>(command: &C) -> Result<Self, EncodeError> {
        let content =
            serde_json::to_value(command).map_err(|error| EncodeError::new(C::NAME, &error))?;
        Ok(Self { name: C::NAME, content })
    }
}

/// What stands for none, one or many commands: a command, `()`, and `Option`, `Vec`, arrays and tuples of those.
#[diagnostic::on_unimplemented(
    message = "a reactor cannot return `{Self}`",
    label = "neither nothing nor commands",
    note = "a reactor returns nothing, a command, `Option`, `Vec`, arrays and tuples of those, or a `Result` of one of them and an error"
)]
pub trait IntoSentCommands {
    /// Appends the commands, in their order.
    ///
    /// # Errors
    ///
    /// When one cannot be written as JSON.
    fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError>;
}

impl<C: Command> IntoSentCommands for C {
    fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
        commands.push(ReactorCommand::of(&self)?);
        Ok(())
    }
}

impl IntoSentCommands for () {
    fn extend_into(self, _: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<C: IntoSentCommands> IntoSentCommands for Option<C> {
    fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
        self.map_or(Ok(()), |sent| sent.extend_into(commands))
    }
}

impl<C: IntoSentCommands> IntoSentCommands for Vec<C> {
    fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
        self.into_iter().try_for_each(|sent| sent.extend_into(commands))
    }
}

impl<C: IntoSentCommands, const N: usize> IntoSentCommands for [C; N] {
    fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
        self.into_iter().try_for_each(|sent| sent.extend_into(commands))
    }
}

/// What a call of a reactor returns: commands, or a `Result` of them and any error.
#[diagnostic::on_unimplemented(
    message = "a reactor cannot return `{Self}`",
    label = "neither nothing nor commands",
    note = "a reactor returns nothing, a command, `Option`, `Vec`, arrays and tuples of those, or a `Result` of one of them and an error"
)]
pub trait Reacted {
    /// The commands, or why the call failed.
    ///
    /// # Errors
    ///
    /// When the call failed, or a command cannot be written as JSON.
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>>;
}

fn collected(
    sent: impl IntoSentCommands,
) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
    let mut commands = Vec::new();
    sent.extend_into(&mut commands)?;
    Ok(commands)
}

impl<T: IntoSentCommands, E: Into<Box<dyn Error + Send + Sync>>> Reacted for Result<T, E> {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        collected(self.map_err(Into::into)?)
    }
}

impl<C: Command> Reacted for C {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        collected(self)
    }
}

impl Reacted for () {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

impl<C: IntoSentCommands> Reacted for Option<C> {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        collected(self)
    }
}

impl<C: IntoSentCommands> Reacted for Vec<C> {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        collected(self)
    }
}

impl<C: IntoSentCommands, const N: usize> Reacted for [C; N] {
    fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
        collected(self)
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: IntoSentCommands),+> IntoSentCommands for ($($name,)+) {
            fn extend_into(self, commands: &mut Vec<ReactorCommand>) -> Result<(), EncodeError> {
                #[expect(non_snake_case, reason = "each variable is named after its type")]
                let ($($name,)+) = self;
                $($name.extend_into(commands)?;)+
                Ok(())
            }
        }

        impl<$($name: IntoSentCommands),+> Reacted for ($($name,)+) {
            fn into_commands(self) -> Result<Vec<ReactorCommand>, Box<dyn Error + Send + Sync>> {
                collected(self)
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
