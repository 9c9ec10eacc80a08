//! Books that are lent: what goes wrong where a test wants it to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// Whether what is broken for the reader `Nobody` has been mended.
pub(crate) static MENDED: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub(crate) struct BookId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct BookAdded {
    pub(crate) title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct BookLent {
    pub(crate) to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct BookRecalled;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct AddBook {
    #[command(id)]
    pub(crate) book: BookId,
    pub(crate) title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct LendBook {
    #[command(id)]
    pub(crate) book: BookId,
    pub(crate) to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Command)]
pub(crate) struct RecallBook {
    #[command(id)]
    pub(crate) book: BookId,
}

#[derive(Debug, thiserror::Error)]
#[error("nobody has it")]
pub(crate) struct NobodyHasIt;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(id = BookId, events(BookAdded, BookLent, BookRecalled), snapshot(every = 2, version = 1))]
pub(crate) struct Book {
    pub(crate) title: String,
    pub(crate) lent_to: Vec<String>,
    pub(crate) recalls: u32,
}

#[handlers]
impl Book {
    #[handle]
    fn add(command: AddBook) -> BookAdded {
        BookAdded { title: command.title }
    }

    #[handle]
    fn lend(&self, command: LendBook) -> BookLent {
        BookLent { to: command.to }
    }

    #[handle]
    fn recall(&self, _: RecallBook) -> Result<BookRecalled, NobodyHasIt> {
        match self.lent_to.last().map(String::as_str) {
            Some("Nobody") if !is_mended() => Err(NobodyHasIt),
            _ => Ok(BookRecalled),
        }
    }

    #[apply]
    fn added(event: &BookAdded) -> Self {
        Self { title: event.title.clone(), lent_to: Vec::new(), recalls: 0 }
    }

    #[apply]
    fn lent(&mut self, event: &BookLent) {
        self.lent_to.push(event.to.clone());
    }

    #[apply]
    fn recalled(&mut self, _: &BookRecalled) {
        self.recalls += 1;
    }
}

/// How many books a reader has borrowed.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "readers")]
pub(crate) struct Borrower {
    #[read_model(key)]
    pub(crate) name: String,
    pub(crate) books: i64,
}

#[projection]
impl Borrower {
    #[on(upsert, key = to)]
    fn lent(row: Option<Self>, event: &BookLent) -> Result<Self, String> {
        if event.to == "Nobody" && !is_mended() {
            return Err("nobody is no reader".to_owned());
        }
        let books = row.map_or(0, |row| row.books) + 1;
        Ok(Self { name: event.to.clone(), books })
    }
}

/// The titles; it stops at one that it does not like.
#[derive(Debug, Clone, PartialEq, ReadModel)]
#[read_model(table = "titles")]
pub(crate) struct Title {
    #[read_model(key)]
    pub(crate) title: String,
    pub(crate) copies: i64,
}

#[projection(on_error = stop)]
impl Title {
    #[on(upsert, key = title)]
    fn added(row: Option<Self>, event: &BookAdded) -> Result<Self, String> {
        if event.title == "Untitled" && !is_mended() {
            return Err("a book needs a title".to_owned());
        }
        let copies = row.map_or(0, |row| row.copies) + 1;
        Ok(Self { title: event.title.clone(), copies })
    }
}

/// Calls each book back that was lent, and waits for it for a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "recalls", version = 1, id = BookId, sends(RecallBook), start = beginning)]
pub(crate) struct Recall {
    pub(crate) to: String,
}

#[process]
impl Recall {
    #[on(upsert)]
    fn lent(_: Option<Self>, event: &BookLent, cx: &EventContext<Self>) -> (Self, RecallBook) {
        (Self { to: event.to.clone() }, RecallBook { book: cx.id().clone() })
    }

    #[deadline(name = "overdue", after = Duration::from_hours(720))]
    fn overdue(self) -> Done<()> {
        Done(())
    }
}

/// A book that is borrowed from another library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loan {
    pub(crate) reader: String,
}

pub(crate) struct Interloan;

#[saga(name = "interloans", data = Loan)]
impl Interloan {
    #[step(undo = call_off)]
    async fn order(_: &Loan) {}

    async fn call_off(_: &Loan) -> Result<(), &'static str> {
        if is_mended() { Ok(()) } else { Err("the other library does not answer") }
    }

    #[step]
    async fn fetch(loan: &Loan) -> Result<(), &'static str> {
        match &*loan.reader {
            "Nobody" => Err("nobody is no reader"),
            "Somebody" => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

fn is_mended() -> bool {
    MENDED.load(Ordering::SeqCst)
}
