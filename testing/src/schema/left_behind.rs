//! Fields of earlier versions that nothing says a word about: what is stored there is lost when it is read.
//!
//! It asks what the steps do, rather than which marks there are: a function may well use a field and leave it there.

use std::collections::BTreeSet;

use annals::registry::EventRegistration;
use annals::shape::Shape;
use serde_json::Value;

use super::difference::differences;
use super::file::KeptShape;
use super::finding::{Finding, FindingKind};
use super::kept_event::KeptAs;
use super::reading;

impl KeptAs<'_> {
    /// Asks for each field that no step has to do with, once: of the last version that has it.
    pub(super) fn left_behind(&self) -> Vec<Finding> {
        let today = (self.event.trace)().shape;
        let mut asked = BTreeSet::new();
        let mut findings = Vec::new();
        let range = self.event.event.oldest..self.event.event.version;
        let earlier =
            self.kept.versions.iter().rev().filter(|(version, _)| range.contains(version));
        for (&version, kept) in earlier {
            for name in fields(self.event, version, kept, &today) {
                if asked.insert(name) {
                    findings.push(self.field_left_behind(version, name, &kept.shape, &today));
                }
            }
        }
        findings
    }

    fn field_left_behind(
        &self,
        version: u32,
        name: &str,
        before: &Shape,
        today: &Shape,
    ) -> Finding {
        let (since, now) = (version + 1, self.event.event.version);
        let gone = differences(before, today).into_iter();
        let gone = gone.filter(|line| line.starts_with(&format!("`$.{name}` is gone")));
        Finding::new(
            FindingKind::FieldLeftBehind,
            format!(
                "{}: its version {version} has a field `{name}`, and nothing says what became of it",
                self.headline()
            ),
        )
        .changed(gone)
        .breaks(format!("what is stored in `{name}` is lost when it is read"))
        .write([
            format!(
                "#[event(version = {now}, removed(since = {since}, {name:?}))] on `{}`, if it was dropped",
                self.type_name()
            ),
            format!("or #[event(since = {since}, renamed_from = {name:?})] on the field that it is now"),
        ])
    }
}

/// The fields of a kept version that are lost on the way up, without a mark or a function that would have to do with them.
fn fields<'a>(
    event: &EventRegistration,
    version: u32,
    kept: &'a KeptShape,
    today: &Shape,
) -> Vec<&'a str> {
    let (Shape::Struct(before), Shape::Struct(after)) = (&kept.shape, today) else {
        return Vec::new();
    };
    // What an earlier struct reads, its `From` decides on.
    if event.event.previous.is_some_and(|previous| version <= previous.version) {
        return Vec::new();
    }
    let is_read =
        |name: &str| after.iter().any(|(own, field)| own == name || field.aliases.contains(name));
    let gone = before.keys().map(String::as_str).filter(|name| !is_read(name));
    gone.filter(|name| is_lost(event, version, kept, name)).collect()
}

/// Whether the steps leave a field as it was, and it makes no difference to what is read.
fn is_lost(event: &EventRegistration, version: u32, kept: &KeptShape, name: &str) -> bool {
    let samples =
        kept.all_samples().filter_map(|sample| serde_json::from_str(sample.as_str()).ok());
    let mut with_field = samples
        .filter(|sample: &Value| sample.get(name).is_some_and(|value| !value.is_null()))
        .peekable();
    with_field.peek().is_some()
        && with_field.all(|sample| {
            let led_up = reading::led_up(event, version, sample.clone());
            let is_left = led_up.is_some_and(|led_up| led_up.get(name) == sample.get(name));
            let mut without = sample.clone();
            let removed = without.as_object_mut().and_then(|fields| fields.remove(name));
            let read = |json: &Value| reading::written(event, version, &json.to_string());
            is_left && removed.is_some() && read(&sample) == read(&without)
        })
}
