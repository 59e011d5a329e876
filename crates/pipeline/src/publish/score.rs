//! `experience.scores`.

use arrayvec::ArrayVec;
use throughline_codec::record::{Encoding, List};
use throughline_experience::ScoreView;
use throughline_model::{Channel, CustomerId, Now};

use super::Deployment;
use crate::records::{Baseline, ChannelSeen, EvidenceMix, Reason, ScoreRecord};

/// Writes a score.
pub fn score(
    deployment: &Deployment,
    customer: CustomerId,
    view: &ScoreView,
    version: u64,
    now: Now,
    encoding: Encoding,
    out: &mut Vec<u8>,
) {
    let id = customer.hex();
    let hashes: ArrayVec<_, 5> = view.reasons.iter().take(5).map(|reason| reason.touchpoint_id.hex()).collect();
    let reasons: ArrayVec<Reason<'_>, 5> = view
        .reasons
        .iter()
        .zip(&hashes)
        .map(|(reason, hash)| Reason {
            touchpoint_id: hash.as_str(),
            contribution: reason.contribution,
            code: reason.code.as_str(),
        })
        .collect();
    let channels: ArrayVec<ChannelSeen<'_>, { Channel::ALL.len() }> = view
        .channels
        .iter()
        .map(|seen| ChannelSeen { channel: seen.channel.as_str(), last_at: seen.last_at, seen: seen.seen })
        .collect();
    let [survey, text, fact, promise] = view.evidence_mix;
    let record = ScoreRecord {
        common: deployment.common(view.as_of, now),
        customer_id: id.as_str(),
        version: version as i64,
        overall: view.overall,
        moment: view.moment,
        relationship: view.relationship,
        lifetime: view.lifetime,
        touchpoints: i64::from(view.touchpoints),
        uncertainty: view.uncertainty,
        coverage: view.coverage,
        channels: List::Borrowed(&channels),
        baseline: view.baseline.map(|baseline| Baseline {
            mean: baseline.mean,
            sd: baseline.sd,
            z: baseline.z,
            n: i64::from(baseline.n),
        }),
        effort_survey: view.effort_survey,
        consistency: view.consistency,
        channel_gap: view.channel_gap,
        evidence_mix: Some(EvidenceMix { survey, text, fact, promise }),
        reasons: List::Borrowed(&reasons),
        other: view.other,
        prior: view.prior,
        observed_share: view.observed_share,
        ..ScoreRecord::default()
    };
    encoding.encode(&record, out);
}
