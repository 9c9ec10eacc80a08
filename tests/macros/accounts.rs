//! The bank account of contract 1, by its traits.

use annals::prelude::*;
use annals::{EventEnum, Misfit, SnapshotPolicy};

use crate::bank::{
    Account, AccountError, AccountEvent, AccountId, AccountOpened, CloseAccount, Deposit,
    MoneyDeposited, OpenAccount, Withdraw, Withdrawn,
};
use crate::fold::{decide, fold};

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
