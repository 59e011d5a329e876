//! Phrase lists of one language: intents, urgent needs and missing knowledge, with negation.

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Means to leave.
    Exit,
    /// Recommends.
    Recommend,
    /// Needs a physician.
    Medical,
    /// In danger.
    Safety,
    /// Cannot get home.
    Stranded,
    /// Has nothing to eat.
    Food,
    /// Nobody knew.
    Knowledge,
}

/// Words between a negation and the phrase behind it.
const REACH: usize = 3;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: String,
    negations: Vec<String>,
    /// Words between a phrase and a negation behind it, as German and French place it.
    reach_behind: usize,
    exit: Vec<String>,
    recommend: Vec<String>,
    medical: Vec<String>,
    safety: Vec<String>,
    stranded: Vec<String>,
    food: Vec<String>,
    knowledge: Vec<String>,
}

/// The lists of one language, by the first word of each phrase.
#[derive(Debug)]
pub struct Phrases {
    /// ISO 639-1.
    pub language: String,
    negations: Vec<String>,
    reach_behind: usize,
    by_first: FxHashMap<String, Vec<Phrase>>,
}

#[derive(Debug)]
struct Phrase {
    /// Words after the first.
    rest: Vec<String>,
    label: Label,
    /// "Nothing to eat" has its negation in itself; another one near it does not turn it off.
    is_negative: bool,
}

impl Phrases {
    /// Reads a lexicon file.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let negations: Vec<String> = file.negations.iter().map(|word| word.to_lowercase()).collect();
        let mut by_first: FxHashMap<String, Vec<Phrase>> = FxHashMap::default();
        for (label, list) in [
            (Label::Exit, file.exit),
            (Label::Recommend, file.recommend),
            (Label::Medical, file.medical),
            (Label::Safety, file.safety),
            (Label::Stranded, file.stranded),
            (Label::Food, file.food),
            (Label::Knowledge, file.knowledge),
        ] {
            for phrase in list {
                let mut words = tokens(&phrase).into_iter().map(|token| token.word);
                let Some(first) = words.next() else { return Err("an empty phrase".to_owned()) };
                let rest: Vec<String> = words.collect();
                let is_negative = std::iter::once(&first).chain(&rest).any(|word| negates(&negations, word));
                by_first.entry(first).or_default().push(Phrase { rest, label, is_negative });
            }
        }
        Ok(Self { language: file.language, negations, reach_behind: file.reach_behind, by_first })
    }

    /// Labels of a text, each once, in the order they are found.
    #[must_use]
    pub fn labels(&self, text: &str) -> Vec<Label> {
        let tokens = tokens(text);
        let mut labels = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let Some(phrases) = self.by_first.get(&token.word) else { continue };
            for phrase in phrases {
                let end = at + phrase.rest.len();
                let is_here = end < tokens.len()
                    && phrase.rest.iter().zip(&tokens[at + 1..]).all(|(word, token)| *word == token.word)
                    && tokens[at..end].iter().all(|token| !token.ends_clause);
                let is_off = || !phrase.is_negative && self.is_negated(&tokens, at, end);
                if is_here && !labels.contains(&phrase.label) && !is_off() {
                    labels.push(phrase.label);
                }
            }
        }
        labels
    }

    /// Whether a negation reaches the phrase from `at` to `end` inside its clause.
    fn is_negated(&self, tokens: &[Token], at: usize, end: usize) -> bool {
        let before = tokens[at.saturating_sub(REACH)..at].iter().rev().take_while(|token| !token.ends_clause);
        let is_closed = tokens[end].ends_clause;
        let behind = tokens[end + 1..].iter().take(if is_closed { 0 } else { self.reach_behind });
        before.map(|token| &token.word).any(|word| negates(&self.negations, word))
            || until_end_of_clause(behind).any(|word| negates(&self.negations, word))
    }
}

/// Words up to and with the one that ends the clause.
fn until_end_of_clause<'t>(tokens: impl Iterator<Item = &'t Token>) -> impl Iterator<Item = &'t str> {
    tokens.scan(false, |ended, token| {
        let word = (!*ended).then_some(token.word.as_str());
        *ended = token.ends_clause;
        word
    })
}

fn negates(negations: &[String], word: &str) -> bool {
    word.ends_with("n't") || negations.iter().any(|negation| negation == word)
}

struct Token {
    word: String,
    /// A mark behind the word ends the clause, and with it the reach of a negation.
    ends_clause: bool,
}

fn tokens(text: &str) -> Vec<Token> {
    text.split(|c: char| c.is_whitespace() || c == '/')
        .filter_map(|word| {
            let trimmed = word.trim_matches(|c: char| !c.is_alphanumeric());
            let ends_clause = word.ends_with([',', '.', ';', ':', '!', '?', ')', '\u{2026}', '\u{3002}']);
            (!trimmed.is_empty()).then(|| Token { word: trimmed.to_lowercase().replace('\u{2019}', "'"), ends_clause })
        })
        .collect()
}
