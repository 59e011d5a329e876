//! Evidence of the customer's own words, where the source has no labels of its own.
//!
//! Sentiment by [`vader`] of text that is English; labels by [`phrases`] of every language that has a list. The text itself
//! goes no further.

pub mod phrases;
pub mod vader;

use std::borrow::Cow;

use throughline_model::touchpoint::{Body, Evidence, Need, Text};
use throughline_model::{Direction, EvidenceKind, Intent, ResultReason};
use whatlang::{Detector, Lang};

use self::phrases::{Label, Phrases};
use crate::normalizer::NormalizeCounts;

/// How much of a text is looked at, bytes.
pub const LOOKED_AT_MAX: usize = 8 << 10;
/// How much of it tells the language, bytes.
const DETECTED_MAX: usize = 1 << 10;
/// Confidence of a label found in text.
const CONFIDENCE: f64 = 0.7;

/// Lists shipped with the product.
const SHIPPED: [&str; 4] = [
    include_str!("../../lexicon/en.toml"),
    include_str!("../../lexicon/de.toml"),
    include_str!("../../lexicon/es.toml"),
    include_str!("../../lexicon/fr.toml"),
];

/// Languages told apart: those with a list, and their neighbors, which would else be taken for one of them.
const TOLD_APART: [Lang; 10] =
    [Lang::Eng, Lang::Deu, Lang::Spa, Lang::Fra, Lang::Ita, Lang::Por, Lang::Nld, Lang::Swe, Lang::Dan, Lang::Pol];

/// Takes evidence from text.
#[derive(Debug)]
pub struct TextReader {
    detector: Detector,
    /// Lower case, each as its words.
    brand_names: Vec<Vec<String>>,
    phrases: Vec<Phrases>,
}

impl TextReader {
    /// A reader that ignores these brand names.
    #[must_use]
    pub fn new(brand_names: &[String]) -> Self {
        let phrases = SHIPPED.iter().map(|text| Phrases::parse(text).expect("shipped lexicons are tested"));
        let words = |name: &String| name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
        Self {
            detector: Detector::with_allowlist(TOLD_APART.to_vec()),
            brand_names: brand_names.iter().map(words).filter(|name| !name.is_empty()).collect(),
            phrases: phrases.collect(),
        }
    }

    /// Adds what the text says to a body: sentiment, intents, urgent tags, missing knowledge, language.
    ///
    /// Only inbound text is the customer's.
    pub fn read(&self, text: &str, body: &mut Body<'_>, counts: &mut NormalizeCounts) {
        if body.direction != Direction::Inbound {
            return;
        }
        let text = self.clean(head(text, LOOKED_AT_MAX));
        if text.trim().is_empty() {
            return;
        }
        let language = self.language(&text, body);
        if language == "en" {
            if let Some(score) = vader::compound(&text) {
                body.evidence.push(Evidence::new(EvidenceKind::Sentiment, score));
            }
        } else {
            counts.text_unscored += 1;
        }
        if let Some(phrases) = self.phrases.iter().find(|phrases| phrases.language == language) {
            for label in phrases.labels(&text) {
                apply(label, body);
            }
        }
    }

    /// The source's word for the language wins; a detected one is published only if it is sure.
    fn language(&self, text: &str, body: &mut Body<'_>) -> Cow<'static, str> {
        if let Some(named) =
            body.language.get(..2).filter(|_| body.language.as_bytes().get(2).is_none_or(|b| *b == b'-' || *b == b'_'))
        {
            return Cow::Owned(named.to_ascii_lowercase());
        }
        let Some(found) = self.detector.detect(head(text, DETECTED_MAX)) else { return Cow::Borrowed("") };
        let code = match found.lang() {
            Lang::Eng => "en",
            Lang::Deu => "de",
            Lang::Spa => "es",
            Lang::Fra => "fr",
            Lang::Ita => "it",
            Lang::Por => "pt",
            Lang::Nld => "nl",
            Lang::Swe => "sv",
            Lang::Dan => "da",
            Lang::Pol => "pl",
            _ => "",
        };
        if found.is_reliable() && body.language.is_empty() {
            body.language = Text::Borrowed(code);
        }
        Cow::Borrowed(code)
    }

    /// The text without handles, addresses and brand names.
    fn clean(&self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut clean = String::with_capacity(text.len());
        let mut at = 0;
        while at < words.len() {
            let word = words[at];
            let is_address = word.contains('@') || word.contains("://") || word.starts_with("www.");
            let brand = self.brand_at(&words[at..]);
            at += brand.max(1);
            if brand == 0 && !is_address {
                clean.push_str(word);
                clean.push(' ');
            }
        }
        clean
    }

    /// How many words of the start are a brand name.
    fn brand_at(&self, words: &[&str]) -> usize {
        let same = |word: &str, name: &str| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("\u{2019}s")).unwrap_or(bare);
            bare.eq_ignore_ascii_case(name) || bare.to_lowercase() == name
        };
        let is_here = |name: &&Vec<String>| {
            name.len() <= words.len() && name.iter().zip(words).all(|(name, word)| same(word, name))
        };
        self.brand_names.iter().filter(is_here).map(Vec::len).max().unwrap_or(0)
    }
}

fn apply(label: Label, body: &mut Body<'_>) {
    let mut tag = |name: &'static str| {
        let need = body.need.get_or_insert_with(|| Box::new(Need::default()));
        if !need.tags.iter().any(|(tag, _)| tag == name) {
            need.tags.push((Text::Borrowed(name), CONFIDENCE));
        }
    };
    match label {
        Label::Medical => tag("medical"),
        Label::Safety => tag("safety"),
        Label::Stranded => tag("stranded"),
        Label::Food => tag("food"),
        Label::Knowledge => {
            body.result.reason.get_or_insert(ResultReason::Knowledge);
        }
        Label::Exit | Label::Recommend => {
            let intent = if label == Label::Exit { Intent::Exit } else { Intent::Recommend };
            if !body.intents.iter().any(|(other, _)| *other == intent) {
                body.intents.push((intent, CONFIDENCE));
            }
        }
    }
}

/// At most that many bytes of a text, cut between characters.
fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use throughline_model::{Channel, SourceKind, TouchpointType};

    fn read(text: &str) -> (Body<'static>, NormalizeCounts) {
        let mut body = Body::new(TouchpointType::MessageReceived, Channel::Social, SourceKind::Social);
        let mut counts = NormalizeCounts::default();
        TextReader::new(&["Lovely Beds".to_owned()]).read(text, &mut body, &mut counts);
        (body, counts)
    }

    fn intents(text: &str) -> Vec<Intent> {
        read(text).0.intents.iter().map(|(intent, _)| *intent).collect()
    }

    #[test]
    fn english_text_is_scored() {
        let (body, counts) = read("The room was terrible and nobody helped us, what an awful night.");
        assert!(body.evidence[0].score < -0.5 && counts.text_unscored == 0);
        assert_eq!(body.language, "en");
    }

    #[test]
    fn other_languages_are_counted_and_keep_their_labels() {
        let (body, counts) = read("Ich bin sehr unzufrieden und möchte meinen Vertrag kündigen, und zwar sofort.");
        assert!(body.evidence.is_empty() && counts.text_unscored == 1);
        assert_eq!(body.intents.as_slice(), [(Intent::Exit, 0.7)]);
        let (body, counts) = read("これは本当にひどいサービスです");
        assert!(body.evidence.is_empty() && body.intents.is_empty() && counts.text_unscored == 1);
    }

    #[test]
    fn negation_turns_a_phrase_off() {
        assert_eq!(intents("I want to cancel my account today because of this"), [Intent::Exit]);
        assert_eq!(intents("I do not want to cancel my account, thank you very much"), []);
        assert_eq!(intents("I would recommend this to everyone I know"), [Intent::Recommend]);
        assert_eq!(intents("I would never recommend this to anyone I know"), []);
    }

    #[test]
    fn negation_stands_where_the_language_puts_it() {
        assert_eq!(intents("Dieses Hotel kann ich wirklich jedem empfehlen, es war sehr schön."), [Intent::Recommend]);
        assert_eq!(intents("Ich empfehle dieses Hotel wirklich nicht, es war sehr schmutzig."), []);
        assert_eq!(intents("Je ne recommande pas cet hôtel, la chambre était très sale."), []);
        assert_eq!(intents("C'est fini, je ne reviendrai plus jamais dans cet hôtel de malheur."), [Intent::Exit]);
    }

    #[test]
    fn urgent_needs_and_missing_knowledge() {
        let (body, _) = read("We are stranded at the airport and nobody could tell me when the next bus goes");
        assert_eq!(body.need.expect("need").tags[0].0, "stranded");
        assert_eq!(body.result.reason, Some(ResultReason::Knowledge));
    }

    #[test]
    fn names_and_addresses_praise_nobody() {
        let (body, _) =
            read("I slept at Lovely Beds and asked @happyhelp on https://great.test/love about the room there");
        assert!(body.evidence.is_empty(), "{:?}", body.evidence);
    }

    #[test]
    fn outbound_text_is_not_the_customers() {
        let mut body = Body::new(TouchpointType::ResponseSent, Channel::Social, SourceKind::Social);
        let mut counts = NormalizeCounts::default();
        TextReader::new(&[]).read("This is terrible, we are so sorry", &mut body, &mut counts);
        assert!(body.evidence.is_empty() && counts == NormalizeCounts::default());
    }
}
