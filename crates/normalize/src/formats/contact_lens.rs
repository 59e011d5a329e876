//! Amazon Contact Lens: analyzed conversations and matched rules.
//!
//! | source | becomes | source id | time |
//! |---|---|---|---|
//! | analysis after the contact (`ConversationCharacteristics`) | `contact.analyzed` with the customer's overall sentiment (-5..5) and the matched categories as codes | `<contactId>/contact.analyzed` | the last `AbsoluteTime` of a chat; calls have none: received time |
//! | `Contact Lens ... Rules Matched`, real time and after the contact | `contact.analyzed` with the rule as a code and the intent its name tells | `<contactId>/contact.analyzed/<ruleName>` | `time` |
//! | analysis that failed (`JobStatus`, notice without a rule), real-time segments (`Segments`) | filtered | | |
//!
//! A contact may match several rules, and each is told on its own: one id for all would let one replace the others.
//!
//! | fact | from |
//! |---|---|
//! | sentiment | `Sentiment.OverallSentiment` of the participant with role `CUSTOMER`, or `DetailsByParticipantRole` (chat); e-mail has none; the agent's is never taken |
//! | duration | `TotalConversationDurationMillis` |
//! | text | the customer's lines, looked at only where there is no sentiment |
//! | intents | names with cancel, churn, terminate: `exit`; complain, escalate: `complaint`; praise, compliment: `praise` |
//! | call, owners | visit `<source>:call:<contactId>`; staff, team from `agentArn`, `queueArn` |

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use throughline_model::touchpoint::Evidence;
use throughline_model::{
    Channel, EvidenceKind, IdentifierType, Intent, OwnerKind, RefKind, Rejection, RejectionReason, TouchpointType,
    Trust, WithheldReason,
};

use super::amazon_connect::{channel_of, last_segment};
use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Int, Many, Maybe, Num, Obj, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct ContactLens;

/// Confidence of an intent read from a name the deployment gave (4.1: labels without a confidence of their own).
const LABEL_CONFIDENCE: f64 = 0.9;

impl Format for ContactLens {
    fn name(&self) -> &'static str {
        "contact_lens"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let title = shape.string("detail-type").unwrap_or_default();
        title.starts_with("Contact Lens")
            || shape.has_nested("detail", "ruleName") && shape.has_nested("detail", "contactArn")
            || shape.has("ruleName") && shape.has("contactArn")
            || shape.has("ConversationCharacteristics")
            || shape.has("Participants") && shape.has("Transcript")
            || shape.has("JobStatus") && shape.has("LanguageCode")
            || shape.has("ContactId")
                && !shape.has("InitiationTimestamp")
                && (shape.has("Segments") || shape.has("LanguageCode"))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut lens: Lens<'a> = json::from_str(payload.text)?;
        let rule = match lens.detail.0.take() {
            Some(detail) => Some(detail),
            None if lens.characteristics.0.is_none() => {
                Some(json::from_str::<Rule<'a>>(payload.text)?).filter(|rule| rule.rule_name.some().is_some())
            }
            None => None,
        };
        if let Some(rule) = rule {
            if rule.rule_name.some().is_none() {
                sink.withheld(WithheldReason::Filtered, Cow::Borrowed("analysis notice"));
                return Ok(());
            }
            let draft = rule_draft(payload, rule, lens.time)?;
            sink.touchpoint(draft);
        } else if lens.characteristics.0.is_none() {
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("analysis without a result"));
        } else if !matches!(&*lens.job_status, "" | "COMPLETED") {
            sink.withheld(WithheldReason::Filtered, lens.job_status.take());
        } else {
            sink.touchpoint(analysis_draft(payload, lens));
        }
        Ok(())
    }
}

fn rule_draft<'a>(payload: &Payload<'a>, rule: Rule<'a>, time: Time<'a>) -> Result<Draft<'a>, Rejection> {
    let contact = last_segment(&rule.contact_arn).to_owned();
    let contact = if contact.is_empty() { rule.contact_id.to_string() } else { contact };
    if contact.is_empty() {
        return Err(Rejection::field(RejectionReason::MissingField, "detail.contactArn", "a rule without its contact"));
    }
    let mut draft = draft(payload, &contact, &rule.rule_name, Channel::Phone);
    draft.time = time.0;
    draft.body.set_owner(OwnerKind::Staff, last_segment(&rule.agent_arn).to_owned());
    draft.body.set_owner(OwnerKind::Team, last_segment(&rule.queue_arn).to_owned());
    label(&mut draft, rule.rule_name);
    Ok(draft)
}

fn analysis_draft<'a>(payload: &Payload<'a>, lens: Lens<'a>) -> Draft<'a> {
    let channel = channel_of(&lens.channel).unwrap_or(Channel::Phone);
    let contact = lens.contact_id.or(lens.metadata.0.contact_id);
    let mut draft = draft(payload, &contact, "", channel);
    // Chats have no end of their own, but a time at every line.
    let last = lens.transcript.iter().rev().find(|line| !line.at.is_missing()).map(|line| line.at.clone());
    draft.time = lens.end.or(last.unwrap_or_default()).0;
    draft.body.language = lens.language.take();
    let characteristics = lens.characteristics.0.unwrap_or_default();
    draft.body.durations.handle_ms = characteristics.duration.0.filter(|duration| *duration >= 0);
    if let Some(score) = characteristics.sentiment.0.of_customer(&lens.participants) {
        draft.body.evidence.push(Evidence { min: -5.0, max: 5.0, ..Evidence::new(EvidenceKind::Sentiment, score) });
        draft.labeled = true;
    } else {
        let mut text = String::new();
        for Obj(line) in lens.transcript.iter().filter(|line| is_customer(&lens.participants, &line.participant)) {
            text.push_str(&line.content);
            text.push('\n');
        }
        draft.text = Cow::Owned(text);
    }
    for category in lens.categories.0.matched {
        label(&mut draft, category);
    }
    draft
}

fn draft<'a>(payload: &Payload<'a>, contact: &str, suffix: &str, channel: Channel) -> Draft<'a> {
    let kind = TouchpointType::ContactAnalyzed;
    let mut draft = Draft::new(kind, channel, payload.source);
    if !contact.is_empty() {
        let slash = if suffix.is_empty() { "" } else { "/" };
        draft.body.source_id = Cow::Owned(format!("{contact}/{kind}{slash}{suffix}"));
        draft.body.set_reference(RefKind::Conversation, contact.to_owned());
        let visit = format!("{}:call:{contact}", payload.source_name);
        draft.mention(IdentifierType::Visit, visit, Trust::Authenticated, "contactId");
    }
    draft
}

/// Takes the name of a rule or category as a code, and the intent it tells.
fn label<'a>(draft: &mut Draft<'a>, name: Str<'a>) {
    if name.some().is_none() {
        return;
    }
    if let Some(intent) = intent_of(&name)
        && !draft.body.intents.iter().any(|(known, _)| *known == intent)
    {
        draft.body.intents.push((intent, LABEL_CONFIDENCE));
    }
    draft.body.codes.push(name.take());
}

fn intent_of(name: &str) -> Option<Intent> {
    const WORDS: [(&str, Intent); 7] = [
        ("cancel", Intent::Exit),
        ("churn", Intent::Exit),
        ("terminat", Intent::Exit),
        ("complain", Intent::Complaint),
        ("escalat", Intent::Complaint),
        ("praise", Intent::Praise),
        ("compliment", Intent::Praise),
    ];
    let name = name.to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| name.contains(word)).map(|(_, intent)| *intent)
}

fn is_customer(participants: &[Obj<Participant<'_>>], id: &str) -> bool {
    id.eq_ignore_ascii_case("CUSTOMER")
        || participants.iter().any(|one| *one.id == *id && one.role.eq_ignore_ascii_case("CUSTOMER"))
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Lens<'a> {
    // The envelope of a matched rule.
    #[serde(borrow)]
    detail: Maybe<Rule<'a>>,
    #[serde(borrow)]
    time: Time<'a>,

    // An analysis.
    #[serde(borrow, rename = "JobStatus")]
    job_status: Str<'a>,
    #[serde(borrow, rename = "Channel")]
    channel: Str<'a>,
    #[serde(borrow, rename = "ContactId")]
    contact_id: Str<'a>,
    #[serde(borrow, rename = "CustomerMetadata")]
    metadata: Obj<Metadata<'a>>,
    #[serde(borrow, rename = "EndTimestamp", alias = "DisconnectTimestamp")]
    end: Time<'a>,
    #[serde(borrow, rename = "LanguageCode")]
    language: Str<'a>,
    #[serde(borrow, rename = "Participants")]
    participants: Many<Obj<Participant<'a>>>,
    #[serde(borrow, rename = "Categories")]
    categories: Obj<Categories<'a>>,
    #[serde(borrow, rename = "ConversationCharacteristics")]
    characteristics: Maybe<Characteristics<'a>>,
    #[serde(borrow, rename = "Transcript")]
    transcript: Many<Obj<Line<'a>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Rule<'a> {
    #[serde(borrow, alias = "RuleName")]
    rule_name: Str<'a>,
    #[serde(borrow, alias = "ContactArn")]
    contact_arn: Str<'a>,
    #[serde(borrow, alias = "ContactId")]
    contact_id: Str<'a>,
    #[serde(borrow, alias = "AgentArn")]
    agent_arn: Str<'a>,
    #[serde(borrow, alias = "QueueArn")]
    queue_arn: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow, rename = "ContactId")]
    contact_id: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Participant<'a> {
    #[serde(borrow, rename = "ParticipantId")]
    id: Str<'a>,
    #[serde(borrow, rename = "ParticipantRole")]
    role: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Categories<'a> {
    #[serde(borrow, rename = "MatchedCategories")]
    matched: Many<Str<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Characteristics<'a> {
    #[serde(rename = "TotalConversationDurationMillis", alias = "ContactDurationMillis")]
    duration: Int,
    #[serde(borrow, rename = "Sentiment")]
    sentiment: Obj<Sentiment<'a>>,
}

/// Calls write scores under the participant's id, chats under its role, one level deeper.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Sentiment<'a> {
    #[serde(borrow, rename = "OverallSentiment")]
    overall: Obj<BTreeMap<Cow<'a, str>, Score>>,
    #[serde(borrow, rename = "DetailsByParticipantRole")]
    by_role: Obj<BTreeMap<Cow<'a, str>, Num>>,
}

/// A number, or the map by role that chats put under `OverallSentiment`.
#[derive(Debug, Default)]
struct Score {
    own: Option<f64>,
    customer: Option<f64>,
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = Score;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a score")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Score, E> {
                Ok(Score { own: Some(number), customer: None })
            }
            fn visit_i64<E>(self, number: i64) -> Result<Score, E> {
                Ok(Score { own: Some(number as f64), customer: None })
            }
            fn visit_u64<E>(self, number: u64) -> Result<Score, E> {
                Ok(Score { own: Some(number as f64), customer: None })
            }
            fn visit_str<E>(self, text: &str) -> Result<Score, E> {
                Ok(Score { own: text.trim().parse().ok(), customer: None })
            }
            fn visit_bool<E>(self, _: bool) -> Result<Score, E> {
                Ok(Score::default())
            }
            fn visit_unit<E>(self) -> Result<Score, E> {
                Ok(Score::default())
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Score, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Score::default())
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Score, A::Error> {
                let mut score = Score::default();
                while let Some((role, Num(number))) = map.next_entry::<Str<'de>, Num>()? {
                    if role.eq_ignore_ascii_case("CUSTOMER") {
                        score.customer = number;
                    }
                }
                Ok(score)
            }
        }
        from.deserialize_any(Either)
    }
}

impl Sentiment<'_> {
    fn of_customer(&self, participants: &[Obj<Participant<'_>>]) -> Option<f64> {
        let by_id = self.overall.iter().find(|(id, _)| is_customer(participants, id)).and_then(|(_, score)| score.own);
        let nested = || self.overall.get("DetailsByParticipantRole").and_then(|score| score.customer);
        let by_role = || self.by_role.iter().find(|(role, _)| is_customer(&[], role)).and_then(|(_, score)| score.0);
        by_id.or_else(nested).or_else(by_role)
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow, rename = "ParticipantId")]
    participant: Str<'a>,
    #[serde(borrow, rename = "Content")]
    content: Str<'a>,
    #[serde(borrow, rename = "AbsoluteTime")]
    at: Time<'a>,
}
