//! Processes, on each store: what the engine promises, whatever fails when.

mod begins;
mod behind;
mod causes;
mod commands;
mod crashes;
mod deadlines;
mod drops;
mod engines;
mod fences;
#[path = "../domain/fulfilment.rs"]
mod fulfilment;
mod limits;
mod measured;
mod parking;
#[path = "../postgres_storms/proxy.rs"]
#[expect(dead_code, reason = "storms and the tests of outages cut connections")]
mod proxy;
mod refusals;
mod scene;
mod script;
mod shards;
mod shards_began;
mod shards_lead;
mod shards_releases;
mod shards_storm;
#[path = "../contract/shop.rs"]
mod shop;
mod still;
mod storm;
mod unwritable;
mod versions;
mod watched;
mod works;
