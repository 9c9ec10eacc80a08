//! Names that stand for two things.

use std::collections::BTreeMap;

use super::compare::Comparison;
use super::finding::{Finding, FindingKind};
use super::program::Schema;

pub(super) fn compare(schema: &Schema, comparison: &mut Comparison) {
    let events = schema.present_events().flat_map(|event| {
        let names = std::iter::once(event.event.name).chain(event.event.aliases.iter().copied());
        names.map(|name| (name, (event.event.type_name)()))
    });
    clashes("the stored event name", "event(name", events, comparison);
    let categories = schema.aggregates.iter();
    let categories = categories.map(|aggregate| (aggregate.category, (aggregate.type_name)()));
    clashes("the category", "aggregate(category", categories, comparison);
    let commands = schema.commands.iter();
    let commands = commands.map(|command| (command.command, (command.type_name)()));
    clashes("the name of command", "command(name", commands, comparison);
}

fn clashes<'a>(
    what: &str,
    option: &str,
    names: impl Iterator<Item = (&'a str, &'a str)>,
    comparison: &mut Comparison,
) {
    let mut types: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, type_name) in names {
        types.entry(name).or_default().push(type_name);
    }
    for (name, mut types) in types {
        types.sort_unstable();
        types.dedup();
        let [one, others @ ..] = &types[..] else { continue };
        for other in others {
            let headline = format!("{what} `{name}` stands for both `{one}` and `{other}`");
            comparison.findings.push(
                Finding::new(FindingKind::NameClash, headline)
                    .breaks(format!("what is stored as `{name}` may be read as either"))
                    .write([format!(
                        "#[{option} = \"…\")] on the one that was stored under another name"
                    )]),
            );
        }
    }
}
