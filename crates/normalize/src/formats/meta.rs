//! Meta webhooks: Pages (feed), Instagram (comments, direct messages), Messenger.
//!
//! A record is `{object, entry[]}`; its entries are all `changes[]`, then all `messaging[]` (and `standby[]`, the copies an
//! application gets of a conversation another one leads) of each `entry`.
//!
//! | source | becomes | source id |
//! |---|---|---|
//! | `feed`: `item` comment; Instagram `comments`, `live_comments` | `message.received` | `comment_id`, `id` |
//! | `feed`: `item` post, status, photo, video, share, album, link, note by others | `post.published` | `post_id`, else photo, video, share, album id |
//! | the same by the page itself (author = `entry.id`) | `response.sent` under a customer's post or comment, else `message.sent` | the same |
//! | `feed`: `item` like, reaction | `reaction.changed`; the page's own: filtered | `<post>/<comment>/<author>` |
//! | `feed`: verbs hide, unhide, block, unblock, mute, ... | filtered | |
//! | `message`, `message_edit` | `message.received`; echo: `response.sent` | `mid` |
//! | `postback` | `message.received`, mode bot | `mid` |
//! | `reaction` of a message | `reaction.changed` | `<mid>//<author>` |
//! | delivery, read, thread control, opt-in, referral, account linking and other notices | filtered | |
//! | other `field`, other `item`, other kind of `messaging` | by the deployment's map, else unmapped | |
//!
//! | fact | from |
//! |---|---|
//! | verb | `add`: add; `edit`, `edited`: update; `remove`, `is_deleted`, `unreact`: remove |
//! | event time | `created_time` (s), `timestamp` (ms); where the vendor gives neither (Instagram comments, removals), `entry.time`, when Meta sent it |
//! | revision | the event time; of an edit or removal `entry.time` if that is later, since both may carry the time of the addition |
//! | customer | `from.id`, `sender_id`, `user_id`, `sender.id` (of an echo `recipient.id`): handle `platform:page:id`, because ids are scoped to the page |
//! | sentiment, addresses | labels of built-in NLP: the strongest sentiment times its confidence; `email` and `phone_number` in the text are asserted |

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::touchpoint::{Evidence, Social, Text};
use throughline_model::{
    Channel, EventTime, EvidenceKind, IdentifierType, Mode, RefKind, Rejection, RejectionReason, TouchpointType, Trust,
    Verb, WithheldReason,
};

use crate::draft::{ClaimedTime, Draft};
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Flag, Many, Maybe, Num, Obj, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct Meta;

impl Format for Meta {
    fn name(&self) -> &'static str {
        "meta"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        shape.has("object") && shape.has("entry")
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let envelope: Envelope<'a> = json::from_str(payload.text)?;
        let Some(entries) = envelope.entry.0 else {
            return Err(Rejection::field(RejectionReason::MissingField, "entry", "no list of entries"));
        };
        let instagram = envelope.object.eq_ignore_ascii_case("instagram");
        let platform = if instagram { "instagram" } else { "facebook" };
        let mut silent = true;
        for Obj(entry) in entries {
            let scope = Scope { payload, platform, page: entry.id, sent: entry.time };
            for Obj(change) in entry.changes {
                silent = false;
                scope.change(&change, sink);
            }
            for Obj(messaging) in entry.messaging.into_iter().chain(entry.standby) {
                silent = false;
                scope.messaging(messaging, sink);
            }
        }
        if silent {
            sink.withheld(WithheldReason::Filtered, envelope.object.take());
        }
        Ok(())
    }
}

/// What every entry of one `entry[]` shares.
struct Scope<'p, 'a> {
    payload: &'p Payload<'a>,
    platform: &'static str,
    page: Str<'a>,
    sent: Time<'a>,
}

/// What a verb does to earlier copies; `None` for verbs that change only who sees it.
fn verb_of(verb: &str) -> Option<Verb> {
    match verb {
        "" | "add" => Some(Verb::Add),
        "edit" | "edited" | "update" => Some(Verb::Update),
        "remove" | "delete" => Some(Verb::Remove),
        _ => None,
    }
}

impl<'a> Scope<'_, 'a> {
    fn change(&self, change: &Change<'a>, sink: &mut dyn Entries<'a>) {
        let field: &str = &change.field;
        let Some(raw) = change.value else {
            return self.unlisted(change.field.0.clone(), Value::default(), sink);
        };
        let conversational = field.starts_with("message") || field.starts_with("messaging") || field == "standby";
        if conversational {
            return match json::from_str::<Obj<Messaging<'a>>>(raw.get()) {
                Ok(Obj(messaging)) if messaging.sender.id.some().is_some() => self.messaging(messaging, sink),
                Ok(_) => sink.withheld(WithheldReason::Unmapped, change.field.0.clone()),
                Err(rejection) => sink.rejected(rejection),
            };
        }
        let value = match json::from_str::<Obj<Value<'a>>>(raw.get()) {
            Ok(Obj(value)) => value,
            Err(rejection) => return sink.rejected(rejection),
        };
        match field {
            "feed" => self.feed(value, sink),
            "comments" | "live_comments" if self.platform == "instagram" => self.comment(value, sink),
            _ => self.unlisted(change.field.0.clone(), value, sink),
        }
    }

    fn feed(&self, value: Value<'a>, sink: &mut dyn Entries<'a>) {
        let known = matches!(
            &*value.item,
            "comment" | "post" | "status" | "photo" | "video" | "share" | "album" | "link" | "note" | "like" | "reaction"
        );
        if !known {
            let item = value.item.0.clone();
            return self.unlisted(item, value, sink);
        }
        if verb_of(&value.verb).is_none() {
            return sink.withheld(WithheldReason::Filtered, value.verb.take());
        }
        match &*value.item {
            "comment" => self.comment(value, sink),
            "like" | "reaction" => self.reaction(value, sink),
            _ => self.post(value, sink),
        }
    }

    fn comment(&self, value: Value<'a>, sink: &mut dyn Entries<'a>) {
        let post = value.post_id.clone().or(value.media.id.clone());
        let kind = if !self.is_brand(value.author()) {
            TouchpointType::MessageReceived
        } else if self.under_customer(&post, &value.parent_id) {
            TouchpointType::ResponseSent
        } else {
            TouchpointType::MessageSent
        };
        let mut draft = self.social(kind, &value);
        draft.body.source_id = Text::from(value.comment_id.or(value.id));
        draft.body.set_reference(RefKind::Conversation, &post);
        draft.body.set_reference(RefKind::Post, post);
        draft.body.set_reference(RefKind::Parent, value.parent_id);
        if kind == TouchpointType::MessageReceived {
            draft.text = value.message.or(value.text).take();
        }
        sink.touchpoint(draft);
    }

    fn post(&self, value: Value<'a>, sink: &mut dyn Entries<'a>) {
        let brand = self.is_brand(value.author());
        let kind = if brand { TouchpointType::MessageSent } else { TouchpointType::PostPublished };
        let mut draft = self.social(kind, &value);
        let id = value.post_id.or(value.photo_id).or(value.video_id).or(value.share_id).or(value.album_id);
        draft.body.set_reference(RefKind::Post, &id);
        draft.body.set_reference(RefKind::Conversation, &id);
        draft.body.source_id = id.take();
        draft.body.text_ref = value.post.permalink_url.clone().take();
        if !brand {
            draft.text = value.message.or(value.text).take();
        }
        sink.touchpoint(draft);
    }

    fn reaction(&self, value: Value<'a>, sink: &mut dyn Entries<'a>) {
        if self.is_brand(value.author()) {
            return sink.withheld(WithheldReason::Filtered, value.item.take());
        }
        let mut draft = self.social(TouchpointType::ReactionChanged, &value);
        // A page can be liked as a whole; then the page stands where a post would.
        let post = if value.post_id.some().is_none() && value.comment_id.some().is_none() {
            self.page.clone()
        } else {
            value.post_id.clone()
        };
        let author = value.author();
        if author.some().is_some() {
            draft.body.source_id = Cow::Owned(format!("{}/{}/{}", &*post, &*value.comment_id, &**author));
        }
        draft.body.set_reference(RefKind::Post, post);
        draft.body.set_reference(RefKind::Parent, value.comment_id.or(value.parent_id));
        sink.touchpoint(draft);
    }

    /// A change that only the deployment's map can name.
    fn unlisted(&self, name: Text<'a>, value: Value<'a>, sink: &mut dyn Entries<'a>) {
        let (Some(kind), Some(_)) = (self.payload.names.kind_of(&name), verb_of(&value.verb)) else {
            return sink.withheld(WithheldReason::Unmapped, name);
        };
        let mut draft = self.social(kind, &value);
        draft.body.set_reference(RefKind::Post, &value.post_id);
        draft.body.set_reference(RefKind::Parent, &value.parent_id);
        draft.body.source_id = value.comment_id.or(value.post_id).or(value.id).take();
        draft.text = value.message.or(value.text).or(value.review_text).take();
        if let Some(stars) = value.rating.0.filter(|stars| (1.0..=5.0).contains(stars)) {
            draft.body.evidence.push(Evidence::new(EvidenceKind::Stars, stars));
        }
        sink.touchpoint(draft);
    }

    fn social(&self, kind: TouchpointType, value: &Value<'a>) -> Draft<'a> {
        let mut draft = Draft::new(kind, Channel::Social, self.payload.source);
        draft.verb = verb_of(&value.verb).unwrap_or(Verb::Add);
        draft.time = self.time(&value.created_time);
        draft.updated_at = self.updated_at(&draft.time, draft.verb);
        let public = value.is_hidden.0 != Some(true) && value.published.0 != Some(false);
        draft.body.social = Some(Box::new(Social { public, ..Social::default() }));
        if !self.is_brand(value.author()) {
            self.mention(&mut draft, value.author());
        }
        draft
    }

    fn messaging(&self, entry: Messaging<'a>, sink: &mut dyn Entries<'a>) {
        let echo = self.is_brand(&entry.sender.id) || entry.message.0.as_ref().is_some_and(|it| it.is_echo.is_true());
        let customer = if echo { &entry.recipient.id } else { &entry.sender.id };
        let notice = entry.notice();
        if let Some(message) = entry.message.0 {
            self.message(message, echo, customer, &entry.timestamp, None, sink);
        } else if let Some(message) = entry.message_edit.0 {
            self.message(message, echo, customer, &entry.timestamp, Some(Verb::Update), sink);
        } else if let Some(postback) = entry.postback.0 {
            let mut draft = self.direct(TouchpointType::MessageReceived, customer, &entry.timestamp, Verb::Add);
            draft.body.mode = Mode::Bot;
            draft.body.source_id = postback.mid.take();
            draft.text = postback.title.take();
            sink.touchpoint(draft);
        } else if let Some(reaction) = entry.reaction.0 {
            if echo {
                return sink.withheld(WithheldReason::Filtered, Cow::Borrowed("reaction"));
            }
            let verb = if &*reaction.action == "unreact" { Verb::Remove } else { Verb::Add };
            let mut draft = self.direct(TouchpointType::ReactionChanged, customer, &entry.timestamp, verb);
            draft.body.source_id = Cow::Owned(format!("{}//{}", &*reaction.mid, &**customer));
            draft.body.set_reference(RefKind::Post, reaction.mid);
            sink.touchpoint(draft);
        } else if let Some(name) = notice {
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed(name));
        } else {
            sink.withheld(WithheldReason::Unmapped, Cow::Borrowed("messaging"));
        }
    }

    fn message(
        &self,
        message: Message<'a>,
        echo: bool,
        customer: &Str<'a>,
        timestamp: &Time<'a>,
        verb: Option<Verb>,
        sink: &mut dyn Entries<'a>,
    ) {
        let kind = if echo { TouchpointType::ResponseSent } else { TouchpointType::MessageReceived };
        let deleted = message.is_deleted.is_true();
        let verb = if deleted { Verb::Remove } else { verb.unwrap_or(Verb::Add) };
        let mut draft = self.direct(kind, customer, timestamp, verb);
        draft.body.source_id = message.mid.take();
        draft.body.set_reference(RefKind::Parent, &message.reply_to.mid);
        if !echo {
            draft.text = message.text.take();
            message.nlp.0.label(&mut draft);
        }
        sink.touchpoint(draft);
    }

    fn direct(&self, kind: TouchpointType, customer: &Str<'a>, timestamp: &Time<'a>, verb: Verb) -> Draft<'a> {
        let mut draft = Draft::new(kind, Channel::Social, self.payload.source);
        draft.verb = verb;
        draft.time = self.time(timestamp);
        draft.updated_at = self.updated_at(&draft.time, verb);
        draft.body.social = Some(Box::default());
        self.mention(&mut draft, customer);
        if let Some(mention) = draft.identifiers.first() {
            let conversation = mention.value.clone();
            draft.body.set_reference(RefKind::Conversation, conversation);
        }
        draft
    }

    fn mention(&self, draft: &mut Draft<'a>, id: &Str<'a>) {
        if let Some(id) = id.some() {
            let handle = format!("{}:{}:{id}", self.platform, &*self.page);
            draft.mention(IdentifierType::Handle, handle, Trust::Authenticated, "author");
        }
    }

    fn is_brand(&self, author: &Str<'a>) -> bool {
        author.some().is_some() && **author == *self.page
    }

    /// A reply to a comment answers a customer, as does a comment under a post on somebody else's page: ids of posts
    /// start with the id of whose page they are on.
    fn under_customer(&self, post: &str, parent: &str) -> bool {
        let reply = !parent.is_empty() && parent != post;
        let elsewhere = post.split_once('_').is_some_and(|(owner, _)| owner != &*self.page);
        reply || elsewhere
    }

    fn time(&self, own: &Time<'a>) -> ClaimedTime<'a> {
        own.clone().or(self.sent.clone()).0
    }

    fn updated_at(&self, time: &ClaimedTime<'a>, verb: Verb) -> Option<EventTime> {
        let own = if let ClaimedTime::At(at) = time { Some(*at) } else { None };
        if verb == Verb::Add { own } else { own.max(self.sent.at()) }
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    object: Str<'a>,
    #[serde(borrow)]
    entry: List<'a>,
}

/// The entries, if the member is there at all.
#[derive(Debug, Default)]
struct List<'a>(Option<Vec<Obj<Entry<'a>>>>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Many::deserialize(from).map(|list| Self(Some(list.0)))
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    time: Time<'a>,
    #[serde(borrow)]
    changes: Many<Obj<Change<'a>>>,
    #[serde(borrow)]
    messaging: Many<Obj<Messaging<'a>>>,
    #[serde(borrow)]
    standby: Many<Obj<Messaging<'a>>>,
}

/// The shape of `value` depends on `field`, which may come after it, so it is read once the field is known.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Change<'a> {
    #[serde(borrow)]
    field: Str<'a>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Value<'a> {
    #[serde(borrow)]
    item: Str<'a>,
    #[serde(borrow)]
    verb: Str<'a>,
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    comment_id: Str<'a>,
    #[serde(borrow)]
    post_id: Str<'a>,
    #[serde(borrow)]
    parent_id: Str<'a>,
    #[serde(borrow)]
    photo_id: Str<'a>,
    #[serde(borrow)]
    video_id: Str<'a>,
    #[serde(borrow)]
    share_id: Str<'a>,
    #[serde(borrow)]
    album_id: Str<'a>,
    #[serde(borrow)]
    from: Obj<Node<'a>>,
    #[serde(borrow)]
    sender_id: Str<'a>,
    #[serde(borrow)]
    user_id: Str<'a>,
    #[serde(borrow)]
    reviewer_id: Str<'a>,
    #[serde(borrow)]
    message: Str<'a>,
    #[serde(borrow)]
    text: Str<'a>,
    #[serde(borrow)]
    review_text: Str<'a>,
    rating: Num,
    #[serde(borrow)]
    created_time: Time<'a>,
    published: Flag,
    is_hidden: Flag,
    #[serde(borrow)]
    media: Obj<Node<'a>>,
    #[serde(borrow)]
    post: Obj<Node<'a>>,
}

impl<'a> Value<'a> {
    fn author(&self) -> &Str<'a> {
        [&self.from.id, &self.sender_id, &self.user_id, &self.reviewer_id]
            .into_iter()
            .find(|id| id.some().is_some())
            .unwrap_or(&self.from.0.id)
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Node<'a> {
    #[serde(borrow)]
    id: Str<'a>,
    #[serde(borrow)]
    permalink_url: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Messaging<'a> {
    #[serde(borrow)]
    sender: Obj<Node<'a>>,
    #[serde(borrow)]
    recipient: Obj<Node<'a>>,
    #[serde(borrow)]
    timestamp: Time<'a>,
    #[serde(borrow)]
    message: Maybe<Message<'a>>,
    #[serde(borrow)]
    message_edit: Maybe<Message<'a>>,
    #[serde(borrow)]
    postback: Maybe<Postback<'a>>,
    #[serde(borrow)]
    reaction: Maybe<Reaction<'a>>,
    delivery: Present,
    read: Present,
    optin: Present,
    referral: Present,
    account_linking: Present,
    pass_thread_control: Present,
    take_thread_control: Present,
    request_thread_control: Present,
    app_roles: Present,
    #[serde(alias = "policy-enforcement")]
    policy_enforcement: Present,
    game_play: Present,
    payment: Present,
    pre_checkout: Present,
    checkout_update: Present,
    typing: Present,
    identity: Present,
}

impl Messaging<'_> {
    /// Name of the notice this is, if it is one of those that tell nothing about the customer's experience.
    fn notice(&self) -> Option<&'static str> {
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
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self(true))
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    mid: Str<'a>,
    #[serde(borrow)]
    text: Str<'a>,
    is_echo: Flag,
    is_deleted: Flag,
    #[serde(borrow)]
    reply_to: Obj<ReplyTo<'a>>,
    #[serde(borrow)]
    nlp: Obj<Nlp<'a>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct ReplyTo<'a> {
    #[serde(borrow)]
    mid: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Postback<'a> {
    #[serde(borrow)]
    mid: Str<'a>,
    #[serde(borrow)]
    title: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Reaction<'a> {
    #[serde(borrow)]
    mid: Str<'a>,
    #[serde(borrow)]
    action: Str<'a>,
}

/// Labels of built-in NLP: `entities` of all versions, `traits` of the newer ones.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Nlp<'a> {
    #[serde(borrow)]
    entities: Obj<Labels<'a>>,
    #[serde(borrow)]
    traits: Obj<Labels<'a>>,
    #[serde(borrow)]
    detected_locales: Many<Obj<Label<'a>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Labels<'a> {
    #[serde(borrow, alias = "wit$sentiment")]
    sentiment: Many<Obj<Label<'a>>>,
    #[serde(borrow, alias = "wit$email:email")]
    email: Many<Obj<Label<'a>>>,
    #[serde(borrow, alias = "wit$phone_number:phone_number")]
    phone_number: Many<Obj<Label<'a>>>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Label<'a> {
    #[serde(borrow)]
    value: Str<'a>,
    confidence: Num,
    #[serde(borrow)]
    locale: Str<'a>,
}

impl Label<'_> {
    fn confidence(&self) -> f64 {
        self.confidence.0.filter(|it| it.is_finite()).unwrap_or(0.0).clamp(0.0, 1.0)
    }
}

impl<'a> Nlp<'a> {
    fn label(self, draft: &mut Draft<'a>) {
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
