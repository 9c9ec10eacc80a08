//! The statements of the store, each from a file of its own, with the schema's name in place.

use std::sync::Arc;

use crate::database::Query;
use annals::StoreError;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// The name of the schema in which the store keeps its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Schema(Arc<str>);

impl Schema {
    /// The longest name that PostgreSQL does not cut, in bytes.
    const MAX: usize = 63;

    /// Takes a name that needs no quotes, so that it stands in every place of a statement as it is.
    pub(crate) fn parse(name: &str) -> Result<Self, StoreError> {
        let begins_well =
            name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let rest =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if begins_well && name.chars().all(rest) && name.len() <= Self::MAX {
            return Ok(Self(name.into()));
        }
        Err(StoreError::invalid(format!(
            "`{}` cannot name the schema: write lower-case letters, digits and `_`, a letter first, at most {} of them",
            name.escape_debug(),
            Self::MAX
        )))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel on which appends wake readers up.
    pub(crate) fn channel(&self) -> String {
        format!("{}_events", &self.0[..self.0.len().min(Self::MAX - "_events".len())])
    }

    /// Puts the name into a statement, and the namespace of the schema's advisory locks.
    pub(crate) fn fill(&self, sql: &str) -> String {
        sql.replace("{schema}", &self.0)
            .replace("{namespace}", &self.namespace().to_string())
            .replace("{channel}", &self.channel())
    }

    /// 16 bits by which stores in one database hold up each other's readers rarely (FNV-1a, folded).
    fn namespace(&self) -> u32 {
        let hash = self
            .0
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        (hash >> 16) ^ (hash & 0xffff)
    }
}

/// Whether a session keeps a statement under a name once it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// It is parsed once for each session.
    Named,
    /// It is parsed each time, for sessions that others use in between.
    Unnamed,
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident)+) => {
        /// The statements of one store.
        #[derive(Debug)]
        pub(crate) struct Statements {
            naming: Naming,
            $($name: SqlStr,)+
        }

        impl Statements {
            pub(crate) fn new(schema: &Schema, naming: Naming) -> Self {
                Self {
                    naming,
                    $($name: {
                        let sql = include_str!(concat!("../sql/", stringify!($name), ".sql"));
                        // What is put in is a schema's name, which `Schema::parse` has looked at.
                        AssertSqlSafe(Arc::<str>::from(schema.fill(sql))).into_sql_str()
                    },)+
                }
            }

            /// Whether a session keeps them, with their plans.
            pub(crate) fn are_named(&self) -> bool {
                self.naming == Naming::Named
            }

            /// A statement that was written for a table, named or not as the others are.
            pub(crate) fn written<'q>(&self, sql: SqlStr) -> Query<'q> {
                sqlx::query(sql).persistent(self.naming == Naming::Named)
            }

            $(pub(crate) fn $name<'q>(&self) -> Query<'q> {
                sqlx::query(self.$name.clone()).persistent(self.naming == Naming::Named)
            })+
        }
    };
}

statements! {
    append
    append_event
    append_events
    barrier
    ceiling
    check_streams
    checkpoint
    checkpoint_move
    checkpoint_stands
    deadline_cancel
    deadline_set
    deadlines_due
    events_by_id
    events_count
    grown_streams
    heads
    keys
    lease_claim
    lease_release
    leases
    log_all
    log_by_category
    log_by_stream
    log_by_type
    log_of_type
    models_add
    models_behind
    models_build
    models_catalog
    models_columns
    models_define
    models_entry
    models_fence
    models_granted
    models_forget_parked
    models_forget_reader
    models_forget_shards
    models_lock
    models_patience
    models_pause
    models_public
    models_switch
    models_versions
    notify
    outgoing
    outgoing_add
    outgoing_answered
    parked
    parked_keys
    prune_entry
    prune_find
    prune_forget_parked
    prune_forget_readers
    prune_forget_shards
    prune_readers
    prune_rebuilds
    purge_keys
    readers
    rebuild_keep
    rebuilds
    scratch_forget
    scratch_left
    shards_fence
    shards_keep
    shards_move
    shards_standing
    show_parked
    sizes
    snapshot_load
    snapshot_page
    snapshot_save
    snapshots_old
    snapshots_seen
    snapshots_surplus
    stream_backwards
    stream_forwards
    stream_heads
    stream_locks
}

#[cfg(test)]
mod tests {
    use super::Schema;

    #[test]
    fn a_schema_is_named_by_what_needs_no_quotes() {
        for name in ["annals", "_a1", &"x".repeat(63)] {
            assert_eq!(Schema::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "1a", "Annals", "a b", "a\"b", "a'b", "ü", &"x".repeat(64)] {
            assert!(Schema::parse(name).unwrap_err().is_invalid(), "{name}");
        }
    }
}
