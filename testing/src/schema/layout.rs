//! JSON text in two layouts: in a line, and one thing a line. What it says stays as it is, each digit of a number too.

/// The text in a line, without blanks.
pub(super) fn compact(json: &str) -> String {
    let said = |(letter, in_text): &(char, bool)| *in_text || !letter.is_ascii_whitespace();
    letters(json).filter(said).map(|(letter, _)| letter).collect()
}

/// Text without blanks as one thing a line, as `serde_json` writes it.
pub(super) fn indented(compact: &str) -> String {
    let (mut text, mut depth, mut opened) = (String::new(), 0_usize, false);
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    for (letter, in_text) in letters(compact) {
        let closes = !in_text && matches!(letter, '}' | ']');
        depth -= usize::from(closes);
        // Nothing comes between the brackets of what is empty.
        if closes != opened {
            line(&mut text, depth);
        }
        text.push(letter);
        opened = !in_text && matches!(letter, '{' | '[');
        depth += usize::from(opened);
        match letter {
            ',' if !in_text => line(&mut text, depth),
            ':' if !in_text => text.push(' '),
            _ => {}
        }
    }
    text
}

/// The letters of valid JSON, and whether each is in a string, whose quotes are in it.
fn letters(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut inside, mut escaped) = (false, false);
    json.chars().map(move |letter| {
        let was_inside = inside;
        match letter {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ => {}
        }
        (letter, was_inside || inside)
    })
}
