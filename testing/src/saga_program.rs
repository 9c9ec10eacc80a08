//! A saga that is run without a runner: by a program that may crash, and those that go on with it.

use std::sync::Arc;
use std::time::Duration;

use annals::saga::{
    AnySaga, CallError, CallOf, Instance, Next, Owner, Saga, SagaData, SagaOutcome, SagaRecord,
    category_of,
};
use annals::{StreamId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::runtime::block_on_in_no_time;
use crate::saga_test::{CallName, Fault, Run, shown};

/// How long a try may take whose step says nothing, as a runner has it that was told nothing.
const LIMIT: Duration = Duration::from_mins(1);

/// A program that runs a saga, and those that go on with it after a crash.
pub(crate) struct Program<'a> {
    saga: &'a dyn AnySaga,
    stream_id: StreamId,
    faults: Vec<(CallName, Fault)>,
    log: Vec<Logged>,
    calls: Vec<CallOf>,
    point: usize,
    crash: usize,
    /// What it was about when it crashed at that point.
    crashed: Option<String>,
    now: Timestamp,
}

/// What a log holds, as it is stored.
enum Logged {
    Record(String),
    Ended(String),
}

impl Logged {
    /// What it says, in a word.
    fn word(&self) -> &str {
        match self {
            // Its kind is written first.
            Self::Record(json) => json.split('"').nth(1).unwrap_or_default(),
            Self::Ended(_) => "ended",
        }
    }

    fn json(&self) -> &str {
        let (Self::Record(json) | Self::Ended(json)) = self;
        json
    }
}

fn json(logged: &impl Serialize) -> String {
    serde_json::to_string(logged).expect("what is logged can be written")
}

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect("what is logged reads as it was written")
}

/// The program has ended, and another goes on.
struct Crashed;

impl<'a> Program<'a> {
    /// One that crashes at a point, counted from 0.
    pub(crate) fn new(
        saga: &'a dyn AnySaga,
        id: &str,
        faults: Vec<(CallName, Fault)>,
        crash: usize,
    ) -> Self {
        Self {
            saga,
            stream_id: StreamId::new(&category_of(saga.name()), id),
            faults,
            log: Vec::new(),
            calls: Vec::new(),
            point: 0,
            crash,
            crashed: None,
            now: "2026-01-01T00:00:00Z".parse().expect("an instant"),
        }
    }

    pub(crate) fn run<S: Saga>(mut self, data: &SagaData, services: Arc<S::Services>) -> Run<S> {
        loop {
            let Ok((outcome, data)) = self.until_the_end(data) else { continue };
            let Self { calls, log, point: points, crashed, .. } = self;
            let log = log.iter().map(|logged| logged.json().to_owned()).collect();
            return Run { services, outcome, data, calls, log, points, crashed };
        }
    }

    /// A point at which a program can crash.
    fn point(&mut self, place: impl FnOnce() -> String) -> Result<(), Crashed> {
        self.point += 1;
        if self.point == self.crash.saturating_add(1) {
            self.crashed = Some(place());
            return Err(Crashed);
        }
        Ok(())
    }

    fn until_the_end(&mut self, data: &SagaData) -> Result<(SagaOutcome, SagaData), Crashed> {
        let mut instance = if let Some(instance) = self.read() {
            instance
        } else {
            let (stream_id, owner) = (self.stream_id.clone(), Owner::new(0, 1));
            let (instance, first) = Instance::begin(stream_id, data.clone(), owner);
            self.log(Logged::Record(json(&first)))?;
            instance
        };
        loop {
            let next = instance.next(self.saga, self.now);
            let record = match next.unwrap_or_else(|error| panic!("{error}")) {
                Next::Log(record) => record,
                Next::LogAt(at, record) => {
                    self.now = at;
                    record
                }
                Next::Call(call) => self.call(&instance, &call)?,
                Next::End(ended) => {
                    self.log(Logged::Ended(json(&ended)))?;
                    instance.end(&ended);
                    continue;
                }
                Next::Nothing(outcome) => return Ok((outcome, instance.data().clone())),
                other => panic!("bug in annals: the harness does not know {other:?}"),
            };
            self.log(Logged::Record(json(&record)))?;
            instance.apply(&record);
        }
    }

    /// The saga as its log tells.
    fn read(&self) -> Option<Instance> {
        let (first, rest) = self.log.split_first()?;
        let mut instance = Instance::of(self.stream_id.clone(), read(first.json()))?;
        for logged in rest {
            match logged {
                Logged::Record(json) => instance.apply(&read(json)),
                Logged::Ended(json) => instance.end(&read(json)),
            }
        }
        Some(instance)
    }

    fn log(&mut self, logged: Logged) -> Result<(), Crashed> {
        let word = logged.word().to_owned();
        self.point(|| format!("before `{word}` is logged"))?;
        self.log.push(logged);
        self.point(|| format!("after `{word}` is logged"))
    }

    fn call(&mut self, instance: &Instance, call: &CallOf) -> Result<SagaRecord, Crashed> {
        let name = || shown(&call.step, call.direction);
        self.point(|| format!("before `{}` is called", name()))?;
        let faults = self.faults.clone();
        let has = |fault| faults.iter().any(|(name, known)| *known == fault && name.is(call));
        self.crash_once(call, Fault::CrashesBefore)?;
        self.calls.push(call.clone());
        let fails = || Err(format!("`{}` fails, says the test", name()));
        let (saga, cx, data) = (self.saga, instance.context(self.saga, call), instance.data());
        let answer = if has(Fault::FailsBefore) {
            fails()
        } else {
            let rules = saga.rules(&call.step);
            let limit = rules.and_then(|rules| rules.timeout).unwrap_or(LIMIT);
            let called = block_on_in_no_time(async { timeout(limit, saga.call(&cx, data)).await });
            let answer = match called {
                Ok(answer) => answer.map_err(reason),
                Err(_) => Err(format!("it took longer than {limit:?}")),
            };
            if has(Fault::FailsAfter) { fails() } else { answer }
        };
        self.point(|| format!("after `{}` is called", name()))?;
        self.crash_once(call, Fault::CrashesAfter)?;
        let now = self.now;
        Ok(instance.answered(saga, call, answer, |_| now + Duration::from_millis(50)))
    }

    fn crash_once(&mut self, call: &CallOf, fault: Fault) -> Result<(), Crashed> {
        let found = self.faults.iter().position(|(name, known)| *known == fault && name.is(call));
        let Some(found) = found else { return Ok(()) };
        self.faults.remove(found);
        Err(Crashed)
    }
}

fn reason(error: CallError) -> String {
    match error {
        CallError::Failed(reason) => reason,
        other => panic!("{other}"),
    }
}
