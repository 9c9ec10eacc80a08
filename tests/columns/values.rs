//! What becomes of a value on its way into a column and back.

use annals::Timestamp;
use annals::read_model::{ColumnType, Value};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::number;

/// What stands in the column, and that it comes back.
#[track_caller]
fn check<T: ColumnType + PartialEq + std::fmt::Debug>(value: T, shown: &str) {
    let kept = value.to_value().expect("the column holds it");
    assert_eq!(kept.to_string(), shown);
    assert_eq!(T::from_value(kept), Ok(value));
}

#[track_caller]
fn refused<T: ColumnType>(value: &T, message: &str) {
    let error = value.to_value().expect_err("the column does not hold it");
    assert_eq!(error.to_string(), message);
}

#[track_caller]
fn unread<T: ColumnType>(value: Value, message: &str) {
    let error = T::from_value(value).err().expect("the type does not hold it");
    assert_eq!(error.to_string(), message);
}

#[test]
fn decimals_keep_all_their_digits() {
    for text in [
        "0",
        "0.00",
        "-1.50",
        "100",
        "0.0000000000000000000000000001",
        "79228162514264337593543950335",
        "-79228162514264337593543950335",
        "-7.9228162514264337593543950335",
        "1.0000000000000000000000000000",
    ] {
        check(number(text), text);
        let read = Decimal::from_value(Value::Decimal(text.to_owned())).expect("it fits");
        assert_eq!(read.to_string(), text, "zeros at the end");
    }
    // A zero has no sign that a store would keep.
    check(-number("0.00"), "0.00");
}

#[test]
fn a_decimal_that_does_not_fit_is_not_rounded() {
    for text in ["79228162514264337593543950336", "0.00000000000000000000000000001", "NaN", "1e3"] {
        let error = Decimal::from_value(Value::Decimal(text.to_owned())).expect_err("no fit");
        let begin = format!("`{text}` does not fit a `Decimal`: ");
        assert!(error.to_string().starts_with(&begin), "{error}");
    }
    unread::<Decimal>(Value::Integer(1), "expected a value of kind decimal, found `1`");
}

#[test]
fn instants_are_kept_in_utc_and_in_microseconds() {
    let at = DateTime::<Utc>::from_timestamp_micros(-1).expect("an instant");
    check(at, "1969-12-31T23:59:59.999999Z");
    let at = OffsetDateTime::UNIX_EPOCH - time::Duration::microseconds(1);
    check(at, "1969-12-31T23:59:59.999999Z");
    // The same instant, whatever the zone.
    let east = at.to_offset(UtcOffset::from_hms(5, 30, 0).expect("an offset"));
    check(east, "1969-12-31T23:59:59.999999Z");
    let kept = OffsetDateTime::from_value(east.to_value().expect("kept")).expect("read");
    assert_eq!(kept.offset(), UtcOffset::UTC);
}

#[test]
fn what_is_finer_than_a_microsecond_is_cut_off() {
    // Before 1970, too, towards the past.
    for nanos in [-1_500, 1_500] {
        let utc = DateTime::<Utc>::from_timestamp_nanos(nanos);
        let offset = OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).expect("an instant");
        let primitive = PrimitiveDateTime::new(offset.date(), offset.time());
        let cut = nanos.div_euclid(1_000);
        let instant = Ok(Value::Timestamp(Timestamp::from_micros(cut)));
        assert_eq!(utc.to_value(), instant);
        assert_eq!(offset.to_value(), instant);
        assert_eq!(utc.naive_utc().to_value(), Ok(Value::DateTime(cut)));
        assert_eq!(primitive.to_value(), Ok(Value::DateTime(cut)));
    }
}

#[test]
fn an_instant_that_no_column_holds_is_refused() {
    let bounds = "is not between -009999-01-02T01:59:59Z and 9999-12-30T22:00:00.999999Z";
    let last = Timestamp::MAX.as_micros();
    let utc = DateTime::<Utc>::from_timestamp_micros(last + 1).expect("an instant");
    refused(&utc, &format!("9999-12-30 22:00:01 UTC {bounds}"));
    refused(&DateTime::<Utc>::MIN_UTC, &format!("{} {bounds}", DateTime::<Utc>::MIN_UTC));
    let nanos = i128::from(last + 1) * 1_000;
    let offset = OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("an instant");
    refused(&offset, &format!("9999-12-30 22:00:01.0 +00:00:00 {bounds}"));
    for end in [Timestamp::MIN, Timestamp::MAX] {
        check(DateTime::<Utc>::from(end), &end.to_string());
        check(OffsetDateTime::from(end), &end.to_string());
    }
}

#[test]
fn a_leap_second_is_refused() {
    let naive: NaiveDateTime = "2016-12-31T23:59:60.5".parse().expect("a leap second");
    refused(&naive, "2016-12-31 23:59:60.500 is a leap second, which a column does not hold");
    let told = "2016-12-31 23:59:60.500 UTC is a leap second, which a column does not hold";
    refused(&naive.and_utc(), told);
}

#[test]
fn days_and_their_times_are_those_of_the_calendar() {
    check(NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day"), "2024-02-29");
    check(NaiveDate::from_ymd_opt(-1, 12, 31).expect("a day"), "-000001-12-31");
    let day = Date::from_calendar_date(2024, time::Month::February, 29).expect("a day");
    check(day, "2024-02-29");
    check(Date::MIN, "-009999-01-01");
    check(Date::MAX, "9999-12-31");
    // Beyond four digits the count is shown.
    check(NaiveDate::MAX, "day 95026236");
    check(NaiveDate::MIN, "day -96465292");
    let time = time::Time::from_hms_micro(23, 59, 59, 999_999).expect("a time of day");
    check(PrimitiveDateTime::new(day, time), "2024-02-29T23:59:59.999999");
    check(PrimitiveDateTime::MIN, "-009999-01-01T00:00:00");
    let naive: NaiveDateTime = "2024-02-29T00:00:00.000001".parse().expect("a day and a time");
    check(naive, "2024-02-29T00:00:00.000001");
    let last = NaiveDateTime::MAX.to_value().expect("all of chrono's years are held");
    assert_eq!(last, Value::DateTime(8_210_266_876_799_999_999));
}

#[test]
fn a_day_beyond_its_type_is_refused() {
    unread::<Date>(Value::Date(2_932_897), "day 2932897 is beyond what a `Date` holds");
    unread::<Date>(Value::Date(i32::MAX), "day 2147483647 is beyond what a `Date` holds");
    unread::<NaiveDate>(
        Value::Date(i32::MIN),
        "day -2147483648 is beyond what a `NaiveDate` holds",
    );
    let beyond = Value::DateTime(i64::MAX);
    let shown = "microsecond 9223372036854775807 is beyond what a";
    unread::<PrimitiveDateTime>(beyond.clone(), &format!("{shown} `PrimitiveDateTime` holds"));
    unread::<NaiveDateTime>(beyond, &format!("{shown} `NaiveDateTime` holds"));
    unread::<Date>(Value::Null, "expected a value of kind date, found `null`");
}
