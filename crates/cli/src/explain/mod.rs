//! The embedded pages: every rejection reason, alert type, exit code and fault has a code, a cause, a check and a fix.

use std::borrow::Cow;

use throughline_service::ErrorCode;

/// All pages, in Markdown: a heading of code and name, then the text.
const PAGES: &str = include_str!("pages.md");

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `TL-R01`.
    pub code: Cow<'static, str>,
    /// The name in records, headers and metrics.
    pub name: &'static str,
    /// The text.
    pub body: Cow<'static, str>,
}

impl Page {
    /// Its first sentence.
    pub fn title(&self) -> &str {
        self.body.lines().next().unwrap_or_default()
    }
}

/// Every page: those of the file, then those of the HTTP interface, which keeps its own.
pub fn pages() -> impl Iterator<Item = Page> {
    let embedded = PAGES.split("\n## ").skip(1).map(|part| {
        let (heading, body) = part.split_once('\n').expect("a page has a text below its heading");
        let (code, name) = heading.split_once(' ').expect("a heading has a code and a name");
        Page { code: code.into(), name, body: body.trim().into() }
    });
    embedded.chain(ErrorCode::ALL.iter().map(|code| {
        let page = code.page();
        let (status, cause, check, fix) = (code.status(), page.cause, page.check, page.fix);
        let body = format!("HTTP status {status}.\n\n**Cause.** {cause}\n\n**Check.** {check}\n\n**Fix.** {fix}");
        Page { code: code.explain_code().into(), name: code.as_str(), body: body.into() }
    }))
}

/// The page of a code, or those of a name; case does not matter. A word may name a rejection and an HTTP error.
pub fn find(code: &str) -> Vec<Page> {
    pages().filter(|page| page.code.eq_ignore_ascii_case(code) || page.name.eq_ignore_ascii_case(code)).collect()
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

    fn one(code: &str) -> Page {
        match find(code).as_slice() {
            [page] => page.clone(),
            found => panic!("{code} has {} pages", found.len()),
        }
    }

    #[test]
    fn every_rejection_alert_and_exit_code_has_a_page() {
        for reason in RejectionReason::ALL {
            assert!(one(&reason.explain_code()).name == reason.as_str(), "{reason}");
        }
        for kind in AlertType::ALL {
            assert!(one(kind.as_str()).code.starts_with("TL-A"), "{kind}");
        }
        for exit in Exit::ALL {
            let page = one(&exit.explain_code());
            assert!(page.body.to_lowercase().starts_with(exit.meaning()), "{}: {}", page.code, page.body);
        }
    }

    #[test]
    fn every_page_says_cause_check_and_fix() {
        let mut codes = BTreeSet::new();
        for page in pages() {
            assert!(codes.insert(page.code.clone()), "{} is there twice", page.code);
            for part in ["**Cause.**", "**Check.**", "**Fix.**"] {
                assert!(page.body.contains(part), "{} has no {part}", page.code);
            }
        }
    }
}
