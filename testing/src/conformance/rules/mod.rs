//! The rules, one function each, and all of them at once for stores that are broken on purpose.
//!
//! Which rules there are, and what each promises, says one table; how a promise is put to the test, the modules below.

mod aggregates;
mod appends;
mod commands;
mod conflicts;
mod generations;
mod inspected;
mod keys;
mod leases;
mod lenient;
mod log;
mod metadata;
mod names;
mod once;
mod payloads;
mod retries;
mod scratch;
mod shards;
mod snapshots;
mod states;
mod streams;
mod tail;
mod units;
mod unreadable;

use std::sync::Arc;

use annals::{EventStore, InspectedStore, SnapshotStore, UnitOfWorkStore};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::Broken;
use super::broken::judge;

/// Makes a public function of each rule of one port.
macro_rules! functions {
    ([] $bounds:tt $($module:ident { $($(#[doc = $promise:literal])+ $rule:ident)+ })+) => {
        $($(function! { $bounds $module $rule $($promise)+ })+)+
    };
}

/// A rule takes its store without its type: it is compiled here, once, and not again for each store.
macro_rules! function {
    ([$port:ident] $module:ident $rule:ident $($promise:literal)+) => {
        $(#[doc = $promise])+
        ///
        /// # Errors
        ///
        /// When the store does otherwise.
        pub async fn $rule<S: $port>(store: S) -> Result<(), Broken> {
            fn rule(store: Arc<dyn $port>) -> LocalBoxFuture<'static, Result<(), Broken>> {
                let verdict = $module::$rule(store);
                judge(stringify!($rule), concat!($($promise),+), verdict).boxed_local()
            }
            rule(Arc::new(store)).await
        }
    };
}

/// A store that keeps events and snapshots.
pub trait EventsAndSnapshots: EventStore + SnapshotStore {}

impl<S: EventStore + SnapshotStore> EventsAndSnapshots for S {}

__conformance_table! { events [functions] }
__conformance_table! { snapshots [functions] }
__conformance_table! { aggregates [functions] }
__conformance_table! { units [functions] }
__conformance_table! { inspection [functions] }

/// Runs all rules, each on a store of its own, and gives back those that are broken.
///
/// # Panics
///
/// If the factory fails.
pub async fn broken<S>(fresh: impl Fn() -> S) -> Vec<Broken>
where
    S: UnitOfWorkStore + SnapshotStore,
{
    let mut broken = Vec::new();
    macro_rules! run_all {
        ([] $bounds:tt $($module:ident { $($(#[doc = $promise:literal])+ $rule:ident)+ })+) => {
            $($(
                broken.extend($rule(fresh()).await.err());
            )+)+
        };
    }
    __conformance_table! { events [run_all] }
    __conformance_table! { snapshots [run_all] }
    __conformance_table! { aggregates [run_all] }
    __conformance_table! { units [run_all] }
    broken
}
