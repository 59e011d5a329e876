//! PostHog: captures of its libraries, batches, and the rows it exports to Kafka.
//!
//! | field | becomes |
//! |---|---|
//! | `uuid`, else `$insert_id` | source id |
//! | `timestamp`, else `$time` (seconds) | event time; without a zone it is UTC |
//! | `$pageview`, `$screen` | `page.viewed` |
//! | `$identify`, `$create_alias`, `$merge_dangerously`, `$set` | `profile.changed` with `$set` and `$set_once` as attributes |
//! | `$groupidentify` | `relation.declared` (`account`) |
//! | `$rageclick`, `$dead_click` | `friction.clicked` |
//! | `$exception` | `page.failed` |
//! | `survey sent`, `survey dismissed` | `survey.answered`, `survey.expired` |
//! | `$opt_in`, `$opt_out` | `consent.changed` (`process`, granted or denied) |
//! | `$autocapture`, `$pageleave`, `$feature_flag_called`, recordings and measurements | filtered |
//! | others | the deployment's map, else `withheld(unmapped)` |
//! | `$user_id`, or `distinct_id` where it is identified | login, authenticated |
//! | any other `distinct_id`, `$anon_distinct_id`, `alias` | cookie, authenticated |
//! | `$device_id` | device, authenticated |
//! | `$session_id` | visit `source:session:id`, authenticated |
//! | `$set.email`, `$set.phone`, also under `$set_once` | asserted |
//! | numbers in `$survey_response*` of a survey whose name says NPS, CSAT or CES | evidence of that kind |
//! | other text in `$survey_response*` | the customer's words |
//! | `batch[]` | its members, in order |

mod wire;

use std::borrow::Cow;

use serde_json::value::RawValue;
use throughline_model::touchpoint::{Attribute, Consent, Evidence, Text};
use throughline_model::{
    Channel, ConsentStatus, EvidenceKind, IdentifierType, RefKind, Rejection, RejectionReason, RelationKind,
    TouchpointType, Trust, WithheldReason,
};

use self::wire::{Capture, Properties};
use crate::draft::{Draft, MentionedRelation};
use crate::format::{Entries, Format, Payload};
use crate::json::{self, Obj, Pairs};
use crate::shape::Shape;

/// PostHog.
#[derive(Debug)]
pub struct PostHog;

/// What PostHog measures for itself; nobody lived through it.
const FILTERED: [&str; 9] = [
    "$autocapture",
    "$pageleave",
    "$feature_flag_called",
    "$snapshot",
    "$$heatmap",
    "$web_vitals",
    "$performance_event",
    "$copy_autocapture",
    "$$client_ingestion_warning",
];

impl Format for PostHog {
    fn name(&self) -> &'static str {
        "posthog"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        if shape.has("batch") {
            return shape.has_nested("batch", "event")
                && (shape.has("api_key")
                    || shape.has_nested("batch", "distinct_id")
                    || !(shape.has_nested("batch", "type") || shape.has_nested("batch", "action")));
        }
        let is_own = |key| shape.has_nested("properties", key);
        let has_id = shape.has("distinct_id") || is_own("distinct_id") || is_own("$lib") || is_own("$session_id");
        let has_event = shape.has("event") && (shape.has("properties") || shape.has("distinct_id"));
        let is_segment = shape.has("messageId") || shape.has("anonymousId") || shape.has("userId");
        has_event && has_id && !is_segment || (shape.has("data") && shape.has("distinct_id") && shape.has("token"))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let capture: Capture<'a> = json::from_str(payload.text)?;
        let Some(batch) = capture.batch else {
            return read_capture(payload, capture, sink);
        };
        if batch.is_empty() {
            sink.withheld(WithheldReason::Filtered, Cow::Borrowed("batch"));
        }
        for member in batch {
            let read =
                json::from_str::<Capture<'a>>(member.get()).and_then(|capture| read_capture(payload, capture, sink));
            if let Err(rejection) = read {
                sink.rejected(rejection);
            }
        }
        Ok(())
    }
}

/// The text of a member that is an object, or an object written as text.
fn embedded<'a>(payload: &Payload<'a>, member: &'a RawValue) -> Result<&'a str, Rejection> {
    let text = member.get();
    Ok(if text.starts_with('"') { payload.keep.keep(json::from_str::<String>(text)?) } else { text })
}

fn read_capture<'a>(
    payload: &Payload<'a>,
    mut capture: Capture<'a>,
    sink: &mut dyn Entries<'a>,
) -> Result<(), Rejection> {
    if capture.event.is_empty()
        && let Some(data) = capture.data
    {
        let (uuid, distinct_id) = (capture.uuid, capture.distinct_id);
        capture = json::from_str::<Obj<Capture<'a>>>(embedded(payload, data)?)?.0;
        capture.uuid = capture.uuid.or(uuid);
        capture.distinct_id = capture.distinct_id.or(distinct_id);
    }
    let Some(event) = capture.event.some() else {
        return Err(match (capture.properties, capture.distinct_id.some()) {
            (None, None) => Rejection::new(RejectionReason::UnknownFormat, "neither a capture nor a batch of captures"),
            _ => Rejection::field(RejectionReason::MissingField, "event", "a capture without a name"),
        });
    };
    if FILTERED.contains(&event) {
        sink.withheld(WithheldReason::Filtered, capture.event.take());
        return Ok(());
    }
    let Some(kind) = kind_of(event).or_else(|| payload.names.kind_of(event)) else {
        sink.withheld(WithheldReason::Unmapped, capture.event.take());
        return Ok(());
    };
    let properties = match capture.properties {
        Some(properties) => json::from_str::<Obj<Properties<'a>>>(embedded(payload, properties)?)?.0,
        None => Properties::default(),
    };
    sink.touchpoint(draft(payload, &capture, properties, kind)?);
    Ok(())
}

fn kind_of(event: &str) -> Option<TouchpointType> {
    Some(match event {
        "$pageview" | "$screen" => TouchpointType::PageViewed,
        "$identify" | "$create_alias" | "$merge_dangerously" | "$set" => TouchpointType::ProfileChanged,
        "$groupidentify" => TouchpointType::RelationDeclared,
        "$rageclick" | "$dead_click" => TouchpointType::FrictionClicked,
        "$exception" => TouchpointType::PageFailed,
        "survey sent" => TouchpointType::SurveyAnswered,
        "survey dismissed" => TouchpointType::SurveyExpired,
        "$opt_in" | "$opt_out" => TouchpointType::ConsentChanged,
        _ => return None,
    })
}

fn draft<'a>(
    payload: &Payload<'a>,
    capture: &Capture<'a>,
    properties: Properties<'a>,
    kind: TouchpointType,
) -> Result<Draft<'a>, Rejection> {
    let event: &str = &capture.event;
    let mobile = ["ios", "android", "react-native", "flutter", "swift", "kotlin"];
    let is_app = event == "$screen" || mobile.iter().any(|library| properties.library.contains(library));
    let channel = match kind {
        TouchpointType::SurveyAnswered | TouchpointType::SurveyExpired => Channel::Survey,
        _ if is_app => Channel::App,
        _ => Channel::Web,
    };
    let mut draft = Draft::new(kind, channel, payload.source);
    draft.time = capture.timestamp.clone().or(properties.time.clone()).in_utc().0;
    mention(payload, capture, &properties, &mut draft);
    mention_traits(payload, capture, &properties, &mut draft)?;
    let body = &mut draft.body;
    body.schema = Cow::Borrowed("posthog");
    body.source_id =
        if capture.uuid.is_empty() { Text::from(&properties.insert_id) } else { Text::from(&capture.uuid) };
    body.app = properties.app_name.0;
    body.version =
        if properties.app_version.is_empty() { properties.library_version.0 } else { properties.app_version.0 };
    body.set_reference(RefKind::Session, properties.session_id.0);
    body.set_reference(RefKind::Campaign, properties.campaign.0);
    match kind {
        TouchpointType::ConsentChanged => body.consents.push(Consent {
            purpose: Cow::Borrowed("process"),
            status: if event == "$opt_out" { ConsentStatus::Denied } else { ConsentStatus::Granted },
            status_at: None,
            valid_until: None,
            policy_version: Cow::Borrowed(""),
        }),
        TouchpointType::RelationDeclared => {
            body.set_reference(RefKind::Account, properties.group_key.clone());
            if !properties.group_key.is_empty() {
                draft.relations.push(MentionedRelation {
                    kind: RelationKind::Account,
                    identifier: IdentifierType::Handle,
                    value: Cow::Owned(format!("{}:{}", &*properties.group_type, &*properties.group_key)),
                    until: None,
                });
            }
        }
        TouchpointType::SurveyAnswered | TouchpointType::SurveyExpired => {
            body.set_reference(RefKind::Survey, properties.survey_id.0);
            body.set_reference(RefKind::Response, properties.submission_id.0);
            answer(&mut draft, &properties.survey_name, properties.responses);
        }
        _ => {}
    }
    Ok(draft)
}

fn mention<'a>(payload: &Payload<'a>, capture: &Capture<'a>, properties: &Properties<'a>, draft: &mut Draft<'a>) {
    let own = if capture.distinct_id.is_empty() { &properties.distinct_id } else { &capture.distinct_id };
    let event: &str = &capture.event;
    let names_person = matches!(event, "$identify" | "$create_alias" | "$merge_dangerously");
    let is_login = names_person
        || properties.is_identified.is_true()
        || properties.user_id.some().is_some_and(|user| user == &**own);
    let kind = if is_login { IdentifierType::Login } else { IdentifierType::Cookie };
    draft.mention(kind, own, Trust::Authenticated, "distinct_id");
    if *properties.user_id != **own {
        draft.mention(IdentifierType::Login, &properties.user_id, Trust::Authenticated, "$user_id");
    }
    draft.mention(IdentifierType::Cookie, &properties.anon_distinct_id, Trust::Authenticated, "$anon_distinct_id");
    if names_person {
        draft.mention(IdentifierType::Cookie, &properties.alias, Trust::Authenticated, "alias");
    }
    draft.mention(IdentifierType::Device, &properties.device_id, Trust::Authenticated, "$device_id");
    draft.visit(payload.source_name, "session", &properties.session_id, Trust::Authenticated, "$session_id");
}

/// Person properties: what reaches the person is asserted, what names the person is left alone, the rest are attributes.
fn mention_traits<'a>(
    payload: &Payload<'a>,
    capture: &Capture<'a>,
    properties: &Properties<'a>,
    draft: &mut Draft<'a>,
) -> Result<(), Rejection> {
    const PERSONAL: [&str; 8] =
        ["name", "username", "first_name", "last_name", "firstName", "lastName", "address", "avatar"];
    let keeps = draft.body.kind == TouchpointType::ProfileChanged;
    for set in [properties.set, properties.set_once, capture.set, capture.set_once].into_iter().flatten() {
        for (name, value) in json::from_str::<Pairs<'a>>(embedded(payload, set)?)?.0 {
            match &*name {
                "email" | "$email" => draft.mention(IdentifierType::Email, value, Trust::Asserted, "$set.email"),
                "phone" | "$phone" => draft.mention(IdentifierType::Phone, value, Trust::Asserted, "$set.phone"),
                // Names with a dollar are PostHog's own: browsers, referrers, addresses.
                name if name.starts_with('$') || PERSONAL.contains(&name) => {}
                _ if keeps => draft.body.attributes.push(Attribute {
                    name,
                    value,
                    purpose: Cow::Borrowed("personalization"),
                    valid_from: None,
                    expires_at: None,
                }),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Answers of a survey. A number counts only where the survey's name says on which scale it is.
fn answer<'a>(draft: &mut Draft<'a>, survey: &str, responses: Vec<Text<'a>>) {
    let survey = survey.to_ascii_lowercase();
    let kind = [("nps", EvidenceKind::Nps), ("csat", EvidenceKind::Csat), ("ces", EvidenceKind::Ces)]
        .into_iter()
        .find(|(name, _)| survey.split(|c: char| !c.is_alphanumeric()).any(|word| word == *name))
        .map(|(_, kind)| kind)
        .or_else(|| survey.contains("net promoter").then_some(EvidenceKind::Nps));
    for response in responses {
        match (response.trim().parse::<f64>(), kind) {
            (Ok(score), Some(kind)) if draft.body.evidence.is_empty() => {
                draft.body.evidence.push(Evidence::new(kind, score));
            }
            (Ok(_), _) => {}
            (Err(_), _) if draft.text.is_empty() => draft.text = response,
            (Err(_), _) => draft.text.to_mut().extend([" ", &*response]),
        }
    }
}
