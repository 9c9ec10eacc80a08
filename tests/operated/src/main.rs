//! Runs what is registered of the shelf, or looks after what it has stored.

mod shelf;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use annals::cli::{App, Cli};
use annals::prelude::*;
use annals_postgres::PostgresStore;
use clap::{Parser, Subcommand};
use tokio::io::AsyncReadExt;

#[derive(Parser)]
struct Options {
    /// The database
    #[arg(long, global = true)]
    database: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the projections, processes and sagas until standard input ends
    Serve {
        /// With what is broken mended
        #[arg(long)]
        mended: bool,
        /// Begins a saga under this id, whose last step never ends
        #[arg(long)]
        borrow: Option<String>,
    },
    /// Looks after what is stored
    #[command(flatten_help = true)]
    Operate(Cli),
}

type Fault = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let Options { database, command } = Options::parse();
    match command {
        Command::Operate(cli) => {
            // Whoever looks after it has the release in which it is mended.
            shelf::MENDED.store(true, Ordering::SeqCst);
            cli.run(App::opened_by(|| connect(database))).await
        }
        Command::Serve { mended, borrow } => match serve(database, mended, borrow).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("shelf: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

async fn connect(database: Option<String>) -> Result<PostgresStore, Fault> {
    let url = database.or_else(|| std::env::var("DATABASE_URL").ok());
    Ok(PostgresStore::connect(&url.ok_or("name a database: --database")?).await?)
}

async fn serve(
    database: Option<String>,
    mended: bool,
    borrow: Option<String>,
) -> Result<(), Fault> {
    shelf::MENDED.store(mended, Ordering::SeqCst);
    let store = connect(database).await?;
    let polling = Duration::from_millis(50);
    let bus = CommandBus::new(store.clone());
    let projections = ProjectionEngine::builder(store.clone())
        .register_all()
        .name("shelf")
        .lease(Duration::from_secs(2))
        .polling(polling)
        .retry(RetryPolicy::never());
    let projections = projections.start().await?;
    let processes = ProcessEngine::builder(bus)
        .register_all()
        .name("shelf")
        .lease(Duration::from_secs(2))
        .polling(polling);
    let processes = processes.start().await?;
    let sagas = SagaRunner::builder(store, Arc::new(()))
        .register_all()
        .name("shelf")
        .lease(Duration::from_secs(2))
        .backoff(Duration::from_millis(1))
        .polling(polling);
    let sagas = sagas.start().await?;
    if let Some(id) = borrow {
        let loan = shelf::Loan { reader: "Somebody".to_owned() };
        sagas.begin::<shelf::Interloan>(id, loan).await?;
    }
    println!("serving");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    sagas.shutdown().await;
    let (_, _) = (processes.shutdown().await, projections.shutdown().await);
    Ok(())
}
