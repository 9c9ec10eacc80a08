//! What is asked wherever it is told how far readers are: from when on that is how bad, and whether each shard is shown.

use std::time::Duration;

use clap::Args;

use super::span;
use crate::projection::Thresholds;

#[derive(Debug, Args)]
pub(super) struct Levels {
    /// From this time behind on, somebody should look
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span::parse)]
    warning: Duration,
    /// From this time behind on, somebody has to look now
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = span::parse)]
    critical: Duration,
    /// Show each shard
    #[arg(long)]
    pub(super) shards: bool,
}

impl Levels {
    pub(super) const fn thresholds(&self) -> Thresholds {
        Thresholds { warning: self.warning, critical: self.critical }
    }
}
