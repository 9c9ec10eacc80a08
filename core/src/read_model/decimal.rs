//! Decimal numbers as text: `-12.50`.

use std::cmp::Ordering;

/// A decimal as its sign, the digits before the point without leading zeros, and those after it without trailing ones.
pub(super) fn parts(text: &str) -> (bool, &str, &str) {
    let (is_negative, digits) =
        text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    (is_negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
}

/// Which of two is lower, however many zeros they end with.
pub(super) fn compare(one: &str, two: &str) -> Ordering {
    let ((one_negative, one_whole, one_part), (two_negative, two_whole, two_part)) =
        (parts(one), parts(two));
    let size = (one_whole.len(), one_whole, one_part).cmp(&(two_whole.len(), two_whole, two_part));
    match (one_negative, two_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// The shortest text of a number, which all texts of it share: that of `-12.50` is `-12.5`.
pub(super) fn shortest(text: &str) -> String {
    let (is_negative, whole, fraction) = parts(text);
    let sign = if is_negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}
