//! The topics between and beside the stages: frames of the inbox, dead letters.

use std::collections::BTreeSet;

use super::input::Input;
use super::{Captured, Fault, Verdict};

const INBOX: &str = "throughline.experience.inbox";
const DEAD_LETTERS: &str = "experience.dead-letters";

/// Code of a touchpoint in a frame.
const TOUCHPOINT: u8 = 0;

/// Every accepted record is one touchpoint of the inbox. A second one would be recognized as a duplicate by the next stage and
/// show nowhere else; it has the same bytes, since an entry names the record it comes from.
pub(super) fn entries(inbox: &[Captured], input: &Input, verdict: &mut Verdict) {
    let mut seen = BTreeSet::new();
    for frame in inbox {
        let Some(entries) = frame.value.as_deref().and_then(split) else {
            verdict.add(Fault::Wrong, INBOX, format!("{} is no frame", frame.place()));
            continue;
        };
        for entry in entries {
            verdict.counts.entries += 1;
            if !seen.insert(entry.to_vec()) {
                verdict.add(Fault::Doubled, INBOX, format!("{} has a touchpoint again", frame.place()));
            }
        }
    }
    match input.accepted.checked_sub(seen.len()) {
        Some(0) => {}
        Some(missing) => verdict.add(Fault::Missing, INBOX, format!("{missing} touchpoints")),
        None => verdict.add(Fault::Invented, INBOX, format!("{} touchpoints", seen.len() - input.accepted)),
    }
}

/// The touchpoints of a frame: a version byte, then kind, length in groups of seven bits, and bytes of each entry.
fn split(frame: &[u8]) -> Option<Vec<&[u8]>> {
    let (1, mut rest) = frame.split_first().map(|(version, rest)| (*version, rest))? else { return None };
    let mut touchpoints = Vec::new();
    while let Some((kind, mut tail)) = rest.split_first() {
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let (byte, after) = tail.split_first()?;
            tail = after;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (entry, after) = tail.split_at_checked(length)?;
        rest = after;
        if *kind == TOUCHPOINT {
            touchpoints.push(entry);
        }
    }
    Some(touchpoints)
}

/// Every record that is no touchpoint is one dead letter with its own bytes, and nothing else is.
pub(super) fn dead_letters(letters: &[Captured], input: &Input, verdict: &mut Verdict) {
    let mut seen = BTreeSet::new();
    for letter in letters {
        let number = |name| letter.header(name).parse::<i64>().unwrap_or(-1);
        let origin = (number("__connect.errors.partition") as i32, number("__connect.errors.offset"));
        match input.rejected.get(&origin) {
            None => {
                let text = format!("{} comes from {origin:?}: {}", letter.place(), letter.header("throughline_reason"));
                verdict.add(Fault::Invented, DEAD_LETTERS, text);
            }
            Some(_) if !seen.insert(origin) => {
                verdict.add(Fault::Doubled, DEAD_LETTERS, format!("{} of {origin:?}", letter.place()));
            }
            Some(bytes) if *bytes != letter.value => {
                verdict.add(Fault::Wrong, DEAD_LETTERS, format!("{} has other bytes than {origin:?}", letter.place()));
            }
            Some(_) => {}
        }
    }
    for origin in input.rejected.keys().filter(|origin| !seen.contains(origin)) {
        verdict.add(Fault::Missing, DEAD_LETTERS, format!("the letter of {origin:?}"));
    }
}
