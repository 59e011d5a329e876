//! Small rules about single lines: no ignored tests, no sleeping in tests, a crate says what it is, nothing is left open.

use super::Finding;
use super::source::{Kind, Piece, Source};

/// Checks one file.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |line, text: &str| findings.push(Finding::new(&source.path, line, text));
    for window in source.code.windows(3) {
        let line = window[1].line;
        if texts(window, ["#", "[", "ignore"]) {
            find(line, "no test is ignored: make it pass or remove it");
        }
        if window[0].is("sleep") && window[1].is("(") && source.is_test(line) {
            find(line, "no sleeping in tests: wait for a condition, or inject the time");
        }
        if texts(window, [".", "unwrap", "("]) && !source.is_test(line) {
            find(line, "no unwrap outside tests: `expect` states the invariant, an error goes up");
        }
        if (window[0].is("todo") || window[0].is("unimplemented")) && window[1].is("!") {
            find(line, "nothing is left open in the code");
        }
        if window[0].is("throughline_testkit") && is_pure_source(source) {
            find(line, "a crate under testkit uses it from its tests/ folder only, or its types exist twice");
        }
    }
    for comment in &source.comments {
        if ["FIXME", "TODO", "XXX"].iter().any(|mark| comment.text.contains(mark)) {
            find(comment.line, "nothing is left open in a comment");
        }
    }
    let is_library = source.path.ends_with("/src/lib.rs");
    if is_library && !source.comments.first().is_some_and(|first| first.text.starts_with("//!") && first.line == 1) {
        find(1, "a crate begins with `//!`: what it does, what it does not, invariants, where to start");
    }
    findings
}

fn texts(window: &[Piece], wanted: [&str; 3]) -> bool {
    window.iter().zip(wanted).all(|(piece, text)| piece.kind != Kind::Literal && piece.text == text)
}

fn is_pure_source(source: &Source) -> bool {
    let name = source.path.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/"));
    name.is_some_and(|(name, _)| !matches!(name, "testkit" | "xtask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path, text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_ignored_test_is_found_and_a_string_is_not() {
        assert_eq!(lines("crates/a/src/a.rs", "#[test]\n#[ignore]\nfn a() {}\n"), [2]);
        assert_eq!(lines("crates/a/src/a.rs", "const A: &str = \"#[ignore] sleep( .unwrap()\";\n"), NONE);
    }

    #[test]
    fn sleeping_is_for_the_product_only() {
        let text = "fn a() { std::thread::sleep(pause); }\n";
        assert_eq!(lines("crates/a/src/a.rs", text), NONE);
        assert_eq!(lines("crates/a/tests/a.rs", text), [1]);
    }

    #[test]
    fn unwrap_is_for_tests_only() {
        let text = "fn a() { b().unwrap(); }\n#[cfg(test)]\nmod tests { fn a() { b().unwrap(); } }\n";
        assert_eq!(lines("crates/a/src/a.rs", text), [1]);
    }

    #[test]
    fn open_ends_are_found() {
        assert_eq!(lines("crates/a/src/a.rs", &format!("// {}: later\nfn a() {{ {}!() }}\n", "TODO", "todo")), [2, 1]);
    }

    #[test]
    fn a_crate_says_what_it_is() {
        assert_eq!(lines("crates/a/src/lib.rs", "mod a;\n"), [1]);
        assert_eq!(lines("crates/a/src/lib.rs", "//! Says what it is.\nmod a;\n"), NONE);
    }

    #[test]
    fn unit_tests_do_not_use_testkit() {
        assert_eq!(lines("crates/model/src/a.rs", "use throughline_testkit::broker;\n"), [1]);
        assert_eq!(lines("crates/model/tests/a.rs", "use throughline_testkit::broker;\n"), NONE);
    }
}
