//! Drives the program as a user does: a log in, a summary or a case out.

mod program;

use program::{permits, permits_of};

const HEADER: &str = "case:concept:name,concept:name,time:timestamp,org:resource\n";

/// Four rows of two cases, out of order in the file.
const LOG: &str = "\
org:group,time:timestamp,case:concept:name,org:resource,concept:name
Group 1,2024-03-05 10:00:00.250000+01:00,shed,Ada,T02 Check confirmation of receipt
Group 1,2024-03-04 09:00:00+01:00,shed,Ada,Confirmation of receipt
Group 2,2024-03-04T07:30:00Z,fence,,Confirmation of receipt
Group 1,2024-03-07 12:00:00+01:00,shed,Ben,T02 Check confirmation of receipt
";

/// Holds what is said of the lines after a header and one good row against what is expected; the row must be kept.
#[track_caller]
fn check_problem(name: &str, rows: impl AsRef<[u8]>, expected: &str) {
    let good = "shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n";
    let log = [HEADER.as_bytes(), good.as_bytes(), rows.as_ref()].concat();
    let (code, summary, errors) = permits_of(name, log, &[]);
    assert_eq!(errors, format!("{name}, {expected}\n"));
    let kept = "       1 cases\n       1 events\n";
    assert!(summary.starts_with(kept), "{summary}");
    assert_eq!(code, 1);
}

/// Holds what is said of a log of which nothing can be read against what is expected.
#[track_caller]
fn check_unreadable(name: &str, log: &str, expected: &str) {
    let (code, summary, errors) = permits_of(name, log, &[]);
    assert_eq!((&*errors, &*summary), (&*format!("permits: {name}: {expected}\n"), ""));
    assert_eq!(code, 2);
}

#[test]
fn the_shipped_log_is_read_without_arguments() {
    let (code, summary, errors) = permits(&["--limit", "2"]);
    assert_eq!(
        summary,
        "       5 cases
      34 events
       0 refusals
       0 errors

activities
       5 Confirmation of receipt
       4 T02 Check confirmation of receipt
       4 T06 Determine necessity of stop advice
       3 T04 Determine confirmation of receipt
       3 T05 Print and send confirmation of receipt
       3 T10 Determine necessity to stop indication
       1 T03 Adjust confirmation of receipt
       1 T07-1 Draft intern advice aspect 1
       1 T08 Draft and send request for advice
       1 T09-3 Process or receive external advice from party 3
       1 T11 Create document X request unlicensed
       1 T12 Check document X request unlicensed
       1 T14 Determine document X request unlicensed
       1 T15 Print document X request unlicensed
       1 T16 Report reasons to hold request
       1 T17 Check report Y to stop indication
       1 T19 Determine report Y to stop indication
       1 T20 Print report Y to stop indication

slowest cases
      49 d 14 h 40 min  balcony-2  2024-03-04T15:20:00Z to 2024-04-23T06:00:00Z
       5 d 04 h 45 min  fence-3    2024-03-29T09:00:00Z to 2024-04-03T13:45:00Z
"
    );
    assert_eq!((code, &*errors), (0, ""));
}

#[test]
fn another_log_is_read_whatever_the_order_of_its_rows_and_columns() {
    let (code, summary, errors) = permits_of("order.csv", LOG, &[]);
    assert_eq!(
        summary,
        "       2 cases
       4 events
       0 refusals
       0 errors

activities
       2 Confirmation of receipt
       2 T02 Check confirmation of receipt

slowest cases
       3 d 03 h 00 min  shed   2024-03-04T08:00:00Z to 2024-03-07T11:00:00Z
       0 d 00 h 00 min  fence  2024-03-04T07:30:00Z to 2024-03-04T07:30:00Z
"
    );
    assert_eq!((code, &*errors), (0, ""));
}

#[test]
fn a_case_tells_its_history() {
    let (code, case, errors) = permits_of("history.csv", LOG, &["--case", "shed"]);
    assert_eq!(
        case,
        "shed: version 3, 3 activities
  2024-03-04T08:00:00Z         Confirmation of receipt            Ada
  2024-03-05T09:00:00.25Z      T02 Check confirmation of receipt  Ada
  2024-03-07T11:00:00Z         T02 Check confirmation of receipt  Ben
"
    );
    assert_eq!((code, &*errors), (0, ""));
    let (_, case, _) = permits_of("history.csv", LOG, &["--case", "fence"]);
    assert_eq!(
        case,
        "fence: version 1, 1 activity\n  2024-03-04T07:30:00Z         Confirmation of receipt  -\n"
    );
}

#[test]
fn a_case_tells_what_was_known_at_an_instant() {
    let as_of = |instant| {
        let options = ["--case", "shed", "--as-of", instant];
        let (code, case, errors) = permits_of("as-of.csv", LOG, &options);
        assert_eq!((code, &*errors), (0, ""));
        case
    };
    assert_eq!(
        as_of("2024-03-04 08:59:59.999999+01:00"),
        "shed as of 2024-03-04T07:59:59.999999Z: not known yet\n"
    );
    let confirmed = "  2024-03-04T08:00:00Z         Confirmation of receipt";
    assert_eq!(
        as_of("2024-03-04T08:00:00Z"),
        format!("shed as of 2024-03-04T08:00:00Z: version 1, 1 activity\n{confirmed}  Ada\n")
    );
    assert_eq!(
        as_of("2024-03-05T09:00:00.25Z"),
        format!(
            "shed as of 2024-03-05T09:00:00.25Z: version 2, 2 activities\n{confirmed}            Ada\n  \
             2024-03-05T09:00:00.25Z      T02 Check confirmation of receipt  Ada\n"
        )
    );
}

#[test]
fn a_case_that_is_not_in_the_log_is_an_error() {
    let (code, case, errors) = permits_of("no-case.csv", LOG, &["--case", "barn"]);
    assert_eq!((code, &*case, &*errors), (1, "", "permits: no-case.csv has no case `barn`\n"));
}

#[test]
fn answers_come_as_json_too() {
    let log = [LOG, "Group 1,2024-03-04T08:00:00Z,shed,Ada,Dance\n"].concat();
    let (code, summary, _) = permits_of("json.csv", log, &["--json", "--limit", "1"]);
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(
        summary,
        serde_json::json!({
            "cases": 2,
            "events": 4,
            "refusals": 0,
            "errors": 1,
            "activities": [
                { "activity": "Confirmation of receipt", "count": 2 },
                { "activity": "T02 Check confirmation of receipt", "count": 2 },
            ],
            "slowest": [{
                "case": "shed",
                "seconds": 270_000,
                "first": "2024-03-04T08:00:00Z",
                "last": "2024-03-07T11:00:00Z",
            }],
            "problems": [{ "line": 6, "kind": "error", "message": "unknown activity `Dance`" }],
        })
    );
    assert_eq!(code, 1);

    let options = ["--json", "--case", "shed", "--as-of", "2024-03-04T08:00:00Z"];
    let (_, case, _) = permits_of("json-case.csv", LOG, &options);
    let case: serde_json::Value = serde_json::from_str(&case).expect("JSON");
    assert_eq!(
        case,
        serde_json::json!({
            "case": "shed",
            "as_of": "2024-03-04T08:00:00Z",
            "version": 1,
            "entries": [{
                "activity": "Confirmation of receipt",
                "happened_at": "2024-03-04T08:00:00Z",
                "by": "Ada",
            }],
        })
    );
}

#[test]
fn a_missing_column_is_named_and_nothing_is_read() {
    check_unreadable(
        "column.csv",
        "case:concept:name,concept:name,org:resource\nshed,Confirmation of receipt,Ada\n",
        "missing column `time:timestamp`",
    );
    check_unreadable(
        "columns.csv",
        "case;activity;instant\nshed;Confirmation of receipt;2024-03-04\n",
        "missing columns `case:concept:name`, `concept:name`, `time:timestamp`, `org:resource`",
    );
    let twice = format!("concept:name,{HEADER}");
    check_unreadable("twice.csv", &twice, "column `concept:name` is there twice");
    check_unreadable("empty.csv", "\n\n", "it is empty: the first line names the columns");
}

#[test]
fn a_log_that_is_not_there_is_named() {
    let (code, _, errors) = permits(&["nowhere.csv"]);
    assert_eq!(
        (code, &*errors),
        (2, "permits: nowhere.csv: No such file or directory (os error 2)\n")
    );
}

#[test]
fn a_bad_instant_is_named_and_the_rest_is_kept() {
    check_problem(
        "instant.csv",
        "shed,T02 Check confirmation of receipt,2024-02-30 09:00:00+01:00,Ada\n",
        "line 3: `2024-02-30 09:00:00+01:00` is not an instant such as `2026-03-01T12:00:00Z`: parsed date is not valid: \
         parameter 'day' for `2024-02` is invalid, must be in range `1..=29`",
    );
}

#[test]
fn the_same_row_twice_is_refused_and_the_rest_is_kept() {
    check_problem(
        "row-twice.csv",
        "shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n",
        "line 3: refused: `Confirmation of receipt` at 2024-03-04T08:00:00Z is recorded already",
    );
}

#[test]
fn an_unknown_activity_is_named_and_the_rest_is_kept() {
    check_problem(
        "activity.csv",
        "shed,T99 Dance,2024-03-04 09:00:00+01:00,Ada\n",
        "line 3: unknown activity `T99 Dance`",
    );
    check_problem(
        "spelling.csv",
        "shed,T02 Check confirmation of reciept,2024-03-04 09:00:00+01:00,Ada\n",
        "line 3: unknown activity `T02 Check confirmation of reciept`; did you mean `T02 Check confirmation of receipt`?",
    );
}

#[test]
fn a_cut_last_line_is_named_and_the_rest_is_kept() {
    let cut = "shed,T02 Check confirmation";
    check_problem("cut.csv", cut, "line 3: 2 fields, where the header has 4");
    check_problem("cut-early.csv", "sh", "line 3: 1 field, where the header has 4");
}

#[test]
fn a_row_with_too_many_fields_is_named_and_the_rest_is_kept() {
    let row = "shed,T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ada,Ben\n";
    check_problem("wide.csv", row, "line 3: 5 fields, where the header has 4");
}

#[test]
fn text_that_is_not_utf_8_is_named_and_the_rest_is_kept() {
    check_problem(
        "utf8.csv",
        b"shed,T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ad\xFF\n",
        "line 3: `org:resource` is not UTF-8",
    );
}

#[test]
fn an_empty_field_that_is_needed_is_named_and_the_rest_is_kept() {
    let rest = "T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n";
    check_problem("no-id.csv", format!(",{rest}"), "line 3: `case:concept:name` is empty");
    let row = "shed,,2024-03-04 09:00:00+01:00,Ada\n";
    check_problem("no-activity.csv", row, "line 3: `concept:name` is empty");
    let row = "shed,T02 Check confirmation of receipt,,Ada\n";
    check_problem("no-instant.csv", row, "line 3: `time:timestamp` is empty");
}

#[test]
fn a_case_whose_name_no_stream_can_have_is_named_and_the_rest_is_kept() {
    let row = "she\0d,T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n";
    check_problem(
        "stream.csv",
        row,
        "line 3: command `CompleteTask`: the name contains a null character",
    );
}

#[test]
fn a_quote_that_is_left_open_in_the_last_column_is_named_too() {
    check_problem(
        "open_last.csv",
        "shed,Confirmation of receipt,2024-03-05 09:00:00+01:00,\"Ada\nfence,Confirmation of receipt,2024-03-05 09:00:00+01:00,Ben\n",
        "line 3: a quote is left open: the row goes on to the end of the log, line 4",
    );
}

#[test]
fn a_quote_that_the_next_one_closes_is_named_with_the_lines_that_it_takes() {
    check_problem(
        "closed.csv",
        "shed,\"T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\nshed,\",b,c,d\n",
        "line 3: 5 fields, where the header has 4; the row goes on to line 4: is a quote left open?",
    );
}

#[test]
fn a_quote_that_is_left_open_is_named_with_the_lines_that_it_takes() {
    check_problem(
        "quote.csv",
        "shed,\"T02 Check confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\nshed,a,b,c\n",
        "line 3: a quote is left open: the row goes on to the end of the log, line 4",
    );
}

/// Blank lines, both kinds of line ends, a byte order mark and line ends in quotes do not move the numbers of lines.
#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let log = "\u{feff}case:concept:name,note,concept:name,org:resource,time:timestamp\r\n\
               \r\n\
               \n\
               shed,,Dance,Ada,2024-03-04 09:00:00+01:00\r\n\
               shed,\"two\r\nlines\",Sing,Ada,2024-03-04 09:00:00+01:00\r\n\
               shed,,Confirmation of receipt,Ada,2024-03-04 09:00:00+01:00\r\n\
               shed,,Run,Ada,2024-03-04 09:00:00+01:00";
    let (code, summary, errors) = permits_of("lines.csv", log, &[]);
    assert_eq!(
        errors,
        "lines.csv, line 4: unknown activity `Dance`\n\
         lines.csv, line 5: unknown activity `Sing`\n\
         lines.csv, line 8: unknown activity `Run`\n"
    );
    let counts = "       1 cases\n       1 events\n       0 refusals\n       3 errors\n";
    assert!(summary.starts_with(counts), "{summary}");
    assert_eq!(code, 1);
}

/// One of each at once: every line is named, in the order of the file, and all that is good is there.
#[test]
fn problems_come_in_the_order_of_their_lines() {
    let log = format!(
        "{HEADER}\
         shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n\
         shed,Dance,2024-03-04 10:00:00+01:00,Ada\n\
         shed,T02 Check confirmation of receipt,2024-03-05 10:00:00+01:00,Ada\n\
         shed,T02 Check confirmation of receipt,2024-03-05 09:00:00Z,Ada\n\
         shed,Confirmation of receipt,2024-03-04 09:00:00+01:00,Ada\n\
         fence,Confirmation of receipt,2024-03-03 09:00:00+01:00,Ben\n\
         fence,Conf"
    );
    let (code, summary, errors) = permits_of("many.csv", log, &[]);
    assert_eq!(
        errors,
        "many.csv, line 3: unknown activity `Dance`\n\
         many.csv, line 5: refused: `T02 Check confirmation of receipt` at 2024-03-05T09:00:00Z is recorded already\n\
         many.csv, line 6: refused: `Confirmation of receipt` at 2024-03-04T08:00:00Z is recorded already\n\
         many.csv, line 8: 2 fields, where the header has 4\n"
    );
    let counts = "       2 cases\n       3 events\n       2 refusals\n       2 errors\n";
    assert!(summary.starts_with(counts), "{summary}");
    assert_eq!(code, 1);
}

#[test]
fn help_tells_the_columns_and_the_exit_codes() {
    let (code, help, _) = permits(&["--help"]);
    assert_eq!(code, 0);
    for column in HEADER.trim_end().split(',') {
        assert!(help.contains(&format!("\n  {column} ")), "`{column}` is not in\n{help}");
    }
    let codes = "Exit codes:\n  0  all rows were recorded\n  \
                 1  some were not, or the case that was asked for is not there\n  \
                 2  the log or the database cannot be read at all, rows lack events, or an option cannot be understood\n";
    assert!(help.ends_with(codes), "{help}");
}

#[test]
fn options_that_cannot_be_understood_are_named() {
    let first_line = |options: &[&str]| {
        let (code, _, errors) = permits(options);
        assert_eq!(code, 2);
        errors.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        first_line(&["--as-of", "2024-03-04T08:00:00Z"]),
        "error: the following required arguments were not provided:"
    );
    let bad = first_line(&["--case", "shed", "--as-of", "noon"]);
    let expected = "error: invalid value 'noon' for '--as-of <INSTANT>': `noon` is not an instant such as `2026-03-01T12:00:00Z`: ";
    assert!(bad.starts_with(expected), "{bad}");
}
