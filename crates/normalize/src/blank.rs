//! Trimming, for text that rarely needs it: nearly every value begins and ends with a plain character.

/// The text without white space at its ends.
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => text,
        _ => text.trim(),
    }
}

/// Whether the text is empty or all white space.
pub(crate) fn is_blank(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        [b'!'..=b'~', ..] => false,
        _ => text.trim().is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        for text in
            ["", "a", " ", " a", "a ", "\u{a0}", "\u{a0}a", "a\u{3000}", "\u{e9}", "ab", "a b", "~", "\u{7f}", "\t!"]
        {
            assert_eq!(trim(text), text.trim());
            assert_eq!(is_blank(text), text.trim().is_empty());
        }
    }
}
