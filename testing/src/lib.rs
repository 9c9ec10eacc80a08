//! Tests for what is built on annals: given-when-then for aggregates, and one conformance suite for every store.
//!
//! Tests of aggregates are plain `#[test]`s: no runtime, no store. Beside what a test expects, it always checks that each
//! event, and the state where it has snapshots, survives being written and read, and that the state after each command
//! equals a fresh fold of its stored events.

mod calls;
mod causes;
mod checks;
mod commands;
pub mod conformance;
mod given;
mod history;
mod instances;
mod known;
mod outcome;
mod process_test;
mod process_then;
mod project;
mod project_on;
mod property;
mod reactor_test;
mod report;
mod runtime;
mod saga_program;
mod saga_test;
mod scenario;
pub mod schema;
mod stored;
mod tracked;
mod tree;
mod when;

pub use crate::calls::Calls;
pub use crate::commands::{AnyCommand, IntoCommands};
pub use crate::given::{
    Given, NoServices, ServicesOf, WithServices, given, given_commands, given_nothing, given_stored,
};
pub use crate::history::{History, IntoHistory, given_history, recorded, recorded_at};
pub use crate::process_test::ProcessTest;
pub use crate::project::ProjectionTest;
pub use crate::project_on::ProjectionTestOn;
pub use crate::property::{Sequences, sequences, sequences_with};
pub use crate::reactor_test::ReactorTest;
pub use crate::saga_test::{CallName, SagaRan, SagaTest, given_saga, undo};
pub use crate::stored::{StoredEvent, StoredFile, stored, stored_in};
pub use crate::tracked::{Tracked, tracked};
pub use crate::tree::{
    TrackedCommand, TrackedDeadline, TrackedEvent, TrackedOutcome, TrackedStep, Tree,
};
pub use crate::when::When;
