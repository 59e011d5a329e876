//! The JSON form: the columns by their names.

use serde::Deserialize;
use serde_json::value::RawValue;
use throughline_model::Rejection;

use super::Row;
use super::entities::{Entity, Found, Named, Wrapped};
use crate::format::Payload;
use crate::json::{self, Many, Obj, Str, Time};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    app_id: Str<'a>,
    #[serde(borrow)]
    platform: Str<'a>,
    #[serde(borrow)]
    collector_tstamp: Time<'a>,
    #[serde(borrow)]
    dvce_created_tstamp: Time<'a>,
    #[serde(borrow)]
    dvce_sent_tstamp: Time<'a>,
    #[serde(borrow)]
    derived_tstamp: Time<'a>,
    #[serde(borrow)]
    true_tstamp: Time<'a>,
    #[serde(borrow)]
    event: Str<'a>,
    #[serde(borrow)]
    event_name: Str<'a>,
    #[serde(borrow)]
    event_id: Str<'a>,
    #[serde(borrow)]
    name_tracker: Str<'a>,
    #[serde(borrow)]
    v_tracker: Str<'a>,
    #[serde(borrow)]
    user_id: Str<'a>,
    #[serde(borrow)]
    domain_userid: Str<'a>,
    #[serde(borrow)]
    network_userid: Str<'a>,
    #[serde(borrow)]
    domain_sessionid: Str<'a>,
    #[serde(borrow)]
    mkt_campaign: Str<'a>,
    #[serde(borrow)]
    se_category: Str<'a>,
    #[serde(borrow)]
    se_action: Str<'a>,
    #[serde(borrow)]
    tr_orderid: Str<'a>,
    #[serde(borrow)]
    tr_total: Str<'a>,
    #[serde(borrow)]
    tr_currency: Str<'a>,
}

pub(super) fn read<'a>(payload: &Payload<'a>) -> Result<Row<'a>, Rejection> {
    let wire: Wire<'a> = json::from_str(payload.text)?;
    let mut row = Row {
        app_id: wire.app_id.0,
        platform: wire.platform.0,
        collector: wire.collector_tstamp.in_utc().0,
        created: wire.dvce_created_tstamp.in_utc().0,
        sent: wire.dvce_sent_tstamp.in_utc().0,
        derived: wire.derived_tstamp.in_utc().0,
        true_time: wire.true_tstamp.in_utc().0,
        event: wire.event.0,
        event_name: wire.event_name.0,
        event_id: wire.event_id.0,
        tracker: wire.name_tracker.0,
        tracker_version: wire.v_tracker.0,
        user_id: wire.user_id.0,
        domain_userid: wire.domain_userid.0,
        network_userid: wire.network_userid.0,
        session_id: wire.domain_sessionid.0,
        campaign: wire.mkt_campaign.0,
        category: wire.se_category.0,
        action: wire.se_action.0,
        order_id: wire.tr_orderid.0,
        total: wire.tr_total.0,
        currency: wire.tr_currency.0,
        ..Row::default()
    };
    for (name, raw) in json::from_str::<Named<'a>>(payload.text)?.0 {
        row.take(entity(payload, &name, raw)?);
    }
    Ok(row)
}

fn entity<'a>(payload: &Payload<'a>, name: &str, raw: &'a RawValue) -> Result<Found<'a>, Rejection> {
    // Some loaders keep the wrapped documents as text.
    let text =
        if raw.get().starts_with('"') { payload.keep.keep(json::from_str::<String>(raw.get())?) } else { raw.get() };
    if text.trim().is_empty() {
        return Ok(Found::default());
    }
    if matches!(name, "contexts" | "unstruct_event" | "derived_contexts") {
        return json::from_str::<Wrapped<'a>>(text).map(|wrapped| wrapped.0);
    }
    let mut found = Found::default();
    for entity in json::from_str::<Many<Obj<Entity<'a>>>>(text)? {
        found.add(name, entity.0);
    }
    Ok(found)
}
