//! Snowplow, enriched: 131 tab-separated columns, or the same as JSON (as its analytics libraries write it).
//!
//! | field | becomes |
//! |---|---|
//! | `event_id` | source id |
//! | `derived_tstamp`, else `true_tstamp`, else the three raw clocks (`dvce_created_tstamp`, `dvce_sent_tstamp`, `collector_tstamp`), else `collector_tstamp` | event time; all are UTC |
//! | `event`: `page_view`, `page_ping` | `page.viewed` |
//! | `transaction` | `order.created` with `tr_total`, `tr_currency` |
//! | `transaction_item` | filtered: the transaction counts |
//! | `struct` | the deployment's map by `se_category/se_action`, `se_action`, `se_category`, else `withheld(unmapped)` |
//! | `unstruct`, by `event_name`: `link_click` to a help host | `resource.followed`; to any other host filtered |
//! | `screen_view` | `page.viewed`, channel `app` |
//! | any other name | the deployment's map, else `withheld(unmapped)` |
//! | `user_id` | login, authenticated |
//! | `domain_userid`, `network_userid` | cookie, authenticated |
//! | `domain_sessionid` | visit `source:session:id`, authenticated |
//! | entity `client_session`: `userId`, `sessionId` | device, visit; authenticated |
//! | `tr_orderid` | visit `source:order:id`, authenticated |
//! | `mkt_campaign` | `refs.campaign_id` |
//! | `app_id`, `name_tracker`, `v_tracker` | `source.app`, `source.producer`, `source.version` |
//!
//! The same id with another `event_fingerprint` is a synthetic duplicate: both copies have one touchpoint id and equal
//! revisions, so the first counts.

mod entities;
mod json_row;

use std::borrow::Cow;

use throughline_model::touchpoint::Text;
use throughline_model::{
    Channel, IdentifierType, RefKind, Rejection, RejectionReason, TouchpointType, Trust, WithheldReason,
};

use crate::draft::{ClaimedTime, Draft};
use crate::envelope;
use crate::format::{Entries, Format, Payload};
use crate::formats::amount;
use crate::json;
use crate::shape::Shape;
use crate::time;

/// Snowplow enriched.
#[derive(Debug)]
pub struct Snowplow;

/// Columns of the canonical format.
const COLUMNS: usize = 131;

/// The columns that are read, whatever they were read from.
#[derive(Debug, Default)]
struct Row<'a> {
    app_id: Text<'a>,
    platform: Text<'a>,
    collector: ClaimedTime<'a>,
    created: ClaimedTime<'a>,
    sent: ClaimedTime<'a>,
    derived: ClaimedTime<'a>,
    true_time: ClaimedTime<'a>,
    event: Text<'a>,
    event_name: Text<'a>,
    event_id: Text<'a>,
    tracker: Text<'a>,
    tracker_version: Text<'a>,
    user_id: Text<'a>,
    domain_userid: Text<'a>,
    network_userid: Text<'a>,
    session_id: Text<'a>,
    campaign: Text<'a>,
    category: Text<'a>,
    action: Text<'a>,
    order_id: Text<'a>,
    total: Text<'a>,
    currency: Text<'a>,
    /// Where a clicked link leads.
    target_url: Text<'a>,
    /// Device and session of the mobile trackers.
    client_user: Text<'a>,
    client_session: Text<'a>,
}

impl Format for Snowplow {
    fn name(&self) -> &'static str {
        "snowplow"
    }

    fn matches(&self, shape: &Shape<'_>) -> bool {
        shape.columns == COLUMNS
            || (shape.has("event_id") && shape.has("event") && (shape.has("collector_tstamp") || shape.has("app_id")))
    }

    fn read<'a>(&self, payload: &Payload<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
        let row = if payload.text.starts_with('{') { json_row::read(payload)? } else { columns(payload.text)? };
        read_row(payload, row, sink)
    }
}

/// Reads the tab-separated form.
fn columns(text: &str) -> Result<Row<'_>, Rejection> {
    let columns: Vec<&str> = text.split('\t').collect();
    if columns.len() != COLUMNS {
        let found = columns.len();
        let detail = format!("{found} tab-separated columns, not {COLUMNS}");
        return Err(Rejection::new(RejectionReason::UnknownFormat, detail));
    }
    let text_at = |at: usize| Cow::Borrowed(columns[at]);
    let time_at = |at: usize| time::in_utc(time::read(Cow::Borrowed(columns[at])));
    let mut row = Row {
        app_id: text_at(0),
        platform: text_at(1),
        collector: time_at(3),
        created: time_at(4),
        event: text_at(5),
        event_id: text_at(6),
        tracker: text_at(8),
        tracker_version: text_at(9),
        user_id: text_at(12),
        domain_userid: text_at(15),
        network_userid: text_at(17),
        campaign: text_at(51),
        category: text_at(53),
        action: text_at(54),
        order_id: text_at(59),
        total: text_at(61),
        currency: text_at(108),
        sent: time_at(119),
        session_id: text_at(123),
        derived: time_at(124),
        event_name: text_at(126),
        true_time: time_at(130),
        ..Row::default()
    };
    // Embedded documents are read only for what the type needs, so that a torn one elsewhere harms nobody.
    for (at, wanted) in [(52, true), (58, row.is_link_click())] {
        if wanted && !columns[at].is_empty() {
            envelope::check(columns[at])?;
            let entities: entities::Wrapped<'_> = json::from_str(columns[at])?;
            row.take(entities.0);
        }
    }
    Ok(row)
}

impl<'a> Row<'a> {
    fn is_link_click(&self) -> bool {
        self.name() == "link_click"
    }

    /// What happened: the event, or the name where the event is self-describing.
    fn name(&self) -> &str {
        let is_open = matches!(&*self.event, "unstruct" | "self_describing" | "");
        if is_open && !self.event_name.is_empty() { &self.event_name } else { &self.event }
    }

    fn take(&mut self, found: entities::Found<'a>) {
        let set = |slot: &mut Text<'a>, value: Text<'a>| {
            if !value.is_empty() {
                *slot = value;
            }
        };
        set(&mut self.target_url, found.target_url);
        set(&mut self.client_user, found.user_id);
        set(&mut self.client_session, found.session_id);
    }

    fn claimed_time(&self) -> ClaimedTime<'a> {
        for best in [&self.derived, &self.true_time] {
            if *best != ClaimedTime::Missing {
                return best.clone();
            }
        }
        let at = |time: &ClaimedTime<'a>| match time {
            ClaimedTime::At(at) => Some(*at),
            _ => None,
        };
        match (at(&self.created), at(&self.sent), at(&self.collector)) {
            (Some(created), Some(sent), Some(collected)) => {
                ClaimedTime::Raw { created, sent: Some(sent), collected: Some(collected) }
            }
            // The collector's clock is the brand's own; the device's alone may be years off.
            (_, _, Some(collected)) => ClaimedTime::At(collected),
            (Some(created), ..) => ClaimedTime::At(created),
            _ => self.collector.clone(),
        }
    }
}

fn read_row<'a>(payload: &Payload<'a>, row: Row<'a>, sink: &mut dyn Entries<'a>) -> Result<(), Rejection> {
    if row.event.is_empty() && row.event_name.is_empty() {
        return Err(Rejection::field(RejectionReason::MissingField, "event", "neither event nor event_name"));
    }
    let name = row.name().to_owned();
    let kind = match name.as_str() {
        "page_view" | "page_ping" | "screen_view" => TouchpointType::PageViewed,
        "transaction" => TouchpointType::OrderCreated,
        "transaction_item" => {
            sink.withheld(WithheldReason::Filtered, Cow::Owned(name));
            return Ok(());
        }
        "link_click" if is_help(&row.target_url) => TouchpointType::ResourceFollowed,
        "link_click" => {
            sink.withheld(WithheldReason::Filtered, Cow::Owned(name));
            return Ok(());
        }
        "struct" | "event" => {
            let full = format!("{}/{}", row.category, row.action);
            let found =
                [full.as_str(), &row.action, &row.category].into_iter().find_map(|name| payload.names.kind_of(name));
            match found {
                Some(kind) => kind,
                None => {
                    sink.withheld(WithheldReason::Unmapped, Cow::Owned(full));
                    return Ok(());
                }
            }
        }
        name => match payload.names.kind_of(name) {
            Some(kind) => kind,
            None => {
                sink.withheld(WithheldReason::Unmapped, Cow::Owned(name.to_owned()));
                return Ok(());
            }
        },
    };
    sink.touchpoint(draft(payload, row, kind));
    Ok(())
}

fn draft<'a>(payload: &Payload<'a>, row: Row<'a>, kind: TouchpointType) -> Draft<'a> {
    let is_app =
        matches!(&*row.platform, "mob" | "app" | "tv" | "cnsl" | "pc" | "iot") || row.event_name == "screen_view";
    let mut draft = Draft::new(kind, if is_app { Channel::App } else { Channel::Web }, payload.source);
    draft.time = row.claimed_time();
    let session = if row.session_id.is_empty() { &row.client_session } else { &row.session_id };
    draft.visit(payload.source_name, "session", session, Trust::Authenticated, "domain_sessionid");
    draft.visit(payload.source_name, "order", &row.order_id, Trust::Authenticated, "tr_orderid");
    let body = &mut draft.body;
    body.schema = Cow::Borrowed("snowplow");
    body.set_reference(RefKind::Session, session.clone());
    body.set_reference(RefKind::Order, row.order_id);
    body.set_reference(RefKind::Campaign, row.campaign);
    body.money = amount::money(&row.total, row.currency);
    body.source_id = row.event_id;
    body.app = row.app_id;
    body.producer = row.tracker;
    body.version = row.tracker_version;
    draft.mention(IdentifierType::Login, row.user_id, Trust::Authenticated, "user_id");
    draft.mention(IdentifierType::Device, row.client_user, Trust::Authenticated, "client_session.userId");
    draft.mention(IdentifierType::Cookie, row.domain_userid, Trust::Authenticated, "domain_userid");
    draft.mention(IdentifierType::Cookie, row.network_userid, Trust::Authenticated, "network_userid");
    draft
}

/// Whether a link leads to a help host: one of whose labels says so.
fn is_help(url: &str) -> bool {
    const HELP: [&str; 8] = ["help", "support", "faq", "docs", "kb", "hilfe", "aide", "ayuda"];
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    host.split(['.', '-']).any(|label| HELP.iter().any(|help| help.eq_ignore_ascii_case(label)))
}
