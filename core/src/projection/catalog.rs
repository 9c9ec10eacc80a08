//! What is kept of each projection beside its rows: its definition, and which of its tables answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::inline::STREAM_VERSION;
use crate::read_model::{Index, ModelTable, Table};
use crate::store::{CheckpointId, StoreError};

/// What a projection writes, and from which events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelDefinition {
    /// The projection's name.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// Its table; `None` if it writes by SQL of its own.
    pub table: Option<&'static Table>,
    /// The stored names of its events, each with the category from which it is taken, sorted.
    pub events: Vec<String>,
}

impl ModelDefinition {
    /// Makes a definition from its parts.
    pub fn new(
        projection: impl Into<String>,
        version: u32,
        table: Option<&'static Table>,
        mut events: Vec<String>,
    ) -> Self {
        events.sort_unstable();
        events.dedup();
        Self { projection: projection.into(), version, table, events }
    }

    /// The reader that writes a generation.
    pub fn reader(&self, generation: u32) -> CheckpointId {
        CheckpointId::of_projection(&self.projection, self.version, generation)
    }

    /// The table of a generation.
    pub fn table_of(&self, generation: u32) -> Option<ModelTable> {
        self.table.map(|table| ModelTable { table, version: self.version, generation })
    }

    /// The definition as it is kept.
    pub fn kept(&self) -> String {
        // Cannot fail: names and numbers only.
        serde_json::to_string(&Kept::of(self)).unwrap_or_default()
    }

    /// The error of a definition that differs from the one that is kept.
    pub fn refused(&self, reason: &str) -> StoreError {
        let Self { projection, version, .. } = self;
        let next = version.saturating_add(1);
        let gets = match self.table {
            Some(_) => "and it gets a table of its own and reads",
            None => "and a setup that makes tables of other names, and it reads",
        };
        StoreError::invalid(format!(
            "projection `{projection}` is kept at version {version} with another definition: {reason}; give the new one \
             `version = {next}`, {gets} the log from the beginning"
        ))
    }

    /// The error of a rebuild of what writes by SQL of its own, to tables of which annals knows nothing.
    pub fn not_rebuilt(&self) -> StoreError {
        let Self { projection, version, .. } = self;
        let next = version.saturating_add(1);
        StoreError::invalid(format!(
            "projection `{projection}` writes by SQL of its own, which cannot be done again beside the rows that are there; \
             give it `version = {next}`, and a setup that makes tables of other names, and it reads the log from the beginning"
        ))
    }

    /// The error of more than one shard of what has no rows by keys.
    pub fn not_divided(&self) -> StoreError {
        let Self { projection, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}` writes by SQL of its own, and nobody knows which of its events belong to one key: it has one \
             shard; make it several projections, each of some of its events, or a read model, whose rows have keys"
        ))
    }

    /// The error of what has no rows that could be folded beside all that is kept.
    pub fn not_folded_aside(&self) -> StoreError {
        let Self { projection, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}` writes by SQL of its own: what that would write is only known where it is written"
        ))
    }

    /// The error of a scratch table that is not there any more, or has lost what was in it.
    pub(crate) fn scratch_gone(&self) -> StoreError {
        let Self { projection, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}`: the rows that were folded aside are gone, as after a crash of the server, or when nobody held \
             them in a long outage: fold them again"
        ))
    }

    /// The error of a table that another projection keeps.
    pub fn taken(&self, table: &Table) -> StoreError {
        let Self { projection, version, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}`: another one keeps table `{}` at version {version}: name another table, \
             or give it another version",
            table.name
        ))
    }

    /// The error of a rebuild by a release that does not know some of the columns.
    pub fn behind(&self, columns: &[String]) -> StoreError {
        let Self { projection, .. } = self;
        let columns = columns.join("`, `");
        StoreError::invalid(format!(
            "projection `{projection}`: its rows have columns that this release does not know (`{columns}`): a newer one rebuilds them"
        ))
    }

    /// The error of a projection that nobody has prepared.
    pub fn not_prepared(&self) -> StoreError {
        CatalogEntry::new(&self.projection, self.version).not_kept()
    }

    /// The error of a generation that is not being built.
    pub fn not_building(&self, generation: u32) -> StoreError {
        let Self { projection, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}`: generation {generation} is not being built; another rebuild has taken its place"
        ))
    }

    /// What has changed since a definition was kept.
    pub fn change_from(&self, kept: &str) -> Change {
        let now = Kept::of(self);
        let Ok(before) = serde_json::from_str::<Kept>(kept) else {
            return Change::Other("the definition that is kept does not read".to_owned());
        };
        if now.events != before.events {
            let (more, less) =
                (missing(&now.events, &before.events), missing(&before.events, &now.events));
            return Change::Other(format!("its events differ: {}", differences(&more, &less)));
        }
        if now.table != before.table || now.key != before.key {
            return Change::Other("its table or its key differs".to_owned());
        }
        let is_inline = |kept: &Kept| kept.columns.contains_key(STREAM_VERSION);
        match (is_inline(&before), is_inline(&now)) {
            (false, true) => return Change::Other("it is `inline` now, and was not".to_owned()),
            (true, false) => return Change::Other("it was `inline`, and is not now".to_owned()),
            _ => {}
        }
        let mut added = Vec::new();
        for (name, column) in &now.columns {
            match before.columns.get(name) {
                Some(kept) if kept == column => {}
                Some(_) => return Change::Other(format!("column `{name}` differs")),
                None if column.nullable => added.push(name.clone()),
                None => {
                    return Change::Other(format!(
                        "column `{name}` is new, and what it holds in the rows that are there is unknown; make it an `Option`"
                    ));
                }
            }
        }
        let gone = || before.columns.iter().filter(|(name, _)| !now.columns.contains_key(*name));
        let is_needed = |column: &KeptColumn| !column.nullable || !added.is_empty();
        match gone().find(|(_, column)| is_needed(column)) {
            Some((name, _)) => Change::Other(format!("column `{name}` is gone")),
            None if !added.is_empty() => Change::Added(added),
            None => match gone().map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                unknown if unknown.is_empty() => Change::None,
                unknown => Change::Behind(unknown),
            },
        }
    }
}

fn missing<'a>(all: &'a [String], among: &[String]) -> Vec<&'a str> {
    all.iter().filter(|name| !among.contains(name)).map(String::as_str).collect()
}

fn differences(more: &[&str], less: &[&str]) -> String {
    let part = |names: &[&str], word: &str| {
        (!names.is_empty()).then(|| format!("{} {word}", names.join(", ")))
    };
    let parts: Vec<String> =
        [part(more, "is new"), part(less, "is gone")].into_iter().flatten().collect();
    parts.join(", ")
}

/// What has changed since a definition was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Nothing.
    None,
    /// Columns were added that may hold nothing.
    Added(Vec<String>),
    /// Columns are kept that are not in the definition, and that may hold nothing: a newer release has added them, and this
    /// one writes rows beside it.
    Behind(Vec<String>),
    /// Something that a rebuild has to bring about.
    Other(String),
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    table: Option<String>,
    key: Vec<String>,
    columns: BTreeMap<String, KeptColumn>,
    events: Vec<String>,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct KeptColumn {
    kind: String,
    nullable: bool,
    index: String,
}

impl Kept {
    fn of(definition: &ModelDefinition) -> Self {
        let table = definition.table;
        let columns = table.into_iter().flat_map(|table| table.columns).map(|column| {
            let index = match column.index {
                Index::None => "none",
                Index::Plain => "plain",
                Index::Unique => "unique",
            };
            let kept = KeptColumn {
                kind: column.kind.name().to_owned(),
                nullable: column.nullable,
                index: index.to_owned(),
            };
            (column.name.to_owned(), kept)
        });
        Self {
            table: table.map(|table| table.name.to_owned()),
            key: table
                .into_iter()
                .flat_map(Table::key_columns)
                .map(|column| column.name.to_owned())
                .collect(),
            columns: columns.collect(),
            events: definition.events.clone(),
        }
    }
}

/// What is kept of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogEntry {
    /// The projection's name.
    pub projection: String,
    /// Its version.
    pub version: u32,
    /// The generation that answers.
    pub generation: u32,
    /// The generation that is built beside it.
    pub building: Option<u32>,
    /// Whether it is to pause.
    pub paused: bool,
    /// How many shards those have who write the generation that answers.
    pub shards: u32,
}

impl CatalogEntry {
    /// The error of a version that is not kept.
    pub fn not_kept(&self) -> StoreError {
        let Self { projection, version, .. } = self;
        StoreError::invalid(format!(
            "projection `{projection}`: version {version} is not prepared; start an engine that registers it"
        ))
    }

    /// Those who write the generation that answers: how they are divided, the store tells by this.
    pub fn reader(&self) -> CheckpointId {
        CheckpointId::of_projection(&self.projection, self.version, self.generation)
    }

    /// Whether it is that of a definition.
    pub(crate) fn is_of(&self, definition: &ModelDefinition) -> bool {
        self.projection == definition.projection && self.version == definition.version
    }

    /// Makes an entry of a projection whose first generation answers.
    pub fn new(projection: impl Into<String>, version: u32) -> Self {
        Self {
            projection: projection.into(),
            version,
            generation: 1,
            building: None,
            paused: false,
            shards: 1,
        }
    }
}
