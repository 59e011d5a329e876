//! Qualtrics: the event of a completed response, and the enriched form with scores that replaces it.
//!
//! | source | becomes | source id | time |
//! |---|---|---|---|
//! | event, `Status` complete | `survey.answered` without evidence: the event carries no answers | `ResponseID` | `CompletedDate`, UTC unless it names a zone |
//! | the same with `scores[]`, or a response with `values` | `survey.answered` with evidence, a later revision | the same | the same, `recordedDate`, `endDate` |
//! | other `Status`; topics of the control panel (survey activated, ...) | filtered | | |
//!
//! | fact | from |
//! |---|---|
//! | revision | none for the event; `updated_at`, `recordedDate` or the completion for the enriched form |
//! | customer | `RecipientID`, the contact it was sent to: handle `qualtrics:<id>` |
//! | evidence | `scores[]{instrument, score, min, max, easy_is_high}`; in `values` a question with a sibling `<question>_NPS_GROUP` is an NPS answer |

use std::borrow::Cow;

use serde::Deserialize;
use throughline_model::touchpoint::Evidence;
use throughline_model::{
    Channel, EvidenceKind, IdentifierType, RefKind, Rejection, RejectionReason, TouchpointType, Trust, WithheldReason,
};

use super::generic_survey::{Answer, evidence};
use crate::draft::Draft;
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Many, Obj, Pairs, Str, Time};
use crate::shape::Shape;

/// The format.
#[derive(Debug)]
pub struct Qualtrics;

impl Format for Qualtrics {
    fn name(&self) -> &'static str {
        "qualtrics"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        let any = |keys: &[&str]| keys.iter().any(|key| shape.has(key));
        any(&["ResponseID", "SurveyID"]) && any(&["Topic", "Status", "CompletedDate"])
            || shape.has("responseId") && shape.has("values")
            || shape.has_nested("result", "responseId") && shape.has_nested("result", "values")
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let mut response: Response<'a> = json::from_str(payload.text)?;
        if response.response_id.some().is_none() && response.result.response_id.some().is_some() {
            response = Response { values: response.result.0.values, ..Response::of(response.result.0.response_id) };
        }
        let complete = response.status.some().is_none() || response.status.to_ascii_lowercase().starts_with("complete");
        let panel = response.topic.starts_with("controlpanel") || response.topic.contains("activateSurvey");
        if panel || !complete {
            sink.withheld(WithheldReason::Filtered, response.topic.or(response.status).take());
            return Ok(());
        }
        if response.response_id.some().is_none() {
            return Err(Rejection::field(
                RejectionReason::MissingField,
                "ResponseID",
                "an answer without its response",
            ));
        }
        sink.touchpoint(answered(payload, response));
        Ok(())
    }
}

fn answered<'a>(payload: &Payload<'a>, response: Response<'a>) -> Draft<'a> {
    let mut draft = Draft::new(TouchpointType::SurveyAnswered, Channel::Survey, payload.source);
    for answer in &response.scores.0 {
        draft.body.evidence.extend(evidence(answer));
    }
    let value = |name: &str| response.values.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    for (name, score) in &response.values.0 {
        if value(&format!("{name}_NPS_GROUP")).is_some()
            && let Ok(score) = score.trim().parse()
        {
            draft.body.evidence.push(Evidence::new(EvidenceKind::Nps, score));
        }
    }
    let time = |name: &str| value(name).map_or(Time::default(), |text| Time(crate::time::read(text)));
    let recorded = time("recordedDate");
    let enriched = !draft.body.evidence.is_empty() || !response.values.0.is_empty();
    let completed = response.completed.in_utc().or(recorded.clone().in_utc()).or(time("endDate").in_utc());
    if enriched {
        draft.updated_at = response.updated.at().or(recorded.at()).or(completed.at());
    }
    draft.time = completed.0;
    draft.body.set_reference(RefKind::Survey, response.survey_id);
    draft.body.set_reference(RefKind::Response, &response.response_id);
    draft.body.source_id = response.response_id.take();
    let recipient = response
        .recipient_id
        .some()
        .map(str::to_owned)
        .or_else(|| value("recipientID").or_else(|| value("contactID")).map(Cow::into_owned));
    if let Some(recipient) = recipient {
        draft.mention(IdentifierType::Handle, format!("qualtrics:{recipient}"), Trust::Authenticated, "RecipientID");
    }
    draft
}

/// One flat struct for the event, its enriched form and the response of the interface.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Response<'a> {
    #[serde(borrow, rename = "Topic", alias = "topic")]
    topic: Str<'a>,
    #[serde(borrow, rename = "Status", alias = "status")]
    status: Str<'a>,
    #[serde(borrow, rename = "SurveyID", alias = "surveyId")]
    survey_id: Str<'a>,
    #[serde(borrow, rename = "ResponseID", alias = "responseId", alias = "ResponseId")]
    response_id: Str<'a>,
    #[serde(borrow, rename = "RecipientID", alias = "recipientId")]
    recipient_id: Str<'a>,
    #[serde(borrow, rename = "CompletedDate", alias = "completedDate")]
    completed: Time<'a>,
    #[serde(borrow, rename = "UpdatedDate", alias = "updated_at")]
    updated: Time<'a>,
    #[serde(borrow, rename = "Scores", alias = "scores")]
    scores: Many<Obj<Answer<'a>>>,
    #[serde(borrow)]
    values: Pairs<'a>,
    #[serde(borrow)]
    result: Obj<Inner<'a>>,
}

impl<'a> Response<'a> {
    fn of(response_id: Str<'a>) -> Self {
        Self { response_id, ..Self::default() }
    }
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Inner<'a> {
    #[serde(borrow, rename = "responseId")]
    response_id: Str<'a>,
    #[serde(borrow)]
    values: Pairs<'a>,
}
