//! Commands beside the same by hand: one client, many clients, and many on one stream.

use std::ops::Range;

use annals::prelude::*;
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::Bench;
use super::domain::deposit;
use super::measure::in_turns;
use super::raw::{self, GroupCommit};
use super::report::{Bound, Unit};

/// Whether a command finds its aggregate in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Loaded,
    Cached,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Cached => "cached",
        }
    }
}

impl Bench {
    pub async fn commands(&mut self) {
        for state in [State::Loaded, State::Cached] {
            self.one_client(state).await;
        }
        for state in [State::Loaded, State::Cached] {
            self.many_clients(state).await;
        }
        self.hot_stream().await;
    }

    fn bus(&self, state: State) -> CommandBus {
        let bus = CommandBus::builder(self.store.clone());
        match state {
            State::Loaded => bus,
            State::Cached => bus.cache(10_000),
        }
        .build()
        .expect("a bus")
    }

    /// The streams of a run: those of cached aggregates are the same each time, and all in the cache after the run that does not
    /// count. With it, how many runs came before to the same streams.
    fn streams_of(&self, state: State, round: usize) -> (String, usize) {
        match state {
            State::Loaded => (format!("{}-{round}", state.name()), 0),
            State::Cached => (state.name().to_owned(), (round + 1) % (self.rounds + 1)),
        }
    }

    /// One command after the other, each to the next of a few streams.
    async fn one_client(&mut self, state: State) {
        const COMMANDS: usize = 400;
        const STREAMS: usize = 100;
        let bus = self.bus(state);
        let turns = in_turns(
            self.rounds,
            async |round| {
                let (bus, (streams, _)) = (bus.clone(), self.streams_of(state, round));
                client(async move {
                    for command in 0..COMMANDS {
                        let stream = format!("one-{streams}-{}", command % STREAMS);
                        bus.dispatch(deposit(stream)).await.unwrap();
                    }
                })
                .await;
            },
            async |round| {
                let mut connection = self.pool.acquire().await.expect("a connection");
                let (streams, runs) = self.streams_of(state, round);
                client(async move {
                    for command in 0..COMMANDS {
                        let name = format!("tally-raw-one-{streams}-{}", command % STREAMS);
                        let version = (runs * COMMANDS / STREAMS + command / STREAMS) as i64;
                        match state {
                            State::Loaded => raw::deposit(&mut connection, &name).await,
                            State::Cached => raw::append(&mut connection, &name, version, 1).await,
                        }
                    }
                })
                .await;
            },
        )
        .await;
        let what = match state {
            State::Loaded => "one command, load and append, one client",
            State::Cached => "one client, aggregate cached",
        };
        let bound = Some(Bound::RateAtLeast(0.9));
        self.report.compare(what, &turns, COMMANDS, Unit::Microseconds, bound);
    }

    /// Clients with a stream each, beside a group commit by hand.
    async fn many_clients(&mut self, state: State) {
        const CLIENTS: usize = 16;
        const COMMANDS: usize = 100;
        let bus = self.bus(state);
        let group = GroupCommit::start(&self.pool);
        let turns = in_turns(
            self.rounds,
            async |round| {
                // What is loaded is as short as by hand.
                let (streams, _) = self.streams_of(state, round);
                clients(CLIENTS, |client| {
                    let (bus, streams) = (bus.clone(), streams.clone());
                    async move {
                        for _ in 0..COMMANDS {
                            let stream = format!("many-{streams}-{client}");
                            bus.dispatch(deposit(stream)).await.unwrap();
                        }
                    }
                })
                .await;
            },
            async |round| {
                let (streams, runs) = self.streams_of(state, round);
                clients(CLIENTS, |client| {
                    let name = format!("tally-raw-many-{streams}-{client}");
                    let first = runs * COMMANDS;
                    raw_client(
                        group.clone(),
                        self.pool.clone(),
                        name,
                        state,
                        first..first + COMMANDS,
                    )
                })
                .await;
            },
        )
        .await;
        let what = match state {
            State::Loaded => "16 clients, distinct streams",
            State::Cached => "16 clients, distinct streams, cached",
        };
        let bound = Some(Bound::RateAtLeast(0.9));
        self.report.compare(what, &turns, CLIENTS * COMMANDS, Unit::Microseconds, bound);
    }

    /// Clients that all write to one stream. A command that met another of the same program would fail: none is tried again.
    async fn hot_stream(&mut self) {
        const CLIENTS: usize = 8;
        const COMMANDS: usize = 100;
        let bus = CommandBus::builder(self.store.clone()).cache(1).retry(RetryPolicy::never());
        let bus = bus.build().expect("a bus");
        let group = GroupCommit::start(&self.pool);
        let version = std::sync::Arc::new(tokio::sync::Mutex::new(0_i64));
        let turns = in_turns(
            self.rounds,
            async |_| {
                clients(CLIENTS, |_| {
                    let bus = bus.clone();
                    async move {
                        for _ in 0..COMMANDS {
                            bus.dispatch(deposit("hot".to_owned())).await.unwrap();
                        }
                    }
                })
                .await;
            },
            async |_| {
                clients(CLIENTS, |_| {
                    let (group, version) = (group.clone(), version.clone());
                    async move {
                        for _ in 0..COMMANDS {
                            let mut next = version.lock().await;
                            let answered = group.enqueue("tally-raw-hot", *next).await;
                            *next += 1;
                            drop(next);
                            answered.await.expect("an answer");
                        }
                    }
                })
                .await;
            },
        )
        .await;
        let bound = Some(Bound::RateAtLeast(0.8));
        let what = "8 clients, one hot stream, cached";
        self.report.compare(what, &turns, CLIENTS * COMMANDS, Unit::Microseconds, bound);
    }
}

/// Commands of one client by hand, through a group commit.
async fn raw_client(
    group: GroupCommit,
    pool: PgPool,
    name: String,
    state: State,
    versions: Range<usize>,
) {
    let mut connection = pool.acquire().await.expect("a connection");
    for version in versions {
        let version = match state {
            State::Cached => version as i64,
            State::Loaded => raw::load(&mut connection, &name).await.version,
        };
        group.append(&name, version).await;
    }
}

/// Runs a client as a program does: in a task of its own.
pub async fn client(run: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(run).await.expect("it ends");
}

/// Runs some clients at once.
pub async fn clients<F>(count: usize, client: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running: JoinSet<()> = (0..count).map(client).collect();
    while let Some(ended) = running.join_next().await {
        ended.expect("it ends");
    }
}
