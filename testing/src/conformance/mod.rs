//! One suite of rules that every store keeps: promises 1 to 10, races included.
//!
//! [`conformance!`](crate::conformance!) makes one test of each rule. The rules are in [`rules`], each a function that runs
//! on one fresh store and says what it found; which store it is, the suite does not know.

mod broken;
mod fresh;
mod material;
mod race;
mod tallies;
#[macro_use]
mod table;
mod tests;
mod unit;

pub mod faulty;
pub mod rules;
pub mod tally;

pub use self::broken::Broken;
pub use self::fresh::{Bare, Fallible, Fresh, Guarded, run};
