//! Events held against what was stored.

use annals::Stored;
use annals::registry::EventRegistration;
use annals::shape::Shape;
use serde_json::Value;

use super::aggregates::{holders, is_passed_over};
use super::compare::{Comparison, short};
use super::difference::{Step, differences};
use super::file::{KeptEvent, KeptVersion, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::program::Schema;

pub(super) fn compare(
    schema: &Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    comparison: &mut Comparison,
) {
    let mut renamed = Vec::new();
    for (name, kept) in &file.events {
        let named = |event: &&EventRegistration| event.event.name == name;
        let aliased = |event: &&EventRegistration| event.event.aliases.contains(&name.as_str());
        let present = schema.present_events().find(named);
        match present.or_else(|| schema.present_events().find(aliased)) {
            Some(event) => {
                let now = &program.events[event.event.name];
                KeptAs { schema, file, event, name, kept, now }.compare(comparison);
            }
            // Its entry stays in the file: should an aggregate cease to ignore it, its streams still hold it.
            None if is_retired_for_good(schema, file, name, kept) => {}
            None => match successor(schema, program, file, kept) {
                Some(event) => {
                    renamed.push(event.event.name);
                    comparison.findings.push(was_renamed(event, name));
                }
                None => comparison.findings.push(vanished(name, kept, file)),
            },
        }
    }
    for event in schema.present_events() {
        let name = event.event.name;
        if !file.events.contains_key(name) && !renamed.contains(&name) {
            let kept = &program.events[name];
            comparison.additions.push(format!("event `{name}`"));
            comparison.accepted.events.insert(name.to_owned(), kept.clone());
            for (version, kept) in &kept.versions {
                comparison.findings.extend(unproven(event, *version, kept));
            }
        }
    }
}

/// Whether nobody reads an event any more, by what the aggregates that have it say: under none of its names.
fn is_retired_for_good(schema: &Schema, file: &SchemaFile, name: &str, kept: &KeptEvent) -> bool {
    let mut names = std::iter::once(name).chain(kept.aliases.iter().map(String::as_str));
    names.all(|name| is_passed_over(schema, file, name))
}

/// The event that looks as if it were another's under a new name: of the same shape, and of the same version.
fn successor<'a>(
    schema: &'a Schema,
    program: &SchemaFile,
    file: &SchemaFile,
    kept: &KeptEvent,
) -> Option<&'a EventRegistration> {
    let (version, last) = kept.versions.last_key_value()?;
    schema.present_events().find(|event| {
        let name = event.event.name;
        let shape = program.events[name].versions.get(version).map(|version| &version.shape);
        !file.events.contains_key(name) && shape == Some(&last.shape)
    })
}

fn was_renamed(event: &EventRegistration, name: &str) -> Finding {
    let (now, type_name) = (event.event.name, (event.event.type_name)());
    Finding::new(
        FindingKind::EventRenamed,
        format!("event `{name}` is not there any more; `{type_name}` looks like it"),
    )
    .changed([format!("the stored name was `{name}`, is `{now}`")])
    .breaks(format!("events stored as `{name}` do not read"))
    .write([format!("#[event(name = {name:?})] on `{}`", short(type_name))])
}

fn vanished(name: &str, kept: &KeptEvent, file: &SchemaFile) -> Finding {
    let version = kept.versions.keys().next_back().copied().unwrap_or(1);
    let finding =
        Finding::new(FindingKind::EventVanished, format!("event `{name}` is not there any more"))
            .breaks(format!("events stored as `{name}` stop each reader"))
            .write([
                format!("the event again, with #[event(name = {name:?}, version = {version}, retired)] if nothing returns it any more"),
                format!("or #[event(alias = {name:?}, version = {version})] on the event that took its place, with the steps if its shape is another"),
            ]);
    let holders: Vec<_> = holders(file, name).map(|category| format!("`{category}`")).collect();
    finding.write((!holders.is_empty()).then(|| {
        let holders = holders.join(", ");
        format!("or #[aggregate(ignore({name:?}))] on the aggregates of {holders}, if it has no meaning any more")
    }))
}

/// An event of the program, and what is kept under one of its names.
struct KeptAs<'a> {
    schema: &'a Schema,
    file: &'a SchemaFile,
    event: &'a EventRegistration,
    name: &'a str,
    kept: &'a KeptEvent,
    /// What a file would keep of the event alone.
    now: &'a KeptEvent,
}

impl KeptAs<'_> {
    fn compare(&self, comparison: &mut Comparison) {
        let findings_before = comparison.findings.len();
        self.compare_aliases(comparison);
        self.compare_version(comparison);
        for (version, kept) in &self.kept.versions {
            self.compare_kept_version(*version, kept, comparison);
        }
        if comparison.findings.len() == findings_before && self.alias().is_none() {
            self.accept(comparison);
        }
    }

    fn headline(&self) -> String {
        match self.alias() {
            Some(name) => format!("event `{}`, once `{name}`", self.event.event.name),
            None => format!("event `{}`", self.name),
        }
    }

    fn type_name(&self) -> &'static str {
        short((self.event.event.type_name)())
    }

    fn compare_aliases(&self, comparison: &mut Comparison) {
        for alias in &self.kept.aliases {
            let names = std::iter::once(&self.event.event.name).chain(self.event.event.aliases);
            if names.into_iter().any(|name| name == alias)
                || is_passed_over(self.schema, self.file, alias)
            {
                continue;
            }
            comparison.findings.push(
                Finding::new(
                    FindingKind::AliasVanished,
                    format!("{}: its alias `{alias}` is gone", self.headline()),
                )
                .breaks(format!("events stored as `{alias}` stop each reader"))
                .write([format!("#[event(alias = {alias:?})] on `{}`", self.type_name())]),
            );
        }
    }

    /// Versions count on under a new name: what an alias has stored is not newer than the program either.
    fn compare_version(&self, comparison: &mut Comparison) {
        let now = self.event.event.version;
        let Some((&last, kept)) = self.kept.versions.last_key_value() else { return };
        if now >= last {
            return;
        }
        // The shape of that version is at that version; any other is a step above it.
        let version = if (self.event.trace)().shape == kept.shape { last } else { last + 1 };
        let (alias, whose) = match self.alias() {
            Some(name) => (format!("alias = {name:?}, "), format!(" as `{name}`")),
            None => Default::default(),
        };
        comparison.findings.push(
            Finding::new(
                FindingKind::VersionFell,
                format!("{}: its version fell from {last} to {now}", self.headline()),
            )
            .breaks(format!("events stored{whose} at version {last} are newer than this program"))
            .write([format!("#[event({alias}version = {version})] on `{}`", self.type_name())]),
        );
    }

    /// The name under which it is kept, if that is not its own.
    fn alias(&self) -> Option<&str> {
        (self.event.event.name != self.name).then_some(self.name)
    }

    fn compare_kept_version(&self, version: u32, kept: &KeptVersion, comparison: &mut Comparison) {
        let event = self.event.event;
        if version > event.version {
            return;
        }
        if version < event.oldest {
            comparison.findings.push(self.too_old(version, kept));
            return;
        }
        // Two events that became one may have had two shapes of an earlier version: their samples speak for them.
        let is_comparable = self.alias().is_none() || version == event.version;
        let now = self.now.versions.get(&version).filter(|_| is_comparable);
        let shape = now.map(|now| &now.shape);
        let failure = kept.samples.iter().find_map(|sample| self.failure(version, sample));
        match (shape, failure) {
            (Some(shape), failure) if *shape != kept.shape => {
                comparison.findings.push(self.shape_changed(version, kept, shape, failure));
            }
            (_, Some(failure)) => comparison.findings.push(self.no_way_up(version, kept, &failure)),
            _ if kept.samples.is_empty() && !self.is_made(version) => {
                comparison.findings.push(no_sample(self.event, self.name, version));
            }
            _ => {}
        }
    }

    /// Why a sample of a version does not read.
    fn failure(&self, version: u32, sample: &Value) -> Option<String> {
        let json = sample.to_string();
        let error = (self.event.read)(Stored::new(self.name, version, &json)).err()?;
        Some(format!("{json} does not read: {error}"))
    }

    /// Whether the program itself can make samples of a version.
    fn is_made(&self, version: u32) -> bool {
        self.now.versions.get(&version).is_some_and(|made| !made.samples.is_empty())
    }

    /// Whether today's struct reads all that is kept of a version as it is.
    fn reads_as_it_is(&self, kept: &KeptVersion) -> bool {
        let now = self.event.event.version;
        !kept.samples.is_empty()
            && kept.samples.iter().all(|sample| self.failure(now, sample).is_none())
    }

    fn shape_changed(
        &self,
        version: u32,
        kept: &KeptVersion,
        shape: &Shape,
        failure: Option<String>,
    ) -> Finding {
        let headline = self.headline();
        if version < self.event.event.version {
            let earlier = self.schema.struct_of(self.event, version);
            let earlier = earlier.map_or("", |event| short((event.event.type_name)()));
            return Finding::new(
                FindingKind::ShapeChanged,
                format!("{headline}: the shape of its version {version} changed, which is history"),
            )
            .changed(differences(&kept.shape, shape))
            .breaks(failure.unwrap_or_else(|| format!("`{earlier}` does not say what was stored")))
            .write([format!("`{earlier}` as it was; what is new goes into a later version")]);
        }
        let step = Step {
            type_name: self.type_name(),
            before: &kept.shape,
            after: shape,
            to: version + 1,
            reads_as_it_is: self.reads_as_it_is(kept),
        };
        let whose = match self.alias() {
            Some(name) => format!("that of `{name}` and that of `{}`", self.event.event.name),
            None => "and the release before does not know the new one".to_owned(),
        };
        let reads = format!(
            "nothing that is kept here, but version {version} now stands for two shapes, {whose}"
        );
        Finding::new(
            FindingKind::ShapeChanged,
            format!("{headline}: its shape changed, and its version is still {version}"),
        )
        .changed(differences(&kept.shape, shape))
        .breaks(failure.unwrap_or(reads))
        .write(step.annotations())
    }

    /// What is kept of a version that the event says is not stored.
    fn too_old(&self, version: u32, kept: &KeptVersion) -> Finding {
        let oldest = self.event.event.oldest;
        let failure = kept.samples.iter().find_map(|sample| self.failure(version, sample));
        let refused = format!("events stored at version {version}, if any is left");
        Finding::new(
            FindingKind::NoWayUp,
            format!("{}: its version {version} is below `oldest = {oldest}`", self.headline()),
        )
        .breaks(failure.unwrap_or(refused))
        .write([
            format!(
                "#[event(…)] without `oldest = {oldest}` on `{}`, and the steps from version {version} up",
                self.type_name()
            ),
            format!(
                "or nothing, and delete `events` / `{}` / `versions` / `{version}` from the schema file, if none is left in production",
                self.name
            ),
        ])
    }

    fn no_way_up(&self, version: u32, kept: &KeptVersion, failure: &str) -> Finding {
        let now = self.event.event.version;
        let headline = self.headline();
        if version == now {
            return Finding::new(
                FindingKind::NoWayUp,
                format!("{headline}: what is stored at its version {now} does not read any more"),
            )
            .breaks(failure)
            .write([format!("types that read it again, in the fields of `{}`", self.type_name())]);
        }
        let finding = Finding::new(
            FindingKind::NoWayUp,
            format!("{headline}: no way leads from version {version} up to {now}"),
        )
        .breaks(failure);
        let today = (self.event.trace)().shape;
        if version + 1 != now {
            let steps = format!("{version} to {}", version + 1);
            return finding.write([format!(
                "the steps from version {steps} and on, so that each sample of it reads"
            )]);
        }
        let step = Step {
            type_name: self.type_name(),
            before: &kept.shape,
            after: &today,
            to: now,
            reads_as_it_is: self.reads_as_it_is(kept),
        };
        finding.changed(differences(&kept.shape, &today)).write(step.annotations())
    }

    /// Keeps what is new of the event, and all that was kept of it.
    fn accept(&self, comparison: &mut Comparison) {
        let headline = self.headline();
        let Some(accepted) = comparison.accepted.events.get_mut(self.name) else { return };
        for alias in self.event.event.aliases {
            if accepted.aliases.insert((*alias).to_owned()) {
                comparison.additions.push(format!("{headline}: its alias `{alias}`"));
            }
        }
        for (version, made) in &self.now.versions {
            match accepted.versions.get_mut(version) {
                None => {
                    comparison.additions.push(format!("{headline}: its version {version}"));
                    comparison.findings.extend(unproven(self.event, *version, made));
                    accepted.versions.insert(*version, made.clone());
                }
                Some(kept) if kept.samples.is_empty() && !made.samples.is_empty() => {
                    comparison
                        .additions
                        .push(format!("{headline}: samples of its version {version}"));
                    kept.samples.clone_from(&made.samples);
                }
                Some(_) => {}
            }
        }
    }
}

/// What keeps a version that is new to the file from being proven: a sample of it that does not read, or none at all.
fn unproven(event: &EventRegistration, version: u32, made: &KeptVersion) -> Option<Finding> {
    let name = event.event.name;
    if made.samples.is_empty() {
        return Some(no_sample(event, name, version));
    }
    let failure = made.samples.iter().find_map(|sample| {
        let json = sample.to_string();
        let error = (event.read)(Stored::new(name, version, &json)).err()?;
        Some(format!("{json} does not read: {error}"))
    })?;
    let headline = format!("event `{name}`: its version {version} does not read");
    let finding = Finding::new(FindingKind::NoWayUp, headline).breaks(failure);
    Some(finding.write([format!("a way up that takes what version {version} may store")]))
}

fn no_sample(event: &EventRegistration, name: &str, version: u32) -> Finding {
    let opaque = if version == event.event.version { (event.trace)().opaque } else { [].into() };
    let places = opaque.iter().map(|(path, why)| format!("`{path}` takes no made-up value: {why}"));
    Finding::new(
        FindingKind::NoSample,
        format!("event `{name}`: no sample can be made of its version {version}"),
    )
    .changed(places)
    .breaks("nothing, but nothing proves that history reads")
    .write([format!(
        "JSON as it is stored into `events` / `{name}` / `versions` / `{version}` / `samples` of the schema file"
    )])
}
