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

mod wire;

use std::borrow::Cow;

use throughline_model::touchpoint::{Evidence, Social, Text};
use throughline_model::{
    Channel, EventTime, EvidenceKind, IdentifierType, Mode, RefKind, Rejection, RejectionReason, TouchpointType, Trust,
    Verb, WithheldReason,
};

use crate::draft::{ClaimedTime, Draft};
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Obj, Str, Time};
use crate::shape::Shape;

use wire::{Change, Envelope, Message, Messaging, Value};

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
            "comment"
                | "post"
                | "status"
                | "photo"
                | "video"
                | "share"
                | "album"
                | "link"
                | "note"
                | "like"
                | "reaction"
        );
        if !known {
            let item = if value.item.is_empty() { Cow::Borrowed("feed") } else { value.item.0.clone() };
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
        // The customer is whoever is not the page, which some senders of echoes put in the wrong place.
        let customer = if echo && !self.is_brand(&entry.recipient.id) { &entry.recipient.id } else { &entry.sender.id };
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
