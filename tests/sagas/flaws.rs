//! What may be wrong with a runner, as its store sees it. The tests of crashes and of runners that wake up have to find each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use annals::prelude::*;
use annals::{Append, Expected, NewEvent, Page, Payload, UnitOfWork};

/// What is wrong with a runner, or with what it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flaw {
    #[default]
    None,
    /// That a call begins is written with its end, not before it.
    CalledLate,
    /// What is done is taken to be done in reverse, so that it is undone as it was done.
    UndoneForward,
    /// The data before a step is kept as the data after it.
    DataLeftOut,
    /// A call that comes again has another key.
    KeysAnew,
    /// A log is written to though it is not where it was.
    VersionUnchecked,
    /// A saga is begun or taken over under a seat that has passed to another.
    FenceUnchecked,
}

/// A flaw, and what it remembers.
#[derive(Default)]
pub struct Flawed {
    pub flaw: Flaw,
    /// Of each log, the record that was not written.
    held: Mutex<HashMap<StreamId, NewEvent>>,
}

impl Flawed {
    pub fn new(flaw: Flaw) -> Self {
        Self { flaw, ..Self::default() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<StreamId, NewEvent>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is written in the place of what should be.
    pub fn changed(&self, mut work: UnitOfWork) -> UnitOfWork {
        match self.flaw {
            Flaw::CalledLate => work.appends.iter_mut().for_each(|append| self.called_late(append)),
            Flaw::VersionUnchecked => {
                for append in &mut work.appends {
                    append.expected = Expected::Any;
                }
            }
            Flaw::FenceUnchecked => work.checkpoint = None,
            Flaw::None | Flaw::UndoneForward | Flaw::DataLeftOut | Flaw::KeysAnew => {}
        }
        work
    }

    fn called_late(&self, append: &mut Append) {
        let mut held = self.held();
        if let Some(called) = held.remove(&append.stream_id) {
            if let Expected::Exact(version) = append.expected {
                append.expected = Expected::at(version - 1);
            }
            append.events.insert(0, called);
        }
        if let Some(called) = append.events.pop_if(|event| is(event.data.as_str(), "called")) {
            held.insert(append.stream_id.clone(), called);
        }
    }

    /// What is read in the place of what is there.
    pub fn read(&self, mut page: Page) -> Page {
        let done: Vec<usize> = (0..page.events.len())
            .filter(|at| {
                let record = page.events[*at].data.as_str();
                is(record, "done") && record.contains("\"direction\":\"do\"")
            })
            .collect();
        match self.flaw {
            Flaw::UndoneForward => {
                for (one, other) in done.iter().zip(done.iter().rev()).take(done.len() / 2) {
                    let data = page.events[*one].data.clone();
                    page.events[*one].data = page.events[*other].data.clone();
                    page.events[*other].data = data;
                }
            }
            Flaw::DataLeftOut => {
                for (before, after) in done.iter().zip(done.iter().skip(1)).rev() {
                    let kept = data_of(page.events[*before].data.as_str()).to_owned();
                    let record = page.events[*after].data.as_str();
                    let without = record.replacen(data_of(record), &kept, 1);
                    page.events[*after].data = Payload::new(without);
                }
            }
            _ => {}
        }
        page
    }
}

/// Whether a record is of a kind, which is written first.
fn is(record: &str, kind: &str) -> bool {
    record.strip_prefix("{\"").is_some_and(|rest| rest.starts_with(kind))
}

/// The data of a record, which is written last.
fn data_of(record: &str) -> &str {
    let from = record.find("\"data\":").expect("a step that is done leaves data");
    &record[from..]
}
