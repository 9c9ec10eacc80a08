//! The guide to operation, whose examples compile.

#[cfg(doctest)]
#[doc = include_str!("../../docs/operations.md")]
struct Operations;
