//! An event of the program, held against what is kept under one of its names.

use annals::registry::EventRegistration;
use annals::shape::Shape;

use super::aggregates::is_passed_over;
use super::compare::{Comparison, short};
use super::difference::{Step, differences};
use super::file::{KeptEvent, KeptShape, SchemaFile};
use super::finding::{Finding, FindingKind};
use super::fit::fits;
use super::program::Schema;
use super::proof;
use super::reading::{self, Failure};
use super::sample::Sample;

/// An event of the program, and what is kept under one of its names.
pub(super) struct KeptAs<'a> {
    pub(super) schema: &'a Schema,
    pub(super) file: &'a SchemaFile,
    pub(super) event: &'a EventRegistration,
    pub(super) name: &'a str,
    pub(super) kept: &'a KeptEvent,
    /// What a file would keep of the event alone.
    pub(super) now: &'a KeptEvent,
}

impl KeptAs<'_> {
    /// Finds what is wrong, and takes over what is new.
    pub(super) fn compare(&self, comparison: &mut Comparison) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.compare_aliases(&mut findings);
        findings.extend(self.compare_version());
        for (version, kept) in &self.kept.versions {
            findings.extend(self.compare_kept_version(*version, kept));
        }
        let is_history_read = findings.is_empty();
        findings.extend(is_history_read.then(|| self.left_behind()).into_iter().flatten());
        findings.extend(self.compare_readers());
        let breaks = |finding: &Finding| !finding.kind.waits_for_a_sample();
        if !findings.iter().any(breaks) && self.alias().is_none() {
            self.accept(comparison, &mut findings);
        }
        findings
    }

    pub(super) fn headline(&self) -> String {
        match self.alias() {
            Some(name) => format!("event `{}`, once `{name}`", self.event.event.name),
            None => format!("event `{}`", self.name),
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        short((self.event.event.type_name)())
    }

    fn compare_aliases(&self, findings: &mut Vec<Finding>) {
        for alias in &self.kept.aliases {
            let names = std::iter::once(&self.event.event.name).chain(self.event.event.aliases);
            if names.into_iter().any(|name| name == alias)
                || is_passed_over(self.schema, self.file, alias)
            {
                continue;
            }
            findings.push(
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
    fn compare_version(&self) -> Option<Finding> {
        let now = self.event.event.version;
        let (&last, kept) = self.kept.versions.last_key_value()?;
        if now >= last {
            return None;
        }
        // The shape of that version is at that version; any other is a step above it.
        let version = if (self.event.trace)().shape == kept.shape { last } else { last + 1 };
        let (alias, whose) = match self.alias() {
            Some(name) => (format!("alias = {name:?}, "), format!(" as `{name}`")),
            None => Default::default(),
        };
        Some(
            Finding::new(
                FindingKind::VersionFell,
                format!("{}: its version fell from {last} to {now}", self.headline()),
            )
            .breaks(format!("events stored{whose} at version {last} are newer than this program"))
            .write([format!("#[event({alias}version = {version})] on `{}`", self.type_name())]),
        )
    }

    /// The name under which it is kept, if that is not its own.
    pub(super) fn alias(&self) -> Option<&str> {
        (self.event.event.name != self.name).then_some(self.name)
    }

    fn compare_kept_version(&self, version: u32, kept: &KeptShape) -> Option<Finding> {
        let event = self.event.event;
        if version > event.version {
            return None;
        }
        if version < event.oldest {
            return Some(self.too_old(version, kept));
        }
        // Two events that became one may have had two shapes of an earlier version: their samples speak for them.
        let is_comparable = self.alias().is_none() || version == event.version;
        let now = self.now.versions.get(&version).filter(|_| is_comparable);
        let shape = now.map(|now| &now.shape);
        if let Some(shape) = shape.filter(|shape| **shape != kept.shape) {
            return Some(self.shape_changed(version, kept, shape));
        }
        let lost = |sample| reading::lost_digits(self.event, self.name, version, sample);
        let earlier = version < event.version;
        if let Some(lost) = kept.all_samples().filter(|_| earlier).find_map(lost) {
            return Some(self.no_way_up(version, kept, &lost));
        }
        let given = kept.samples.iter().find_map(|sample| self.failure(version, sample));
        if let Some(failure) = given {
            return Some(self.no_way_up(version, kept, &failure.said));
        }
        let made = kept.made.iter().filter_map(|sample| self.failure(version, sample));
        let (refused, misread): (Vec<_>, Vec<_>) = made.partition(|failure| failure.by_program);
        let count = refused.len() + misread.len();
        match misread.first() {
            Some(failure) => {
                // By its shape it should read: then the type takes only what it likes, and perhaps nothing else was stored.
                let is_picky = fits(&kept.shape, &(self.event.trace)().shape);
                let replace = || format!("or {}", proof::replace_made(self.name, version, count));
                let finding = self.no_way_up(version, kept, &failure.said);
                Some(finding.write(is_picky.then(replace)))
            }
            None if kept.has_no_samples() && !self.is_made(version) => {
                Some(proof::no_sample(self.event, self.name, version))
            }
            None => proof::made_refused(&self.headline(), self.name, version, &refused),
        }
    }

    /// Why a sample of a version does not read.
    fn failure(&self, version: u32, sample: &Sample) -> Option<Failure> {
        reading::of_event(self.event, self.name, version, sample).err()
    }

    /// Why any sample of a version does not read.
    fn any_failure(&self, version: u32, kept: &KeptShape) -> Option<String> {
        let failure = kept.all_samples().find_map(|sample| self.failure(version, sample));
        failure.map(|failure| failure.said)
    }

    /// Whether the program itself can make samples of a version.
    fn is_made(&self, version: u32) -> bool {
        self.now.versions.get(&version).is_some_and(|made| !made.has_no_samples())
    }

    /// Whether today's struct reads all that is kept of a version as it is.
    fn reads_as_it_is(&self, kept: &KeptShape) -> bool {
        let now = self.event.event.version;
        !kept.has_no_samples()
            && kept.all_samples().all(|sample| self.failure(now, sample).is_none())
    }

    /// Whether marks can be put on its fields: they are its own, and no other type's.
    fn has_marks(&self) -> bool {
        (self.event.trace)().struct_name == Some(self.type_name())
    }

    fn shape_changed(&self, version: u32, kept: &KeptShape, shape: &Shape) -> Finding {
        let headline = self.headline();
        let failure = self.any_failure(version, kept);
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
            has_marks: self.has_marks(),
        };
        let whose = match self.alias() {
            Some(name) => format!("that of `{name}` and that of `{}`", self.event.event.name),
            None => "and the release before does not know the new one".to_owned(),
        };
        let reads = format!(
            "nothing that is kept here, but version {version} now stands for two shapes, {whose}"
        );
        let finding = Finding::new(
            FindingKind::ShapeChanged,
            format!("{headline}: its shape changed, and its version is still {version}"),
        )
        .changed(differences(&kept.shape, shape))
        .write(step.annotations());
        match failure {
            Some(failure) => finding.breaks(failure),
            None => finding.breaks_nothing(reads),
        }
    }

    /// What is kept of a version that the event says is not stored.
    fn too_old(&self, version: u32, kept: &KeptShape) -> Finding {
        let oldest = self.event.event.oldest;
        let failure = self.any_failure(version, kept);
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

    fn no_way_up(&self, version: u32, kept: &KeptShape, failure: &str) -> Finding {
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
            has_marks: self.has_marks(),
        };
        finding.changed(differences(&kept.shape, &today)).write(step.annotations())
    }

    /// Keeps what is new of the event, and all that was kept of it.
    fn accept(&self, comparison: &mut Comparison, findings: &mut Vec<Finding>) {
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
                    findings.extend(proof::unproven(self.event, *version, made));
                    comparison.notes.extend(self.notes(*version));
                    accepted.versions.insert(*version, made.clone());
                }
                Some(kept) => {
                    if kept.has_no_samples() && !made.has_no_samples() {
                        comparison
                            .additions
                            .push(format!("{headline}: samples of its version {version}"));
                        kept.made.clone_from(&made.made);
                    }
                    if kept.shape == made.shape && kept.opaque != made.opaque {
                        comparison.additions.push(format!(
                            "{headline}: what cannot be seen of its version {version}"
                        ));
                        comparison.notes.extend(self.notes(*version));
                        kept.opaque.clone_from(&made.opaque);
                    }
                }
            }
        }
    }
    /// What cannot be seen of a version, a line each.
    fn notes(&self, version: u32) -> Vec<String> {
        let whose = format!("event `{}` at version {version}", self.name);
        let earlier = self.schema.struct_of(self.event, version).unwrap_or(self.event);
        proof::notes(&whose, earlier)
    }
}
