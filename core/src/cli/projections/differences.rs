//! `projections rebuild --dry-run`: how rows that would be built anew differ from those that answer.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::app::{Fault, Store, Verdict};
use crate::cli::console::{Answer, Console, cut, safe};
use crate::cli::table::Table;
use crate::cli::{each_shard, progress};
use crate::position::Position;
use crate::projection::{
    CatalogEntry, Difference, DifferenceKind, Differences, Operator, RebuildLoad,
};

/// How many letters of a value stand in a table.
const CUT: usize = 60;

/// `{"projection", "version", "position", "rows", "same", "only_old", "only_new", "different", "first", "parked"}`: the numbers count
/// rows; `first` are those that differ, a hundred at most, each with its key and how it differs; `parked` counts the events that
/// would fail, or wait behind one that does; `stopped` says that the projection has stopped, and nothing is told of what comes behind
/// the position.
#[derive(Serialize)]
struct Told {
    projection: String,
    version: u32,
    position: Position,
    rows: u64,
    same: u64,
    only_old: u64,
    only_new: u64,
    different: u64,
    first: Vec<Difference>,
    parked: usize,
    stopped: bool,
}

/// Folds the rows aside, and tells how they differ.
pub(super) async fn tell(
    (store, operator): (&Store, &Operator),
    entry: CatalogEntry,
    load: RebuildLoad,
    console: &mut Console,
) -> Result<Verdict, Fault> {
    let stopped = each_shard::has_stopped(store, &entry).await?;
    let CatalogEntry { projection, version, .. } = entry;
    let bar = progress::of(0, "events");
    let shown = bar.clone();
    let found =
        operator.rebuild_dry_run(&projection, version).load(load).on_progress(move |told| {
            progress::set_length(&shown, told.of);
            shown.set_position(told.events);
        });
    let found = found.await;
    bar.finish_and_clear();
    let found = found?;
    let verdict = Verdict::wrong_if(stopped || !found.is_none());
    let Differences { position, rows, same, only_old, only_new, different, first, parked } = found;
    let parked = parked.len();
    console.answer(&Told {
        projection,
        version,
        position,
        rows,
        same,
        only_old,
        only_new,
        different,
        first,
        parked,
        stopped,
    })?;
    Ok(verdict)
}

impl Answer for Told {
    fn text(&self) -> String {
        let Self { projection, version, position, rows, only_old, only_new, different, .. } = self;
        let name = format!("projection `{}` (version {version})", safe(projection));
        let mut text = if self.first.is_empty() {
            format!(
                "{name}: a rebuild would change none of {rows} rows, up to position {position}\n"
            )
        } else {
            format!(
                "{name}: up to position {position}, of {rows} rows a rebuild would change {different} and drop {only_old}, and add {only_new}\n\n{}",
                table(&self.first)
            )
        };
        let told = self.first.len() as u64;
        let more = (only_old + only_new + different).saturating_sub(told);
        if more > 0 {
            let _ = writeln!(text, "and {more} more");
        }
        if self.parked > 0 {
            let _ = writeln!(text, "{} events would be parked", self.parked);
        }
        if self.stopped {
            let _ = writeln!(
                text,
                "it has stopped, and its rows end at position {position}: nothing is said of what comes after it"
            );
        }
        text
    }
}

fn table(first: &[Difference]) -> String {
    let mut table = Table::new(["ROW", "COLUMN", "NOW", "REBUILT"]);
    let mut row = |key: &str, [column, old, new]: [&str; 3]| {
        table.row([cut(key, CUT), column.to_owned(), cut(old, CUT), cut(new, CUT)]);
    };
    for Difference { key, kind, .. } in first {
        match kind {
            DifferenceKind::OnlyOld => row(key, ["(all)", "is there", "is not there"]),
            DifferenceKind::OnlyNew => row(key, ["(all)", "is not there", "is there"]),
            DifferenceKind::Columns(columns) => {
                for differs in columns {
                    row(key, [&differs.column, &differs.old, &differs.new]);
                }
            }
        }
    }
    table.text("")
}
