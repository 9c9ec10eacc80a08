//! How far one word is from another, for "did you mean".

/// The nearest of `words` to `typed`, if it is near enough to have been meant, or begins as that does.
pub(crate) fn nearest<'a>(
    typed: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let words: Vec<&str> = words.into_iter().collect();
    let another_form = || words.iter().copied().find(|word| is_another_form(typed, word));
    least_apart(typed, &words).or_else(another_form)
}

/// Whether three quarters of a word are how another begins: `retry` and `retries`.
fn is_another_form(typed: &str, word: &str) -> bool {
    let same = typed.chars().zip(word.chars()).take_while(|(a, b)| a == b).count();
    same >= 3 && same * 4 >= typed.chars().count() * 3
}

fn least_apart<'a>(typed: &str, words: &[&'a str]) -> Option<&'a str> {
    // A third of the word may be wrong, as cargo and rustc have it.
    let near_enough = typed.chars().count().max(3) / 3;
    words
        .iter()
        .map(|word| (edit_distance(typed, word), *word))
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
        check("versioned_by", None);
        assert_eq!(nearest("retry", ["name", "undo", "retries"]), Some("retries"));
        assert_eq!(nearest("names_of", ["name", "undo"]), None);
    }
}
