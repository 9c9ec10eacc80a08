//! Loads the shop over HTTP with commands and queries mixed, in memory and on PostgreSQL; prints rates and percentiles, and fails
//! if a command that was accepted is lost.
//!
//! ```sh
//! cargo bench -p shop --bench load
//! ```
//!
//! It runs the shop's own program. PostgreSQL is a private server of this run, which does not wait for the disk, or the server
//! that `DATABASE_URL` names.

mod program;
mod report;
mod shopper;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annals_postgres::testing::TestDatabase;
use clap::Parser;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use self::program::Program;
use self::report::Report;
use self::shopper::{Shopped, Shopper};

type Fault = Box<dyn Error + Send + Sync>;

/// What is sold: several clients meet at each one's stock.
const PRODUCTS: [&str; 6] = ["tea", "coffee", "mug", "kettle", "filter", "grinder"];

/// Loads the shop: of ten requests, three place an order, one pays one, one reads what was just written, and five read what was
/// written before.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// For how long, on each store
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,

    /// How many clients, each a customer that sends one request after the other
    #[arg(long, default_value_t = 16)]
    clients: u32,

    /// Begin the same again
    #[arg(long)]
    seed: Option<u64>,

    /// Only on this store
    #[arg(long, value_enum)]
    store: Option<Store>,

    /// What cargo says to each benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Store {
    Memory,
    Postgres,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("load: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Fault> {
    let folder = Folder::new()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let cores = std::thread::available_parallelism()?;
    println!("{} clients for {} s, {cores} cores, seed {seed}", options.clients, options.seconds);
    write_users(options, &folder.users())?;
    if options.store != Some(Store::Postgres) {
        println!("\nin memory");
        let program = Program::run(None, &folder)?;
        let shopped = load(options, seed, &program.url).await?;
        shopped.is_kept(&program.url).await?;
        program.end()?;
    }
    if options.store != Some(Store::Memory) {
        println!("\non PostgreSQL");
        let database = TestDatabase::create().await?;
        let program = Program::run(Some(database.url()), &folder)?;
        let shopped = load(options, seed, &program.url).await?;
        // Another program has to find it, too.
        program.end()?;
        let program = Program::run(Some(database.url()), &folder)?;
        shopped.is_kept(&program.url).await?;
        program.end()?;
    }
    Ok(())
}

/// A folder of this run, for mails and for the list of users.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Fault> {
        let name = format!("annals-shop-load-{}", uuid::Uuid::now_v7());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    fn users(&self) -> PathBuf {
        self.0.join("users.json")
    }

    fn mails(&self) -> PathBuf {
        self.0.join("mails")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left among the temporary files does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A customer for each client, and staff.
fn write_users(options: &Options, file: &Path) -> Result<(), Fault> {
    let user = |name: String, role: &str| {
        let digest = Sha256::digest(token_of(&name));
        let digest = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        json!({ "name": name, "role": role, "token_sha256": digest })
    };
    let customers = (0..options.clients).map(|number| user(customer(number), "customer"));
    let users: Vec<Value> = customers.chain([user("staff".to_owned(), "staff")]).collect();
    Ok(std::fs::write(file, serde_json::to_vec(&users)?)?)
}

fn customer(number: u32) -> String {
    format!("customer-{number}")
}

fn token_of(user: &str) -> String {
    format!("{user}-token")
}

/// Loads a shop, and prints what was measured.
async fn load(options: &Options, seed: u64, url: &str) -> Result<All, Fault> {
    let client = Client::new();
    for product in PRODUCTS {
        let path = format!("{url}/stock/{product}/deliveries");
        let delivery = client.post(path).bearer_auth(token_of("staff"));
        delivery.json(&json!({ "quantity": 1_000_000 })).send().await?.error_for_status()?;
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let random = fastrand::Rng::with_seed(seed.wrapping_add(number.into()));
        clients.spawn(Shopper::new(url, customer(number), random).shop(over.clone()));
    }
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    over.store(true, Ordering::Relaxed);
    let (mut all, mut taken, mut refused) = (All::default(), Vec::new(), 0);
    while let Some(shopped) = clients.join_next().await {
        let mut shopped = shopped??;
        taken.append(&mut shopped.taken);
        refused += shopped.refused;
        all.0.push(shopped);
    }
    println!("{}", Report { taken: &taken, elapsed: begun.elapsed() });
    if refused > 0 {
        return Err(format!("{refused} requests were not answered as they should be").into());
    }
    Ok(all)
}

/// What the shop has accepted of all clients.
#[derive(Default)]
struct All(Vec<Shopped>);

impl All {
    /// Looks for all that was accepted, as those see it who were told so.
    async fn is_kept(&self, url: &str) -> Result<(), Fault> {
        let (mut orders, mut payments, mut lost) = (0, 0, Vec::new());
        for shopped in &self.0 {
            let seen = orders_of(url, shopped).await?;
            orders += shopped.placed.len();
            payments += shopped.paid.len();
            lost.extend(shopped.placed.iter().filter(|order| !seen.contains_key(*order)));
            let is_unpaid =
                |order: &&String| seen.get(*order).is_none_or(|status| status == "placed");
            lost.extend(shopped.paid.iter().filter(is_unpaid));
        }
        println!(
            "of {orders} orders and {payments} payments that were accepted, {} are lost",
            lost.len()
        );
        if lost.is_empty() { Ok(()) } else { Err(format!("accepted, and lost: {lost:?}").into()) }
    }
}

/// The orders of a customer with how far each is, once the last command of theirs is seen.
async fn orders_of(url: &str, shopped: &Shopped) -> Result<BTreeMap<String, String>, Fault> {
    let (client, mut orders) = (Client::new(), BTreeMap::new());
    let (customer, after) = (&shopped.customer, shopped.last_token.as_deref().unwrap_or_default());
    let mut question = if after.is_empty() { String::new() } else { format!("&after={after}") };
    loop {
        let path = format!("{url}/customers/{customer}/orders?limit=100{question}");
        let page = client.get(path).bearer_auth(token_of(customer)).send().await?;
        let page: Vec<Value> = page.error_for_status()?.json().await?;
        let text =
            |order: &Value, member: &str| order[member].as_str().unwrap_or_default().to_owned();
        let Some(last) = page.last() else { return Ok(orders) };
        question = format!("&behind={}", text(last, "order"));
        orders.extend(page.iter().map(|order| (text(order, "order"), text(order, "status"))));
    }
}
