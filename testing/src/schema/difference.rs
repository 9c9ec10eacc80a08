//! Where two shapes differ, and the annotations by which the one leads to the other.

use std::collections::BTreeMap;

use annals::shape::{Field, Shape};

use super::fit::{field_fits, fits};

/// Where two shapes differ, a line each, by the path of the place from `$`.
pub(super) fn differences(before: &Shape, after: &Shape) -> Vec<String> {
    let mut lines = Vec::new();
    collect("$", before, after, &mut lines);
    lines
}

fn collect(path: &str, before: &Shape, after: &Shape, lines: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Shape::Struct(before), Shape::Struct(after))
        | (Shape::Flattened(before), Shape::Flattened(after)) => {
            fields(path, before, after, lines);
        }
        (Shape::Enum(before), Shape::Enum(after)) => variants(path, before, after, lines),
        (
            Shape::Tagged { tag, content, variants: before },
            Shape::Tagged { tag: same_tag, content: same_content, variants: after },
        ) if tag == same_tag && content == same_content => variants(path, before, after, lines),
        (Shape::Nullable(before), Shape::Nullable(after)) => collect(path, before, after, lines),
        (Shape::Seq(before), Shape::Seq(after)) => {
            collect(&format!("{path}[]"), before, after, lines);
        }
        (Shape::Mapping { key, value: before }, Shape::Mapping { key: same_key, value: after })
            if key == same_key =>
        {
            collect(&format!("{path}{{}}"), before, after, lines);
        }
        _ => lines.push(format!("`{path}` was {}, is {}", words(before), words(after))),
    }
}

fn fields(
    path: &str,
    before: &BTreeMap<String, Field>,
    after: &BTreeMap<String, Field>,
    lines: &mut Vec<String>,
) {
    let steps = Steps::between(before, after);
    for (old, new) in &steps.renamed {
        lines.push(format!("`{path}.{old}` is gone, `{path}.{new}` of the same shape is new"));
    }
    for name in &steps.removed {
        lines.push(format!("`{path}.{name}` is gone"));
    }
    for name in &steps.added {
        let field = &after[name];
        let presence = if field.optional { "need not be there" } else { "has to be there" };
        lines.push(format!("`{path}.{name}` is new, and {presence}: {}", words(&field.shape)));
    }
    for name in &steps.changed {
        let (before, after) = (&before[name], &after[name]);
        let path = format!("{path}.{name}");
        match (before.optional, after.optional) {
            (true, false) => lines.push(format!("`{path}` has to be there, and need not before")),
            (false, true) => lines.push(format!("`{path}` need not be there, and had to before")),
            _ => {}
        }
        for alias in before.aliases.difference(&after.aliases) {
            lines.push(format!("`{path}` is not read as `{alias}` any more"));
        }
        for alias in after.aliases.difference(&before.aliases) {
            lines.push(format!("`{path}` is read as `{alias}`, too"));
        }
        collect(&path, &before.shape, &after.shape, lines);
    }
}

fn variants(
    path: &str,
    before: &BTreeMap<String, Shape>,
    after: &BTreeMap<String, Shape>,
    lines: &mut Vec<String>,
) {
    for (name, shape) in before {
        match after.get(name) {
            Some(after) => collect(&format!("{path}.{name}"), shape, after, lines),
            None => lines.push(format!("variant `{path}.{name}` is gone")),
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        lines.push(format!("variant `{path}.{name}` is new"));
    }
}

/// A shape in a line.
pub(super) fn words(shape: &Shape) -> String {
    match serde_json::to_value(shape) {
        Ok(serde_json::Value::String(scalar)) => scalar,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// What happened to the fields of a struct.
struct Steps {
    added: Vec<String>,
    removed: Vec<String>,
    /// Old and new names.
    renamed: Vec<(String, String)>,
    changed: Vec<String>,
}

impl Steps {
    fn between(before: &BTreeMap<String, Field>, after: &BTreeMap<String, Field>) -> Self {
        let only_in = |one: &BTreeMap<String, Field>, other: &BTreeMap<String, Field>| {
            one.keys().filter(|name| !other.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let (mut removed, mut added) = (only_in(before, after), only_in(after, before));
        let mut renamed = Vec::new();
        // One gone and one new of the same shape: where there are several, nobody could say which.
        if let ([old], [new]) = (&removed[..], &added[..])
            && before[old].shape == after[new].shape
        {
            renamed.push((old.clone(), new.clone()));
            (removed, added) = (Vec::new(), Vec::new());
        }
        let changed = before
            .iter()
            .filter(|(name, field)| after.get(*name).is_some_and(|after| after != *field));
        let changed = changed.map(|(name, _)| name.clone()).collect();
        Self { added, removed, renamed, changed }
    }

    /// Whether no mark is needed: at most, fields are new that need not be there, and are no `Option`, which has a mark.
    fn are_for_nothing(&self, after: &BTreeMap<String, Field>, way: Way) -> bool {
        let is_option = |name: &String| matches!(after[name].shape, Shape::Nullable(_));
        let adds_nothing = match way {
            Way::Direct => self.added.is_empty() || !self.added.iter().all(is_option),
            Way::ByStep => self.added.is_empty(),
        };
        adds_nothing
            && self.removed.is_empty()
            && self.renamed.is_empty()
            && self.changed.is_empty()
    }
}

/// How today's struct comes by what was stored before.
#[derive(Clone, Copy)]
enum Way {
    /// It reads that as it is.
    Direct,
    /// By a step.
    ByStep,
}

/// What is needed to say how an event leads from one version to the next.
pub(super) struct Step<'a> {
    /// The event's type.
    pub(super) type_name: &'a str,
    pub(super) before: &'a Shape,
    pub(super) after: &'a Shape,
    /// The version that the step leads to.
    pub(super) to: u32,
    /// Whether the struct reads what was stored before as it is.
    pub(super) reads_as_it_is: bool,
    /// Whether its fields can have marks.
    pub(super) has_marks: bool,
}

impl Step<'_> {
    /// The annotations to paste, each with its place.
    pub(super) fn annotations(&self) -> Vec<String> {
        let (to, type_name) = (self.to, self.type_name);
        let from = to - 1;
        let on_type = |options: &str| format!("#[event(version = {to}{options})] on `{type_name}`");
        let by_nothing = || vec![on_type(&format!(", upcast(from = {from})"))];
        let by_function =
            || vec![on_type(&format!(", upcast(from = {from}, with = path::to::a_function)"))];
        let reads = self.reads_as_it_is && fits(self.before, self.after);
        let way = if reads { Way::Direct } else { Way::ByStep };
        let as_a_whole = || match way {
            Way::Direct => by_nothing(),
            Way::ByStep => by_function(),
        };
        let (Shape::Struct(before), Shape::Struct(after)) = (self.before, self.after) else {
            return as_a_whole();
        };
        if !self.has_marks {
            return as_a_whole();
        }
        let mut steps = Steps::between(before, after);
        steps.renamed.retain(|(old, new)| !after[new].aliases.contains(old));
        steps.changed.retain(|name| !field_fits(&before[name], &after[name]));
        // What is gone may be in what is new, which no default knows.
        if !steps.removed.is_empty() && !steps.added.is_empty() {
            return by_function();
        }
        if steps.are_for_nothing(after, way) {
            return by_nothing();
        }
        let removed = steps.removed.iter().map(|name| format!(", removed(since = {to}, {name:?})"));
        let removed = removed.collect::<Vec<_>>().concat();
        let mut lines = vec![on_type(&removed)];
        let mut on_field = |name: &str, options: &str| {
            lines.push(format!("#[event(since = {to}{options})] on the field `{name}`"));
        };
        for (old, new) in &steps.renamed {
            on_field(new, &format!(", renamed_from = {old:?}"));
        }
        for name in &steps.added {
            match after[name].shape {
                Shape::Nullable(_) => on_field(name, ""),
                _ => on_field(name, ", default = …"),
            }
        }
        for name in &steps.changed {
            let (before, after) = (&before[name], &after[name]);
            let is_retyped = !fits(&before.shape, &after.shape);
            let convert = if is_retyped { ", convert_with = path::to::a_function" } else { "" };
            // It may be absent in what is stored, and there is nothing to convert then.
            let becomes_required = before.optional && !after.optional;
            let default = if becomes_required { ", default = …" } else { "" };
            on_field(name, &format!("{convert}{default}"));
        }
        lines
    }
}
