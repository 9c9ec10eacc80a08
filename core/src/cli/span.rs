//! Times as people write them: `20ms`, `90s`, `15m`, `36h`, `7d`.

use std::time::Duration;

/// The longest time, in days: what is reckoned with it stays far from where instants end.
const LONGEST: u64 = 36_500;

/// A day, in milliseconds.
const A_DAY: u64 = 86_400_000;

/// Reads a time.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let help =
        || format!("`{}` is no time; write `90s`, `15m`, `36h` or `7d`", text.escape_debug());
    let (number, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    if number.is_empty() {
        return Err(help());
    }
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => A_DAY,
        _ => return Err(help()),
    };
    // Only digits: what is no number of 64 bits is more than any.
    let time = number.parse().ok().and_then(|number: u64| number.checked_mul(milliseconds));
    let time = time.filter(|time| *time <= LONGEST * A_DAY);
    let too_long = || format!("`{text}` is too long; the longest time is `{LONGEST}d`");
    time.map(Duration::from_millis).ok_or_else(too_long)
}

/// A time for people, in its two largest units.
pub(super) fn text(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.is_zero() => "0s".to_owned(),
        0 => format!("{}ms", time.as_millis().max(1)),
        1..60 => format!("{seconds}s"),
        60..3_600 => two((seconds / 60, "m"), (seconds % 60, "s")),
        3_600..86_400 => two((seconds / 3_600, "h"), (seconds % 3_600 / 60, "m")),
        _ => two((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    }
}

fn two((large, of_large): (u64, &str), (small, of_small): (u64, &str)) -> String {
    match small {
        0 => format!("{large}{of_large}"),
        _ => format!("{large}{of_large} {small}{of_small}"),
    }
}

/// So many of something, whose plural has an `s`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn a_time_is_read_and_shown() {
        for (written, shown) in
            [("90s", "1m 30s"), ("36h", "1d 12h"), ("0s", "0s"), ("59s", "59s"), ("30d", "30d")]
        {
            assert_eq!(super::text(super::parse(written).expect("a time")), shown);
        }
        for wrong in ["", "s", "5", "5 s", "-5s", "1w"] {
            let error = super::parse(wrong).expect_err("no time");
            assert!(error.contains("is no time"), "{error}");
        }
        assert!(super::parse("36500d").is_ok());
        for long in [
            "36501d",
            "200000000000000d",
            "9999999999999999999d",
            "18446744073709551615s",
            "18446744073709551615ms",
            "99999999999999999999s",
        ] {
            let error = super::parse(long).expect_err("too long");
            assert_eq!(error, format!("`{long}` is too long; the longest time is `36500d`"));
        }
        assert_eq!(super::text(Duration::from_micros(10)), "1ms");
        assert_eq!(super::parse("1500ms"), Ok(Duration::from_millis(1_500)));
    }
}
