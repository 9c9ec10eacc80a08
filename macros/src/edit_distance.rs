//! How far one word is from another, for "did you mean".

/// The nearest of `words` to `typed`, if it is near enough to have been meant.
pub(crate) fn nearest<'a>(
    typed: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the word may be wrong, as cargo and rustc have it.
    let near_enough = typed.chars().count().max(3) / 3;
    words
        .into_iter()
        .map(|word| (edit_distance(typed, word), word))
        .filter(|(distance, _)| *distance <= near_enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The fewest letters to insert, remove, replace, or swap with their neighbour.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn check(typed: &str, expected: Option<&str>) {
        assert_eq!(nearest(typed, ["name", "version", "alias", "crate"]), expected, "{typed}");
    }

    #[test]
    fn finds_what_was_meant() {
        check("verison", Some("version"));
        check("nmae", Some("name"));
        check("aliases", Some("alias"));
        check("alais", Some("alias"));
        check("colour", None);
    }
}
