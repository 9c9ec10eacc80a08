//! The shop as its clients see it: served on the loopback, on a store of its own.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use annals::prelude::*;
use annals_postgres::PostgresStore;
use annals_postgres::testing::TestDatabase;
use futures::TryStreamExt;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use shop::{Fault, Settings, Shop, TokenKey};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// The tokens of those who are known.
pub(crate) const ADA: &str = "ada-token";
pub(crate) const BOB: &str = "bob-token";
pub(crate) const STAFF: &str = "staff-token";

/// How long a test waits for what is bound to happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Has each test run on each store.
macro_rules! on_each_store {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::scene::Scene::in_memory().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::scene::Scene::on_postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_each_store;

/// A shop that is served, and a client of it.
pub(crate) struct Scene {
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) events: Arc<dyn EventStore>,
    settings: Settings,
    folder: PathBuf,
    kept: Kept,
    under_way: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), Fault>>>,
}

/// Where everything is kept.
#[derive(Clone)]
enum Kept {
    InMemory(MemoryStore),
    OnPostgres(Arc<TestDatabase>),
}

impl Scene {
    pub(crate) async fn in_memory() -> Self {
        let (settings, folder) = settings();
        Self::begin(Kept::InMemory(MemoryStore::new()), settings, folder).await
    }

    pub(crate) async fn on_postgres() -> Self {
        let database = TestDatabase::create().await.expect("a database");
        let (settings, folder) = settings();
        Self::begin(Kept::OnPostgres(Arc::new(database)), settings, folder).await
    }

    /// On a server that a test may have die.
    pub(crate) async fn on_postgres_of_its_own() -> Self {
        let database = TestDatabase::on_own_server().await.expect("a server");
        let (settings, folder) = settings();
        Self::begin(Kept::OnPostgres(Arc::new(database)), settings, folder).await
    }

    /// Has the server of the store die at once, and begin again.
    pub(crate) async fn has_its_server_die(&self) {
        match &self.kept {
            Kept::OnPostgres(database) => {
                database.restart_immediately().await.expect("it begins again");
            }
            Kept::InMemory(_) => panic!("the scene is in memory"),
        }
    }

    async fn begin(kept: Kept, settings: Settings, folder: PathBuf) -> Self {
        let started = match &kept {
            Kept::InMemory(store) => start(store.clone(), &settings).await,
            Kept::OnPostgres(database) => {
                let store = PostgresStore::connect(database.url()).await.expect("a connection");
                store.migrate().await.expect("a schema");
                start(store, &settings).await
            }
        };
        Self::serve(started, settings, folder, kept).await
    }

    /// Serves the shop on a store that a test has made.
    pub(crate) async fn on_store_with<S>(store: S, change: impl FnOnce(&mut Settings)) -> Self
    where
        S: EventStore + SnapshotStore + ReadModelStore + Clone,
    {
        let (mut settings, folder) = settings();
        change(&mut settings);
        let started = start(store, &settings).await;
        Self::serve(started, settings, folder, Kept::InMemory(MemoryStore::new())).await
    }

    async fn serve(
        (served, events): Started,
        settings: Settings,
        folder: PathBuf,
        kept: Kept,
    ) -> Self {
        let under_way = served.under_way();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (ending, told) = oneshot::channel::<()>();
        let served = tokio::spawn(served.serve(listener, async {
            // A scene that is dropped stops, too.
            let _ = told.await;
        }));
        let (client, stop, served) = (Client::new(), Some(ending), Some(served));
        Self { client, url, events, settings, folder, kept, under_way, stop, served }
    }

    /// Waits until the shop has a request under way.
    pub(crate) async fn requested(&self) {
        let is_under_way = async || (self.under_way.load(Ordering::SeqCst) > 0).then_some(());
        eventually("a request is under way", is_under_way).await;
    }

    /// Has the shop stop, as a signal does.
    pub(crate) fn stop(&mut self) {
        self.stop.take().expect("it is served").send(()).expect("it listens");
    }

    /// Waits until the shop has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), Fault> {
        self.served.take().expect("it is served").await.expect("it does not panic")
    }

    /// Serves the shop anew on what it has kept.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop();
        self.ended().await.expect("it ends well");
        self.begin_again().await
    }

    /// Serves the shop anew with other settings.
    pub(crate) async fn restart_with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.restart().await
    }

    /// Whose leases are held.
    pub(crate) async fn leases(&self) -> Vec<String> {
        let leases = match &self.kept {
            Kept::InMemory(store) => store.leases("").await,
            Kept::OnPostgres(database) => {
                let store = PostgresStore::connect(database.url()).await.expect("a connection");
                store.leases("").await
            }
        };
        let held = leases.expect("the store is there").into_iter();
        held.filter(|lease| !lease.left.is_zero()).map(|lease| lease.id.name).collect()
    }

    /// Serves the shop anew, which has ended.
    pub(crate) async fn begin_again(mut self) -> Self {
        let (settings, folder) = (self.settings.clone(), std::mem::take(&mut self.folder));
        Self::begin(self.kept.clone(), settings, folder).await
    }

    /// Begins a request of somebody.
    pub(crate) fn ask(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        Answer::of(self.ask(Method::GET, path, token)).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Answer {
        Answer::of(self.ask(Method::PUT, path, token).json(&body)).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        Answer::of(self.ask(Method::POST, path, token).json(&body)).await
    }

    pub(crate) async fn restock(&self, product: &str, quantity: u32) -> Answer {
        let path = format!("/stock/{product}/deliveries");
        self.post(&path, STAFF, json!({ "quantity": quantity })).await.is(202)
    }

    pub(crate) async fn place(&self, token: &str, order: &str, quantity: u32) -> Answer {
        let body = json!({ "product": "tea", "quantity": quantity });
        self.put(&format!("/orders/{order}"), token, body).await
    }

    pub(crate) async fn pay(&self, token: &str, order: &str, card: &str) -> Answer {
        self.post(&format!("/orders/{order}/payment"), token, json!({ "card": card })).await
    }

    pub(crate) async fn ship(&self, token: &str, order: &str) -> Answer {
        let path = format!("/orders/{order}/shipment");
        Answer::of(self.ask(Method::POST, &path, token)).await
    }

    pub(crate) async fn cancel(&self, token: &str, order: &str) -> Answer {
        let body = json!({ "reason": "no longer wanted" });
        self.post(&format!("/orders/{order}/cancellation"), token, body).await
    }

    /// Places and pays an order of Ada's, of two packets of tea, and waits until it is paid.
    pub(crate) async fn paid(&self, order: &str) {
        self.place(ADA, order, 2).await.is(202);
        self.pay(ADA, order, "card-1").await.is(202);
        self.becomes(order, "paid").await;
    }

    /// Waits until an order's page has a status, and gives the page.
    pub(crate) async fn becomes(&self, order: &str, status: &str) -> Value {
        let path = format!("/orders/{order}");
        self.until(&path, |page| page["status"] == status).await
    }

    /// Waits until an answer to staff is as it should be.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let found = async || Some(self.get(path, STAFF).await.body).filter(&is_so);
        eventually(path, found).await
    }

    /// The texts of the mails, sorted.
    pub(crate) fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten();
        let mails = files.map(|file| file.expect("a file").path());
        let mut mails: Vec<String> = mails
            .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
            .map(|path| std::fs::read_to_string(path).expect("a mail"))
            .collect();
        mails.sort_unstable();
        mails
    }

    /// Waits until there are so many mails.
    pub(crate) async fn mailed(&self, count: usize) -> Vec<String> {
        let found = async || Some(self.mails()).filter(|mails| mails.len() >= count);
        let mails = eventually("mails", found).await;
        assert_eq!(mails.len(), count, "{mails:?}");
        mails
    }

    /// The events of a stream.
    pub(crate) async fn stream(&self, name: &str) -> Vec<RecordedEvent> {
        let stream = StreamId::from_name(name);
        self.events.read_stream(&stream, 1..).try_collect().await.expect("a stream")
    }

    pub(crate) fn database(&self) -> &str {
        match &self.kept {
            Kept::OnPostgres(database) => database.url(),
            Kept::InMemory(_) => panic!("the scene is in memory"),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if self.folder.as_os_str().is_empty() {
            return;
        }
        // It is not there if nothing was mailed.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is there: whoever asks over HTTP cannot be told.
pub(crate) async fn eventually<T, F>(what: &str, look: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, headers, body }
    }

    /// Expects a status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// Expects a problem document of a kind.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, kind: &str) -> Self {
        let answer = self.is(status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["type"], format!("/problems#{kind}"), "{:#}", answer.body);
        assert_eq!(answer.body["status"], status);
        for member in ["title", "detail"] {
            assert!(answer.body[member].is_string(), "{:#}", answer.body);
        }
        answer
    }

    /// The token of a command.
    #[track_caller]
    pub(crate) fn token(&self) -> &str {
        self.body["token"].as_str().expect("a token")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The one recorder that a program has.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || PrometheusBuilder::new().install_recorder().expect("nobody else has one");
    METRICS.get_or_init(install).clone()
}

fn settings() -> (Settings, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mail-{}", Uuid::now_v7()));
    let mut settings = Settings::new(&folder);
    settings.token_key = TokenKey::of(folder.as_os_str().as_encoded_bytes());
    (settings, folder)
}

/// The shop, and its log.
type Started = (Shop, Arc<dyn EventStore>);

async fn start<S>(store: S, settings: &Settings) -> Started
where
    S: EventStore + SnapshotStore + ReadModelStore + Clone,
{
    let events = Arc::new(store.clone());
    let shop = Shop::start(store, settings.clone(), metrics()).await;
    (shop.expect("the shop starts"), events)
}
