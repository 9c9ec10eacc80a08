//! `idempotency`: keys that have expired.

use clap::Subcommand;
use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console};

#[derive(Debug, Subcommand)]
pub(super) enum Idempotency {
    /// Remove the keys that have expired; those of processes never do
    Purge,
}

/// `{"purged"}`: how many there were.
#[derive(Serialize)]
struct Purged {
    purged: u64,
}

impl Idempotency {
    pub(super) async fn run(self, store: Store, console: &mut Console) -> Result<Verdict, Fault> {
        let Self::Purge = self;
        // What has expired counts as none already: there is nothing to ask.
        console.answer(&Purged { purged: store.purge_keys().await? })?;
        Ok(Verdict::Fine)
    }
}

impl Answer for Purged {
    fn text(&self) -> String {
        match self.purged {
            0 => "no idempotency key had expired".to_owned(),
            1 => "1 idempotency key had expired, and is gone".to_owned(),
            purged => format!("{purged} idempotency keys had expired, and are gone"),
        }
    }
}
