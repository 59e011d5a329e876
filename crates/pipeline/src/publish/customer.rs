//! `experience.customers`.

use throughline_codec::record::Encoding;
use throughline_experience::CustomerView;
use throughline_model::{Now, Purpose};

use super::Deployment;
use crate::records::{
    ConsentState, CustomerAttribute, CustomerRecord, Gates, Link, Member, Memory, OpenAlert, ScoreCopy, SurveyAnswer,
};

/// Writes the single view. `score_version` is that of the latest score record.
pub fn customer(
    deployment: &Deployment,
    view: &CustomerView<'_>,
    version: u64,
    score_version: u64,
    now: Now,
    encoding: Encoding,
    out: &mut Vec<u8>,
) {
    let id = view.customer.hex();
    let member = view.customer.hash().hex();
    let link_hashes: Vec<_> = view.links.iter().map(|link| link.hash.hex()).collect();
    let survey_ids: Vec<_> = view.surveys.iter().map(|answer| answer.id.hex()).collect();
    let memory_ids: Vec<_> = view.memories.iter().map(|memory| memory.touchpoint_id.hex()).collect();
    let memory_scopes: Vec<_> = view.memories.iter().map(|memory| memory.scope.to_string()).collect();
    let alert_ids: Vec<_> = view.open_alerts.iter().map(|alert| alert.alert_id.hex()).collect();
    let record = CustomerRecord {
        common: deployment.common(view.as_of, now),
        customer_id: id.as_str(),
        version: version as i64,
        members: vec![Member {
            r#type: view.customer.kind().as_str(),
            hash: member.as_str(),
            since_at: view.member_since.unwrap_or_default(),
            proved_by: "",
        }]
        .into(),
        members_total: 1,
        links: view
            .links
            .iter()
            .zip(&link_hashes)
            .map(|(link, hash)| Link {
                r#type: link.kind.as_str(),
                hash: hash.as_str(),
                source: link.source.as_str(),
                confidence: 0.0,
                last_seen_at: link.last_seen_at,
            })
            .collect(),
        gates: Some(Gates::default()),
        scores: Some(ScoreCopy {
            version: score_version as i64,
            overall: view.score.overall,
            moment: view.score.moment,
            relationship: view.score.relationship,
            lifetime: view.score.lifetime,
            uncertainty: view.score.uncertainty,
            coverage: view.score.coverage,
            effort: None,
            consistency: view.score.consistency,
            journey_mean: None,
            expected_purchases: None,
            risk: None,
        }),
        surveys: view
            .surveys
            .iter()
            .zip(&survey_ids)
            .map(|(answer, id)| SurveyAnswer {
                instrument: answer.instrument.as_str(),
                score: answer.score,
                answered_at: answer.answered_at,
                touchpoint_id: id.as_str(),
            })
            .collect(),
        memories: view
            .memories
            .iter()
            .zip(memory_ids.iter().zip(&memory_scopes))
            .map(|(memory, (id, scope))| Memory {
                scope,
                kind: if memory.worst { "worst" } else { "best" },
                touchpoint_id: id.as_str(),
                occurred_at: memory.occurred_at,
                v: memory.v,
                magnitude: memory.magnitude,
                recovered: memory.recovered,
            })
            .collect(),
        attributes: view
            .attributes
            .iter()
            .map(|attribute| CustomerAttribute {
                name: &attribute.name,
                value: &attribute.value,
                source: &attribute.source,
                valid_from: Some(attribute.valid_from),
                expires_at: attribute.expires_at,
            })
            .collect(),
        attribute_conflicts: view.attribute_conflicts as i32,
        consent: view
            .consent
            .iter()
            .map(|(state, status)| ConsentState {
                purpose: Purpose::as_str(state.purpose),
                status: status.as_str(),
                source: &state.source,
                status_at: Some(state.status_at),
                valid_until: state.valid_until,
            })
            .collect(),
        open_alerts: view
            .open_alerts
            .iter()
            .zip(&alert_ids)
            .map(|(alert, id)| OpenAlert {
                alert_id: id.as_str(),
                r#type: alert.kind.as_str(),
                severity: alert.severity.as_str(),
                opened_at: alert.opened_at,
            })
            .collect(),
        ..CustomerRecord::default()
    };
    encoding.encode(&record, out);
}
