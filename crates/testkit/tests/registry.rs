//! The documented cases of the schema registry's REST API, over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use throughline_testkit::registry::{Access, Outage, Registry};

const V1: &str = r#"{"type":"record","name":"Visit","fields":[{"name":"page","type":"string"}]}"#;
/// Adds a field with a default: compatible in both directions.
const V2: &str = r#"{"type":"record","name":"Visit","fields":[{"name":"page","type":"string"},{"name":"ms","type":"long","default":0}]}"#;
/// Adds a field without a default: cannot read what was written before.
const V3_BAD: &str =
    r#"{"type":"record","name":"Visit","fields":[{"name":"page","type":"string"},{"name":"who","type":"string"}]}"#;

/// Sends one request and returns status and body; nothing when the connection was dropped.
fn send(
    registry: &Registry,
    method: &str,
    path: &str,
    body: Option<&Value>,
    authorization: &str,
) -> Option<(u16, Value)> {
    let url = registry.url();
    let address = url.strip_prefix("http://").expect("the address is plain HTTP");
    let mut stream = TcpStream::connect(address).expect("the registry listens");
    let body = body.map(Value::to_string).unwrap_or_default();
    let length = body.len();
    let authorization =
        if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Length: {length}\r\n\r\n{body}"
    )
    .expect("the registry reads");
    stream.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).expect("every answer is JSON")))
}

fn get(registry: &Registry, path: &str) -> (u16, Value) {
    send(registry, "GET", path, None, "").expect("the registry answers")
}

fn submit(registry: &Registry, method: &str, path: &str, body: &Value) -> (u16, Value) {
    send(registry, method, path, Some(body), "").expect("the registry answers")
}

fn schema(text: &str) -> Value {
    json!({ "schema": text })
}

fn code(answer: &(u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["error_code"].as_u64().unwrap_or(0))
}

#[test]
fn a_schema_is_registered_once_and_found_by_id_version_and_content() {
    let registry = Registry::start();
    assert_eq!(submit(&registry, "POST", "/subjects/a-value/versions", &schema(V1)), (200, json!({ "id": 1 })));
    assert_eq!(submit(&registry, "POST", "/subjects/a-value/versions", &schema(V1)).1, json!({ "id": 1 }));
    let spaced = V1.replace(':', " : ");
    assert_eq!(submit(&registry, "POST", "/subjects/b-value/versions", &schema(&spaced)).1, json!({ "id": 1 }));
    assert_eq!(submit(&registry, "POST", "/subjects/a-value/versions", &schema(V2)).1, json!({ "id": 2 }));

    assert_eq!(get(&registry, "/schemas/ids/1"), (200, json!({ "schema": V1 })));
    assert_eq!(get(&registry, "/subjects"), (200, json!(["a-value", "b-value"])));
    assert_eq!(get(&registry, "/subjects/a-value/versions"), (200, json!([1, 2])));
    let second = json!({ "subject": "a-value", "version": 2, "id": 2, "schema": V2 });
    assert_eq!(get(&registry, "/subjects/a-value/versions/2"), (200, second.clone()));
    assert_eq!(get(&registry, "/subjects/a-value/versions/latest"), (200, second.clone()));
    assert_eq!(submit(&registry, "POST", "/subjects/a-value", &schema(V2)), (200, second));
    assert_eq!(get(&registry, "/schemas/ids/1/subjects"), (200, json!(["a-value", "b-value"])));
    assert_eq!(get(&registry, "/subjects/a-value/versions/1/schema").1["name"], "Visit");
}

#[test]
fn what_is_not_there_has_its_own_code() {
    let registry = Registry::start();
    registry.register("a-value", V1);
    assert_eq!(code(&get(&registry, "/subjects/none/versions")), (404, 40401));
    assert_eq!(code(&get(&registry, "/subjects/none/versions/latest")), (404, 40401));
    assert_eq!(code(&get(&registry, "/subjects/a-value/versions/7")), (404, 40402));
    assert_eq!(code(&get(&registry, "/schemas/ids/99")), (404, 40403));
    assert_eq!(code(&submit(&registry, "POST", "/subjects/none", &schema(V1))), (404, 40401));
    assert_eq!(code(&submit(&registry, "POST", "/subjects/a-value", &schema(V2))), (404, 40403));
    assert_eq!(code(&get(&registry, "/subjects/a-value/versions/0")), (422, 42202));
    assert_eq!(code(&get(&registry, "/nonsense")), (404, 404));
}

#[test]
fn an_invalid_schema_is_refused() {
    let registry = Registry::start();
    let path = "/subjects/a-value/versions";
    assert_eq!(code(&submit(&registry, "POST", path, &schema("{\"type\":\"nonsense\"}"))), (422, 42201));
    assert_eq!(code(&submit(&registry, "POST", path, &json!({}))), (422, 42201));
    assert_eq!(get(&registry, "/subjects"), (200, json!([])));
}

#[test]
fn an_incompatible_schema_is_a_conflict_unless_the_level_allows_it() {
    let registry = Registry::start();
    registry.register("a-value", V1);
    let path = "/subjects/a-value/versions";
    let check = "/compatibility/subjects/a-value/versions/latest";
    assert_eq!(submit(&registry, "POST", check, &schema(V2)), (200, json!({ "is_compatible": true })));
    assert_eq!(submit(&registry, "POST", check, &schema(V3_BAD)), (200, json!({ "is_compatible": false })));
    assert_eq!(code(&submit(&registry, "POST", path, &schema(V3_BAD))), (409, 409));
    let unknown = "/compatibility/subjects/a-value/versions/9";
    assert_eq!(code(&submit(&registry, "POST", unknown, &schema(V2))), (404, 40402));

    let level = json!({ "compatibility": "NONE" });
    assert_eq!(submit(&registry, "PUT", "/config/a-value", &level), (200, level));
    assert_eq!(submit(&registry, "POST", path, &schema(V3_BAD)), (200, json!({ "id": 2 })));
}

#[test]
fn levels_are_global_or_of_a_subject() {
    let registry = Registry::start();
    assert_eq!(get(&registry, "/config"), (200, json!({ "compatibilityLevel": "BACKWARD" })));
    assert_eq!(code(&get(&registry, "/config/a-value")), (404, 40408));
    let full = json!({ "compatibility": "FULL_TRANSITIVE" });
    assert_eq!(submit(&registry, "PUT", "/config", &full), (200, full));
    assert_eq!(get(&registry, "/config/a-value?defaultToGlobal=true").1["compatibilityLevel"], "FULL_TRANSITIVE");
    assert_eq!(code(&submit(&registry, "PUT", "/config", &json!({ "compatibility": "SOME" }))), (422, 42203));
}

#[test]
fn a_deleted_subject_is_gone_and_its_schema_still_readable() {
    let registry = Registry::start();
    let id = registry.register("a/value", V1);
    assert_eq!(code(&submit(&registry, "DELETE", "/subjects/a%2Fvalue?permanent=true", &json!({}))), (404, 40405));
    assert_eq!(submit(&registry, "DELETE", "/subjects/a%2Fvalue", &json!({})), (200, json!([1])));
    assert_eq!(code(&get(&registry, "/subjects/a%2Fvalue/versions")), (404, 40401));
    assert_eq!(get(&registry, "/subjects?deleted=true").1, json!(["a/value"]));
    assert_eq!(get(&registry, &format!("/schemas/ids/{id}")).0, 200);
}

#[test]
fn an_outage_refuses_or_drops_and_then_ends() {
    let registry = Registry::start();
    let id = registry.register("a-value", V1);
    let path = format!("/schemas/ids/{id}");
    registry.set_outage(Some(Outage::Status(503)));
    assert_eq!(get(&registry, &path).0, 503);
    registry.set_outage(Some(Outage::Dropped));
    assert_eq!(send(&registry, "GET", &path, None, ""), None);
    registry.set_outage(None);
    assert_eq!(get(&registry, &path).0, 200);
    assert_eq!(registry.seen().len(), 3);
}

#[test]
fn credentials_are_asked_for() {
    let registry = Registry::start();
    registry.set_access(Access::Bearer("t".to_owned()));
    assert_eq!(get(&registry, "/subjects").0, 401);
    assert_eq!(send(&registry, "GET", "/subjects", None, "Bearer t"), Some((200, json!([]))));
    registry.set_access(Access::Basic("dTpw".to_owned()));
    assert_eq!(send(&registry, "GET", "/subjects", None, "Bearer t").map(|answer| answer.0), Some(401));
    assert_eq!(send(&registry, "GET", "/subjects", None, "Basic dTpw"), Some((200, json!([]))));
}
