//! What names and ids may hold: nothing that a URL, a file name or a log would have to quote.

/// The longest id, key or other text in a header or a path.
pub(crate) const LONGEST: usize = 128;

/// Whether a text can stand for somebody or something.
pub(crate) fn is_plain(text: &str, longest: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=longest).contains(&text.len()) && text.bytes().all(is_plain)
}
