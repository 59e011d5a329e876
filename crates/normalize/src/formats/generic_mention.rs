//! A mention of the brand as any listening tool can tell it.
//!
//! | source | becomes | source id | time |
//! |---|---|---|---|
//! | `platform`, `post_id` with text or post time | `post.published` | `<platform>/<post>` | `posted_at`, else `created_at` |
//! | the same with `metric_at` | `post.counted` too | `<platform>/<post>/<metric time, ms>` | `metric_at` |
//!
//! | fact | from |
//! |---|---|
//! | verb, revision | `deleted` true: remove; `updated_at` |
//! | customer | `author_id`, else `author`: handle `platform:id` |
//! | counters | `followers`, `following`, `posts`, `impressions`, `reposts`, `quotes`, `replies`, `likes`; `public` unless it says no |
//! | sentiment, topic, language, reference | `sentiment` (-1..1; then the text is not scored), `topics`, `language`, `url` |
//!
//! Names in camel case are accepted too.

use serde::Deserialize;
use throughline_model::touchpoint::{Evidence, Need, Social};
use throughline_model::{
    Channel, EvidenceKind, IdentifierType, RefKind, Rejection, RejectionReason, TouchpointType, Trust, Verb,
};

use super::generic_survey::is_contract;
use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Flag, Int, Many, Num, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct Mention;

impl Format for Mention {
    fn name(&self) -> &'static str {
        "mention"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        !is_contract(shape) && shape.has("platform") && (shape.has("post_id") || shape.has("postId"))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut post: Post<'a> = json::from_str(payload.text)?;
        post.posted_at = post.posted_at.or(std::mem::take(&mut post.created_at));
        for (value, field) in [(&post.platform, "platform"), (&post.post_id, "post_id")] {
            if value.some().is_none() {
                return Err(Rejection::field(RejectionReason::MissingField, field, "a post is named by both"));
            }
        }
        let counted = !post.metric_at.is_missing();
        let told = post.text.some().is_some() || !post.posted_at.is_missing() || post.deleted.is_true();
        if told || !counted {
            sink.touchpoint(published(payload, &post));
        }
        if counted {
            let mut draft = draft(payload, TouchpointType::PostCounted, &post);
            let at = post.metric_at.at().map(|at| at.as_millis());
            draft.body.source_id = match at {
                Some(at) => format!("{}/{}/{at}", &*post.platform, &*post.post_id).into(),
                None => draft.body.source_id,
            };
            draft.time = post.metric_at.0;
            sink.touchpoint(draft);
        }
        Ok(())
    }
}

fn published<'a>(payload: &Payload<'a>, post: &Post<'a>) -> Draft<'a> {
    let mut draft = draft(payload, TouchpointType::PostPublished, post);
    draft.verb = if post.deleted.is_true() { Verb::Remove } else { Verb::Add };
    draft.updated_at = post.updated_at.at();
    draft.time = post.posted_at.clone().0;
    draft.text = post.text.0.clone();
    draft.body.language = post.language.0.clone();
    if let Some(sentiment) = post.sentiment.0 {
        draft.body.evidence.push(Evidence::new(EvidenceKind::Sentiment, sentiment));
        draft.labeled = true;
    }
    if let Some(topic) = post.topics.iter().find(|topic| topic.some().is_some()) {
        draft.body.need = Some(Box::new(Need { topic: topic.0.clone(), ..Need::default() }));
    }
    draft
}

fn draft<'a>(payload: &Payload<'a>, kind: TouchpointType, post: &Post<'a>) -> Draft<'a> {
    let mut draft = Draft::new(kind, Channel::Social, payload.source);
    draft.body.source_id = format!("{}/{}", &*post.platform, &*post.post_id).into();
    draft.body.set_reference(RefKind::Post, &post.post_id);
    draft.body.set_reference(RefKind::Conversation, &post.post_id);
    draft.body.text_ref = post.url.0.clone();
    draft.body.social = Some(Box::new(Social {
        public: post.public.0 != Some(false),
        author_followers: post.followers.0,
        author_following: post.following.0,
        author_posts: post.posts.0,
        impressions: post.impressions.0,
        reposts: post.reposts.0,
        quotes: post.quotes.0,
        replies: post.replies.0,
        likes: post.likes.0,
        outside_score: None,
        metric_at: post.metric_at.at(),
    }));
    let author = post.author_id.some().or(post.author.some());
    if let Some(author) = author {
        let handle = format!("{}:{}", &*post.platform, author.trim_start_matches('@'));
        draft.mention(IdentifierType::Handle, handle, Trust::Authenticated, "author");
    }
    draft
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Post<'a> {
    #[serde(borrow)]
    platform: Str<'a>,
    #[serde(borrow, alias = "postId")]
    post_id: Str<'a>,
    #[serde(borrow, alias = "postedAt", alias = "published_at")]
    posted_at: Time<'a>,
    #[serde(borrow, alias = "createdAt")]
    created_at: Time<'a>,
    #[serde(borrow, alias = "updatedAt")]
    updated_at: Time<'a>,
    deleted: Flag,
    #[serde(borrow, alias = "authorId")]
    author_id: Str<'a>,
    #[serde(borrow, alias = "author_handle", alias = "authorHandle")]
    author: Str<'a>,
    #[serde(borrow)]
    text: Str<'a>,
    sentiment: Num,
    #[serde(borrow)]
    topics: Many<Str<'a>>,
    #[serde(borrow)]
    language: Str<'a>,
    #[serde(borrow)]
    url: Str<'a>,
    public: Flag,
    #[serde(alias = "author_followers")]
    followers: Int,
    #[serde(alias = "author_following")]
    following: Int,
    #[serde(alias = "author_posts")]
    posts: Int,
    impressions: Int,
    reposts: Int,
    quotes: Int,
    replies: Int,
    likes: Int,
    #[serde(borrow, alias = "metricAt", alias = "metric_time")]
    metric_at: Time<'a>,
}
