//! What keeps a version of an event from being proven: no sample, or one that was made up and is refused.

use std::collections::BTreeMap;

use annals::registry::EventRegistration;

use super::compare::short;
use super::file::{KeptEvent, KeptShape};
use super::finding::{Finding, FindingKind};
use super::opaque;
use super::reading::{self, Failure};

/// What is missing to a version that is new to the file.
pub(super) fn unproven(
    event: &EventRegistration,
    version: u32,
    made: &KeptShape,
) -> Option<Finding> {
    let name = event.event.name;
    if made.has_no_samples() {
        return Some(no_sample(event, name, version));
    }
    let reads = made.made.iter().map(|sample| reading::of_event(event, name, version, sample));
    let refused: Vec<_> = reads.filter_map(Result::err).collect();
    made_refused(&format!("event `{name}`"), name, version, &refused)
}

pub(super) fn no_sample(event: &EventRegistration, name: &str, version: u32) -> Finding {
    let opaque = if version == event.event.version { (event.trace)().opaque } else { [].into() };
    Unshown {
        headline: format!("event `{name}`: no sample can be made of its version {version}"),
        opaque,
        proves: "history reads",
        json: "JSON as it is stored",
        place: place(name, version),
    }
    .finding()
}

/// What no sample shows, so that one has to be given by hand.
pub(super) struct Unshown {
    pub(super) headline: String,
    /// The places that take no made-up value.
    pub(super) opaque: BTreeMap<String, String>,
    /// What nothing proves.
    pub(super) proves: &'static str,
    /// What to give.
    pub(super) json: &'static str,
    /// Where in the file.
    pub(super) place: String,
}

impl Unshown {
    pub(super) fn finding(self) -> Finding {
        let Self { headline, opaque, proves, json, place } = self;
        let places = opaque.iter();
        Finding::new(FindingKind::NoSample, headline)
            .changed(places.map(|(path, why)| format!("`{path}` takes no made-up value: {why}")))
            .breaks(format!("nothing, but nothing proves that {proves}"))
            .write([format!("{json} into {place} / `samples` of the schema file")])
    }
}

/// Samples that were made up, and that the program's own functions refuse: they may be right to.
pub(super) fn made_refused(
    whose: &str,
    name: &str,
    version: u32,
    refused: &[Failure],
) -> Option<Finding> {
    let (first, others) = refused.split_first()?;
    let so_do = match others.len() {
        0 => String::new(),
        1 => "; nor does 1 more".to_owned(),
        more => format!("; nor do {more} more"),
    };
    let headline =
        format!("{whose}: a made sample of its version {version} is refused on the way up");
    let finding = Finding::new(FindingKind::MadeSampleRefused, headline);
    let finding = finding.breaks(format!(
        "nothing that is known to be stored, but nothing proves that history reads: {}{so_do}",
        first.said
    ));
    Some(finding.write([
        replace_made(name, version, refused.len()),
        "or a step that takes it, if the like was stored".to_owned(),
    ]))
}

/// What to do with made samples that are like nothing that was stored.
pub(super) fn replace_made(name: &str, version: u32, count: usize) -> String {
    let place = place(name, version);
    let (samples, one) = if count == 1 {
        ("made sample".to_owned(), "one as it was")
    } else {
        (format!("{count} made samples"), "some as they were")
    };
    format!(
        "replace the {samples} in the schema file at {place} / `made` by {one} really stored, in `samples` beside it"
    )
}

/// The path of a version in the file.
fn place(name: &str, version: u32) -> String {
    format!("`events` / `{name}` / `versions` / `{version}`")
}

/// Whether an event reads what it writes: a field may be written under one name, and read under another.
pub(super) fn not_read_back(
    event: &EventRegistration,
    now: &KeptEvent,
    kept: Option<&KeptShape>,
) -> Option<Finding> {
    let made = now.versions.get(&event.event.version);
    let mut samples = made.into_iter().chain(kept).flat_map(KeptShape::all_samples);
    let failure = samples.find_map(|sample| reading::written_and_read(event, sample).err())?;
    let (name, type_name) = (event.event.name, short((event.event.type_name)()));
    let headline = format!("event `{name}`: what it writes, it does not read back");
    let finding = Finding::new(FindingKind::NotReadBack, headline).breaks(failure);
    Some(finding.write([format!(
        "one name for both ways in #[serde(rename = …)] in the fields of `{type_name}`, or `alias` for what is written"
    )]))
}

/// What cannot be seen of a version of an event, a line each.
pub(super) fn notes(whose: &str, event: &EventRegistration) -> Vec<String> {
    opaque::notes(whose, &opaque::places(&(event.trace)()))
}
