//! What came after a name that is gone: told only where nothing else could have.

use std::collections::BTreeSet;

use super::compare::short;
use super::finding::{Finding, FindingKind};

/// What may have taken the place of something that is gone.
pub(super) enum Successor<N> {
    /// Nothing that is new looks like it.
    Nothing,
    /// One that looks like it, and like nothing else that is gone.
    One(N),
    /// These look like it, and nobody could say which it is.
    AnyOf(Vec<N>),
}

impl<N: Copy> Successor<N> {
    /// Those that are called successors, so that they are no mere additions.
    pub(super) fn all(&self) -> Vec<N> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(new) => vec![*new],
            Self::AnyOf(new) => new.clone(),
        }
    }
}

/// Finds for each that is gone what of the new may have taken its place.
pub(super) fn successors<G: Copy, N: Copy>(
    gone: &[G],
    new: &[N],
    looks_like: impl Fn(G, N) -> bool,
) -> Vec<(G, Successor<N>)> {
    let of = |gone_one: G| {
        let candidates: Vec<N> =
            new.iter().copied().filter(|new| looks_like(gone_one, *new)).collect();
        let is_only = |new: N| gone.iter().filter(|gone| looks_like(**gone, new)).count() == 1;
        match candidates[..] {
            [] => Successor::Nothing,
            [new] if is_only(new) => Successor::One(new),
            _ => Successor::AnyOf(candidates),
        }
    };
    gone.iter().map(|gone| (*gone, of(*gone))).collect()
}

/// What has a stored name today.
pub(super) trait Named: Copy {
    fn stored_name(self) -> &'static str;

    fn type_name(self) -> &'static str;
}

/// A stored name that nothing has any more, and how that is said.
pub(super) struct Gone<'a> {
    pub(super) name: &'a str,
    /// That it is gone, where one thing has taken its place.
    pub(super) what: String,
    /// That it is gone, where none has, or nobody knows which.
    pub(super) vanished: String,
    /// What the name is called.
    pub(super) word: &'static str,
    /// The annotation that pins it.
    pub(super) pin: String,
    /// What has to be there again, with the annotation.
    pub(super) again: &'static str,
    pub(super) breaks: String,
    /// Where something has taken its place, and where nothing has.
    pub(super) kinds: [FindingKind; 2],
}

impl Gone<'_> {
    fn finding<N: Named>(self, successor: &Successor<N>) -> Finding {
        let Self { name, what, vanished, word, pin, again, breaks, kinds } = self;
        let [was_renamed, has_vanished] = kinds;
        let finding = match successor {
            Successor::One(new) => {
                let type_name = new.type_name();
                Finding::new(was_renamed, format!("{what}; `{type_name}` looks like it"))
                    .changed([format!("the {word} was `{name}`, is `{}`", new.stored_name())])
                    .write([format!("{pin} on `{}`", short(type_name))])
            }
            Successor::AnyOf(new) => {
                let candidates = any_of(new.iter().map(|new| short(new.type_name())));
                let headline = format!("{vanished}; {candidates} may have taken its place");
                Finding::new(has_vanished, headline).write([
                    format!("{pin} on the one that it became"),
                    format!("or {again} {pin}"),
                ])
            }
            Successor::Nothing => {
                Finding::new(has_vanished, vanished).write([format!("{again} {pin}")])
            }
        };
        finding.breaks(breaks)
    }
}

/// Says what is gone, and gives the stored names of what may have taken its place: those are no mere additions.
pub(super) fn tell_gone<'a, K, N: Named>(
    vanished: &[(&'a str, &'a K)],
    new: &[N],
    looks_like: impl Fn(&K, N) -> bool,
    gone: impl Fn(&'a str) -> Gone<'a>,
) -> (Vec<Finding>, BTreeSet<&'static str>) {
    let (mut findings, mut names) = (Vec::new(), BTreeSet::new());
    for ((name, _), successor) in successors(vanished, new, |(_, kept), new| looks_like(kept, new))
    {
        names.extend(successor.all().into_iter().map(Named::stored_name));
        findings.push(gone(name).finding(&successor));
    }
    (findings, names)
}

/// "`A`, `B` or `C`"
pub(super) fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.sort();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
        None => String::new(),
    }
}
