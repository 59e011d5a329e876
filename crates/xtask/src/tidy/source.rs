//! A Rust file as tokens with their lines.

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// What a token is, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Ident,
    /// A comment, with its slashes.
    Comment,
    /// A string, character or number, with its quotes.
    Literal,
    /// One character of punctuation.
    Punctuation,
}

/// A token with the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Its text as written; a raw identifier without `r#`.
    pub text: String,
    /// Line, counted from 1.
    pub line: usize,
}

impl Piece {
    /// True for this punctuation, keyword or identifier.
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Ident | Kind::Punctuation) && self.text == text
    }
}

/// A Rust file.
#[derive(Debug)]
pub struct Source {
    /// Path from the root of the workspace.
    pub path: String,
    /// Number of lines.
    pub lines: usize,
    /// Everything but white space and comments.
    pub code: Vec<Piece>,
    /// The comments, documentation included.
    pub comments: Vec<Piece>,
    /// The line of the first `#[cfg(test)]`; by the order of a file, everything below it is tests.
    tests_from: Option<usize>,
}

impl Source {
    /// Reads the tokens of a file.
    pub fn new(path: &str, text: &str) -> Self {
        let mut code = Vec::new();
        let mut comments = Vec::new();
        let mut start = 0;
        let mut line = 1;
        for token in tokenize(text, FrontmatterAllowed::No) {
            let end = start + usize::try_from(token.len).expect("a token is shorter than the memory");
            let part = &text[start..end];
            let kind = match token.kind {
                TokenKind::Whitespace => None,
                TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Some(Kind::Comment),
                TokenKind::Ident | TokenKind::RawIdent => Some(Kind::Ident),
                TokenKind::Literal { .. } => Some(Kind::Literal),
                _ => Some(Kind::Punctuation),
            };
            if let Some(kind) = kind {
                let piece = Piece { kind, text: part.trim_start_matches("r#").to_owned(), line };
                if kind == Kind::Comment { comments.push(piece) } else { code.push(piece) }
            }
            line += part.matches('\n').count();
            start = end;
        }
        let tests_from = code
            .windows(6)
            .find(|window| window.iter().map(|piece| piece.text.as_str()).eq(["#", "[", "cfg", "(", "test", ")"]))
            .map(|window| window[0].line);
        Self { path: path.to_owned(), lines: text.lines().count(), code, comments, tests_from }
    }

    /// True when the line belongs to tests.
    pub fn is_test(&self, line: usize) -> bool {
        let folder = ["/tests/", "/benches/"].iter().any(|folder| self.path.contains(folder));
        folder || self.path.ends_with("/tests.rs") || self.tests_from.is_some_and(|first| line >= first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_identifiers_are_told_apart() {
        let source = Source::new("a.rs", "// one\nfn r#type() -> &'static str { \"// no comment\" }\n");
        let comments: Vec<_> = source.comments.iter().map(|piece| (piece.line, piece.text.as_str())).collect();
        assert_eq!(comments, [(1, "// one")]);
        assert!(source.code.iter().any(|piece| piece.is("type") && piece.line == 2));
    }

    #[test]
    fn tests_begin_where_they_are_configured() {
        let source = Source::new("crates/a/src/a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {}\n");
        assert!(!source.is_test(1));
        assert!(source.is_test(4));
        assert!(Source::new("crates/a/tests/b.rs", "").is_test(1));
    }
}
