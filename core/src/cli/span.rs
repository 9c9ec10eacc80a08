//! Times as people write them: `20ms`, `90s`, `15m`, `36h`, `7d`.

use std::time::Duration;

/// Reads a time.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let help =
        || format!("`{}` is no time; write `90s`, `15m`, `36h` or `7d`", text.escape_debug());
    let (number, unit) =
        text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| help())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(help()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(help)
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
        for wrong in
            ["", "s", "5", "5 s", "-5s", "1w", "99999999999999999999s", "9999999999999999999d"]
        {
            assert!(super::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(super::text(Duration::from_micros(10)), "1ms");
        assert_eq!(super::parse("1500ms"), Ok(Duration::from_millis(1_500)));
    }
}
