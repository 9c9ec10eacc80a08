//! How far something is that takes long: shown on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how much of something was looked at, of which nobody knows how much there is.
pub(super) fn counting(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}: {pos}, {per_sec}");
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    // Standard error that is no terminal shows nothing.
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}

/// Shows how much of something was looked at; of nothing yet, that it is waited for.
pub(super) fn of(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what.to_owned());
    set_length(&bar, total);
    bar
}

/// Says how much there is.
pub(super) fn set_length(bar: &ProgressBar, total: u64) {
    let template = match total {
        0 => "{msg}: not begun yet, {elapsed}",
        _ => "{msg}: {bar:30} {pos} of {len}, {eta} left",
    };
    bar.set_length(total);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
