//! A whole program under test: what came of one command, to the end of the chain.

use std::error::Error;
use std::time::Duration;

use annals::process::RejectionKind;
use annals::{
    Aggregate, CommandBus, DispatchError, HandledBy, Position, ProcessEngine, ProcessError,
};
use uuid::Uuid;

use crate::causes::Causes;
use crate::tree::{TrackedOutcome, Tree};

/// How long everything that follows from a command may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tracks what follows from commands in a program: on its own bus, with its own processes, on any store.
///
/// ```standalone_crate
/// # use annals::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
/// # struct GuestId(String);
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Arrived;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Event)]
/// # struct Greeted;
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Arrive { #[command(id)] guest: GuestId }
/// # #[derive(Debug, Clone, Serialize, Deserialize, Command)]
/// # struct Greet { #[command(id)] guest: GuestId }
/// # #[derive(Debug, Aggregate)]
/// # #[aggregate(id = GuestId, events(Arrived, Greeted))]
/// # struct Guest;
/// # #[handlers]
/// # impl Guest {
/// #     #[handle]
/// #     fn arrive(_: Arrive) -> Arrived { Arrived }
/// #     #[apply]
/// #     fn arrived(_: &Arrived) -> Self { Self }
/// #     #[handle]
/// #     fn greet(&self, _: Greet) -> Greeted { Greeted }
/// #     #[apply]
/// #     fn greeted(&mut self, _: &Greeted) {}
/// # }
/// # #[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
/// # #[process_manager(name = "welcome", id = GuestId, sends(Greet))]
/// # struct Welcome;
/// # #[process]
/// # impl Welcome {
/// #     #[on]
/// #     fn arrived(_: &Arrived, cx: &EventContext<Self>) -> (Self, Greet) {
/// #         (Self, Greet { guest: cx.id().clone() })
/// #     }
/// #     #[on]
/// #     fn greeted(self, _: &Greeted) -> Done<()> { Done(()) }
/// # }
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let bus = CommandBus::new(MemoryStore::new());
/// let processes = ProcessEngine::builder(bus.clone()).register_all().start().await?;
///
/// let tree = annals_testing::tracked(&bus, &processes).dispatch(Arrive { guest: "ada".into() }).await?;
/// let expected = r#"
/// Arrive {"guest":"ada"}
///   guest-ada: Arrived null
///     welcome `ada` begins
///       Greet {"guest":"ada"}
///         guest-ada: Greeted null
///           welcome `ada` ends
/// "#;
/// assert_eq!(tree.to_string(), expected.trim_start());
/// # processes.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub fn tracked(bus: &CommandBus, processes: &ProcessEngine) -> Tracked {
    Tracked { bus: bus.clone(), processes: processes.clone(), patience: PATIENCE }
}

/// A program whose commands are tracked. [`tracked`] makes it.
#[derive(Debug, Clone)]
pub struct Tracked {
    bus: CommandBus,
    processes: ProcessEngine,
    patience: Duration,
}

/// The command that a tree begins with, and where in the log that was.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// The id of the command, and of all that follows from it.
    pub(crate) id: Uuid,
    /// The end of the log when it was dispatched.
    pub(crate) after: Position,
}

type AnyError = Box<dyn Error + Send + Sync>;

impl Tracked {
    /// Sets how long everything that follows from a command may take; by default ten seconds.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Dispatches a command, and waits for all that comes of it. A refusal is part of what comes of it.
    ///
    /// # Errors
    ///
    /// When the command fails in another way than by a refusal, the store cannot be read, or a process is parked or late: then the
    /// message shows what has come of the command until then.
    pub async fn dispatch<C, A>(&self, command: C) -> Result<Tree, AnyError>
    where
        C: HandledBy<A>,
        A: Aggregate,
    {
        let content = serde_json::to_value(&command)?;
        let origin = Origin { id: Uuid::now_v7(), after: self.bus.events().head().await? };
        let answer = self.bus.dispatch::<C, A>(command).command_id(origin.id).await;
        let refused = match answer {
            Ok(_) => None,
            Err(error) => match kind_of(&error) {
                Some(kind) => Some(TrackedOutcome::refused(kind, error.to_string())),
                None => return Err(error.into()),
            },
        };
        self.tree(Tree::of(origin, C::NAME, content, refused)).await
    }

    /// Waits for what has come of a command since, as after a deadline, and tells all of it.
    ///
    /// # Errors
    ///
    /// As [`dispatch`](Self::dispatch).
    pub async fn again(&self, tree: &Tree) -> Result<Tree, AnyError> {
        self.tree(tree.clone()).await
    }

    async fn tree(&self, tree: Tree) -> Result<Tree, AnyError> {
        let settled = self.processes.settle(self.patience).await;
        let store = self.bus.events();
        let tree = Causes::read(&*store, &tree.origin).await?.grow(tree);
        match settled {
            Ok(()) => Ok(tree),
            Err(error) => Err(unsettled(&error, &tree).into()),
        }
    }
}

fn unsettled(error: &ProcessError, tree: &Tree) -> String {
    format!("{}\n\n{tree}", crate::report::in_words(error))
}

fn kind_of<E>(error: &DispatchError<E>) -> Option<RejectionKind> {
    match error {
        DispatchError::Rejected(_) => Some(RejectionKind::Rejected),
        DispatchError::Refused(_) => Some(RejectionKind::Refused),
        DispatchError::NotFound { .. } => Some(RejectionKind::NotFound),
        DispatchError::AlreadyExists { .. } => Some(RejectionKind::AlreadyExists),
        _ => None,
    }
}
