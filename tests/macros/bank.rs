//! The bank account of contract 1.

use annals::prelude::*;
use annals::{EventEnum, Misfit, SnapshotPolicy};
use serde::{Deserialize, Serialize};

use crate::fold::{decide, fold};

/// A newtype over `String`, `Uuid` or an integer: gets `Display`, `FromStr` and `From` both ways.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, AggregateId)]
pub struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct AccountOpened {
    pub owner: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MoneyDeposited {
    pub amount: u64,
}

/// The wire name is the struct's name unless it is given: renaming the struct must not rename history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
#[event(name = "MoneyWithdrawn")]
pub struct Withdrawn {
    pub amount: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct AccountClosed;

/// A command says which aggregate it is for by its id; which type handles it, the handler says.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct OpenAccount {
    #[command(id)]
    pub account: AccountId,
    pub owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Deposit {
    #[command(id)]
    pub account: AccountId,
    pub amount: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct Withdraw {
    #[command(id)]
    pub account: AccountId,
    pub amount: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub struct CloseAccount {
    #[command(id)]
    pub account: AccountId,
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum AccountError {
    #[error("an amount must be more than zero")]
    EmptyAmount,
    #[error("balance {balance} does not cover {requested}")]
    InsufficientFunds { balance: u64, requested: u64 },
    #[error("the account is closed")]
    Closed,
}

/// The derive generates `enum AccountEvent { AccountOpened(AccountOpened), … }` with `From` each variant,
/// and the dispatch of each event to the method that applies it. An event listed here that no method applies,
/// and one applied that is not listed, are compile errors that name the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = AccountId,
    events(AccountOpened, MoneyDeposited, Withdrawn, AccountClosed),
    snapshot(every = 100, version = 1)
)]
pub struct Account {
    pub owner: String,
    pub balance: u64,
    pub closed: bool,
}

/// The receiver says what a method needs: none creates the account, `&self`, `&mut self` and `self` need one that
/// exists. So there is no `Default`, no half-made state, and no field that is only empty before creation.
#[handlers]
impl Account {
    #[handle]
    fn open(command: OpenAccount) -> AccountOpened {
        AccountOpened { owner: command.owner }
    }

    #[apply]
    fn opened(event: &AccountOpened) -> Self {
        Self { owner: event.owner.clone(), balance: 0, closed: false }
    }

    #[handle]
    fn deposit(&self, command: Deposit) -> Result<MoneyDeposited, AccountError> {
        self.ensure_open()?;
        if command.amount == 0 {
            return Err(AccountError::EmptyAmount);
        }
        Ok(MoneyDeposited { amount: command.amount })
    }

    #[apply]
    fn deposited(&mut self, event: &MoneyDeposited) {
        self.balance += event.amount;
    }

    #[handle]
    fn withdraw(&self, command: Withdraw) -> Result<Withdrawn, AccountError> {
        self.ensure_open()?;
        if command.amount > self.balance {
            return Err(AccountError::InsufficientFunds {
                balance: self.balance,
                requested: command.amount,
            });
        }
        Ok(Withdrawn { amount: command.amount })
    }

    #[apply]
    fn withdrawn(&mut self, event: &Withdrawn) {
        self.balance -= event.amount;
    }

    /// No event, one, some or many: `()`, an event, `Option`, a tuple, an array, a `Vec`, each bare or in a `Result`.
    #[handle]
    fn close(&self, _: CloseAccount) -> Result<(Option<Withdrawn>, AccountClosed), AccountError> {
        self.ensure_open()?;
        let rest = (self.balance > 0).then_some(Withdrawn { amount: self.balance });
        Ok((rest, AccountClosed))
    }

    #[apply]
    fn closed(&mut self, _: &AccountClosed) {
        self.closed = true;
    }

    /// A method without a mark stays what it is.
    fn ensure_open(&self) -> Result<(), AccountError> {
        if self.closed { Err(AccountError::Closed) } else { Ok(()) }
    }
}

fn ada() -> AccountId {
    AccountId::from("ada")
}

fn opened() -> AccountOpened {
    AccountOpened { owner: "Ada".into() }
}

fn names(events: &[AccountEvent]) -> Vec<&'static str> {
    events.iter().map(AccountEvent::event_type).collect()
}

#[test]
fn events_fold_into_the_state() {
    let account = fold::<Account>(ada(), (opened(), MoneyDeposited { amount: 5 })).unwrap();
    let expected = Account { owner: "Ada".into(), balance: 5, closed: false };
    assert_eq!(account, Some(expected));
    assert_eq!(fold::<Account>(ada(), [opened(), opened()]), Err(Misfit::Exists));
    assert_eq!(fold::<Account>(ada(), MoneyDeposited { amount: 5 }), Err(Misfit::Missing));
}

#[test]
fn commands_are_decided() {
    let open = OpenAccount { account: ada(), owner: "Ada".into() };
    let events = decide::<_, Account>(None, open.clone()).unwrap().unwrap();
    assert_eq!(names(&events), ["AccountOpened"]);

    let account = fold::<Account>(ada(), (opened(), MoneyDeposited { amount: 5 })).unwrap();
    assert_eq!(decide(account.as_ref(), open).unwrap_err(), Misfit::Exists);
    let refused = decide(account.as_ref(), Withdraw { account: ada(), amount: 6 }).unwrap();
    let expected = AccountError::InsufficientFunds { balance: 5, requested: 6 };
    assert_eq!(refused.unwrap_err(), expected);
    let closed = decide(account.as_ref(), CloseAccount { account: ada() }).unwrap().unwrap();
    assert_eq!(names(&closed), ["MoneyWithdrawn", "AccountClosed"]);
    let missing = decide::<_, Account>(None, Deposit { account: ada(), amount: 1 });
    assert_eq!(missing.unwrap_err(), Misfit::Missing);
}

#[test]
fn events_are_read_by_their_stored_names() {
    let stored: Vec<_> = AccountEvent::EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(stored, ["AccountOpened", "MoneyDeposited", "MoneyWithdrawn", "AccountClosed"]);
    let event = AccountEvent::decode(annals::Stored::new("MoneyWithdrawn", 1, r#"{"amount":1}"#))
        .unwrap()
        .unwrap();
    assert!(matches!(event, AccountEvent::Withdrawn(Withdrawn { amount: 1 })));
    assert_eq!(event.encode().unwrap(), r#"{"amount":1}"#);
    assert!(AccountEvent::decode(annals::Stored::new("Withdrawn", 1, "{}")).is_none());
    assert!(AccountEvent::decode(annals::Stored::new("MoneyWithdrawn", 2, "{}")).unwrap().is_err());
}

#[test]
fn the_aggregate_is_described() {
    assert_eq!(Account::CATEGORY, "account");
    assert_eq!(Account::SNAPSHOT, Some(SnapshotPolicy::every(100).with_version(1)));
    let account = Account { owner: "Ada".into(), balance: 1, closed: false };
    let json = account.encode_snapshot().unwrap().unwrap();
    let read = Account::decode_snapshot(&json).unwrap().unwrap();
    assert_eq!(account.same_state(&read), Some(true));
}

#[test]
fn ids_read_and_write() {
    assert_eq!(ada().to_string(), "ada");
    assert_eq!("ada".parse::<AccountId>().unwrap(), ada());
    assert_eq!(String::from(AccountId::from(String::from("ada"))), "ada");
}
