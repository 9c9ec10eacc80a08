//! Drives the program as a user does: lines in, answers and an exit code out.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs the program with a clock that stands still, and gives its exit code, standard output and standard error.
fn bank(options: &[&str], lines: impl AsRef<[u8]>) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bank"))
        .args(["--at", "2026-03-01T12:00:00Z"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(lines.as_ref()).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

/// Holds the answers to lines against what is expected of a run in which each line is understood.
#[track_caller]
fn check(lines: &str, expected_code: i32, expected: &str) {
    let (code, answers, errors) = bank(&[], lines);
    assert_eq!(answers, expected);
    assert_eq!((code, &*errors), (expected_code, ""));
}

/// Holds what is said of a line that comes third against what is expected.
#[track_caller]
fn check_misread(line: impl AsRef<[u8]>, expected: &str) {
    let lines = [b"open ada Ada\n# a comment\n", line.as_ref()].concat();
    let (code, answers, errors) = bank(&[], lines);
    assert_eq!(errors, format!("line 3: {expected}\n"));
    assert_eq!((code, &*answers), (2, "ok account-ada version 1: balance 0\n"));
}

#[test]
fn words_are_answered() {
    check(
        "open ada Ada\ndeposit ada 40\nwithdraw ada 5\nbalance ada\nbalance ada at 2\nclose ada\nbalance ada\n",
        0,
        "ok account-ada version 1: balance 0\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 3: balance 35\n\
         ok account-ada version 3: balance 35\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 5: closed\n\
         ok account-ada version 5: closed\n",
    );
}

#[test]
fn a_line_with_an_id_that_no_account_can_have_does_not_end_the_program() {
    let long = "x".repeat(1100);
    let lines = format!(
        "open ada Ada\nbalance \"\"\nhistory \"\"\nbalance {long}\nhistory a\0b\nbalance ada\n"
    );
    let (code, answers, errors) = bank(&[], lines);
    assert_eq!(errors.lines().count(), 4, "{errors}");
    for (number, error) in (2..).zip(errors.lines()) {
        assert!(error.starts_with(&format!("line {number}: `")), "{error}");
        assert!(error.contains("` is not an id: the "), "{error}");
    }
    let standing = "ok account-ada version 1: balance 0\n";
    assert_eq!((code, &*answers), (2, &*standing.repeat(2)));
}

#[test]
fn json_is_answered_by_the_same_bank() {
    check(
        r#"{"command":"OpenAccount","account":"ada","owner":"Ada"}
           {"command":"Deposit","account":"ada","amount":40}
           balance ada
           {"command":"Withdraw","account":"ada","amount":15}
           {"command":"CloseAccount","account":"ada"}"#,
        0,
        "ok account-ada version 1: balance 0\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 3: balance 25\n\
         ok account-ada version 5: closed\n",
    );
}

#[test]
fn a_key_has_a_command_done_once() {
    check(
        r#"open ada Ada
           {"command":"Deposit","account":"ada","amount":40,"key":"request-1"}
           deposit ada 1
           {"command":"Deposit","account":"ada","amount":40,"key":"request-1"}
           balance ada
           {"command":"Deposit","account":"ada","amount":50,"key":"request-1"}"#,
        1,
        "ok account-ada version 1: balance 0\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 3: balance 41\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 3: balance 41\n\
         refused: idempotency key `request-1` was used on `account-ada` by command `Deposit` with another content\n",
    );
}

#[test]
fn a_history_tells_what_happened_and_by_whom() {
    check(
        r#"open ada "Ada Lovelace"
           history ada
           {"command":"Deposit","account":"ada","amount":40,"user":"teller-3"}
           close ada
           history ada"#,
        0,
        "ok account-ada version 1: balance 0\n\
         ok account-ada: 1 event\n\
         \u{20}   1  2026-03-01T12:00:00Z  opened by Ada Lovelace\n\
         ok account-ada version 2: balance 40\n\
         ok account-ada version 4: closed\n\
         ok account-ada: 4 events\n\
         \u{20}   1  2026-03-01T12:00:00Z  opened by Ada Lovelace\n\
         \u{20}   2  2026-03-01T12:00:00Z  deposited 40  (teller-3)\n\
         \u{20}   3  2026-03-01T12:00:00Z  withdrew 40\n\
         \u{20}   4  2026-03-01T12:00:00Z  closed\n",
    );
}

#[test]
fn refusals_say_why() {
    check(
        "deposit ada 1\nopen ada ''\nopen ada Ada\nopen ada Ada\ndeposit ada 0\ndeposit ada 40\nwithdraw ada 41\n\
         close ada\ndeposit ada 1\nbalance bob\nhistory bob\nbalance ada at 0\nbalance ada at 9\n",
        1,
        "refused: `account-ada` does not exist\n\
         refused: an account needs an owner\n\
         ok account-ada version 1: balance 0\n\
         refused: `account-ada` exists already\n\
         refused: an amount must be more than zero\n\
         ok account-ada version 2: balance 40\n\
         refused: balance 40 does not cover 41\n\
         ok account-ada version 4: closed\n\
         refused: the account is closed\n\
         refused: `account-bob` does not exist\n\
         refused: `account-bob` does not exist\n\
         refused: `account-ada` does not exist at version 0\n\
         refused: stream `account-ada` has not reached version 9: it is at version 4\n",
    );
}

#[test]
fn a_balance_does_not_overflow() {
    check(
        "open ada Ada\ndeposit ada 18446744073709551615\ndeposit ada 1\nwithdraw ada 18446744073709551615\n",
        1,
        "ok account-ada version 1: balance 0\n\
         ok account-ada version 2: balance 18446744073709551615\n\
         refused: balance 18446744073709551615 has no room for 1: an account holds at most 18446744073709551615\n\
         ok account-ada version 3: balance 0\n",
    );
}

#[test]
fn blank_lines_and_comments_are_passed_over() {
    check(
        "\n   \n# open bob Bob\n  # indented\nopen 'a b' \"A # B\" # and why\r\n",
        0,
        "ok account-a b version 1: balance 0\n",
    );
}

#[test]
fn nothing_is_read_after_quit() {
    check("open ada Ada\nquit\ndepsit ada 1\n", 0, "ok account-ada version 1: balance 0\n");
    check("", 0, "");
}

#[test]
fn help_lists_the_words() {
    check(
        "help\n",
        0,
        "open ACCOUNT OWNER            open an account\n\
         deposit ACCOUNT AMOUNT        put money in\n\
         withdraw ACCOUNT AMOUNT       take money out\n\
         close ACCOUNT                 pay out the rest and close the account\n\
         balance ACCOUNT [at VERSION]  what is in it, or was\n\
         history ACCOUNT               all that happened to it\n\
         help                          this list\n\
         quit                          stop reading\n",
    );
}

#[test]
fn words_that_cannot_be_understood_are_named_with_their_line() {
    check_misread("depsit ada 4", "unknown command `depsit`; did you mean `deposit`?");
    check_misread("xyzzy", "unknown command `xyzzy`; `help` lists them");
    let form = "`deposit` is written `deposit ACCOUNT AMOUNT`, a name with spaces in quotes";
    check_misread("deposit ada", form);
    check_misread("deposit ada for 4", form);
    check_misread("deposit ada 1.5", "`1.5` is not a whole number up to 18446744073709551615");
    check_misread("withdraw ada -1", "`-1` is not a whole number up to 18446744073709551615");
    check_misread(
        "balance ada at 18446744073709551616",
        "`18446744073709551616` is not a whole number up to 18446744073709551615",
    );
    check_misread("open bob 'Bob", "a quote is left open, or a backslash ends the line");
    check_misread("open '' Bob", "command `OpenAccount`: the id is empty");
    check_misread(b"open bob B\xFFb", "not UTF-8 after byte 10");
}

#[test]
fn json_that_cannot_be_understood_is_named_with_its_line() {
    check_misread(
        r#"{"command":"Depost","account":"ada","amount":4}"#,
        "unknown command `Depost`; did you mean `Deposit`?",
    );
    check_misread(
        r#"{"command":"Deposit","account":"ada"}"#,
        "command `Deposit`: missing field `amount`",
    );
    check_misread(
        r#"{"command":"Deposit","account":"ada","amount":4,"amuont":5}"#,
        "command `Deposit`: unknown field `amuont`, expected `account` or `amount`",
    );
    check_misread(
        r#"{"command":"Deposit","account":"ada","amount":1.5}"#,
        "command `Deposit`: invalid type: floating point `1.5`, expected u64",
    );
    check_misread(
        r#"{"account":"ada","amount":4}"#,
        "not a command in JSON: missing field `command`",
    );
    check_misread(
        r#"{"command":"Deposit","account":"ada","amount":4} 5"#,
        "not a command in JSON: trailing characters at column 50",
    );
    check_misread(
        r#"{"command":"Deposit","account":"ada","amount":4,"key":""}"#,
        "command `Deposit`: the idempotency key is empty",
    );
    check_misread(r#"{"command":"#, "not a command in JSON: EOF while parsing a value");
}

/// Input that is not understood weighs more than a refusal, whichever comes last.
#[test]
fn the_exit_code_is_the_worst_of_all_lines() {
    assert_eq!(bank(&[], "open ada Ada\n").0, 0);
    assert_eq!(bank(&[], "close ada\nopen ada Ada\n").0, 1);
    assert_eq!(bank(&[], "xyzzy\nclose ada\nopen ada Ada\n").0, 2);
}

#[test]
fn answers_come_as_json_too() {
    let lines = "open ada Ada\nwithdraw ada 1\n\nxyzzy\nhistory ada\nclose ada\n";
    let (code, answers, errors) = bank(&["--json"], lines);
    assert_eq!(
        answers,
        r#"{"line":1,"status":"ok","stream":"account-ada","version":1,"owner":"Ada","balance":0,"closed":false}
{"line":2,"status":"refused","reason":"balance 0 does not cover 1"}
{"line":4,"status":"misread","reason":"unknown command `xyzzy`; `help` lists them"}
{"line":5,"status":"ok","stream":"account-ada","events":[{"version":1,"recorded_at":"2026-03-01T12:00:00Z","type":"AccountOpened","data":{"owner":"Ada"}}]}
{"line":6,"status":"ok","stream":"account-ada","version":2,"owner":"Ada","balance":0,"closed":true}
"#
    );
    assert_eq!((code, &*errors), (2, ""));
}

/// More events than a snapshot covers: the balance then comes from the snapshot and what follows it.
#[test]
fn an_account_goes_on_past_its_snapshots() {
    let lines = ["open ada Ada\n", &"deposit ada 2\n".repeat(250), "balance ada at 100\n"].concat();
    let (code, answers, errors) = bank(&[], lines);
    let last: Vec<&str> = answers.lines().rev().take(2).collect();
    assert_eq!(
        last,
        ["ok account-ada version 100: balance 198", "ok account-ada version 251: balance 500"]
    );
    assert_eq!((code, &*errors), (0, ""));
}

#[test]
fn help_tells_the_exit_codes() {
    let (code, help, _) = bank(&["--help"], "");
    assert_eq!(code, 0);
    let codes = "Exit codes:\n  0  all was done\n  1  something was refused\n  \
                 2  a line could not be understood, or lines could not be read\n";
    assert!(help.ends_with(codes), "{help}");
}

#[test]
fn an_option_that_cannot_be_understood_is_named() {
    let (code, _, errors) = bank(&["--jsn"], "");
    assert_eq!(code, 2);
    assert!(errors.starts_with("error: unexpected argument '--jsn' found"), "{errors}");
}
