//! The checker of histories, tried on histories with a fault in them, and on storms in memory.

mod memory;
// Not `mod history` in a file of that name: the storms of another target use the same files.
#[path = "mod.rs"]
mod history;
mod planted;

#[path = "../stores/faults/mod.rs"]
#[allow(dead_code, reason = "some faults are of no concern to writers and readers of events")]
mod faults;
