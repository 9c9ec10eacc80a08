//! Whether readers of an earlier version read what is stored today: they leave out what they do not know, and nothing else.
//!
//! It says nothing of what the program itself reads: what was stored before.

use std::collections::BTreeMap;

use annals::event::EventName;
use annals::shape::{Field, Shape};
use serde_json::Value;

use super::difference::words;
use super::file::KeptShape;
use super::finding::{Finding, FindingKind};
use super::fit::fits;
use super::kept_event::KeptAs;
use super::reading;

impl KeptAs<'_> {
    /// A release of an earlier version reads what is stored today, if `readable_from` says so: that is proven here, where it is
    /// known what that version looks like.
    pub(super) fn compare_readers(&self) -> Option<Finding> {
        let EventName { version: now, readable_from, .. } = self.event.event;
        // What is stored under a new name, nobody reads who knows the old one alone.
        let today = self.now.versions.get(&now).filter(|_| self.alias().is_none())?;
        let samples = self.kept.versions.get(&now).into_iter().chain([today]);
        let samples = samples.flat_map(KeptShape::all_samples);
        let written: Vec<_> = samples
            .filter_map(|sample| reading::written(self.event, now, sample.as_str()))
            .collect();
        let (mut versions, mut lines) = (Vec::new(), Vec::new());
        // Empty where it is above the present version, which is an error of whoever wrote `Event` by hand.
        let earlier =
            self.kept.versions.iter().filter(|(version, _)| (readable_from..now).contains(version));
        for (&version, kept) in earlier {
            let losses = losses(&today.shape, &kept.shape, &written);
            versions.extend((!losses.is_empty()).then_some(version));
            lines.extend(losses.iter().map(|loss| format!("version {version}: {loss}")));
        }
        let last = *versions.last()?;
        let versions = numbers(&versions);
        let finding = Finding::new(
            FindingKind::NotReadableFrom,
            format!(
                "{}: `readable_from = {readable_from}` is not so, for readers of {versions}",
                self.headline()
            ),
        );
        let breaks = format!(
            "no history, but programs of {versions} refuse or misread what is stored from now on"
        );
        Some(finding.changed(lines).breaks_nothing(breaks).write([
            format!("#[event(readable_from = {})] on `{}`", last + 1, self.type_name()),
            format!("or the fields that readers of {versions} know, as they were, and what is new beside them"),
        ]))
    }
}

/// What readers of an earlier shape refuse, or lose, of what is stored today, a line each.
///
/// What is written tells under which of its names a field is stored, and whether always.
fn losses(today: &Shape, earlier: &Shape, written: &[Value]) -> Vec<String> {
    let written: Vec<_> = written.iter().collect();
    let mut lines = Vec::new();
    collect("$", today, earlier, &written, &mut lines);
    lines
}

fn collect(
    path: &str,
    today: &Shape,
    earlier: &Shape,
    written: &[&Value],
    lines: &mut Vec<String>,
) {
    match (today, earlier) {
        (Shape::Struct(today), Shape::Struct(earlier) | Shape::Flattened(earlier)) => {
            fields(path, today, earlier, written, lines);
        }
        // Of what is flattened today, what may be absent is not seen: nobody could say that it is gone.
        (Shape::Flattened(today), Shape::Struct(earlier) | Shape::Flattened(earlier)) => {
            let mut earlier = earlier.clone();
            earlier.retain(|_, field| !field.optional);
            fields(path, today, &earlier, written, lines);
        }
        _ if today == earlier => {}
        (Shape::Nullable(today), Shape::Nullable(earlier)) => {
            collect(path, today, earlier, written, lines);
        }
        (today, Shape::Nullable(earlier)) => collect(path, today, earlier, written, lines),
        (Shape::Seq(today) | Shape::Array(today, _), Shape::Seq(earlier)) => {
            collect(&format!("{path}[]"), today, earlier, &items(written), lines);
        }
        (Shape::Array(today, length), Shape::Array(earlier, of)) if length == of => {
            collect(&format!("{path}[]"), today, earlier, &items(written), lines);
        }
        (Shape::Tuple(today), Shape::Tuple(earlier)) if today.len() == earlier.len() => {
            for (at, (today, earlier)) in today.iter().zip(earlier).enumerate() {
                let written: Vec<_> = written.iter().filter_map(|tuple| tuple.get(at)).collect();
                collect(&format!("{path}[{at}]"), today, earlier, &written, lines);
            }
        }
        (
            Shape::Mapping { key, value },
            Shape::Mapping { key: earlier_key, value: earlier_value },
        ) => {
            collect(&format!("{path}{{key}}"), key, earlier_key, &[], lines);
            collect(&format!("{path}{{}}"), value, earlier_value, &items(written), lines);
        }
        (Shape::Enum(today), Shape::Enum(earlier)) => {
            variants(path, today, earlier, lines, |name| {
                written.iter().filter_map(|variant| variant.get(name)).collect()
            });
        }
        (
            Shape::Tagged { tag, content, variants: today },
            Shape::Tagged { tag: same_tag, content: same_content, variants: earlier },
        ) if tag == same_tag && content == same_content => {
            variants(path, today, earlier, lines, |name| {
                let of_variant = written
                    .iter()
                    .filter(|object| object.get(tag).and_then(Value::as_str) == Some(name));
                match content {
                    Some(content) => of_variant.filter_map(|object| object.get(content)).collect(),
                    None => of_variant.copied().collect(),
                }
            });
        }
        _ if fits(today, earlier) => {}
        _ => lines.push(format!("`{path}` was {}, is {}", words(earlier), words(today))),
    }
}

/// What is in lists, and under any keys.
fn items<'a>(written: &[&'a Value]) -> Vec<&'a Value> {
    let lists = written.iter().filter_map(|value| value.as_array()).flatten();
    let maps = written.iter().filter_map(|value| value.as_object()).flat_map(|map| map.values());
    lists.chain(maps).collect()
}

fn variants<'a>(
    path: &str,
    today: &BTreeMap<String, Shape>,
    earlier: &BTreeMap<String, Shape>,
    lines: &mut Vec<String>,
    written: impl Fn(&str) -> Vec<&'a Value>,
) {
    for (name, today) in today {
        match earlier.get(name) {
            Some(earlier) => {
                collect(&format!("{path}.{name}"), today, earlier, &written(name), lines);
            }
            None => lines.push(format!("variant `{path}.{name}` is new")),
        }
    }
}

fn fields(
    path: &str,
    today: &BTreeMap<String, Field>,
    earlier: &BTreeMap<String, Field>,
    written: &[&Value],
    lines: &mut Vec<String>,
) {
    let objects: Vec<_> = written.iter().filter_map(|value| value.as_object()).collect();
    let is_written = |name: &str| objects.iter().any(|object| object.contains_key(name));
    for (name, earlier) in earlier {
        let path = format!("{path}.{name}");
        let knows = |written: &str| written == name || earlier.aliases.contains(written);
        let mut present = today.iter().map(|(name, field)| {
            let mut names = std::iter::once(name).chain(&field.aliases);
            (names.find(|name| is_written(name)).unwrap_or(name), field)
        });
        let Some((stored, field)) = present.find(|(stored, _)| knows(stored)) else {
            // It may be in what a shape does not show.
            if !objects.iter().flat_map(|object| object.keys()).any(|key| knows(key)) {
                let so = without(earlier);
                lines.push(format!("`{path}` is not written any more: {so}"));
            }
            continue;
        };
        if !earlier.optional && objects.iter().any(|object| !object.contains_key(stored)) {
            lines.push(format!("`{path}` is not always written: {}", without(earlier)));
        }
        let values: Vec<_> = objects.iter().filter_map(|object| object.get(stored)).collect();
        collect(&path, &field.shape, &earlier.shape, &values, lines);
    }
}

/// What happens to readers without a field.
fn without(earlier: &Field) -> &'static str {
    if earlier.optional { "they take it as absent" } else { "they do not read without it" }
}

/// "version 1", "versions 1 and 2", "versions 1, 2 and 3"
fn numbers(versions: &[u32]) -> String {
    let (last, others) = match versions {
        [one] => return format!("version {one}"),
        [others @ .., last] => (last, others),
        [] => return String::new(),
    };
    let others: Vec<_> = others.iter().map(u32::to_string).collect();
    format!("versions {} and {last}", others.join(", "))
}
