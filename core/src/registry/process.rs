//! Process managers that the program links.

use std::any::{TypeId, type_name};
use std::sync::Arc;

use crate::process::{AnyProcess, CommandEnum, Process, SentCommand, process};

/// A process manager that the program links.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProcessRegistration {
    /// Its name.
    pub name: &'static str,
    /// The version of its state.
    pub version: u32,
    /// The commands that it sends.
    pub commands: &'static [SentCommand],
    /// The names of its deadlines.
    pub deadlines: fn() -> Vec<&'static str>,
    /// The name of its Rust type, with its path.
    pub type_name: fn() -> &'static str,
    /// Its Rust type.
    pub type_id: fn() -> TypeId,
    pub(crate) process: fn() -> Arc<dyn AnyProcess>,
}

impl ProcessRegistration {
    /// All process managers that the program links, in any order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>.into_iter()
    }

    /// Makes the entry of a process manager.
    pub const fn of<P: Process>() -> Self {
        Self {
            name: P::NAME,
            version: P::VERSION,
            commands: P::Command::COMMANDS,
            deadlines: || process::<P>().deadlines().into_iter().map(|(name, _)| name).collect(),
            type_name: type_name::<P>,
            type_id: TypeId::of::<P>,
            process: process::<P>,
        }
    }
}

inventory::collect!(ProcessRegistration);
