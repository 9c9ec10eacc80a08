//! A shop over HTTP: orders, stock and payments as aggregates, a process manager that fulfils orders, read models, queries, a
//! reactor that sends mails, and a saga that has parcels shipped by two services which know nothing of events.
//!
//! [`Shop::start`] puts it together on any store, and [`Shop::serve`] serves it. What is where, `README.md` says.

mod access;
mod domain;
mod http;
mod mail;
mod names;
mod outside;
mod process;
mod queries;
mod read_models;
mod shipping;
mod users;

use std::error::Error;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use annals::health::HealthCheck;
use annals::prelude::*;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::access::{CommandAccess, QueryAccess};
use crate::domain::{Catalogue, Order, Stock};
pub use crate::http::TokenKey;
use crate::http::{App, Limits};
use crate::mail::{MailFolder, Mails};
use crate::outside::Outside;
use crate::shipping::Shipping;
pub use crate::users::{Role, User, Users, UsersError};

/// How many aggregates are kept in memory.
const CACHED: usize = 10_000;

/// What stops the shop.
pub type Fault = Box<dyn Error + Send + Sync>;

/// How the shop runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who is known.
    pub users: Users,
    /// What seals the tokens of commands: the same for all instances, and after a restart.
    pub token_key: TokenKey,
    /// The folder that mails are written to.
    pub mail: PathBuf,
    /// How long a read waits for what it is to see.
    pub patience: Duration,
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long the head of a request may take, and then its body.
    pub reading: Duration,
    /// How many connections are served at once; those that come then wait.
    pub connections: usize,
    /// How long the shop may take to end once it is to stop: the requests that are under way have half of it, and the work has what
    /// they leave.
    pub drain: Duration,
}

impl Settings {
    /// Settings with the users to try it with, tokens that end with the program, and mails in a folder.
    pub fn new(mail: impl Into<PathBuf>) -> Self {
        Self {
            users: Users::demo(),
            token_key: TokenKey::random(),
            mail: mail.into(),
            patience: Duration::from_secs(5),
            body_limit: 16 * 1024,
            reading: Duration::from_secs(10),
            connections: 1_000,
            drain: Duration::from_secs(30),
        }
    }
}

/// The shop, put together.
#[derive(Debug)]
pub struct Shop {
    app: App,
    projections: ProjectionEngine,
    processes: ProcessEngine,
    limits: Limits,
    drain: Duration,
}

impl Shop {
    /// Puts the shop together on a store: its buses with their interceptors, and its engines.
    ///
    /// `metrics` is what has been installed to measure by.
    ///
    /// # Errors
    ///
    /// When the store cannot be reached, or does not fit.
    pub async fn start<S>(
        store: S,
        settings: Settings,
        metrics: PrometheusHandle,
    ) -> Result<Self, Fault>
    where
        S: EventStore + SnapshotStore + ReadModelStore + Clone,
    {
        let Settings { users, token_key, mail, patience, body_limit, reading, connections, drain } =
            settings;
        let (users, outside) = (Arc::new(users), Arc::new(Outside::default()));
        let access = CommandAccess::new(users.clone(), store.clone());
        let bus = CommandBus::builder(store.clone())
            .services::<Order>(Catalogue::default())
            .services::<Stock>(Catalogue::default())
            .interceptor(access.clone())
            .cache(CACHED)
            .build()?;
        let projections = ProjectionEngine::builder(store.clone()).register_all().start().await?;
        let queries = QueryBus::builder(projections.read_models())
            .interceptor(QueryAccess::new(users.clone()))
            .build()?;
        let sagas = SagaRunner::builder(store, outside.clone()).register_all().start().await?;
        let processes = ProcessEngine::builder(bus.clone())
            .services::<Mails>(MailFolder::new(mail))
            .services::<Shipping>(sagas.clone())
            .register_all()
            .start()
            .await?;
        let health =
            HealthCheck::new().projections(&projections).processes(&processes).sagas(&sagas);
        let app = App {
            bus,
            queries,
            users,
            access,
            outside,
            sagas,
            health,
            metrics,
            token_key,
            under_way: Arc::default(),
            patience,
            body_limit,
            reading,
        };
        let limits = Limits { connections, head: reading };
        Ok(Self { app, projections, processes, limits, drain })
    }

    /// How many requests are under way, now and later.
    pub fn under_way(&self) -> Arc<AtomicUsize> {
        self.app.under_way.clone()
    }

    /// Serves requests until it is to stop. Then it takes no new ones, answers those that are under way, and ends its engines:
    /// whatever was answered with 202 is stored. Requests that take too long end with the program. So does what an engine is
    /// about, such as a call of a service that does not answer: it goes on when the shop starts again.
    ///
    /// # Errors
    ///
    /// When requests take longer than they may, or an engine has stopped before.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Fault> {
        let Self { app, projections, processes, limits, drain } = self;
        let (stopping, stopped) = oneshot::channel();
        let stop = async move {
            stop.await;
            // Nobody waits for it any more when serving has failed.
            let _ = stopping.send(());
        };
        let engines = Engines { projections, processes, sagas: app.sagas.clone() };
        let bus = app.bus.clone();
        let serving = http::serve(listener, http::router(app), limits, stop);
        // However long requests take, there is time to give up what others wait for.
        let (for_requests, mut deadline) = (drain / 2, None);
        let late = async {
            // Until it is to stop, it may take as long as it wants.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
            let told = Instant::now();
            deadline = Some(told + drain);
            tokio::time::sleep_until(told + for_requests).await;
        };
        let served = tokio::select! {
            () = serving => Ok(()),
            () = late => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("some requests were not answered within {for_requests:?} and are given up"),
            )),
        };
        let deadline = deadline.unwrap_or_else(|| Instant::now() + drain);
        let ended = engines.end(deadline).await;
        // Snapshots are taken anew if they are not kept.
        let _ = timeout_at(deadline, bus.flush()).await;
        served?;
        ended
    }
}

/// What works without being asked.
struct Engines {
    projections: ProjectionEngine,
    processes: ProcessEngine,
    sagas: SagaRunner,
}

impl Engines {
    /// Ends them, as far as they have ended by the deadline. All that they have done is stored, and what they have not done
    /// they do after the next start.
    async fn end(self, deadline: Instant) -> Result<(), Fault> {
        let Self { projections, processes, sagas } = self;
        let worked = async {
            let processed = processes.shutdown().await;
            // What begins sagas has ended; those that have begun go on when the shop starts again.
            sagas.shutdown().await;
            processed
        };
        // Side by side: a saga that waits for somebody takes no time from the projections.
        let (worked, projected) = tokio::join!(
            timeout_at(deadline, worked),
            timeout_at(deadline, projections.shutdown()),
        );
        if worked.is_err() || projected.is_err() {
            tracing::warn!("some work was not done in time: it goes on after the next start");
        }
        worked.unwrap_or(Ok(()))?;
        Ok(projected.unwrap_or(Ok(()))?)
    }
}
