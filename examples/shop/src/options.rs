//! The options of the command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use annals::cli::Cli;
use clap::{Parser, Subcommand};

/// A shop over HTTP, on Annals.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,

    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,

    /// Keep everything in this PostgreSQL database rather than in memory
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true, global = true)]
    pub(crate) database: Option<String>,

    /// The folder for mails; without it, one among the system's temporary files
    #[arg(long, value_name = "FOLDER")]
    mail: Option<PathBuf>,

    /// Who is known: a list in JSON of `{"name": …, "role": "customer" or "staff", "token_sha256": …}`
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// A secret by which instances know each other's tokens, and those of before a restart; without it, tokens end with the program
    #[arg(long, value_name = "SECRET", env = "TOKEN_KEY", hide_env_values = true)]
    pub(crate) token_key: Option<String>,

    /// How long a read waits for what it is to see
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5_000)]
    pub(crate) patience: u64,

    /// How long the head of a request may take, and then its body
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) reading: u64,

    /// How many connections are served at once; those that come then wait
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) connections: u32,

    /// How long the shop may take to end once it is to stop: requests have half of it, and the work has what they leave
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
}

/// What is done rather than to serve.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look after what the database keeps: mails, projections, processes and shipments that wait for a person
    Operate(Cli),
}

impl Options {
    /// The folder for mails.
    pub(crate) fn mail_folder(&self) -> PathBuf {
        self.mail.clone().unwrap_or_else(|| std::env::temp_dir().join("annals-shop-mail"))
    }
}
