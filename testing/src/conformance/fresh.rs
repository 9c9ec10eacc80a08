//! What a factory gives to each test, and how one test runs.

use std::fmt::Debug;

use super::Broken;

/// What a factory of stores may give: a store, a store with a guard, or a `Result` of one of them.
///
/// The guard lives until the test has ended: a database that is removed, say. `Kind` only tells the impls apart.
#[diagnostic::on_unimplemented(
    message = "a factory of stores cannot give `{Self}`",
    label = "not a store, `(store, guard)`, or a `Result` of those",
    note = "a store implements `EventStore`; one that keeps no events is given as `(store, ())`"
)]
pub trait Fresh<Kind> {
    /// The store.
    type Store;
    /// What lives as long as the test.
    type Guard;

    /// Takes the two apart.
    ///
    /// # Panics
    ///
    /// If there is no store, since the factory failed.
    fn into_parts(self) -> (Self::Store, Self::Guard);
}

/// The kind of a factory that gives a store.
#[derive(Debug)]
pub struct Bare;

/// The kind of a factory that gives a store and its guard.
#[derive(Debug)]
pub struct Guarded;

/// The kind of a factory that can fail.
#[derive(Debug)]
pub struct Fallible<Kind>(std::marker::PhantomData<Kind>);

impl<S: annals::EventStore> Fresh<Bare> for S {
    type Store = S;
    type Guard = ();

    fn into_parts(self) -> (S, ()) {
        (self, ())
    }
}

impl<S, G> Fresh<Guarded> for (S, G) {
    type Store = S;
    type Guard = G;

    fn into_parts(self) -> (S, G) {
        self
    }
}

impl<Kind, F: Fresh<Kind>, E: Debug> Fresh<Fallible<Kind>> for Result<F, E> {
    type Store = F::Store;
    type Guard = F::Guard;

    fn into_parts(self) -> (F::Store, F::Guard) {
        match self {
            Ok(fresh) => fresh.into_parts(),
            Err(error) => panic!("the factory gave no store: {error:?}"),
        }
    }
}

/// Runs one rule as one test, on a store from the factory: what [`conformance!`](crate::conformance!) expands to.
///
/// It starts a runtime with several threads, so that races are races.
///
/// # Panics
///
/// If the store breaks the rule, with its promise and what was found; or if the factory fails.
pub fn run<Kind, F: Fresh<Kind>>(
    factory: impl AsyncFnOnce() -> F,
    rule: impl AsyncFnOnce(F::Store) -> Result<(), Broken>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a Tokio runtime starts");
    let verdict = runtime.block_on(async {
        // The guard outlives the store, which moves into the rule.
        let (store, _guard) = factory().await.into_parts();
        rule(store).await
    });
    if let Err(broken) = verdict {
        panic!("{broken}");
    }
}
