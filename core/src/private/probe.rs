//! How values are compared and shown whose types may lack `PartialEq` or `Debug`: by what methods are found on them.

use std::fmt::Debug;

/// Compares two values, by the order in which methods are found on `&&Probe`: by equality where the type has one, else by
/// what `Debug` shows, else not at all.
#[derive(Debug)]
pub struct Probe<'a, T>(pub &'a T, pub &'a T);

/// Found first, where the type has an equality.
pub trait ProbeEq {
    /// Compares the two.
    fn compare(&self) -> Option<bool>;
}

impl<T: PartialEq> ProbeEq for &Probe<'_, T> {
    fn compare(&self) -> Option<bool> {
        Some(self.0 == self.1)
    }
}

/// Found next, where the type can be shown.
pub trait ProbeShown {
    /// Compares what is shown, line by line; maps and sets show theirs in any order.
    fn compare(&self) -> Option<bool>;
}

impl<T: Debug> ProbeShown for &&Probe<'_, T> {
    fn compare(&self) -> Option<bool> {
        let shown = |value: &T| {
            let text = format!("{value:#?}");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        Some(shown(self.0) == shown(self.1))
    }
}

/// Found where there is neither.
pub trait ProbeNothing {
    /// Gives up.
    fn compare(&self) -> Option<bool>;
}

impl<T> ProbeNothing for Probe<'_, T> {
    fn compare(&self) -> Option<bool> {
        None
    }
}

/// Shows a value, by the order in which methods are found on `&Shows`: by `Debug` where the type has it, else not at all.
#[derive(Debug)]
pub struct Shows<'a, T>(pub &'a T);

/// Found first, where the type has `Debug`.
pub trait ShowDebug {
    /// Shows it over several lines.
    fn show(&self) -> Option<String>;
}

impl<T: Debug> ShowDebug for Shows<'_, T> {
    fn show(&self) -> Option<String> {
        Some(format!("{:#?}", self.0))
    }
}

/// Found where it has not.
pub trait ShowNothing {
    /// Gives up.
    fn show(&self) -> Option<String>;
}

impl<T> ShowNothing for &Shows<'_, T> {
    fn show(&self) -> Option<String> {
        None
    }
}
