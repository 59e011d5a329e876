//! Web formats and the own contract, record by record.

mod common;

use common::{List, detail, fate, ids, is_routed_by, record, run, run_with, web};
use throughline_model::touchpoint::Touchpoint;
use throughline_model::{IdentifierType, RefKind, Verb};
use throughline_normalize::format::NoHeaders;
use throughline_normalize::{Entry, NoSchemas};

fn check(value: &str, expected: &[&str]) {
    let shown = run_with(&web(), &record(Some(value.as_bytes()), &NoHeaders), &NoSchemas, detail);
    assert_eq!(shown, expected, "{value}");
}

fn look(value: &str, at: usize, see: impl Fn(&Touchpoint<'_>) -> String) -> String {
    let all = run_with(&web(), &record(Some(value.as_bytes()), &NoHeaders), &NoSchemas, |entry| match entry {
        Entry::Touchpoint(touchpoint) => see(touchpoint),
        other => fate(other),
    });
    all[at].split_once(' ').expect("index").1.to_owned()
}

#[test]
fn segment_calls() {
    let time = r#""timestamp":"2026-06-01T11:00:00.000Z""#;
    check(
        &format!(r#"{{"type":"page","messageId":"m1","userId":"u1","anonymousId":"a1",{time}}}"#),
        &["0 page.viewed web m1 exact-3600000 [LOGIN COOKIE] -> login"],
    );
    check(
        &format!(
            r#"{{"type":"screen","messageId":"m1","anonymousId":"a1","context":{{"device":{{"id":"d1"}},"sessionId":17}},{time}}}"#
        ),
        &["0 page.viewed app m1 exact-3600000 [DEVICE COOKIE VISIT] -> device"],
    );
    check(
        r#"{"type":"identify","messageId":"m1","userId":"u1","traits":{"email":"ann@example.org","phone":"+491701234567","plan":"gold"}}"#,
        &["0 profile.changed web m1 missing [LOGIN email phone] -> login"],
    );
    check(
        r#"{"type":"alias","messageId":"m1","userId":"u1","previousId":"a1"}"#,
        &["0 profile.changed web m1 missing [LOGIN COOKIE] -> login"],
    );
    check(
        r#"{"type":"group","messageId":"m1","userId":"u1","groupId":"g1","traits":[]}"#,
        &["0 relation.declared web m1 missing [LOGIN] -> login"],
    );
    let long = "x".repeat(101);
    check(
        &format!(r#"{{"type":"page","messageId":"m1","userId":"{long}"}}"#),
        &["0 page.viewed web m1 missing [] -> nobody"],
    );
    check(r#"{"userId":"u1","messageId":"m1","properties":{}}"#, &["0 rejected(unknown_format)"]);
}

#[test]
fn segment_clocks_are_corrected() {
    // The device is an hour behind: created 10:59 by a clock that says 11:00 when the collector says 12:00.
    check(
        r#"{"type":"page","messageId":"m1","userId":"u1","originalTimestamp":"2026-06-01T10:59:00Z","sentAt":"2026-06-01T11:00:00Z","receivedAt":"2026-06-01T12:00:00Z"}"#,
        &["0 page.viewed web m1 corrected-60000 [LOGIN] -> login"],
    );
}

#[test]
fn segment_track_names() {
    let track = |event: &str, properties: &str| {
        let value =
            format!(r#"{{"type":"track","messageId":"m1","userId":"u1","event":"{event}","properties":{properties}}}"#);
        run(&web(), value.as_bytes()).join(", ")
    };
    for (event, properties, expected) in [
        ("Product Viewed", r#"{"product_id":"p1","price":"12"}"#, "0 listing.viewed"),
        ("product list viewed", "{}", "0 listing.viewed"),
        ("Promotion Viewed", "{}", "0 offer.shown"),
        ("Products Searched", r#"{"query":"x"}"#, "0 page.viewed"),
        ("Products Searched", r#"{"query":"x","results_count":0}"#, "0 search.failed"),
        ("Products Searched", r#"{"query":"x","products":[]}"#, "0 search.failed"),
        ("Cart Viewed", "null", "0 page.viewed"),
        ("Checkout Started", "{}", "0 checkout.started"),
        ("Coupon Denied", "{}", "0 coupon.denied"),
        ("Order Completed", r#"{"order_id":"o1"}"#, "0 order.created, 1 payment.completed"),
        ("Order Cancelled", r#"{"order_id":"o1"}"#, "0 order.cancelled"),
        ("Order Refunded", r#"{"order_id":"o1","total":3}"#, "0 refund.completed"),
        ("Product Reviewed", r#"{"rating":"5","review_body":"fine"}"#, "0 review.submitted"),
        ("Product Shared", "{}", "0 post.published"),
        ("Live Chat Conversation Started", "{}", "0 contact.started"),
        ("Live Chat Message Sent", r#"{"message_body":"help"}"#, "0 message.received"),
        ("Live Chat Message Received", "{}", "0 response.sent"),
        ("Live Chat Conversation Ended", r#"{"conversation_duration":60}"#, "0 contact.ended"),
        ("Signed Up", "{}", "0 account.created"),
        ("Signed In", "{}", "0 login.completed"),
        ("Signed Out", "{}", "0 session.ended"),
        ("Account Deleted", "{}", "0 contract.ended"),
        ("Trial Started", "{}", "0 withheld(unmapped) Trial Started"),
    ] {
        assert_eq!(track(event, properties), expected, "{event} {properties}");
    }
}

#[test]
fn an_order_is_two_touchpoints_that_an_update_revises() {
    let call = |event: &str| {
        format!(
            r#"{{"type":"track","messageId":"{event}","userId":"u1","event":"{event}","timestamp":"2026-06-01T11:00:00Z","properties":{{"order_id":"o1","total":"27.50","currency":"EUR","products":[{{"product_id":"p1","price":13.75}}]}}}}"#
        )
    };
    let see = |touchpoint: &Touchpoint<'_>| {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let amount = body.money.as_ref().map_or(0, |money| money.amount_minor);
        let revision = (header.revision.updated_at > 0, header.revision.verb == Verb::Update);
        format!("{} {amount} {} {revision:?}", body.source_id, body.reference(RefKind::Order).unwrap_or_default())
    };
    assert_eq!(look(&call("Order Completed"), 0, see), "order/o1/order.created 2750 o1 (false, false)");
    assert_eq!(look(&call("Order Updated"), 0, see), "order/o1/order.created 2750 o1 (true, true)");
    assert_eq!(look(&call("Order Completed"), 1, see), "order/o1/payment.completed 2750 o1 (false, false)");
    let facts =
        |touchpoint: &Touchpoint<'_>| touchpoint.body().facts.iter().map(|fact| fact.value.to_string()).collect();
    assert_eq!(look(&call("Order Completed"), 1, facts), "13.75 EUR");
}

#[test]
fn a_bad_member_of_a_batch_leaves_its_siblings_alone() {
    check(
        r#"{"batch":[{"type":"page","messageId":"m1","userId":"u1"},7,{"type":"track","event":"x","userId":"u1"}],"sentAt":"2026-06-01T11:00:00Z"}"#,
        &["0 page.viewed web m1 missing [LOGIN] -> login", "1 rejected(invalid_field)", "2 withheld(unmapped) x"],
    );
}

#[test]
fn cloudevents_wrap_any_format() {
    check(
        r#"{"specversion":"1.0","id":"7","source":"/shop","type":"t","time":"2026-06-01T11:00:00Z","data":{"type":"page.viewed","identifiers":[{"type":"login","value":"u1"}]}}"#,
        &["0 page.viewed web /shop/7 exact-3600000 [LOGIN] -> login"],
    );
    let headers = List(vec![
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", "7".to_owned()),
        ("ce_source", "/shop".to_owned()),
        ("ce_time", "2026-06-01T11:00:00Z".to_owned()),
    ]);
    let value = br#"{"type":"page","userId":"u1"}"#;
    let shown = run_with(&web(), &record(Some(value), &headers), &NoSchemas, detail);
    assert_eq!(shown, ["0 page.viewed web /shop/7 exact-3600000 [LOGIN] -> login"]);
}

fn snowplow(cells: &[(usize, &str)]) -> String {
    let mut columns = vec![""; 131];
    for (at, value) in cells {
        columns[*at] = value;
    }
    columns.join("\t")
}

#[test]
fn snowplow_rows() {
    let base =
        [(0, "shop"), (1, "web"), (6, "e1"), (12, "u1"), (15, "c1"), (123, "s1"), (124, "2026-06-01 11:00:00.000")];
    let with = |more: &[(usize, &'static str)]| snowplow(&[&base[..], more].concat());
    let page = "0 page.viewed web e1 exact-3600000 [LOGIN COOKIE VISIT] -> login";
    check(&with(&[(5, "page_view")]), &[page]);
    check(&with(&[(5, "page_ping"), (126, "link_click")]), &[page]);
    check(
        &with(&[(5, "transaction"), (59, "o1"), (61, "12.50"), (108, "EUR")]),
        &["0 order.created web e1 exact-3600000 [LOGIN COOKIE VISIT VISIT] -> login"],
    );
    check(&with(&[(5, "struct"), (53, "cart"), (54, "add")]), &["0 withheld(unmapped) cart/add"]);
    let click = |url: &str| {
        format!(
            r#"{{"schema":"iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0","data":{{"schema":"iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1","data":{{"targetUrl":"{url}"}}}}}}"#
        )
    };
    let (help, other) = (click("https://help.shop.test/a"), click("https://shop.test/help"));
    let clicked =
        |document: &str| snowplow(&[(0, "shop"), (5, "unstruct"), (6, "e1"), (58, document), (126, "link_click")]);
    assert_eq!(run(&web(), clicked(&help).as_bytes()), ["0 resource.followed"]);
    assert_eq!(run(&web(), clicked(&other).as_bytes()), ["0 withheld(filtered) link_click"]);
    let two = format!("{}\n{}\n", with(&[(5, "page_view")]), with(&[(5, "transaction_item")]));
    assert_eq!(run(&web(), two.as_bytes()), ["0 page.viewed", "1 withheld(filtered) transaction_item"]);
    assert_eq!(run(&web(), b"a\tb\tc"), ["0 rejected(unknown_format)"]);
    let raw = [
        (3, "2026-06-01 12:00:00"),
        (4, "2026-06-01 10:59:00"),
        (5, "page_view"),
        (6, "e1"),
        (119, "2026-06-01 11:00:00"),
    ];
    check(&snowplow(&raw), &["0 page.viewed web e1 corrected-60000 [] -> nobody"]);
}

#[test]
fn snowplow_json_says_the_same() {
    check(
        r#"{"app_id":"shop","platform":"mob","event":"unstruct","event_name":"screen_view","event_id":"e1","collector_tstamp":"2026-06-01T11:00:00.000Z","derived_tstamp":null,
            "contexts_com_snowplowanalytics_snowplow_client_session_1":[{"userId":"d1","sessionId":"s1"}]}"#,
        &["0 page.viewed app e1 exact-3600000 [DEVICE VISIT] -> device"],
    );
    check(
        r#"{"app_id":"shop","event":"unstruct","event_name":"link_click","event_id":"e1","user_id":"u1","unstruct_event_com_snowplowanalytics_snowplow_link_click_1":{"targetUrl":"https://support.shop.test"}}"#,
        &["0 resource.followed web e1 missing [LOGIN] -> login"],
    );
}

#[test]
fn posthog_captures() {
    let capture = |event: &str, properties: &str| {
        format!(
            r#"{{"uuid":"x1","event":"{event}","properties":{{"distinct_id":"p1",{properties}"$lib":"web"}},"timestamp":"2026-06-01T11:00:00Z"}}"#
        )
    };
    let page = "0 page.viewed web x1 exact-3600000 ";
    check(&capture("$pageview", ""), &[&format!("{page}[COOKIE] -> cookie")]);
    check(
        &capture("$pageview", r#""$is_identified":true,"$device_id":"d1","$session_id":"s1","#),
        &[&format!("{page}[LOGIN DEVICE VISIT] -> login")],
    );
    check(&capture("$pageview", r#""$user_id":"p1","#), &[&format!("{page}[LOGIN] -> login")]);
    check(
        &capture("$identify", r#""$anon_distinct_id":"a1","$set":{"email":"ann@example.org","plan":"gold"},"#),
        &["0 profile.changed web x1 exact-3600000 [LOGIN email COOKIE] -> login"],
    );
    for (event, expected) in [
        ("$screen", "0 page.viewed"),
        ("$create_alias", "0 profile.changed"),
        ("$merge_dangerously", "0 profile.changed"),
        ("$set", "0 profile.changed"),
        ("$groupidentify", "0 relation.declared"),
        ("$rageclick", "0 friction.clicked"),
        ("$dead_click", "0 friction.clicked"),
        ("$exception", "0 page.failed"),
        ("survey sent", "0 survey.answered"),
        ("survey dismissed", "0 survey.expired"),
        ("$opt_in", "0 consent.changed"),
        ("$autocapture", "0 withheld(filtered) $autocapture"),
        ("$pageleave", "0 withheld(filtered) $pageleave"),
        ("$feature_flag_called", "0 withheld(filtered) $feature_flag_called"),
        ("bought", "0 withheld(unmapped) bought"),
    ] {
        assert_eq!(run(&web(), capture(event, "").as_bytes()), [expected], "{event}");
    }
}

#[test]
fn posthog_batches_times_and_exports() {
    check(
        r#"{"api_key":"k","batch":[{"event":"$pageview","distinct_id":"p1","uuid":"x1","properties":{"$time":1780311600}},{"event":"$pageleave","distinct_id":"p1"}]}"#,
        &["0 page.viewed web x1 exact-3600000 [COOKIE] -> cookie", "1 withheld(filtered) $pageleave"],
    );
    check(
        r#"{"uuid":"x1","event":"$pageview","distinct_id":"p1","timestamp":"2026-06-01 11:00:00.000000","properties":"{\"$is_identified\":true,\"$session_id\":\"s1\"}"}"#,
        &["0 page.viewed web x1 exact-3600000 [LOGIN VISIT] -> login"],
    );
}

#[test]
fn posthog_answers() {
    let value = r#"{"uuid":"x1","event":"survey sent","properties":{"distinct_id":"p1","$survey_name":"NPS survey","$survey_id":"s1","$survey_response":"9","$survey_response_1":"Everything was great, I love it, thank you so much"}}"#;
    let see = |touchpoint: &Touchpoint<'_>| {
        let evidence = &touchpoint.body().evidence;
        format!("{} {} {}", evidence[0].kind, evidence[0].score, evidence[1].kind)
    };
    assert_eq!(look(value, 0, see), "nps 9 sentiment");
}

#[test]
fn the_contract_carries_every_field() {
    let value = r#"{"source_id":"t1","source":{"system":"till","producer":"team-a"},"type":"assist.requested","channel":"store","verb":"update","updated_at":"2026-06-01T11:30:00Z",
        "occurred_at":"2026-06-01T11:00:00Z","identifiers":[{"type":"login","value":"u1","trust":"asserted"},{"type":"visit","value":"store:visit:v1"}],
        "relations":[{"kind":"household","type":"login","value":"u2"}],"refs":{"visit_id":"v1"},"owners":{"store":"s1"},"need":{"topic":"tv","tags":[{"tag":"medical","confidence":0.8}]},
        "intents":[{"intent":"help"}],"severity":"severe","codes":["safety"],"durations":{"wait_ms":5},"money":{"amount_minor":5,"currency":"EUR"},"social":{"public":true,"likes":3},
        "facts":[{"kind":"price","subject":"p1","value":"5.00 EUR"}],"attributes":[{"name":"taste","value":"tea","purpose":"personalization"}],"text":"secret","unknown":{"x":[1]}}"#;
    check(value, &["0 assist.requested store t1 exact-3600000 [login VISIT] -> visit"]);
    let see = |touchpoint: &Touchpoint<'_>| {
        let (header, body) = (touchpoint.header(), touchpoint.body());
        let response = header.response.as_ref().expect("an assist starts a clock");
        format!(
            "{} {} {} {} {} {} {}",
            body.system,
            body.producer,
            header.revision.updated_at,
            header.relations.len(),
            response.target_ms,
            body.facts[0].region,
            header.touchpoint_id == ids().touchpoint("till", "t1"),
        )
    };
    assert_eq!(look(value, 0, see), "till team-a 1780313400000 1 180000 all true");
}

#[test]
fn records_without_an_id_get_a_stable_one() {
    let id = |value: &str| look(value, 0, |touchpoint| touchpoint.body().source_id.to_string());
    let (one, two) = (r#"{"type":"page.viewed"}"#, r#"{"type":"page.viewed" }"#);
    assert_eq!(id(one), id(one));
    assert_ne!(id(one), id(two));
    assert_eq!(id(one).len(), 32);
}

#[test]
fn the_deployments_map_names_the_rest() {
    let mut source = web();
    source.names.insert("Trial Started".to_owned(), throughline_model::TouchpointType::CampaignClaimed);
    source.names.insert("cart/add".to_owned(), throughline_model::TouchpointType::PageViewed);
    let track = br#"{"type":"track","event":"Trial Started","userId":"u1"}"#;
    assert_eq!(run(&source, track), ["0 campaign.claimed"]);
    let row = snowplow(&[(5, "struct"), (6, "e1"), (53, "cart"), (54, "add")]);
    assert_eq!(run(&source, row.as_bytes()), ["0 page.viewed"]);
    let routed = run_with(&source, &record(Some(track), &NoHeaders), &NoSchemas, |entry| {
        is_routed_by(entry, IdentifierType::Login, "u1").to_string()
    });
    assert_eq!(routed, ["0 true"]);
}
