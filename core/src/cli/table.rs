//! Aligned columns.

use super::console::safe;

/// Rows of cells under a head.
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table. A column whose name begins with `#` holds numbers, which stand at its right.
    pub(super) fn new<const N: usize>(head: [&'static str; N]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|cell| safe(&cell)).collect());
    }

    /// The table, or what is said instead of an empty one.
    pub(super) fn text(&self, without_rows: &str) -> String {
        if self.rows.is_empty() {
            return format!("{without_rows}\n");
        }
        let names: Vec<String> =
            self.head.iter().map(|name| name.trim_start_matches('#').to_owned()).collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().chain([&names]);
                cells.map(|row| row[column].chars().count()).max().unwrap_or_default()
            })
            .collect();
        let mut text = String::new();
        for row in [&names].into_iter().chain(&self.rows) {
            let cells = row.iter().zip(&widths).zip(&self.head).map(|((cell, width), head)| {
                let gap = " ".repeat(width - cell.chars().count());
                if head.starts_with('#') { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The line that says how many more there are than are shown.
pub(super) fn more(count: usize) -> String {
    if count == 0 { String::new() } else { format!("and {count} more: --limit shows them\n") }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new(["NAME", "#EVENTS", "WHY"]);
        table.row(["a".into(), "1200".into(), String::new()]);
        table.row(["Zoë\n".into(), "7".into(), "late".into()]);
        assert_eq!(
            table.text("nothing"),
            "NAME   EVENTS  WHY\na        1200\nZoë\\n       7  late\n"
        );
        assert_eq!(Table::new(["NAME"]).text("nothing"), "nothing\n");
    }
}
