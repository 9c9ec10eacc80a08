//! What the program registers about itself while it is linked.
//!
//! The macros submit one entry for each event, aggregate and route; builders read them. Nothing here runs anything. With the
//! feature `schema`, which annals-testing turns on, the entries of events and commands know their shapes.

mod aggregate;
mod command;
mod event;
mod process;
mod projection;
mod query;
mod reactor;
mod saga;
#[cfg(feature = "schema")]
mod schema;

pub use self::aggregate::AggregateRegistration;
#[cfg(feature = "cli")]
pub(crate) use self::aggregate::ShownAggregate;
pub use self::command::CommandRegistration;
pub use self::event::EventRegistration;
pub use self::process::ProcessRegistration;
pub use self::projection::ProjectionRegistration;
pub use self::query::QueryRegistration;
pub use self::reactor::ReactorRegistration;
pub use self::saga::SagaRegistration;
