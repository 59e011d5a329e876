//! VADER: sentiment of English text by a rated lexicon and rules for negation, degree, capitals and punctuation.
//!
//! C.J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
//! ICWSM-14; rules as in version 3.3.2 of the authors' program. Written anew because the crate of that name iterates over
//! randomly ordered tables, so that the same text could have two scores, and allocates once a character. Only the compound
//! score is computed. Emoji whose names carry no valence are left out of the table.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

const DEGREE: f64 = 0.293;
const CAPITALS: f64 = 0.733;
const NEGATION: f64 = -0.74;
const EXCLAMATION: f64 = 0.292;
const QUESTION: f64 = 0.18;
/// Approximate largest sum, by which the score is normalized.
const ALPHA: f64 = 15.0;

static LEXICON: LazyLock<FxHashMap<&'static str, f64>> = LazyLock::new(|| {
    let lines = include_str!("../../lexicon/vader.txt").lines();
    lines.filter_map(|line| line.split_once('\t')).filter_map(|(word, mean)| Some((word, mean.parse().ok()?))).collect()
});

static EMOJI: LazyLock<FxHashMap<char, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../../lexicon/emoji.txt").lines();
    lines
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(emoji, name)| Some((emoji.chars().next()?, name)))
        .collect()
});

const MORE: [&str; 60] = [
    "absolutely",
    "amazingly",
    "awfully",
    "completely",
    "considerable",
    "considerably",
    "decidedly",
    "deeply",
    "effing",
    "enormous",
    "enormously",
    "entirely",
    "especially",
    "exceptional",
    "exceptionally",
    "extreme",
    "extremely",
    "fabulously",
    "flipping",
    "flippin",
    "frackin",
    "fracking",
    "fricking",
    "frickin",
    "frigging",
    "friggin",
    "fully",
    "fuckin",
    "fucking",
    "fuggin",
    "fugging",
    "greatly",
    "hella",
    "highly",
    "hugely",
    "incredible",
    "incredibly",
    "intensely",
    "major",
    "majorly",
    "more",
    "most",
    "particularly",
    "purely",
    "quite",
    "really",
    "remarkably",
    "so",
    "substantially",
    "thoroughly",
    "total",
    "totally",
    "tremendous",
    "tremendously",
    "uber",
    "unbelievably",
    "unusually",
    "utter",
    "utterly",
    "very",
];
const LESS: [&str; 26] = [
    "almost",
    "barely",
    "hardly",
    "just enough",
    "kind of",
    "kinda",
    "kindof",
    "kind-of",
    "less",
    "little",
    "marginal",
    "marginally",
    "occasional",
    "occasionally",
    "partly",
    "scarce",
    "scarcely",
    "slight",
    "slightly",
    "somewhat",
    "sort of",
    "sorta",
    "sortof",
    "sort-of",
    "moderately",
    "minimally",
];
const NEGATIONS: [&str; 38] = [
    "aint", "arent", "cannot", "cant", "couldnt", "darent", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent",
    "isnt", "mightnt", "mustnt", "neither", "neednt", "never", "none", "nope", "nor", "not", "nothing", "nowhere",
    "oughtnt", "shant", "shouldnt", "uhuh", "wasnt", "werent", "uh-uh", "without", "wont", "wouldnt", "rarely",
    "seldom", "despite", "non",
];
const IDIOMS: [(&str, f64); 10] = [
    ("the shit", 3.0),
    ("the bomb", 3.0),
    ("bad ass", 1.5),
    ("badass", 1.5),
    ("bus stop", 0.0),
    ("yeah right", -2.0),
    ("kiss of death", -1.5),
    ("to die for", 3.0),
    ("beating heart", 3.1),
    ("broken heart", -2.9),
];

/// Degree of a booster, positive for more.
static BOOSTERS: LazyLock<FxHashMap<&'static str, f64>> =
    LazyLock::new(|| MORE.iter().map(|word| (*word, DEGREE)).chain(LESS.iter().map(|word| (*word, -DEGREE))).collect());

fn booster(word: &str) -> Option<f64> {
    BOOSTERS.get(word).copied()
}

fn negates(word: &str) -> bool {
    word.contains("n't") || NEGATIONS.contains(&word)
}

struct Word {
    lower: String,
    is_capital: bool,
}

/// Compound score of a text, -1..=1, rounded to 4 decimals; none if it has no word of the lexicon.
#[must_use]
pub fn compound(text: &str) -> Option<f64> {
    let words = words_of(text);
    let capitals = words.iter().filter(|word| word.is_capital).count();
    let stands_out = capitals > 0 && capitals < words.len();
    let mut valences: Vec<f64> = (0..words.len()).map(|at| valence(&words, at, stands_out)).collect();
    if !words.iter().any(|word| LEXICON.contains_key(word.lower.as_str())) {
        return None;
    }
    if let Some(but) = words.iter().position(|word| word.lower == "but") {
        for (at, valence) in valences.iter_mut().enumerate() {
            *valence *= match at.cmp(&but) {
                std::cmp::Ordering::Less => 0.5,
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Greater => 1.5,
            };
        }
    }
    let sum: f64 = valences.iter().sum();
    let emphasis = emphasis(text);
    let sum = if sum > 0.0 {
        sum + emphasis
    } else if sum < 0.0 {
        sum - emphasis
    } else {
        sum
    };
    let score = sum / (sum * sum + ALPHA).sqrt();
    Some((score.clamp(-1.0, 1.0) * 1e4).round() / 1e4)
}

fn words_of(text: &str) -> Vec<Word> {
    let mut plain = String::with_capacity(text.len() + 16);
    let mut after_space = true;
    for symbol in text.chars() {
        if !symbol.is_ascii()
            && let Some(name) = EMOJI.get(&symbol)
        {
            if !after_space {
                plain.push(' ');
            }
            plain.push_str(name);
            plain.push(' ');
            after_space = true;
        } else {
            plain.push(if symbol == '\u{2019}' { '\'' } else { symbol });
            after_space = symbol == ' ';
        }
    }
    plain
        .split_whitespace()
        .map(|word| {
            // Short leftovers are emoticons.
            let stripped = word.trim_matches(|c: char| c.is_ascii_punctuation());
            let word = if stripped.len() <= 2 { word } else { stripped };
            Word {
                lower: word.to_lowercase(),
                is_capital: word.chars().any(char::is_uppercase) && !word.chars().any(char::is_lowercase),
            }
        })
        .collect()
}

fn emphasis(text: &str) -> f64 {
    let count = |mark: u8| text.bytes().filter(|byte| *byte == mark).count();
    let exclamations = count(b'!').min(4) as f64 * EXCLAMATION;
    let questions = match count(b'?') {
        0 | 1 => 0.0,
        few @ 2..=3 => few as f64 * QUESTION,
        _ => 0.96,
    };
    exclamations + questions
}

fn valence(words: &[Word], at: usize, stands_out: bool) -> f64 {
    let word = words[at].lower.as_str();
    let before = |back: usize| at.checked_sub(back).map(|at| words[at].lower.as_str());
    let next = words.get(at + 1).map(|word| word.lower.as_str());
    if booster(word).is_some() || (word == "kind" && next == Some("of")) {
        return 0.0;
    }
    let Some(&rated) = LEXICON.get(word) else { return 0.0 };
    let mut valence = rated;
    if word == "no" && next.is_some_and(|next| LEXICON.contains_key(next)) {
        valence = 0.0;
    }
    if before(1) == Some("no")
        || before(2) == Some("no")
        || (before(3) == Some("no") && matches!(before(1), Some("or" | "nor")))
    {
        valence = rated * NEGATION;
    }
    if words[at].is_capital && stands_out {
        valence += if valence > 0.0 { CAPITALS } else { -CAPITALS };
    }
    for back in 1..=3 {
        let Some(other) = before(back).filter(|other| !LEXICON.contains_key(other)) else { continue };
        let scale = [1.0, 0.95, 0.9][back - 1];
        valence += degree(other, words[at - back].is_capital && stands_out, valence) * scale;
        valence = negated(valence, &before, back);
        if back == 3 {
            valence = idiom(valence, words, at);
        }
    }
    if before(1) == Some("least") && !matches!(before(2), Some("at" | "very")) {
        valence *= NEGATION;
    }
    valence
}

fn degree(word: &str, is_loud: bool, valence: f64) -> f64 {
    let Some(mut degree) = booster(word) else { return 0.0 };
    if valence < 0.0 {
        degree = -degree;
    }
    if is_loud {
        degree += if valence > 0.0 { CAPITALS } else { -CAPITALS };
    }
    degree
}

fn negated<'w>(valence: f64, before: &impl Fn(usize) -> Option<&'w str>, back: usize) -> f64 {
    let (one, two, three) = (before(1), before(2), before(3));
    let is_emphatic = |word: Option<&str>| matches!(word, Some("so" | "this"));
    let scale = match back {
        1 if one.is_some_and(negates) => NEGATION,
        2 if two == Some("never") && is_emphatic(one) => 1.25,
        2 if two == Some("without") && one == Some("doubt") => 1.0,
        2 if two.is_some_and(negates) => NEGATION,
        3 if (three == Some("never") && is_emphatic(two)) || is_emphatic(one) => 1.25,
        3 if three == Some("without") && (two == Some("doubt") || one == Some("doubt")) => 1.0,
        3 if three.is_some_and(negates) => NEGATION,
        _ => 1.0,
    };
    valence * scale
}

fn idiom(mut valence: f64, words: &[Word], at: usize) -> f64 {
    let gram = |from: usize, to: usize| {
        let words: Vec<&str> = words[from..=to].iter().map(|word| word.lower.as_str()).collect();
        words.join(" ")
    };
    let rated = |gram: &str| IDIOMS.iter().find(|(idiom, _)| *idiom == gram).map(|(_, valence)| *valence);
    let back = [(at - 1, at), (at - 2, at), (at - 2, at - 1), (at - 3, at - 1), (at - 3, at - 2)];
    if let Some(special) = back.iter().find_map(|(from, to)| rated(&gram(*from, *to))) {
        valence = special;
    }
    for end in [at + 1, at + 2] {
        if end < words.len()
            && let Some(special) = rated(&gram(at, end))
        {
            valence = special;
        }
    }
    for (from, to) in [(at - 3, at - 1), (at - 3, at - 2), (at - 2, at - 1)] {
        valence += booster(&gram(from, to)).unwrap_or(0.0);
    }
    valence
}

#[cfg(test)]
mod tests {
    use super::*;

    // Scores printed by the authors' program for its own examples.
    #[test]
    fn scores_are_those_of_the_authors() {
        for (text, score) in [
            ("VADER is smart, handsome, and funny.", 0.8316),
            ("VADER is smart, handsome, and funny!", 0.8439),
            ("VADER is very smart, handsome, and funny.", 0.8545),
            ("VADER is VERY SMART, handsome, and FUNNY.", 0.9227),
            ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
            ("VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!", 0.9469),
            ("VADER is not smart, handsome, nor funny.", -0.7424),
            ("The book was good.", 0.4404),
            ("At least it isn't a horrible book.", 0.431),
            ("The book was only kind of good.", 0.3832),
            ("The plot was good, but the characters are uncompelling and the dialog is not great.", -0.7042),
            ("Today SUX!", -0.5461),
            ("Today only kinda sux! But I'll get by, lol", 0.5249),
            ("Make sure you :) or :D today!", 0.8633),
            ("Not bad at all", 0.431),
        ] {
            assert_eq!(compound(text), Some(score), "{text}");
        }
        assert_eq!(compound("the a of"), None);
        assert_eq!(compound(""), None);
    }

    #[test]
    fn the_table_is_whole() {
        assert!(LEXICON.len() > 7_400 && EMOJI.len() > 100);
    }
}
