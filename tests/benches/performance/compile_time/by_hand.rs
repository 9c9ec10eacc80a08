//! The bank of the contract, written by hand over the public traits: what the macros write is no more than this.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use annals::aggregate::Apply;
use annals::registry::{AggregateRegistration, CommandRegistration, EventRegistration};
use annals::{
    Aggregate, AggregateId, Command, Context, DecodeError, Decision, EncodeError, Event,
    EventContext, EventEnum, EventName, EventOf, HandledBy, IdError, IntoEvents, Misfit,
    ReturnedEvents, SnapshotPolicy, Stored, Subject, Targets, ToId,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountId(String);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AccountId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl From<String> for AccountId {
    fn from(inner: String) -> Self {
        Self(inner)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl From<&str> for AccountId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl AggregateId for AccountId {}

impl ToId<AccountId> for str {
    fn to_id(&self) -> Result<AccountId, IdError> {
        Ok(self.into())
    }
}

impl ToId<AccountId> for String {
    fn to_id(&self) -> Result<AccountId, IdError> {
        Ok(self.as_str().into())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountOpened {
    pub owner: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoneyDeposited {
    pub amount: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub amount: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountClosed;

impl Event for AccountOpened {
    const NAME: &'static str = "AccountOpened";
}

impl Event for MoneyDeposited {
    const NAME: &'static str = "MoneyDeposited";
}

impl Event for Withdrawn {
    const NAME: &'static str = "MoneyWithdrawn";
}

impl Event for AccountClosed {
    const NAME: &'static str = "AccountClosed";
}

inventory::submit!(EventRegistration::of::<AccountOpened>());
inventory::submit!(EventRegistration::of::<MoneyDeposited>());
inventory::submit!(EventRegistration::of::<Withdrawn>());
inventory::submit!(EventRegistration::of::<AccountClosed>());

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenAccount {
    pub account: AccountId,
    pub owner: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deposit {
    pub account: AccountId,
    pub amount: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Withdraw {
    pub account: AccountId,
    pub amount: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloseAccount {
    pub account: AccountId,
}

impl Command for OpenAccount {
    const NAME: &'static str = "OpenAccount";
}

impl Targets<AccountId> for OpenAccount {
    fn target(&self) -> &AccountId {
        &self.account
    }
}

impl Command for Deposit {
    const NAME: &'static str = "Deposit";
}

impl Targets<AccountId> for Deposit {
    fn target(&self) -> &AccountId {
        &self.account
    }
}

impl Command for Withdraw {
    const NAME: &'static str = "Withdraw";
}

impl Targets<AccountId> for Withdraw {
    fn target(&self) -> &AccountId {
        &self.account
    }
}

impl Command for CloseAccount {
    const NAME: &'static str = "CloseAccount";
}

impl Targets<AccountId> for CloseAccount {
    fn target(&self) -> &AccountId {
        &self.account
    }
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

#[derive(Debug, Clone)]
pub enum AccountEvent {
    AccountOpened(AccountOpened),
    MoneyDeposited(MoneyDeposited),
    Withdrawn(Withdrawn),
    AccountClosed(AccountClosed),
}

impl EventEnum for AccountEvent {
    const EVENTS: &'static [EventName] = &[
        EventName::of::<AccountOpened>(),
        EventName::of::<MoneyDeposited>(),
        EventName::of::<Withdrawn>(),
        EventName::of::<AccountClosed>(),
    ];

    fn stored(&self) -> &'static EventName {
        match self {
            Self::AccountOpened(_) => &Self::EVENTS[0],
            Self::MoneyDeposited(_) => &Self::EVENTS[1],
            Self::Withdrawn(_) => &Self::EVENTS[2],
            Self::AccountClosed(_) => &Self::EVENTS[3],
        }
    }

    fn encode(&self) -> Result<String, EncodeError> {
        match self {
            Self::AccountOpened(event) => event.encode(),
            Self::MoneyDeposited(event) => event.encode(),
            Self::Withdrawn(event) => event.encode(),
            Self::AccountClosed(event) => event.encode(),
        }
    }

    fn decode(stored: Stored<'_>) -> Option<Result<Self, DecodeError>> {
        Some(match stored.event_type {
            AccountOpened::NAME => Event::decode(stored).map(Self::AccountOpened),
            MoneyDeposited::NAME => Event::decode(stored).map(Self::MoneyDeposited),
            Withdrawn::NAME => Event::decode(stored).map(Self::Withdrawn),
            AccountClosed::NAME => Event::decode(stored).map(Self::AccountClosed),
            _ => return None,
        })
    }

    fn same_event(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::AccountOpened(one), Self::AccountOpened(other)) => one == other,
            (Self::MoneyDeposited(one), Self::MoneyDeposited(other)) => one == other,
            (Self::Withdrawn(one), Self::Withdrawn(other)) => one == other,
            (Self::AccountClosed(one), Self::AccountClosed(other)) => one == other,
            _ => false,
        })
    }
}

impl IntoEvents<Account> for AccountEvent {
    fn extend_into(self, events: &mut Vec<AccountEvent>) {
        events.push(self);
    }
}

impl From<AccountOpened> for AccountEvent {
    fn from(event: AccountOpened) -> Self {
        Self::AccountOpened(event)
    }
}

impl EventOf<Account> for AccountOpened {
    fn into_event(self) -> AccountEvent {
        self.into()
    }
}

impl IntoEvents<Account> for AccountOpened {
    fn extend_into(self, events: &mut Vec<AccountEvent>) {
        events.push(self.into());
    }
}

impl Decision<Account> for AccountOpened {
    type Error = Infallible;

    fn decide(self) -> Result<Vec<AccountEvent>, Infallible> {
        Ok(vec![self.into()])
    }
}

impl ReturnedEvents<Account> for MoneyDeposited {}

impl ReturnedEvents<Account> for Withdrawn {}

impl ReturnedEvents<Account> for AccountClosed {}

impl From<MoneyDeposited> for AccountEvent {
    fn from(event: MoneyDeposited) -> Self {
        Self::MoneyDeposited(event)
    }
}

impl EventOf<Account> for MoneyDeposited {
    fn into_event(self) -> AccountEvent {
        self.into()
    }
}

impl IntoEvents<Account> for MoneyDeposited {
    fn extend_into(self, events: &mut Vec<AccountEvent>) {
        events.push(self.into());
    }
}

impl From<Withdrawn> for AccountEvent {
    fn from(event: Withdrawn) -> Self {
        Self::Withdrawn(event)
    }
}

impl EventOf<Account> for Withdrawn {
    fn into_event(self) -> AccountEvent {
        self.into()
    }
}

impl IntoEvents<Account> for Withdrawn {
    fn extend_into(self, events: &mut Vec<AccountEvent>) {
        events.push(self.into());
    }
}

impl From<AccountClosed> for AccountEvent {
    fn from(event: AccountClosed) -> Self {
        Self::AccountClosed(event)
    }
}

impl EventOf<Account> for AccountClosed {
    fn into_event(self) -> AccountEvent {
        self.into()
    }
}

impl IntoEvents<Account> for AccountClosed {
    fn extend_into(self, events: &mut Vec<AccountEvent>) {
        events.push(self.into());
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub owner: String,
    pub balance: u64,
    pub closed: bool,
}

impl Subject for Account {
    type Key = AccountId;
}

impl Aggregate for Account {
    type Id = AccountId;
    type Event = AccountEvent;
    type Services = ();
    const CATEGORY: &'static str = "account";
    const SNAPSHOT: Option<SnapshotPolicy> = Some(SnapshotPolicy::every(100));
    const TAKES_CONTEXT: bool = <Self as Apply<AccountOpened>>::TAKES_CONTEXT
        || <Self as Apply<MoneyDeposited>>::TAKES_CONTEXT
        || <Self as Apply<Withdrawn>>::TAKES_CONTEXT
        || <Self as Apply<AccountClosed>>::TAKES_CONTEXT;

    fn apply(
        state: &mut Option<Self>,
        event: &AccountEvent,
        cx: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        match event {
            AccountEvent::AccountOpened(event) => Apply::apply(state, event, cx),
            AccountEvent::MoneyDeposited(event) => Apply::apply(state, event, cx),
            AccountEvent::Withdrawn(event) => Apply::apply(state, event, cx),
            AccountEvent::AccountClosed(event) => Apply::apply(state, event, cx),
        }
    }

    fn encode_snapshot(&self) -> Option<Result<String, EncodeError>> {
        Some(serde_json::to_string(self).map_err(|error| EncodeError::new("Account", &error)))
    }

    fn decode_snapshot(json: &str) -> Option<Result<Self, DecodeError>> {
        Some(serde_json::from_str(json).map_err(|error| DecodeError::content("Account", &error)))
    }

    fn same_state(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }
}

inventory::submit!(AggregateRegistration::of::<Account>());

impl HandledBy<Account> for OpenAccount {
    type Output = AccountOpened;

    async fn handle(
        state: Option<&Account>,
        command: Self,
        _: &Context<Account>,
    ) -> Result<AccountOpened, Misfit> {
        match state {
            Some(_) => Err(Misfit::Exists),
            None => Ok(AccountOpened { owner: command.owner }),
        }
    }
}

inventory::submit!(CommandRegistration::of::<Account, OpenAccount>());

impl Apply<AccountOpened> for Account {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        event: &AccountOpened,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        if state.is_some() {
            return Err(Misfit::Exists);
        }
        *state = Some(Self { owner: event.owner.clone(), balance: 0, closed: false });
        Ok(())
    }
}

impl HandledBy<Account> for Deposit {
    type Output = Result<MoneyDeposited, AccountError>;

    async fn handle(
        state: Option<&Account>,
        command: Self,
        _: &Context<Account>,
    ) -> Result<Self::Output, Misfit> {
        let account = state.ok_or(Misfit::Missing)?;
        if let Err(error) = account.ensure_open() {
            return Ok(Err(error));
        }
        if command.amount == 0 {
            return Ok(Err(AccountError::EmptyAmount));
        }
        Ok(Ok(MoneyDeposited { amount: command.amount }))
    }
}

inventory::submit!(CommandRegistration::of::<Account, Deposit>());

impl Apply<MoneyDeposited> for Account {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        event: &MoneyDeposited,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        state.as_mut().ok_or(Misfit::Missing)?.balance += event.amount;
        Ok(())
    }
}

impl HandledBy<Account> for Withdraw {
    type Output = Result<Withdrawn, AccountError>;

    async fn handle(
        state: Option<&Account>,
        command: Self,
        _: &Context<Account>,
    ) -> Result<Self::Output, Misfit> {
        let account = state.ok_or(Misfit::Missing)?;
        if let Err(error) = account.ensure_open() {
            return Ok(Err(error));
        }
        if command.amount > account.balance {
            return Ok(Err(AccountError::InsufficientFunds {
                balance: account.balance,
                requested: command.amount,
            }));
        }
        Ok(Ok(Withdrawn { amount: command.amount }))
    }
}

inventory::submit!(CommandRegistration::of::<Account, Withdraw>());

impl Apply<Withdrawn> for Account {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        event: &Withdrawn,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        state.as_mut().ok_or(Misfit::Missing)?.balance -= event.amount;
        Ok(())
    }
}

impl HandledBy<Account> for CloseAccount {
    type Output = Result<(Option<Withdrawn>, AccountClosed), AccountError>;

    async fn handle(
        state: Option<&Account>,
        _: Self,
        _: &Context<Account>,
    ) -> Result<Self::Output, Misfit> {
        let account = state.ok_or(Misfit::Missing)?;
        if let Err(error) = account.ensure_open() {
            return Ok(Err(error));
        }
        let rest = (account.balance > 0).then_some(Withdrawn { amount: account.balance });
        Ok(Ok((rest, AccountClosed)))
    }
}

inventory::submit!(CommandRegistration::of::<Account, CloseAccount>());

impl Apply<AccountClosed> for Account {
    const TAKES_CONTEXT: bool = false;

    fn apply(
        state: &mut Option<Self>,
        _: &AccountClosed,
        _: &EventContext<Self>,
    ) -> Result<(), Misfit> {
        state.as_mut().ok_or(Misfit::Missing)?.closed = true;
        Ok(())
    }
}

impl Account {
    fn ensure_open(&self) -> Result<(), AccountError> {
        if self.closed { Err(AccountError::Closed) } else { Ok(()) }
    }
}
