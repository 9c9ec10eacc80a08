//! `processes shards`: into how many shards a process manager or reactor is divided.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::changes::{find, reader};
use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, safe};
use crate::cli::reader::Kind;
use crate::cli::requests::ask_and_wait;
use crate::cli::span;
use crate::request::{Request, Wish};
use crate::shards::SLICES;
use crate::timestamp::Timestamp;

#[derive(Debug, Args)]
pub(in crate::cli) struct Dividing {
    /// The process manager or reactor
    name: String,
    /// How many shards it is to have: 1 to 1024
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(SLICES)))]
    shards: u32,
    /// How long to wait until what is under way has come to its end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    wait: Duration,
}

/// `{"kind", "name", "shards", "now", "done"}`: how many it is to have, and how many it has now. What is not done stays asked, and
/// is done by whoever runs it, unless somebody has asked for another number later.
#[derive(Serialize)]
struct Divided {
    kind: Kind,
    name: String,
    shards: u32,
    now: u32,
    done: bool,
    #[serde(skip)]
    is_open: bool,
}

impl Dividing {
    pub(super) async fn run(self, store: &Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self { name, shards, wait } = self;
        let kind = find(store, &name).await?;
        let reader = reader(kind, &name);
        let wish = Wish::Shards { shards, asked_at: Timestamp::now() };
        let is_open = !ask_and_wait(store, &[Request::new(reader.clone(), wish)], wait).await?;
        let now = store.standing(&reader).await?.layout.shards;
        // Whoever sees to the last wish takes those back that came before.
        let done = !is_open && now == shards;
        console.answer(&Divided { kind, name, shards, now, done, is_open })?;
        Ok(Verdict::wrong_if(!done))
    }
}

impl Answer for Divided {
    fn text(&self) -> String {
        let Self { name, shards, now, done, is_open, .. } = self;
        let name = safe(name);
        let so_many = if *shards == 1 { "1 shard".to_owned() } else { format!("{shards} shards") };
        if *done {
            format!("`{name}` has {so_many} now")
        } else if !is_open {
            format!(
                "`{name}` has {now}, and not {so_many}: somebody has asked for that number later"
            )
        } else {
            format!(
                "`{name}` is to have {so_many}: nobody runs it, or something is under way for long; whoever runs it sees to that"
            )
        }
    }
}
