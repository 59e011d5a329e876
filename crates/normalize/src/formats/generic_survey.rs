//! A survey response of any tool, as the minimum it must say.
//!
//! | source | becomes | source id | time |
//! |---|---|---|---|
//! | `response_id` with answers | `survey.answered`; all `answers[]` are evidence of one touchpoint | `response_id`; with `question_id`: `<response>/<question>` | `answered_at` |
//! | `invitation_id` with `expired_at` and no response | `survey.expired` | `invitation_id` | `expired_at` |
//!
//! | fact | from |
//! |---|---|
//! | evidence | `instrument` (`nps`, `csat`, `ces`, `stars`), `score`, `scale_min`, `scale_max`, `easy_is_high`; an unknown instrument gives none; `sentiment` (-1..1) |
//! | text | `verbatim`, not scored where `sentiment` is given |
//! | revision | `updated_at` |
//! | customer | `recipient_customer_id`, `recipient_email`, `recipient_phone` and `customer_id` are what it was sent to; `email`, `phone`, `order_id` are typed and asserted |
//! | owners, journey | `agent`, `store`, `partner`; `journey` |
//!
//! Names in camel case are accepted too.

use serde::Deserialize;
use throughline_model::touchpoint::{Evidence, JourneyHint, Need};
use throughline_model::{
    Channel, EvidenceKind, IdentifierType, OwnerKind, RefKind, Rejection, RejectionReason, TouchpointType, Trust,
};

use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Flag, Many, Num, Obj, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct SurveyResponse;

impl Format for SurveyResponse {
    fn name(&self) -> &'static str {
        "survey_response"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        // Qualtrics writes `values` beside its `responseId`.
        !is_contract(shape)
            && !shape.has("values")
            && (any(&["response_id", "responseId"]) && any(&["score", "answers", "instrument", "verbatim"])
                || any(&["invitation_id", "invitationId"]) && any(&["expired_at", "expiredAt"]))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let response: Response<'a> = json::from_str(payload.text)?;
        let answered = response.response_id.some().is_some();
        if !answered && response.invitation_id.some().is_none() {
            let why = "neither a response nor an invitation";
            return Err(Rejection::field(RejectionReason::MissingField, "response_id", why));
        }
        sink.touchpoint(if answered { answer_draft(payload, response) } else { expired_draft(payload, response) });
        Ok(())
    }
}

/// Whether the payload is of Throughline's own contract, whose `type` has the form of a touchpoint type.
pub(super) fn is_contract(shape: &Shape<'_>) -> bool {
    shape.string("type").is_some_and(|kind| kind.contains('.'))
}

fn answer_draft<'a>(payload: &Payload<'a>, response: Response<'a>) -> Draft<'a> {
    let mut draft = draft(payload, TouchpointType::SurveyAnswered, &response);
    draft.time = response.answered_at.0;
    let question = response.question_id.some();
    draft.body.source_id = match question {
        Some(question) => format!("{}/{question}", &*response.response_id).into(),
        None => response.response_id.0.clone(),
    };
    draft.body.set_reference(RefKind::Response, response.response_id);
    let own = Answer {
        instrument: response.instrument,
        score: response.score,
        scale_min: response.scale_min,
        scale_max: response.scale_max,
        easy_is_high: response.easy_is_high,
        verbatim: Str::default(),
    };
    draft.body.evidence.extend(evidence(&own));
    let mut text = response.verbatim;
    for Obj(answer) in response.answers {
        draft.body.evidence.extend(evidence(&answer));
        text = text.or(answer.verbatim);
    }
    if let Some(sentiment) = response.sentiment.0 {
        draft.body.evidence.push(Evidence::new(EvidenceKind::Sentiment, sentiment));
        draft.labeled = true;
    }
    draft.text = text.take();
    if let Some(topic) = response.topics.0.into_iter().find(|topic| topic.some().is_some()) {
        draft.body.need = Some(Box::new(Need { topic: topic.take(), ..Need::default() }));
    }
    draft
}

fn expired_draft<'a>(payload: &Payload<'a>, response: Response<'a>) -> Draft<'a> {
    let mut draft = draft(payload, TouchpointType::SurveyExpired, &response);
    draft.time = response.expired_at.0;
    draft.body.source_id = response.invitation_id.take();
    draft
}

fn draft<'a>(payload: &Payload<'a>, kind: TouchpointType, response: &Response<'a>) -> Draft<'a> {
    let mut draft = Draft::new(kind, Channel::Survey, payload.source);
    draft.updated_at = response.updated_at.at();
    let body = &mut draft.body;
    body.set_reference(RefKind::Survey, &response.survey_id);
    body.set_reference(RefKind::Order, &response.order_id);
    body.set_owner(OwnerKind::Staff, &response.agent);
    body.set_owner(OwnerKind::Store, &response.store);
    body.set_owner(OwnerKind::Partner, &response.partner);
    body.language = response.language.0.clone();
    if response.journey.some().is_some() {
        body.journey = Some(Box::new(JourneyHint { definition: response.journey.0.clone(), ..JourneyHint::default() }));
    }
    for (kind, value, trust, field) in [
        (IdentifierType::CustomerId, &response.recipient_customer_id, Trust::Authenticated, "recipient_customer_id"),
        (IdentifierType::CustomerId, &response.customer_id, Trust::Authenticated, "customer_id"),
        (IdentifierType::Email, &response.recipient_email, Trust::Authenticated, "recipient_email"),
        (IdentifierType::Phone, &response.recipient_phone, Trust::Authenticated, "recipient_phone"),
        (IdentifierType::Email, &response.email, Trust::Asserted, "email"),
        (IdentifierType::Phone, &response.phone, Trust::Asserted, "phone"),
    ] {
        draft.mention(kind, value, trust, field);
    }
    if let Some(order) = response.order_id.some() {
        let visit = format!("{}:order:{order}", payload.source_name);
        draft.mention(IdentifierType::Visit, visit, Trust::Asserted, "order_id");
    }
    draft
}

/// Evidence of one answer: none without a score or with an instrument that has no meaning here.
pub(super) fn evidence(answer: &Answer<'_>) -> Option<Evidence> {
    let score = answer.score.0?;
    let name = answer.instrument.to_ascii_lowercase();
    let kind = match name.as_str() {
        "rating" | "star" => EvidenceKind::Stars,
        name => EvidenceKind::from_name(name)?,
    };
    let usual = Evidence::new(kind, score);
    Some(Evidence {
        min: answer.scale_min.0.unwrap_or(usual.min),
        max: answer.scale_max.0.unwrap_or(usual.max),
        easy_is_high: answer.easy_is_high.0.unwrap_or(usual.easy_is_high),
        ..usual
    })
}

/// One question's answer.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Answer<'a> {
    #[serde(borrow, alias = "kind")]
    pub instrument: Str<'a>,
    pub score: Num,
    #[serde(alias = "scaleMin", alias = "min")]
    pub scale_min: Num,
    #[serde(alias = "scaleMax", alias = "max")]
    pub scale_max: Num,
    #[serde(alias = "easyIsHigh")]
    pub easy_is_high: Flag,
    #[serde(borrow, alias = "text", alias = "comment")]
    pub verbatim: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow, alias = "responseId")]
    response_id: Str<'a>,
    #[serde(borrow, alias = "questionId")]
    question_id: Str<'a>,
    #[serde(borrow, alias = "invitationId")]
    invitation_id: Str<'a>,
    #[serde(borrow, alias = "surveyId")]
    survey_id: Str<'a>,
    #[serde(borrow, alias = "answeredAt", alias = "completed_at", alias = "submitted_at")]
    answered_at: Time<'a>,
    #[serde(borrow, alias = "expiredAt")]
    expired_at: Time<'a>,
    #[serde(borrow, alias = "updatedAt")]
    updated_at: Time<'a>,
    #[serde(borrow)]
    instrument: Str<'a>,
    score: Num,
    #[serde(alias = "scaleMin")]
    scale_min: Num,
    #[serde(alias = "scaleMax")]
    scale_max: Num,
    #[serde(alias = "easyIsHigh")]
    easy_is_high: Flag,
    #[serde(borrow)]
    answers: Many<Obj<Answer<'a>>>,
    #[serde(borrow, alias = "comment", alias = "text")]
    verbatim: Str<'a>,
    #[serde(borrow)]
    topics: Many<Str<'a>>,
    sentiment: Num,
    #[serde(borrow, alias = "orderId")]
    order_id: Str<'a>,
    #[serde(borrow)]
    journey: Str<'a>,
    #[serde(borrow, alias = "agentId", alias = "agent_id")]
    agent: Str<'a>,
    #[serde(borrow, alias = "storeId", alias = "store_id")]
    store: Str<'a>,
    #[serde(borrow, alias = "partnerId", alias = "partner_id")]
    partner: Str<'a>,
    #[serde(borrow)]
    language: Str<'a>,
    #[serde(borrow, alias = "customerId")]
    customer_id: Str<'a>,
    #[serde(borrow, alias = "recipientCustomerId")]
    recipient_customer_id: Str<'a>,
    #[serde(borrow, alias = "recipientEmail")]
    recipient_email: Str<'a>,
    #[serde(borrow, alias = "recipientPhone")]
    recipient_phone: Str<'a>,
    #[serde(borrow)]
    email: Str<'a>,
    #[serde(borrow)]
    phone: Str<'a>,
}
