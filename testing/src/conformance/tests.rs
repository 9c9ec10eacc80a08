//! The macro that makes tests of the rules.

/// Makes a module with one test for each rule of the suite.
///
/// ```
/// // In tests/stores.rs: the tests are named `conformance::memory::…`.
/// mod conformance {
///     annals_testing::conformance!(memory, async || annals::MemoryStore::new());
/// }
/// # fn main() {}
/// ```
///
/// The second argument is an async closure or the name of an async function that makes a fresh, empty store. It may also
/// give a guard that has to live until the test has ended, and it may fail:
///
/// ```
/// # use annals::{MemoryStore, StoreError};
/// # struct TestDatabase;
/// # impl TestDatabase {
/// #     async fn new() -> Result<Self, StoreError> { Ok(Self) }
/// #     fn store(&self) -> MemoryStore { MemoryStore::new() }
/// # }
/// async fn fresh() -> Result<(MemoryStore, TestDatabase), StoreError> {
///     let database = TestDatabase::new().await?;
///     Ok((database.store(), database))
/// }
///
/// annals_testing::conformance!(postgres, fresh);
/// # fn main() {}
/// ```
///
/// # Ports
///
/// A store that does not have all ports says which rules it takes:
///
/// ```
/// # use annals::MemoryStore;
/// annals_testing::conformance!(log, async || MemoryStore::new(), [events]);
/// annals_testing::conformance!(cache, async || (MemoryStore::new(), ()), [snapshots]);
/// # fn main() {}
/// ```
///
/// | Rules | What the store has |
/// |---|---|
/// | `events` | [`EventStore`](annals::EventStore) |
/// | `snapshots` | [`SnapshotStore`](annals::SnapshotStore) |
/// | `aggregates` | `EventStore` and `SnapshotStore` |
/// | `units` | [`UnitOfWorkStore`](annals::UnitOfWorkStore) |
/// | `inspection` | [`InspectedStore`](annals::InspectedStore) |
///
/// # Expands to
///
/// ```text
/// mod memory {
///     use super::*;
///
///     /// …the promise…
///     #[test]
///     fn of_two_writers_one_wins() {
///         run(async || annals::MemoryStore::new(), rules::of_two_writers_one_wins);
///     }
///     // …
/// }
/// ```
///
/// The tests are plain `#[test]`s that start a Tokio runtime of their own: `#[tokio::test]` finds Tokio only in a crate
/// that depends on it by that name.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $factory:expr $(,)?) => {
        $crate::conformance! { $name, $factory, [events, snapshots, aggregates, units, inspection] }
    };
    ($name:ident, $factory:expr, [$($port:ident),+ $(,)?] $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "a factory may name nothing of what surrounds it")]
            use super::*;

            $($crate::__conformance_table! { $port [$crate::__conformance_tests] $factory })+
        }
    };
}

/// Makes the tests of one port's rules.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$factory:expr] $bounds:tt $($module:ident { $($(#[doc = $promise:literal])+ $rule:ident)+ })+) => {
        $($(
            $(#[doc = $promise])+
            #[::core::prelude::v1::test]
            fn $rule() {
                $crate::conformance::run($factory, $crate::conformance::rules::$rule);
            }
        )+)+
    };
}
