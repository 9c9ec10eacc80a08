//! `sizes`: how much room what takes.

use serde::Serialize;

use super::app::{Fault, Store, Verdict};
use super::console::{Answer, Console};
use super::table::Table;

/// `{"parts": [{"name", "rows", "bytes"}], "bytes"}`: rows and bytes are null where the store does not know them.
#[derive(Serialize)]
struct Sizes {
    parts: Vec<Part>,
    bytes: Option<u64>,
}

#[derive(Serialize)]
struct Part {
    name: String,
    rows: Option<u64>,
    bytes: Option<u64>,
}

pub(super) async fn run(store: Store, console: &mut Console) -> Result<Verdict, Fault> {
    let sizes = store.sizes().await?;
    let bytes = sizes.iter().map(|part| part.bytes).sum();
    let part =
        |part: crate::store::PartSize| Part { name: part.name, rows: part.rows, bytes: part.bytes };
    console.answer(&Sizes { parts: sizes.into_iter().map(part).collect(), bytes })?;
    Ok(Verdict::Fine)
}

impl Answer for Sizes {
    fn text(&self) -> String {
        let mut table = Table::new(["PART", "#ROWS (ABOUT)", "#SIZE"]);
        let unknown = || "?".to_owned();
        for Part { name, rows, bytes } in &self.parts {
            let rows = rows.map_or_else(unknown, |rows| rows.to_string());
            table.row([name.clone(), rows, bytes.map_or_else(unknown, in_units)]);
        }
        if let Some(bytes) = self.bytes {
            table.row(["all".to_owned(), String::new(), in_units(bytes)]);
        }
        table.text("nothing is stored")
    }
}

/// Bytes in the largest unit of which there is at least one.
pub(super) fn in_units(bytes: u64) -> String {
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 10_240 && unit < 4 {
        rest /= 1_024;
        unit += 1;
    }
    format!("{rest} {}", ["B", "KiB", "MiB", "GiB", "TiB"][unit])
}
