//! The embedded pages: every rejection reason, alert type, exit code and fault has a code, a cause, a check and a fix.

/// All pages, in Markdown: a heading of code and name, then the text.
const PAGES: &str = include_str!("pages.md");

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// `TL-R01`.
    pub code: &'static str,
    /// The name in records, headers and metrics.
    pub name: &'static str,
    /// The text.
    pub body: &'static str,
}

impl Page {
    /// Its first sentence.
    pub fn title(&self) -> &'static str {
        self.body.lines().next().unwrap_or_default()
    }
}

/// Every page.
pub fn pages() -> impl Iterator<Item = Page> {
    PAGES.split("\n## ").skip(1).map(|part| {
        let (heading, body) = part.split_once('\n').expect("a page has a text below its heading");
        let (code, name) = heading.split_once(' ').expect("a heading has a code and a name");
        Page { code, name, body: body.trim() }
    })
}

/// The page of a code or a name; case does not matter.
pub fn find(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code) || page.name.eq_ignore_ascii_case(code))
}

/// The name that was probably meant.
pub fn nearest(code: &str) -> Option<&'static str> {
    let code = code.to_ascii_lowercase();
    pages().map(|page| page.name).find(|name| name.contains(&code) || code.contains(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use throughline_config::vocabulary::RejectionReason;
    use throughline_config::vocabulary::alert::AlertType;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn every_rejection_alert_and_exit_code_has_a_page() {
        for reason in RejectionReason::ALL {
            assert_eq!(find(&reason.explain_code()).map(|page| page.name), Some(reason.as_str()));
        }
        for kind in AlertType::ALL {
            assert!(find(kind.as_str()).is_some_and(|page| page.code.starts_with("TL-A")), "{kind}");
        }
        for exit in Exit::ALL {
            let page = find(&exit.explain_code()).unwrap_or_else(|| panic!("{exit:?} has no page"));
            assert!(page.body.to_lowercase().starts_with(exit.meaning()), "{}: {}", page.code, page.body);
        }
    }

    #[test]
    fn every_page_says_cause_check_and_fix() {
        let mut codes = BTreeSet::new();
        for page in pages() {
            assert!(codes.insert(page.code), "{} is there twice", page.code);
            for part in ["**Cause.**", "**Check.**", "**Fix.**"] {
                assert!(page.body.contains(part), "{} has no {part}", page.code);
            }
        }
    }
}
