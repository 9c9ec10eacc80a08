//! Commands of one program for one aggregate that stays in memory: appended together, and never resting on what did not come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use annals::prelude::*;
use annals::{Append, WriteError};
use annals_testing::conformance::faulty::{Fault, Faulty};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::bank::{Account, AccountError, Deposit, OpenAccount, Withdraw};

/// What becomes of a call.
enum Fate {
    /// The store is away, and nothing is stored.
    Outage,
    /// It is refused, for what one of its appends says.
    Refused,
    /// It is stored, and nobody is told; so often again.
    Unknown(u32),
}

/// Holds each call back until it may pass, notes how many appends it has, and has it end as it is fated.
#[derive(Clone)]
struct Gate {
    calls: Arc<Mutex<Vec<usize>>>,
    begun: Arc<AtomicUsize>,
    passes: Arc<Semaphore>,
    fates: Arc<Mutex<Vec<(usize, Fate)>>>,
}

#[async_trait]
impl<S: EventStore> Fault<S> for Gate {
    async fn append(&self, store: &S, appends: Vec<Append>) -> Result<Vec<Receipt>, WriteError> {
        let call = self.begun.fetch_add(1, Ordering::SeqCst);
        self.passes.acquire().await.unwrap().forget();
        self.calls.lock().unwrap().push(appends.len());
        let fate = {
            let mut fates = self.fates.lock().unwrap();
            let place = fates.iter().position(|(fated, _)| *fated == call);
            place.map(|place| fates.swap_remove(place).1)
        };
        match fate {
            None => store.append(appends).await,
            Some(Fate::Outage) => Err(StoreError::unavailable("the store is away").into()),
            Some(Fate::Refused) => Err(StoreError::invalid("one of them says too much").into()),
            Some(Fate::Unknown(again)) => {
                let stream_id = appends[0].stream_id.clone();
                let _ = store.append(appends).await;
                if again > 0 {
                    self.fates.lock().unwrap().push((call + 1, Fate::Unknown(again - 1)));
                }
                let source = StoreError::unavailable("the answer was lost");
                Err(WriteError::UnknownOutcome { stream_id, source })
            }
        }
    }
}

/// A program with an account of 10, whose further calls wait.
struct Program {
    store: MemoryStore,
    gate: Gate,
    bus: CommandBus,
}

type Answer = Result<Receipt, DispatchError<AccountError>>;

/// What is sent to the account.
#[derive(Clone, Copy)]
enum Sent {
    Deposit(u64),
    Withdraw(u64),
    DepositOnce(u64, &'static str),
}

use Sent::{Deposit as In, DepositOnce as InOnce, Withdraw as Out};

impl Program {
    /// Starts with what becomes of its calls, counted from the first after the two that make the account.
    async fn start(fates: impl IntoIterator<Item = (usize, Fate)>) -> Self {
        let store = MemoryStore::new();
        let fates = fates.into_iter().map(|(call, fate)| (call + 2, fate)).collect();
        let gate = Gate {
            calls: Arc::default(),
            begun: Arc::default(),
            passes: Arc::new(Semaphore::new(2)),
            fates: Arc::new(Mutex::new(fates)),
        };
        let bus = CommandBus::builder(Faulty::new(store.clone(), gate.clone()));
        let bus = bus.cache(10).retry(RetryPolicy::never()).build().unwrap();
        bus.dispatch(OpenAccount { account: "ada".into(), owner: "Ada".into() }).await.unwrap();
        bus.dispatch(Deposit { account: "ada".into(), amount: 10 }).await.unwrap();
        gate.calls.lock().unwrap().clear();
        Self { store, gate, bus }
    }

    /// Sends commands one after the other, and lets each come as far as it can: the first is on its way then.
    async fn send(&self, commands: &[Sent]) -> Vec<JoinHandle<Answer>> {
        let mut sent = Vec::new();
        for command in commands {
            sent.push(tokio::spawn(dispatch(self.bus.clone(), *command)));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(self.gate.begun.load(Ordering::SeqCst), 3, "one call is on its way");
        sent
    }

    /// Lets all calls pass; gives back the answers, and how many appends each call had.
    async fn go_on(&self, sent: Vec<JoinHandle<Answer>>) -> (Vec<Answer>, Vec<usize>) {
        self.gate.passes.add_permits(1000);
        let mut answers = Vec::new();
        for sent in sent {
            answers.push(sent.await.unwrap());
        }
        (answers, self.gate.calls.lock().unwrap().clone())
    }

    async fn balance(&self) -> u64 {
        let accounts = Repository::<Account>::new(self.store.clone());
        accounts.load("ada").await.unwrap().unwrap().state.balance
    }
}

async fn dispatch(bus: CommandBus, command: Sent) -> Answer {
    let account = "ada".into();
    match command {
        In(amount) => bus.dispatch(Deposit { account, amount }).await,
        Out(amount) => bus.dispatch(Withdraw { account, amount }).await,
        InOnce(amount, key) => bus.dispatch(Deposit { account, amount }).idempotency_key(key).await,
    }
}

fn versions(answers: &[Answer]) -> Vec<u64> {
    answers.iter().map(|answer| answer.as_ref().unwrap().stream_version).collect()
}

fn is_refused(answer: &Answer, there: u64) -> bool {
    matches!(answer, Err(DispatchError::Rejected(AccountError::InsufficientFunds { balance, .. })) if *balance == there)
}

#[tokio::test]
async fn commands_that_come_while_one_is_on_its_way_are_appended_together() {
    let program = Program::start([]).await;
    let sent = program.send(&[Out(10), In(5), In(6), Out(11), In(1)]).await;
    let (answers, calls) = program.go_on(sent).await;
    assert_eq!(calls, [1, 4], "appends of each call");
    assert_eq!(versions(&answers), [3, 4, 5, 6, 7], "each has its own receipt");
    assert_eq!(program.balance().await, 1);
}

#[tokio::test]
async fn a_command_that_rests_on_an_append_that_failed_is_decided_anew() {
    let program = Program::start([(0, Fate::Outage)]).await;
    let sent = program.send(&[In(50), Out(60), Out(10)]).await;
    let (answers, _) = program.go_on(sent).await;
    assert!(matches!(answers[0], Err(DispatchError::Store(_))));
    assert!(is_refused(&answers[1], 10), "{:?}", answers[1]);
    assert_eq!(answers[2].as_ref().unwrap().stream_version, 3);
    assert_eq!(program.balance().await, 0);
}

#[tokio::test]
async fn a_refusal_waits_for_what_it_rests_on() {
    let program = Program::start([]).await;
    let sent = program.send(&[Out(10), Out(1), In(3), Out(4)]).await;
    assert!(!sent[1].is_finished() && !sent[3].is_finished(), "refused on what is not stored yet");
    let (answers, calls) = program.go_on(sent).await;
    assert!(is_refused(&answers[1], 0), "{:?}", answers[1]);
    assert!(is_refused(&answers[3], 3), "{:?}", answers[3]);
    assert_eq!(calls, [1, 1], "a refusal needs no call");
}

#[tokio::test]
async fn a_refusal_that_rests_on_what_never_came_is_none() {
    let program = Program::start([(0, Fate::Outage)]).await;
    let sent = program.send(&[Out(10), Out(10)]).await;
    let (answers, _) = program.go_on(sent).await;
    assert!(matches!(answers[0], Err(DispatchError::Store(_))));
    assert_eq!(versions(&answers[1..]), [3]);
}

#[tokio::test]
async fn another_programs_append_has_those_in_line_decided_anew() {
    let program = Program::start([]).await;
    let sent = program.send(&[In(50), Out(60), In(1)]).await;
    let other = CommandBus::new(program.store.clone());
    dispatch(other, Out(10)).await.unwrap();
    let (answers, _) = program.go_on(sent).await;
    assert!(matches!(answers[0], Err(DispatchError::Conflict(_))), "it is not to be tried again");
    assert!(is_refused(&answers[1], 0), "{:?}", answers[1]);
    assert_eq!(versions(&answers[2..]), [4]);
    assert_eq!(program.balance().await, 1);
}

/// Between two calls, another program comes in: all of the second is decided anew, and none of it is lost.
#[tokio::test]
async fn a_conflict_of_a_whole_call_is_no_conflict_of_its_commands() {
    let program = Program::start([]).await;
    let sent = program.send(&[In(1), In(2), Out(13), In(4)]).await;
    program.gate.passes.add_permits(1);
    while program.gate.begun.load(Ordering::SeqCst) < 4 {
        tokio::task::yield_now().await;
    }
    let other = CommandBus::new(program.store.clone());
    dispatch(other, In(100)).await.unwrap();
    let (answers, calls) = program.go_on(sent).await;
    assert_eq!(calls[..2], [1, 3]);
    let mut versions = versions(&answers);
    assert_eq!(versions.remove(0), 3);
    versions.sort_unstable();
    assert_eq!(versions, [5, 6, 7]);
    assert_eq!(program.balance().await, 104);
}

#[tokio::test]
async fn what_one_command_of_a_call_does_wrong_fails_no_other() {
    let program = Program::start([(1, Fate::Refused), (3, Fate::Refused)]).await;
    let sent = program.send(&[In(1), In(2), In(3), In(4)]).await;
    let (answers, calls) = program.go_on(sent).await;
    assert_eq!(calls, [1, 3, 1, 1, 1], "each goes by itself");
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, 1, "{answers:?}");
}

#[tokio::test]
async fn an_outage_is_told_to_all_whose_call_it_was() {
    let program = Program::start([(1, Fate::Outage)]).await;
    let sent = program.send(&[In(1), In(2), In(3)]).await;
    let (answers, _) = program.go_on(sent).await;
    assert_eq!(versions(&answers[..1]), [3]);
    for answer in &answers[1..] {
        assert!(matches!(answer, Err(DispatchError::Store(error)) if error.is_unavailable()));
    }
    assert_eq!(program.balance().await, 11);
}

/// It may be stored: done again, it would be there twice.
#[tokio::test]
async fn what_may_be_stored_is_not_decided_again() {
    let program = Program::start([(1, Fate::Unknown(3))]).await;
    let sent = program.send(&[In(1), In(2), Out(3), Out(99)]).await;
    let (answers, _) = program.go_on(sent).await;
    for answer in &answers[1..3] {
        assert!(matches!(answer, Err(DispatchError::UnknownOutcome { .. })), "{answer:?}");
    }
    assert!(is_refused(&answers[3], 10), "{:?}", answers[3]);
    assert_eq!(program.balance().await, 10, "10 + 1 + 2 - 3, each once");
}

/// Asked again, the store says something else: what was there before is there still.
#[tokio::test]
async fn what_is_stored_is_not_decided_again_whatever_is_answered_next() {
    let program = Program::start([(1, Fate::Unknown(0)), (2, Fate::Refused)]).await;
    let sent = program.send(&[In(1), In(2), Out(3)]).await;
    let (answers, _) = program.go_on(sent).await;
    assert_eq!(versions(&answers), [3, 4, 5]);
    assert_eq!(program.balance().await, 10, "10 + 1 + 2 - 3, each once");
}

#[tokio::test]
async fn a_key_that_is_in_line_already_gets_the_first_receipt() {
    let program = Program::start([]).await;
    let sent = program.send(&[In(1), InOnce(5, "k"), InOnce(5, "k"), In(2)]).await;
    let (answers, _) = program.go_on(sent).await;
    assert_eq!(answers[1].as_ref().unwrap(), answers[2].as_ref().unwrap());
    assert_eq!(program.balance().await, 18);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nobody_along() {
    for gone in 0..3 {
        let program = Program::start([]).await;
        let mut sent = program.send(&[In(1), In(2), In(4)]).await;
        let gone = sent.remove(gone);
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        let (answers, _) = program.go_on(sent).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let after = dispatch(program.bus.clone(), In(8)).await.unwrap();
        let balance = program.balance().await;
        let events = after.stream_version;
        assert!(
            (balance == 25 && events == 6) || (balance < 25 && events == 5),
            "{balance}, {events}"
        );
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, AggregateId)]
struct LanternId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
struct LanternLit;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct LightLantern {
    #[command(id)]
    lantern: LanternId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct LightLanternSlowly {
    #[command(id)]
    lantern: LanternId,
}

/// Lets a handler go on.
#[derive(Debug, Clone)]
struct Hands {
    thinking: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(id = LanternId, events(LanternLit), services = Hands)]
struct Lantern {
    times: u64,
}

#[handlers]
impl Lantern {
    #[handle(upsert)]
    fn switch(_: Option<&Self>, _: LightLantern) -> LanternLit {
        LanternLit
    }

    #[handle]
    async fn switch_slowly(&self, _: LightLanternSlowly, cx: &Context<Self>) -> LanternLit {
        cx.services().begun.fetch_add(1, Ordering::SeqCst);
        cx.services().thinking.acquire().await.unwrap().forget();
        LanternLit
    }

    #[apply(upsert)]
    fn switched(lantern: Option<Self>, _: &LanternLit) -> Self {
        Self { times: lantern.map_or(0, |lantern| lantern.times) + 1 }
    }
}

/// While a handler takes its time, what it was given does not come to be.
#[tokio::test]
async fn a_decision_that_outlives_what_it_rests_on_is_made_anew() {
    let gate = Gate {
        calls: Arc::default(),
        begun: Arc::default(),
        passes: Arc::new(Semaphore::new(1)),
        fates: Arc::new(Mutex::new(vec![(1, Fate::Outage)])),
    };
    let store = Faulty::new(MemoryStore::new(), gate.clone());
    let hands = Hands { thinking: Arc::new(Semaphore::new(0)), begun: Arc::default() };
    let bus = CommandBus::builder(store).services::<Lantern>(hands.clone()).cache(1);
    let bus = bus.retry(RetryPolicy::never()).register::<Lantern>().build().unwrap();
    let lantern = || LanternId("hall".into());
    bus.dispatch(LightLantern { lantern: lantern() }).await.unwrap();
    let first = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(LightLantern { lantern: lantern() }).await }
    });
    while gate.begun.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let slow = tokio::spawn({
        let bus = bus.clone();
        async move { bus.dispatch(LightLanternSlowly { lantern: lantern() }).await }
    });
    while hands.begun.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    gate.passes.add_permits(100);
    assert!(matches!(first.await.unwrap(), Err(DispatchError::Store(_))));
    hands.thinking.add_permits(2);
    assert_eq!(slow.await.unwrap().unwrap().stream_version, 2);
    assert_eq!(hands.begun.load(Ordering::SeqCst), 2, "decided anew");
}
