//! Shopify and WooCommerce: what each shape that the vendors document becomes.

mod vendors_common;

use throughline_model::{SourceKind, TouchpointType};
use vendors_common::{Header, Names, check, entries, entries_as, entries_with};

fn store(text: &str, expected: &[&str]) {
    check(&entries(SourceKind::Store, text), expected);
}

const ORDER: &str = r##""id":1001,"admin_graphql_api_id":"gid://shopify/Order/1001","number":1,"order_number":1001,"name":"#1001",
    "created_at":"2024-05-01T10:00:00+02:00","processed_at":"2024-05-01T09:59:00+02:00","updated_at":"2024-05-02T08:00:00Z",
    "total_price":"25.50","currency":"EUR","email":"kim@x.example","phone":null,"customer_locale":"de-DE","unknown":{"a":[{}]},
    "customer":{"id":42,"email":"kim@x.example","phone":"+4917000001","default_address":{}},
    "shipping_address":{"country_code":"DE"},"line_items":[{"sku":"TEA","price":"12.75","quantity":2},{"sku":"","variant_id":null,"product_id":9,"price":3}]"##;

fn order(members: &str) -> String {
    format!("{{{ORDER},{members}}}")
}

const IDENTITY: &str = "visit!src:order:1001 handle!shopify:42 email?kim@x.example phone?+4917000001 order_id=1001";
const FACTS: &str = "price(TEA DE)=12.75 EUR price(9 DE)=3.00 EUR";

#[test]
fn an_order_is_created_paid_shipped_refunded_and_cancelled() {
    let created = format!(
        "order.created web id=order/1001/order.created at=1714550340000 rev=1714636800000 {IDENTITY} money=2550 EUR {FACTS} lang=de-DE"
    );
    let paid = format!(
        "payment.completed web id=order/1001/payment.completed at=1714550340000 rev=1714636800000 {IDENTITY} money=2550 EUR {FACTS}"
    );
    store(&order(r#""test":false,"financial_status":"pending","source_name":"web","location_id":null"#), &[&created]);
    store(&format!(r#"{{"order":{}}}"#, order(r#""financial_status":"paid""#)), &[&created, &paid]);
    let cancelled = format!(
        "order.cancelled web id=order/1001/order.cancelled at=1714557600000 rev=1714636800000 {IDENTITY} money=2550 EUR"
    );
    let at = r#""cancelled_at":"2024-05-01T12:00:00+02:00","financial_status":"voided""#;
    store(&order(&format!(r#"{at},"cancel_reason":"customer""#)), &[&created, &format!("{cancelled} by=customer")]);
    store(
        &order(&format!(r#"{at},"cancel_reason":"inventory""#)),
        &[&created, &format!("{cancelled} reason=stock by=brand")],
    );
    store(&order(&format!(r#"{at},"test":"true""#)), &["withheld filtered test order"]);
    let shipped = r#""fulfillments":[{"id":5,"order_id":1001,"status":"success","created_at":"2024-05-01T12:00:00Z","updated_at":"2024-05-03T12:00:00Z",
        "tracking_company":"Courier","shipment_status":"delivered","location_id":8},{"id":6,"status":"cancelled","created_at":"2024-05-01T12:00:00Z"},{"id":7,"status":"error"}],
        "refunds":[{"id":3,"created_at":"2024-05-04T12:00:00Z","user_id":11,"refund_line_items":[],"transactions":[
            {"kind":"refund","status":"success","amount":"5.00","currency":"EUR"},{"kind":"refund","status":"success","amount":"1.50","currency":"EUR"},{"kind":"refund","status":"failure","amount":"9.00","currency":"EUR"}]}]"#;
    store(
        &order(shipped),
        &[
            &created,
            &format!(
                "order.shipped field id=order/1001/order.shipped/5 at=1714564800000 rev=1714737600000 {IDENTITY} partner=Courier"
            ),
            &format!(
                "order.delivered field id=order/1001/order.delivered/5 at=1714737600000 rev=1714636800000 {IDENTITY} partner=Courier proof delivery 1001"
            ),
            &format!(
                "order.shipped field remove id=order/1001/order.shipped/6 at=1714564800000 rev=1714636800000 {IDENTITY}"
            ),
            "withheld filtered error",
            &format!(
                "refund.completed web id=order/1001/refund.completed/3 at=1714824000000 rev=1714636800000 {IDENTITY} staff=11 money=650 EUR proof refund 1001"
            ),
        ],
    );
}

#[test]
fn an_order_at_the_till_is_of_the_store_and_its_staff() {
    let text = r#"{"id":"7","financial_status":"pending","total_price":"1200","currency":"JPY","created_at":"2024-05-01T10:00:00Z","location_id":55,"user_id":66,"source_name":"pos"}"#;
    store(
        text,
        &[
            "order.created store person id=order/7/order.created at=1714557600000 visit!src:order:7 order_id=7 store=55 staff=66 money=1200 JPY",
        ],
    );
}

#[test]
fn transactions_tell_payments() {
    let one = |kind: &str, status: &str| {
        format!(
            r#"{{"transaction":{{"id":70,"order_id":1001,"kind":"{kind}","status":"{status}","amount":"9.90","currency":"EUR","gateway":"card","created_at":"2024-05-01T10:00:00Z","test":false}}}}"#
        )
    };
    let paid = "payment.completed web id=order/1001/payment.completed at=1714557600000 visit!src:order:1001 order_id=1001 money=990 EUR";
    let failed = "payment.failed web id=order/1001/payment.failed/70 at=1714557600000 visit!src:order:1001 order_id=1001 money=990 EUR";
    for (kind, status, expected) in [
        ("sale", "success", paid),
        ("capture", "success", paid),
        ("sale", "failure", failed),
        ("authorization", "error", failed),
        ("authorization", "success", "withheld filtered authorization"),
        ("void", "success", "withheld filtered void"),
        ("refund", "success", "withheld filtered refund transaction"),
        ("sale", "pending", "withheld filtered transaction"),
    ] {
        store(&one(kind, status), &[expected]);
    }
    store(r#"{"transactions":[]}"#, &["withheld filtered empty list"]);
    store(r#"{"transactions":[{"id":1,"kind":"sale","status":"success"}]}"#, &["rejected missing_field order_id"]);
    let inside = r#""financial_status":"paid","total_price":"9.90","currency":"EUR","transactions":[{"id":1,"kind":"capture","status":"success","amount":"9.90","currency":"EUR"},{"id":2,"kind":"sale","status":"failure"}]"#;
    store(
        &format!(r#"{{"order":{{"id":8,"created_at":"2024-05-01T10:00:00Z",{inside}}}}}"#),
        &[
            "order.created web id=order/8/order.created at=1714557600000 visit!src:order:8 order_id=8 money=990 EUR",
            "payment.completed web id=order/8/payment.completed at=1714557600000 visit!src:order:8 order_id=8 money=990 EUR",
            "payment.failed web id=order/8/payment.failed/2 at=Missing visit!src:order:8 order_id=8",
        ],
    );
}

#[test]
fn webhooks_of_other_resources_are_recognized_bare_and_by_topic() {
    store(
        r#"{"id":3,"order_id":1001,"created_at":"2024-05-04T12:00:00Z","note":"broken","refund_line_items":[{"id":1}],"transactions":[]}"#,
        &[
            "refund.completed web id=order/1001/refund.completed/3 at=1714824000000 rev=1714824000000 visit!src:order:1001 order_id=1001 proof refund 1001",
        ],
    );
    store(
        r#"{"id":5,"order_id":1001,"status":"success","created_at":"2024-05-01T12:00:00Z","tracking_company":null,"shipment_status":null}"#,
        &["order.shipped field id=order/1001/order.shipped/5 at=1714564800000 visit!src:order:1001 order_id=1001"],
    );
    store(
        r#"{"fulfillment_event":{"id":4,"fulfillment_id":5,"order_id":1001,"status":"delivered","happened_at":"2024-05-03T12:00:00Z"}}"#,
        &[
            "order.delivered field id=order/1001/order.delivered/5 at=1714737600000 visit!src:order:1001 order_id=1001 proof delivery 1001",
        ],
    );
    store(
        r#"{"id":4,"fulfillment_id":5,"order_id":1001,"status":"in_transit","happened_at":"2024-05-03T12:00:00Z"}"#,
        &["withheld filtered in_transit"],
    );
    store(
        r#"{"id":12,"token":"t","cart_token":"ct","abandoned_checkout_url":"u","email":"kim@x.example","created_at":"2024-05-01T12:00:00Z","total_price":"3.00","currency":"EUR","line_items":[]}"#,
        &[
            "checkout.started web id=checkout/12/checkout.started at=1714564800000 email?kim@x.example session_id=ct money=300 EUR",
        ],
    );
    let customer = r#"{"id":42,"email":"kim@x.example","verified_email":true,"orders_count":1,"created_at":"2024-05-01T12:00:00Z","updated_at":"2024-05-03T12:00:00Z"}"#;
    store(
        customer,
        &[
            "profile.changed web id=customer/42/profile.changed at=1714737600000 rev=1714737600000 handle!shopify:42 email?kim@x.example",
        ],
    );
    let topic = |topic| Header(Some(("X-Shopify-Topic", topic)));
    check(
        &entries_as("shopify", SourceKind::Store, customer, topic("customers/create")),
        &[
            "account.created web id=customer/42/account.created at=1714564800000 rev=1714737600000 handle!shopify:42 email?kim@x.example",
        ],
    );
    let bare = r#"{"id":9,"updated_at":"2024-05-03T12:00:00Z"}"#;
    store(bare, &["rejected unknown_format "]);
    check(
        &entries_as("shopify", SourceKind::Store, bare, topic("orders/updated")),
        &["order.created web id=order/9/order.created at=Missing rev=1714737600000 visit!src:order:9 order_id=9"],
    );
    check(&entries_as("shopify", SourceKind::Store, bare, topic("orders/delete")), &["withheld filtered order notice"]);
    check(
        &entries_as("shopify", SourceKind::Store, bare, topic("products/update")),
        &["withheld unmapped products/update"],
    );
    let bridged = r#"{"version":"0","id":"e","detail-type":"shopifyWebhook","source":"aws.partner/shopify.com/1/s","time":"2024-05-01T10:00:00Z",
        "detail":{"payload":{"id":9,"updated_at":"2024-05-03T12:00:00Z"},"metadata":{"X-Shopify-Topic":"orders/paid"}}}"#;
    store(
        bridged,
        &["order.created web id=order/9/order.created at=Missing rev=1714737600000 visit!src:order:9 order_id=9"],
    );
    store(r#"{"inventory_level":{"available":1}}"#, &["withheld filtered inventory_level"]);
    store(r#"{"draft_order":{"id":1}}"#, &["withheld filtered draft_order"]);
    store(r#"{"id":1,"token":"c","line_items":[{}],"note":null}"#, &["withheld filtered cart"]);
    store(r#"{"order":{"id":null,"financial_status":"paid"}}"#, &["rejected missing_field id"]);
}

const WOO: &str = r#""id":727,"number":"727","order_key":"k","created_via":"checkout","currency":"EUR","date_created":"2024-05-01T12:00:00",
    "date_created_gmt":"2024-05-01T10:00:00","date_modified_gmt":"2024-05-01T11:00:00","total":"29.35","customer_id":26,
    "billing":{"email":"kim@x.example","phone":"(555) 1"},"shipping":{"country":"DE"},
    "line_items":[{"product_id":93,"variation_id":0,"sku":"","price":3,"total":"6.00"}]"#;

#[test]
fn a_woocommerce_order_is_what_its_status_says() {
    let identity = "visit!src:order:727 handle!woocommerce:26 email?kim@x.example phone?(555) 1 order_id=727";
    let fact = "price(93 DE)=3.00 EUR";
    let created =
        format!("order.created web id=order/727 at=1714557600000 rev=1714561200000 {identity} money=2935 EUR {fact}");
    for status in ["pending", "processing", "on-hold", "completed", "refunded", "wc-processing"] {
        store(&format!(r#"{{{WOO},"status":"{status}","refunds":[]}}"#), &[&created]);
    }
    store(
        &format!(r#"{{{WOO},"status":"failed"}}"#),
        &[&format!("payment.failed web id=order/727 at=1714561200000 rev=1714561200000 {identity} money=2935 EUR")],
    );
    store(
        &format!(r#"{{{WOO},"status":"cancelled"}}"#),
        &[&format!(
            "order.cancelled web id=order/727 at=1714561200000 rev=1714561200000 {identity} money=2935 EUR by=brand"
        )],
    );
    store(&format!(r#"{{{WOO},"status":"checkout-draft"}}"#), &["withheld filtered checkout-draft"]);
    store(
        &format!(r#"{{{WOO},"status":"refunded","refunds":[{{"id":730,"reason":"","total":"-9.35"}}]}}"#),
        &[
            &created,
            &format!("refund.completed web id=refund/730 at=1714561200000 {identity} money=935 EUR proof refund 727"),
        ],
    );
}

#[test]
fn the_older_woocommerce_envelopes_are_read_too() {
    let order = r#"{"id":645,"order_number":645,"created_at":"2024-05-01T10:00:00Z","updated_at":"2024-05-01T11:00:00Z","status":"processing",
        "currency":"USD","total":"79.87","total_line_items_quantity":3,"payment_details":{"paid":true},"billing_address":{"email":"kim@x.example"},
        "customer_id":0,"customer":{"id":0,"email":"kim@x.example"},"line_items":[],"refunds":[]}"#;
    let created = "order.created web id=order/645 at=1714557600000 rev=1714561200000 visit!src:order:645 email?kim@x.example order_id=645 money=7987 USD";
    store(&format!(r#"{{"order":{order}}}"#), &[created]);
    store(&format!(r#"{{"orders":[{order},{order}]}}"#), &[created, created]);
    store(
        r#"{"order_refunds":[{"id":1,"created_at":"2024-05-01T10:00:00Z","amount":"10.00"},{"id":2,"created_at":"2024-05-01T11:00:00Z","amount":null}]}"#,
        &["refund.completed web id=refund/1 at=1714557600000", "refund.completed web id=refund/2 at=1714561200000"],
    );
    store(
        r#"{"id":726,"date_created":"2024-05-01T12:00:00","date_created_gmt":"2024-05-01T10:00:00","amount":"10.00","reason":"late","refunded_by":1,"refunded_payment":false}"#,
        &["refund.completed web id=refund/726 at=1714557600000 staff=1"],
    );
    store(
        r#"{"id":25,"date_created_gmt":"2024-05-01T10:00:00","date_modified_gmt":"2024-05-01T11:00:00","email":"kim@x.example","username":"kim","is_paying_customer":true,"avatar_url":"u","billing":{"phone":"1"}}"#,
        &[
            "profile.changed web id=customer/25 at=1714561200000 rev=1714561200000 handle!woocommerce:25 email?kim@x.example phone?1",
        ],
    );
    store(
        r#"{"webhook":{"id":5,"topic":"order.created","resource":"order","delivery_url":"u"}}"#,
        &["withheld filtered webhook"],
    );
    store(
        r#"{"id":142,"topic":"order.updated","delivery_url":"u","date_created":"2024-05-01T12:00:00"}"#,
        &["withheld filtered resource"],
    );
    store(
        r#"{"id":281,"author":"system","date_created_gmt":"2024-05-01T10:00:00","note":"paid","customer_note":false}"#,
        &["withheld filtered resource"],
    );
    store(r#"{"webhook_id":5}"#, &["withheld filtered resource"]);
    store(r#"{"coupon":{"id":5,"code":"x"}}"#, &["withheld filtered resource"]);
    let action = r#"{"action":"woocommerce_add_to_cart","arg":"7c"}"#;
    store(action, &["withheld unmapped woocommerce_add_to_cart"]);
    let names = Names(Some(("woocommerce_add_to_cart", TouchpointType::PageViewed)));
    check(&entries_with(SourceKind::Store, action, Header::default(), names), &["page.viewed web id= at=Missing"]);
}
