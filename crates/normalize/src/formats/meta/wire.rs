//! What Meta sends, as far as it is read.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::touchpoint::Evidence;
use throughline_model::{EvidenceKind, IdentifierType, Trust};

use crate::draft::Draft;
use crate::json::{Flag, Many, Maybe, Num, Obj, Str, Time};

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub object: Str<'a>,
    #[serde(borrow)]
    pub entry: List<'a>,
}

/// The entries, if the member is there at all.
#[derive(Debug, Default)]
pub(super) struct List<'a>(pub Option<Vec<Obj<Entry<'a>>>>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Many::deserialize(from).map(|list| Self(Some(list.0)))
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Entry<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow)]
    pub time: Time<'a>,
    #[serde(borrow)]
    pub changes: Many<Obj<Change<'a>>>,
    #[serde(borrow)]
    pub messaging: Many<Obj<Messaging<'a>>>,
    #[serde(borrow)]
    pub standby: Many<Obj<Messaging<'a>>>,
}

/// The shape of `value` depends on `field`, which may come after it, so it is read once the field is known.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub field: Str<'a>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Value<'a> {
    #[serde(borrow)]
    pub item: Str<'a>,
    #[serde(borrow)]
    pub verb: Str<'a>,
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow)]
    pub comment_id: Str<'a>,
    #[serde(borrow)]
    pub post_id: Str<'a>,
    #[serde(borrow)]
    pub parent_id: Str<'a>,
    #[serde(borrow)]
    pub photo_id: Str<'a>,
    #[serde(borrow)]
    pub video_id: Str<'a>,
    #[serde(borrow)]
    pub share_id: Str<'a>,
    #[serde(borrow)]
    pub album_id: Str<'a>,
    #[serde(borrow)]
    pub from: Obj<Node<'a>>,
    #[serde(borrow)]
    pub sender_id: Str<'a>,
    #[serde(borrow)]
    pub user_id: Str<'a>,
    #[serde(borrow)]
    pub reviewer_id: Str<'a>,
    #[serde(borrow)]
    pub message: Str<'a>,
    #[serde(borrow)]
    pub text: Str<'a>,
    #[serde(borrow)]
    pub review_text: Str<'a>,
    pub rating: Num,
    #[serde(borrow)]
    pub created_time: Time<'a>,
    pub published: Flag,
    pub is_hidden: Flag,
    #[serde(borrow)]
    pub media: Obj<Node<'a>>,
    #[serde(borrow)]
    pub post: Obj<Node<'a>>,
}

impl<'a> Value<'a> {
    pub fn author(&self) -> &Str<'a> {
        [&self.from.id, &self.sender_id, &self.user_id, &self.reviewer_id]
            .into_iter()
            .find(|id| id.some().is_some())
            .unwrap_or(&self.from.0.id)
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Node<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow)]
    pub permalink_url: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Messaging<'a> {
    #[serde(borrow)]
    pub sender: Obj<Node<'a>>,
    #[serde(borrow)]
    pub recipient: Obj<Node<'a>>,
    #[serde(borrow)]
    pub timestamp: Time<'a>,
    #[serde(borrow)]
    pub message: Maybe<Message<'a>>,
    #[serde(borrow)]
    pub message_edit: Maybe<Message<'a>>,
    #[serde(borrow)]
    pub postback: Maybe<Postback<'a>>,
    #[serde(borrow)]
    pub reaction: Maybe<Reaction<'a>>,
    pub delivery: Present,
    pub read: Present,
    pub optin: Present,
    pub referral: Present,
    pub account_linking: Present,
    pub pass_thread_control: Present,
    pub take_thread_control: Present,
    pub request_thread_control: Present,
    pub app_roles: Present,
    #[serde(alias = "policy-enforcement")]
    pub policy_enforcement: Present,
    pub game_play: Present,
    pub payment: Present,
    pub pre_checkout: Present,
    pub checkout_update: Present,
    pub typing: Present,
    pub identity: Present,
}

impl Messaging<'_> {
    /// Name of the notice this is, if it is one of those that tell nothing about the customer's experience.
    pub fn notice(&self) -> Option<&'static str> {
        [
            (self.delivery, "delivery"),
            (self.read, "read"),
            (self.optin, "optin"),
            (self.referral, "referral"),
            (self.account_linking, "account_linking"),
            (self.pass_thread_control, "pass_thread_control"),
            (self.take_thread_control, "take_thread_control"),
            (self.request_thread_control, "request_thread_control"),
            (self.app_roles, "app_roles"),
            (self.policy_enforcement, "policy_enforcement"),
            (self.game_play, "game_play"),
            (self.payment, "payment"),
            (self.pre_checkout, "pre_checkout"),
            (self.checkout_update, "checkout_update"),
            (self.typing, "typing"),
            (self.identity, "identity"),
        ]
        .into_iter()
        .find_map(|(present, name)| present.0.then_some(name))
    }
}

/// Whether a member is there, whatever it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self(true))
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub mid: Str<'a>,
    #[serde(borrow)]
    pub text: Str<'a>,
    pub is_echo: Flag,
    pub is_deleted: Flag,
    #[serde(borrow)]
    pub reply_to: Obj<ReplyTo<'a>>,
    #[serde(borrow)]
    pub nlp: Obj<Nlp<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct ReplyTo<'a> {
    #[serde(borrow)]
    pub mid: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Postback<'a> {
    #[serde(borrow)]
    pub mid: Str<'a>,
    #[serde(borrow)]
    pub title: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Reaction<'a> {
    #[serde(borrow)]
    pub mid: Str<'a>,
    #[serde(borrow)]
    pub action: Str<'a>,
}

/// Labels of built-in NLP: `entities` of all versions, `traits` of the newer ones.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Nlp<'a> {
    #[serde(borrow)]
    pub entities: Obj<Labels<'a>>,
    #[serde(borrow)]
    pub traits: Obj<Labels<'a>>,
    #[serde(borrow)]
    pub detected_locales: Many<Obj<Label<'a>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Labels<'a> {
    #[serde(borrow, alias = "wit$sentiment")]
    pub sentiment: Many<Obj<Label<'a>>>,
    #[serde(borrow, alias = "wit$email:email")]
    pub email: Many<Obj<Label<'a>>>,
    #[serde(borrow, alias = "wit$phone_number:phone_number")]
    pub phone_number: Many<Obj<Label<'a>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Label<'a> {
    #[serde(borrow)]
    pub value: Str<'a>,
    pub confidence: Num,
    #[serde(borrow)]
    pub locale: Str<'a>,
}

impl Label<'_> {
    fn confidence(&self) -> f64 {
        self.confidence.0.filter(|it| it.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0)
    }
}

impl<'a> Nlp<'a> {
    pub fn label(self, draft: &mut Draft<'a>) {
        let Obj(entities) = self.entities;
        let Obj(traits) = self.traits;
        let strongest = entities
            .sentiment
            .iter()
            .chain(traits.sentiment.iter())
            .max_by(|one, other| one.confidence().total_cmp(&other.confidence()));
        if let Some(label) = strongest {
            let sign = match &*label.value {
                "positive" => Some(1.0),
                "neutral" => Some(0.0),
                "negative" => Some(-1.0),
                _ => None,
            };
            if let Some(sign) = sign {
                draft.body.evidence.push(Evidence::new(EvidenceKind::Sentiment, sign * label.confidence()));
                draft.labeled = true;
            }
        }
        for Obj(label) in entities.email {
            draft.mention(IdentifierType::Email, label.value, Trust::Asserted, "nlp.email");
        }
        for Obj(label) in entities.phone_number {
            draft.mention(IdentifierType::Phone, label.value, Trust::Asserted, "nlp.phone_number");
        }
        if let Some(Obj(locale)) = self.detected_locales.into_iter().next() {
            // `en_XX` says the language alone.
            let code = locale.locale.split('_').next().unwrap_or_default();
            draft.body.language = Cow::Owned(code.to_owned());
        }
    }
}
