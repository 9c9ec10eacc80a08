//! The text of an aggregate of ten events and ten commands, from one that has two of each.

/// What is done with an item in the place of `Pick`; each is an event by `ed` at its end.
const DONE: [&str; 9] =
    ["Pick", "Pack", "Load", "Lift", "Reject", "Restock", "Sort", "Count", "Mark"];

/// Repeats what stands between `// Each:` and `// Once:`, and each line that ends in `// each`.
pub fn ten_of(two: &str) -> String {
    let (mut ten, mut part) = (String::new(), None::<String>);
    for line in two.split_inclusive('\n') {
        match (line.trim(), &mut part) {
            ("// Each:", _) => part = Some(String::new()),
            ("// Once:", _) => ten += &nine_of(&part.take().expect("a part that began")),
            (_, Some(part)) => *part += line,
            (_, None) if line.trim_end().ends_with("// each") => ten += &nine_of(line),
            (_, None) => ten += line,
        }
    }
    ten
}

fn nine_of(part: &str) -> String {
    let each = |(place, done): (usize, &&str)| {
        part.replace("Pick", done)
            .replace("pick", &done.to_lowercase())
            // Its place in the list of events, behind the one that is there once.
            .replace("[1]", &format!("[{}]", place + 1))
    };
    DONE.iter().enumerate().map(each).collect()
}
