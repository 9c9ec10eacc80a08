//! What a schema test says: what changed, which history it breaks, and what to write.

use std::fmt;

/// What is wrong with a program, held against its schema file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing is wrong.
    pub kind: FindingKind,
    /// What it is about, in a line.
    pub headline: String,
    /// What changed, a line each.
    pub changed: Vec<String>,
    /// What no longer works with what is stored.
    pub breaks: String,
    /// What to write, a line each, and where.
    pub write: Vec<String>,
    /// Whether nothing that is stored breaks by it.
    pub(super) is_harmless: bool,
}

/// A kind of [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The shape of an event changed, and its version did not.
    ShapeChanged,
    /// A sample of an earlier version, or of this one, does not read.
    NoWayUp,
    /// A field of an earlier version is not there any more, and was neither removed nor renamed, nor is it used by a step.
    FieldLeftBehind,
    /// An event is at a lower version than before, or the snapshots of an aggregate are.
    VersionFell,
    /// Readers of a version that `readable_from` names refuse or misread what is stored today.
    NotReadableFrom,
    /// An event is not there any more, under its stored name or an alias.
    EventVanished,
    /// An event has another stored name.
    EventRenamed,
    /// An event has lost an alias.
    AliasVanished,
    /// Two types have one stored name.
    NameClash,
    /// An aggregate does not list an event that its streams have.
    EventUnlisted,
    /// An aggregate's category is not there any more.
    CategoryVanished,
    /// An aggregate has another category.
    CategoryRenamed,
    /// The shape of an aggregate's state changed, and the version of its snapshots did not.
    SnapshotChanged,
    /// A command is not there any more.
    CommandVanished,
    /// A command has another name.
    CommandRenamed,
    /// A command does not read what it read before.
    CommandChanged,
    /// What an event writes, it does not read, or reads as something else.
    NotReadBack,
    /// No sample can be made of a version or a command, and none is given.
    NoSample,
    /// A step of the program refuses a sample that was made up: only one that was really stored can tell.
    MadeSampleRefused,
}

impl FindingKind {
    /// Whether only a person can help, by a sample in the file: accepting writes the file, and then says so.
    pub(super) const fn waits_for_a_sample(self) -> bool {
        matches!(self, Self::NoSample | Self::MadeSampleRefused)
    }
}

impl Finding {
    pub(super) fn new(kind: FindingKind, headline: impl Into<String>) -> Self {
        let headline = headline.into();
        let (changed, breaks, write) = Default::default();
        Self { kind, headline, changed, breaks, write, is_harmless: false }
    }

    pub(super) fn changed(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.changed.extend(lines);
        self
    }

    pub(super) fn breaks(mut self, what: impl Into<String>) -> Self {
        self.breaks = what.into();
        self
    }

    /// Says what there is instead of history that breaks.
    pub(super) fn breaks_nothing(mut self, why: impl Into<String>) -> Self {
        self.is_harmless = true;
        self.breaks(why)
    }

    pub(super) fn write(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.write.extend(lines);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)?;
        let breaks = (!self.breaks.is_empty()).then(|| self.breaks.clone());
        let parts = [
            ("changed", self.changed.clone()),
            ("breaks", breaks.into_iter().collect()),
            ("write", self.write.clone()),
        ];
        for (word, lines) in parts {
            for (index, line) in lines.iter().enumerate() {
                let word = if index == 0 { format!("{word}:") } else { String::new() };
                write!(f, "\n    {word:<9}{line}")?;
            }
        }
        Ok(())
    }
}
