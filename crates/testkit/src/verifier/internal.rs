//! The topics between and beside the stages: frames of the inbox, dead letters.

use std::collections::BTreeSet;

use super::input::Input;
use super::{Captured, Fault, Verdict};

const INBOX: &str = "throughline.experience.inbox";
const DEAD_LETTERS: &str = "experience.dead-letters";

/// Kinds in a frame: a touchpoint, and what several entries have in common.
const TOUCHPOINT: u8 = 0;
const CONTEXT: u8 = 0x7f;

/// Every accepted record is one touchpoint of the inbox. A second one would be recognized as a duplicate by the next stage and
/// show nowhere else; it has the same bytes, since an entry names the record it comes from.
pub(super) fn entries(inbox: &[Captured], input: &Input, verdict: &mut Verdict) {
    let mut seen = BTreeSet::new();
    for frame in inbox {
        let Some(entries) = frame.value.as_deref().and_then(split) else {
            verdict.add(Fault::Wrong, INBOX, format!("{} is no frame", frame.place()));
            continue;
        };
        for (context, entry) in entries {
            verdict.counts.entries += 1;
            if !seen.insert((context.to_vec(), entry.to_vec())) {
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

/// The touchpoints of a frame, each with what it has in common with others: a version byte, then for each entry its kind, the
/// number of its context, its length, and its bytes; a context has no number of its own.
fn split(frame: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let (1, mut rest) = frame.split_first().map(|(version, rest)| (*version, rest))? else { return None };
    let (mut contexts, mut touchpoints): (Vec<&[u8]>, _) = (vec![&[]], Vec::new());
    while let Some((kind, tail)) = rest.split_first() {
        rest = tail;
        if *kind == CONTEXT {
            contexts.push(sized(&mut rest)?);
            continue;
        }
        let context = *contexts.get(number(&mut rest)?)?;
        let entry = sized(&mut rest)?;
        if *kind == TOUCHPOINT {
            touchpoints.push((context, entry));
        }
    }
    Some(touchpoints)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

/// A number in groups of seven bits, the lowest first.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
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
