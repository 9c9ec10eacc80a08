//! Asks the read models as a user does, and holds the answers on memory and on PostgreSQL against each other.

mod program;

use annals_postgres::testing::TestDatabase;
use program::{permits, permits_of};
use serde_json::{Value, json};

const HEADER: &str = "case:concept:name,concept:name,time:timestamp,org:resource\n";

/// Asks the shipped log, and holds each answer by `check`: in memory, in an empty database, and again in that database,
/// where nothing is new.
async fn check_answers(options: &[&str], check: impl Fn(&str)) {
    let database = TestDatabase::create().await.expect("a database");
    let in_database = [options, &["--database", database.url()]].concat();
    for options in [options, &in_database, &in_database] {
        let (code, answer, errors) = permits(options);
        assert_eq!((code, &*errors), (0, ""), "{options:?}");
        check(&answer);
    }
}

async fn check(options: &[&str], expected: &str) {
    check_answers(options, |answer| assert_eq!(answer, expected)).await;
}

async fn check_json(options: &[&str], expected: Value) {
    check_answers(&[options, &["--json"]].concat(), |answer| {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!(answer, expected);
    })
    .await;
}

#[tokio::test]
async fn cases_are_listed_those_first_that_took_longest() {
    check(
        &["--cases"],
        "      49 d 14 h 40 min  balcony-2  2024-03-04T15:20:00Z         2024-04-23T06:00:00Z          11  T10 Determine necessity to stop indication
       5 d 04 h 45 min  fence-3    2024-03-29T09:00:00Z         2024-04-03T13:45:00Z           6  T15 Print document X request unlicensed
       3 d 21 h 20 min  roof-4     2024-04-15T10:00:00Z         2024-04-19T07:20:00Z          10  T20 Print report Y to stop indication
       3 d 04 h 50 min  shed-1     2024-02-26T08:12:04.5Z       2024-02-29T13:02:13Z           6  T10 Determine necessity to stop indication
       0 d 00 h 00 min  kiosk-5    2024-05-06T15:59:59.999999Z  2024-05-06T15:59:59.999999Z    1  Confirmation of receipt
",
    )
    .await;
}

#[tokio::test]
async fn cases_are_listed_behind_one_in_json_too() {
    check_json(
        &["--cases", "--after", "fence-3", "--limit", "1"],
        json!({
            "total": 5,
            "cases": [{
                "case": "roof-4",
                "activities": 10,
                "first": "2024-04-15T10:00:00Z",
                "last": "2024-04-19T07:20:00Z",
                "micros": 336_000_000_000_u64,
                "last_activity": "T20 Print report Y to stop indication",
            }],
        }),
    )
    .await;
    check(
        &["--cases", "--after", "fence-3", "--limit", "1"],
        "       3 d 21 h 20 min  roof-4  2024-04-15T10:00:00Z         2024-04-19T07:20:00Z          10  T20 Print report Y to stop indication

1 of 5 shown
",
    )
    .await;
}

#[tokio::test]
async fn activities_are_counted_by_month() {
    check(
        &["--activities", "--limit", "12"],
        "2024-02
       1 Confirmation of receipt
       1 T02 Check confirmation of receipt
       1 T04 Determine confirmation of receipt
       1 T05 Print and send confirmation of receipt
       1 T06 Determine necessity of stop advice
       1 T10 Determine necessity to stop indication

2024-03
       2 Confirmation of receipt
       2 T02 Check confirmation of receipt
       1 T03 Adjust confirmation of receipt
       1 T04 Determine confirmation of receipt
       1 T05 Print and send confirmation of receipt
       1 T07-1 Draft intern advice aspect 1

12 of 29 shown
",
    )
    .await;
}

#[tokio::test]
async fn activities_of_one_month_are_counted_in_json_too() {
    check(&["--activities", "--month", "2024-05"], "2024-05\n       1 Confirmation of receipt\n")
        .await;
    check_json(
        &["--activities", "--month", "2024-05"],
        json!({
            "total": 1,
            "activities": [{ "month": "2024-05", "activity": "Confirmation of receipt", "count": 1 }],
        }),
    )
    .await;
    check_json(&["--activities", "--month", "2023-05"], json!({ "total": 0, "activities": [] }))
        .await;
}

#[tokio::test]
async fn resources_are_listed_those_first_that_did_most() {
    check(
        &["--resources"],
        "      13 Jonas        2024-02-26T10:40:31.25Z      2024-04-23T06:00:00Z         mostly T02 Check confirmation of receipt
      11 Mila         2024-02-27T07:05:10Z         2024-04-19T07:20:00Z         mostly T04 Determine confirmation of receipt
       6 Ines         2024-02-26T08:12:04.5Z       2024-05-06T15:59:59.999999Z  mostly Confirmation of receipt
       3 Okafor, Ben  2024-03-18T14:00:00Z         2024-04-22T07:30:00Z         mostly T07-1 Draft intern advice aspect 1
",
    )
    .await;
    check_json(&["--resources", "--limit", "0"], json!({ "total": 4, "resources": [] })).await;
}

/// What is told without read models is the same in a database, too.
#[tokio::test]
async fn the_summary_and_a_case_are_the_same_in_a_database() {
    for options in [&["--json"][..], &["--limit", "2"], &["--case", "shed-1"]] {
        let (code, answer, _) = permits(options);
        assert_eq!(code, 0);
        check(options, &answer).await;
    }
}

/// A row that comes twice in one log is refused each time that the log is replayed; the others are recorded once.
#[tokio::test]
async fn a_row_that_comes_twice_is_refused_in_a_database_too() {
    let row = "shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n";
    let log = format!("{HEADER}{row}{row}");
    let database = TestDatabase::create().await.expect("a database");
    for options in [&["--resources"][..], &["--resources", "--database", database.url()]].repeat(2)
    {
        let (code, answer, errors) = permits_of("database-twice.csv", &log, options);
        assert_eq!(
            errors,
            "database-twice.csv, line 3: refused: `Confirmation of receipt` at 2024-03-04T08:00:00Z is recorded already\n"
        );
        assert_eq!(
            answer,
            "       1 Ada  2024-03-04T08:00:00Z         2024-03-04T08:00:00Z         mostly Confirmation of receipt\n"
        );
        assert_eq!(code, 1);
    }
}

/// Logs in one database add up, also one of which no row is recorded.
#[tokio::test]
async fn answers_tell_of_all_logs_in_a_database() {
    let database = TestDatabase::create().await.expect("a database");
    let ask = |name, rows: &str, options: &[&str]| {
        let options = [options, &["--json", "--database", database.url()]].concat();
        let (code, answer, errors) = permits_of(name, format!("{HEADER}{rows}"), &options);
        assert_eq!((code, &*errors), (0, ""));
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    let later = "shed,Confirmation of receipt,2024-03-04T09:00:00Z,Ada\n";
    let earlier = "fence,Confirmation of receipt,2024-02-04T09:00:00Z,Ada\n";
    assert_eq!(ask("later.csv", later, &["--resources"])["resources"][0]["count"], 1);
    assert_eq!(ask("earlier.csv", earlier, &[])["events"], 2);
    let resources = ask("none.csv", "", &["--resources"]);
    assert_eq!(
        resources["resources"],
        json!([{
            "resource": "Ada",
            "count": 2,
            "first": "2024-02-04T09:00:00Z",
            "last": "2024-03-04T09:00:00Z",
            "activities": { "Confirmation of receipt": 2 },
        }])
    );
}

/// A name that PostgreSQL does not keep: rows that lack it are no answer, and what else is asked is answered.
#[tokio::test]
async fn rows_that_lack_an_event_are_no_answer() {
    let log = format!(
        "{HEADER}shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,A\0da\n\
         fence,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ben\n"
    );
    let database = TestDatabase::create().await.expect("a database");
    let ask = |question| permits_of("parked.csv", &log, &[question, "--database", database.url()]);
    let (code, answer, errors) = ask("--resources");
    let expected = "permits: projection `permit_resources`: parked events: 1: row `A\0da`: event ReceiptConfirmed at position ";
    assert!(errors.starts_with(expected), "{errors}");
    assert_eq!((code, &*answer), (2, ""));
    let (code, answer, errors) = ask("--cases");
    assert_eq!((code, &*errors), (0, ""));
    assert_eq!(answer.lines().count(), 2);
}

#[tokio::test]
async fn a_case_that_is_not_there_is_an_error() {
    let database = TestDatabase::create().await.expect("a database");
    for asked in [&["--case", "barn"][..], &["--cases", "--after", "barn"]] {
        let check = |options: &[&str], searched| {
            let (code, answer, errors) = permits(options);
            assert_eq!((code, &*answer), (1, ""));
            assert_eq!(errors, format!("permits: {searched} has no case `barn`\n"));
        };
        check(asked, "the shipped log");
        check(&[asked, &["--database", database.url()]].concat(), "the database");
    }
}

#[test]
fn an_address_that_is_none_is_an_error_that_tells_no_password() {
    let check = |options: &[&str], expected: &str| {
        let (code, answer, errors) = permits(options);
        assert_eq!((code, &*answer), (2, ""));
        assert_eq!(errors.lines().next(), Some(expected));
        assert!(!errors.contains("secret"), "{errors}");
    };
    let options = "permits: connect: the connection's options are wrong: error with configuration";
    check(
        &["--database", "postgres://ada:secret@[bad/permits"],
        &format!("{options}: invalid IPv6 address"),
    );
    check(
        &["--database", "postgres://ada:sec/secret@host/permits"],
        &format!("{options}: invalid port number"),
    );
    check(&["--database", "secret"], &format!("{options}: relative URL without a base"));
    check(
        &["postgres://ada:secret@host/permits"],
        "permits: the log is a file; the address of a database goes behind --database",
    );
    check(
        &["--databse=postgres://ada:secret@host/permits"],
        "error: unexpected argument '--databse' found",
    );
}

#[test]
fn options_that_do_not_go_together_are_named() {
    let check = |options: &[&str], expected: &str| {
        let (code, answer, errors) = permits(options);
        assert_eq!((code, &*answer), (2, ""));
        assert_eq!(errors.lines().next(), Some(expected));
    };
    check(&["--activites"], "error: unexpected argument '--activites' found");
    check(
        &["--cases", "--resources"],
        "error: the argument '--cases' cannot be used with '--resources'",
    );
    check(
        &["--case", "shed-1", "--as-of", "2024-03-01T00:00:00Z", "--database", "postgres://host"],
        "error: the argument '--as-of <INSTANT>' cannot be used with '--database <URL>'",
    );
    check(&["--month", "2024-03"], "error: the following required arguments were not provided:");
    check(
        &["--activities", "--month", "2024-13"],
        "error: invalid value '2024-13' for '--month <MONTH>': `2024-13` is not a month such as `2011-10`",
    );
}
