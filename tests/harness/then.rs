//! Expectations, and what is said when they are not met.

use annals_testing::{given, given_nothing};

use crate::bank::*;
use crate::failure::failure_of;

fn opened() -> AccountOpened {
    AccountOpened { owner: "Ada".into() }
}

fn deposit(amount: u64) -> Deposit {
    Deposit { account: "ada".into(), amount }
}

#[test]
fn a_failure_shows_the_story_and_the_difference_and_points_at_the_users_line() {
    let line = line!() + 5;
    let failure = failure_of(|| {
        given::<Account>((opened(), MoneyDeposited { amount: 30 }))
            .when(CloseAccount { account: "ada".into() })
            // The line below is the one that is wrong.
            .then((Withdrawn { amount: 20 }, AccountClosed));
    });
    assert_eq!(
        failure.message,
        r#"
  given  AccountOpened {"owner":"Ada"}
  given  MoneyDeposited {"amount":30}
  when   CloseAccount {"account":"ada"}

other events than expected

  - expected   + found
    MoneyWithdrawn {
  -   "amount": 20
  +   "amount": 30
    }
    AccountClosed null
"#
    );
    assert_eq!((&*failure.file, failure.line), (file!(), line));
}

#[test]
fn too_few_too_many_and_other_events_are_told() {
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(5)).then_nothing();
    });
    assert!(failure.message.contains("  - (no events)\n  + MoneyDeposited {"), "{failure:?}");
    failure_of(|| {
        given::<Account>(opened())
            .when(deposit(5))
            .then([MoneyDeposited { amount: 5 }, MoneyDeposited { amount: 5 }]);
    });
    failure_of(|| {
        given::<Account>(opened()).when(deposit(5)).then(AccountClosed);
    });
    given::<Account>(opened()).when(deposit(5)).then([MoneyDeposited { amount: 5 }]);
}

#[test]
fn a_refusal_where_events_are_expected() {
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).then(MoneyDeposited { amount: 0 });
    });
    assert!(
        failure.message.ends_with("expected events, but the command was rejected with EmptyAmount")
    );
    let failure = failure_of(|| {
        given_nothing::<Account>().when(deposit(5)).then_nothing();
    });
    assert!(failure.message.ends_with("was refused: the aggregate does not exist"));
}

#[test]
fn another_refusal_than_expected() {
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).then_error(AccountError::Closed);
    });
    assert!(failure.message.contains("  - Closed\n  + EmptyAmount\n"), "{failure:?}");
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(5)).then_error(AccountError::Closed);
    });
    assert!(failure.message.contains("expected the error Closed, but events came:"));
    failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).then_not_found();
    });
    failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).then_already_exists();
    });
    failure_of(|| {
        given_nothing::<Account>().when(deposit(5)).then_error_matches(|_| true);
    });
}

#[test]
fn errors_can_be_looked_at() {
    given::<Account>(opened())
        .when(Withdraw { account: "ada".into(), amount: 9 })
        .then_error_matches(|error| {
            matches!(error, AccountError::InsufficientFunds { balance: 0, .. })
        })
        .then_state(|account| assert_eq!(account.balance, 0));
    let failure = failure_of(|| {
        given::<Account>(opened())
            .when(deposit(0))
            .then_error_matches(|error| matches!(error, AccountError::Closed));
    });
    assert!(failure.message.ends_with("the error is not the expected one: EmptyAmount"));
}

#[test]
fn events_can_be_looked_at() {
    given::<Account>(opened()).when(deposit(5)).then_events(|events| {
        assert!(matches!(events, [AccountEvent::MoneyDeposited(MoneyDeposited { amount: 5 })]));
    });
}

#[test]
fn a_chain_stops_at_a_refusal_that_nobody_expected() {
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).when(deposit(5)).then_nothing();
    });
    assert!(failure.message.ends_with("the command was rejected with EmptyAmount"), "{failure:?}");
    given::<Account>(opened())
        .when(deposit(0))
        .then_error(AccountError::EmptyAmount)
        .when(deposit(5))
        .then(MoneyDeposited { amount: 5 })
        .and_given(AccountClosed)
        .when(deposit(5))
        .then_error(AccountError::Closed);
}

#[test]
fn a_state_that_is_not_there() {
    let failure = failure_of(|| {
        given_nothing::<Account>().when(deposit(5)).then_not_found().then_state(|_| {});
    });
    assert!(failure.message.ends_with("expected a state, but the aggregate does not exist"));
    given_nothing::<Account>().when(deposit(5)).then_not_found().then_no_state();
    failure_of(|| {
        given::<Account>(opened()).when(deposit(5)).then_no_state();
    });
}

#[test]
fn a_refusal_that_nobody_expected_fails_the_test_at_the_end_of_the_chain_too() {
    let told = "the command was rejected with EmptyAmount";
    let failure = failure_of(|| {
        given::<Account>(opened()).when(deposit(0)).then_state(|_| {});
    });
    assert!(failure.message.ends_with(told), "{failure:?}");
    let failure = failure_of(|| drop(given::<Account>(opened()).when(deposit(0))));
    assert!(failure.message.contains(told), "{failure:?}");
    drop(given::<Account>(opened()).when(deposit(5)));
}
