//! The proofs of annals: every target of this package is a test or a benchmark.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/changing-events.md")]
struct ChangingEvents;

#[cfg(doctest)]
#[doc = include_str!("../docs/postgresql.md")]
struct Postgresql;

#[cfg(doctest)]
#[doc = include_str!("../docs/projections.md")]
struct Projections;

#[cfg(doctest)]
#[doc = include_str!("../docs/rebuilds.md")]
struct Rebuilds;

#[cfg(doctest)]
#[doc = include_str!("../docs/processes.md")]
struct Processes;

#[cfg(doctest)]
#[doc = include_str!("../docs/sagas.md")]
struct Sagas;
