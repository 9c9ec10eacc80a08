//! The domain: one account, what may be asked of it, and what happens to it.
//!
//! It knows nothing of lines, words and JSON, which are the program's part.

use std::fmt;

use annals::prelude::*;
use serde::{Deserialize, Serialize};

/// What an account is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, AggregateId)]
pub(crate) struct AccountId(String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct AccountOpened {
    pub(crate) owner: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct MoneyDeposited {
    pub(crate) amount: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct MoneyWithdrawn {
    pub(crate) amount: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) struct AccountClosed;

/// Opens an account with nothing in it.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenAccount {
    #[command(id)]
    pub(crate) account: AccountId,
    pub(crate) owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deposit {
    #[command(id)]
    pub(crate) account: AccountId,
    pub(crate) amount: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[serde(deny_unknown_fields)]
pub(crate) struct Withdraw {
    #[command(id)]
    pub(crate) account: AccountId,
    pub(crate) amount: u64,
}

/// Pays out what is left and closes the account for good.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseAccount {
    #[command(id)]
    pub(crate) account: AccountId,
}

/// Why an account refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum AccountError {
    #[error("an account needs an owner")]
    NoOwner,
    #[error("an amount must be more than zero")]
    EmptyAmount,
    #[error("balance {balance} does not cover {requested}")]
    InsufficientFunds { balance: u64, requested: u64 },
    #[error("balance {balance} has no room for {amount}: an account holds at most {}", u64::MAX)]
    Full { balance: u64, amount: u64 },
    #[error("the account is closed")]
    Closed,
}

/// An account: whose it is, and what is in it, in whole units of its money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(
    id = AccountId,
    events(AccountOpened, MoneyDeposited, MoneyWithdrawn, AccountClosed),
    snapshot(every = 100, version = 1)
)]
pub(crate) struct Account {
    pub(crate) owner: String,
    pub(crate) balance: u64,
    pub(crate) closed: bool,
}

#[handlers]
impl Account {
    #[handle]
    fn open(command: OpenAccount) -> Result<AccountOpened, AccountError> {
        if command.owner.trim().is_empty() {
            return Err(AccountError::NoOwner);
        }
        Ok(AccountOpened { owner: command.owner })
    }

    #[apply]
    fn opened(event: &AccountOpened) -> Self {
        Self { owner: event.owner.clone(), balance: 0, closed: false }
    }

    #[handle]
    fn deposit(&self, command: Deposit) -> Result<MoneyDeposited, AccountError> {
        self.ensure_open()?;
        let Deposit { amount, .. } = command;
        if amount == 0 {
            return Err(AccountError::EmptyAmount);
        }
        if self.balance.checked_add(amount).is_none() {
            return Err(AccountError::Full { balance: self.balance, amount });
        }
        Ok(MoneyDeposited { amount })
    }

    #[apply]
    fn deposited(&mut self, event: &MoneyDeposited) {
        self.balance += event.amount;
    }

    #[handle]
    fn withdraw(&self, command: Withdraw) -> Result<MoneyWithdrawn, AccountError> {
        self.ensure_open()?;
        let Withdraw { amount: requested, .. } = command;
        if requested == 0 {
            return Err(AccountError::EmptyAmount);
        }
        if requested > self.balance {
            return Err(AccountError::InsufficientFunds { balance: self.balance, requested });
        }
        Ok(MoneyWithdrawn { amount: requested })
    }

    #[apply]
    fn withdrawn(&mut self, event: &MoneyWithdrawn) {
        self.balance -= event.amount;
    }

    #[handle]
    fn close(
        &self,
        _: CloseAccount,
    ) -> Result<(Option<MoneyWithdrawn>, AccountClosed), AccountError> {
        self.ensure_open()?;
        let rest = (self.balance > 0).then_some(MoneyWithdrawn { amount: self.balance });
        Ok((rest, AccountClosed))
    }

    #[apply]
    fn closed(&mut self, _: &AccountClosed) {
        self.closed = true;
    }

    fn ensure_open(&self) -> Result<(), AccountError> {
        if self.closed { Err(AccountError::Closed) } else { Ok(()) }
    }
}

impl fmt::Display for AccountEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountOpened(event) => write!(f, "opened by {}", event.owner),
            Self::MoneyDeposited(event) => write!(f, "deposited {}", event.amount),
            Self::MoneyWithdrawn(event) => write!(f, "withdrew {}", event.amount),
            Self::AccountClosed(_) => f.write_str("closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use annals_testing::{given, given_nothing, sequences};
    use proptest::prelude::any;

    use super::*;

    fn ada() -> AccountId {
        AccountId::from("ada")
    }

    fn opened() -> AccountOpened {
        AccountOpened { owner: "Ada".to_owned() }
    }

    fn open(owner: &str) -> OpenAccount {
        OpenAccount { account: ada(), owner: owner.to_owned() }
    }

    fn deposit(amount: u64) -> Deposit {
        Deposit { account: ada(), amount }
    }

    fn withdraw(amount: u64) -> Withdraw {
        Withdraw { account: ada(), amount }
    }

    fn close() -> CloseAccount {
        CloseAccount { account: ada() }
    }

    #[test]
    fn opening_creates_an_empty_account() {
        given_nothing::<Account>()
            .when(open("Ada"))
            .then(opened())
            .then_state(|account| assert_eq!(account.balance, 0));
    }

    #[test]
    fn an_account_is_opened_once() {
        given::<Account>(opened()).when(open("Ada")).then_already_exists();
    }

    #[test]
    fn an_account_needs_an_owner() {
        given_nothing::<Account>().when(open(" ")).then_error(AccountError::NoOwner);
    }

    #[test]
    fn all_but_opening_needs_an_account() {
        given_nothing::<Account>().when(deposit(5)).then_not_found();
        given_nothing::<Account>().when(withdraw(5)).then_not_found();
        given_nothing::<Account>().when(close()).then_not_found();
    }

    #[test]
    fn money_goes_in_and_out() {
        given_nothing::<Account>()
            .when(open("Ada"))
            .when(deposit(40))
            .when(withdraw(15))
            .then(MoneyWithdrawn { amount: 15 })
            .then_state(|account| assert_eq!(account.balance, 25));
    }

    #[test]
    fn nothing_is_no_amount() {
        given::<Account>(opened()).when(deposit(0)).then_error(AccountError::EmptyAmount);
        given::<Account>(opened()).when(withdraw(0)).then_error(AccountError::EmptyAmount);
    }

    #[test]
    fn a_withdrawal_never_overdraws() {
        given::<Account>((opened(), MoneyDeposited { amount: 40 }))
            .when(withdraw(41))
            .then_error(AccountError::InsufficientFunds { balance: 40, requested: 41 });
    }

    #[test]
    fn an_account_can_be_full() {
        given::<Account>((opened(), MoneyDeposited { amount: u64::MAX }))
            .when(deposit(1))
            .then_error(AccountError::Full { balance: u64::MAX, amount: 1 });
    }

    #[test]
    fn closing_pays_out_the_rest() {
        given::<Account>((opened(), MoneyDeposited { amount: 30 }))
            .when(close())
            .then((MoneyWithdrawn { amount: 30 }, AccountClosed))
            .then_state(|account| assert!(account.closed && account.balance == 0));
    }

    #[test]
    fn a_closed_account_stays_closed() {
        let closed = || given::<Account>((opened(), AccountClosed));
        closed().when(deposit(1)).then_error(AccountError::Closed);
        closed().when(withdraw(1)).then_error(AccountError::Closed);
        closed().when(close()).then_error(AccountError::Closed);
        closed().when(open("Ada")).then_already_exists();
    }

    /// What accounts have stored, every later release reads.
    #[test]
    fn the_schema_is_what_history_needs() {
        annals_testing::schema::assert_unchanged("schema.json");
    }

    /// No sequence of amounts, however large, overflows or overdraws: in a debug build either would panic.
    #[test]
    fn a_balance_stays_in_bounds() {
        sequences::<Account>()
            .of(any::<bool>(), |_| open("Ada"))
            .of(any::<u64>(), deposit)
            .of(any::<u64>(), withdraw)
            .of(0..100_u8, |_| close())
            .keep(|account| assert!(!account.closed || account.balance == 0));
    }
}
