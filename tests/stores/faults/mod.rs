//! The faults that the broken stores have.

pub mod appends;
pub mod owners;
pub mod reads;
