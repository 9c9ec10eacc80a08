//! The rules that every store keeps, on the stores that there are; and stores broken on purpose, which the rules find.

mod broken;
mod faults;
mod memory;
mod model;

mod conformance {
    annals_testing::conformance!(memory, async || annals::MemoryStore::new());
}
