//! What the runtime does with a program, on the store in memory.

#[path = "../contract/bank.rs"]
mod bank;

mod afresh;
mod cache;
mod codec;
mod faulty_store;
mod idempotency;
mod interceptors;
mod metadata;
mod paging;
mod retries;
mod services;
mod snapshots;
mod time_travel;
mod together;
mod unfit;
mod unreadable;
