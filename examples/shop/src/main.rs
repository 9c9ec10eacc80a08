//! Runs the shop: in memory, or on PostgreSQL.

mod options;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use annals::cli::App;
use annals::prelude::*;
use annals_postgres::PostgresStore;
use clap::Parser;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use shop::{Fault, Settings, Shop, TokenKey, Users};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::{Command, Options};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .init();
    let mut options = Options::parse();
    if let Some(Command::Operate(cli)) = options.command.take() {
        return cli.run(App::opened_by(|| database_of(options.database))).await;
    }
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("shop: {}", with_causes(&*fault));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Fault> {
    let settings = settings(&options)?;
    let metrics = measure()?;
    let mail = settings.mail.clone();
    let (shop, store) = match &options.database {
        Some(url) => {
            let store = PostgresStore::connect(url).await?;
            store.migrate().await?;
            (Shop::start(store, settings, metrics).await?, "on PostgreSQL")
        }
        None => (Shop::start(MemoryStore::new(), settings, metrics).await?, "in memory"),
    };
    let wanted = (options.host, options.port);
    let named = |error| format!("listen on port {} of {}: {error}", wanted.1, wanted.0);
    let listener = TcpListener::bind(wanted).await.map_err(named)?;
    let address = listener.local_addr()?;
    println!("The shop is {store}, its mails are in {}.", mail.display());
    println!("Listening on http://{address}, to be tried at http://{address}/docs/");
    shop.serve(listener, stop()?).await
}

/// The database that an operator looks after.
async fn database_of(url: Option<String>) -> Result<PostgresStore, Fault> {
    let url = url.ok_or("no database is named: add --database, or set DATABASE_URL")?;
    Ok(PostgresStore::connect(&url).await?)
}

fn settings(options: &Options) -> Result<Settings, Fault> {
    let mut settings = Settings::new(options.mail_folder());
    match &options.users {
        Some(file) => {
            let named = |error: &dyn Error| format!("{}: {}", file.display(), with_causes(error));
            let users = std::fs::read_to_string(file).map_err(|error| named(&error))?;
            settings.users = Users::parse(&users).map_err(|error| named(&error))?;
        }
        None => eprintln!(
            "Anybody may be one of three users to try it with: see README.md, and `--users FILE`."
        ),
    }
    if let Some(secret) = &options.token_key {
        settings.token_key = TokenKey::of(secret.as_bytes());
    }
    settings.patience = Duration::from_millis(options.patience);
    settings.reading = Duration::from_secs(options.reading);
    settings.connections = usize::try_from(options.connections.max(1))?;
    settings.drain = Duration::from_secs(options.drain);
    Ok(settings)
}

/// Has all be measured that Annals and the shop measure, as Prometheus asks for it.
fn measure() -> Result<PrometheusHandle, Fault> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        // Without it, what is measured and never asked for would pile up.
        let mut beat = tokio::time::interval(Duration::from_secs(5));
        loop {
            beat.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(metrics)
}

/// Ends when the program is to stop: by SIGTERM, as its supervisor sends it, or by ctrl-c.
fn stop() -> Result<impl Future<Output = ()> + Send + 'static, Fault> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// An error with its causes, in one line.
fn with_causes(fault: &dyn Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
