//! The interface over real HTTP on a free port, with backends of its own.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use throughline_api::{
    Acknowledged, Answer, ApiOptions, Audit, AuditFailed, AuditRecord, AuditResult, CustomerBody, CustomersBody,
    Health, Probe, Queries, Reflects, Role, Server, StartError, Status, Token,
};
use throughline_model::alert::{AlertSeverity, AlertState, AlertType};
use throughline_model::{CustomerId, EventTime, Hash128, IdentifierType, Now, Partition, Score};
use throughline_view::{AlertCursor, AlertQuery, CommittedView, CustomerQuery, OpenAlert, OpenAlerts, Page};
use tokio::runtime::Runtime;

const ANN: &str = "035911e87a810d8f9571835e716a1330ea";
const NOBODY: &str = "03000000000000000000000000000000ff";
const RESTORING: &str = "03000000000000000000000000000000aa";
const BROKEN: &str = "03000000000000000000000000000000bb";
const PANICS: &str = "03000000000000000000000000000000cc";

#[derive(Default)]
struct Backend {
    view: CommittedView,
    alerts: OpenAlerts,
    audited: Mutex<Vec<AuditRecord>>,
    audit_fails: bool,
    audit_hangs: bool,
    not_ready: Option<String>,
    gate: Option<Mutex<(Sender<()>, Receiver<()>)>>,
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("valid JSON")
}

fn id(text: &str) -> CustomerId {
    CustomerId::from_hex(text).expect("an id")
}

impl Queries for Backend {
    fn customer(&self, id: CustomerId, at: Option<EventTime>) -> Answer<CustomerBody> {
        let customer_id = id.to_string();
        match customer_id.as_str() {
            RESTORING => Answer::Restoring { retry_after: Duration::from_millis(1_500) },
            BROKEN => Answer::Failed { cause: "the secret inside".to_owned() },
            PANICS => panic!("a query panics on purpose"),
            _ => match self.view.get(&id) {
                None => Answer::NotFound,
                Some(parts) => Answer::Found(CustomerBody {
                    scores: raw(format!(
                        r#"{{"relationship":{},"at":{:?}}}"#,
                        parts[0],
                        at.map_or(-1, EventTime::as_millis)
                    )),
                    customer: None,
                    customer_id,
                    reflects: Reflects { partition: 3, offset: 99 },
                }),
            },
        }
    }

    fn find(&self, kind: IdentifierType, value: &str, at: Option<EventTime>) -> Answer<CustomerBody> {
        let known = kind == IdentifierType::Email && value == "ann@example.org";
        self.customer(id(if known { ANN } else { NOBODY }), at)
    }

    fn customers(&self, query: CustomerQuery) -> Answer<CustomersBody> {
        if let Some(gate) = &self.gate {
            let (entered, opened) = &*gate.lock().expect("no panic while held");
            // Whoever gave up listening only ends the wait.
            let _ = entered.send(());
            let _ = opened.recv();
        }
        let page = self.view.lowest(query, |_, parts| Some(Score::clamped(f64::from(parts[0]))));
        let record = |id: CustomerId| raw(format!(r#"{{"customer_id":"{id}"}}"#));
        Answer::Found(CustomersBody {
            page: Page { items: page.items.into_iter().map(record).collect(), next: page.next },
            reflects: vec![Reflects { partition: 3, offset: 99 }],
        })
    }

    fn alerts(&self, query: AlertQuery) -> Answer<Page<Box<RawValue>, AlertCursor>> {
        let page = self.alerts.page(query);
        let items = page.items.iter().map(|record| raw(record.to_string())).collect();
        Answer::Found(Page { items, next: page.next })
    }

    fn status(&self) -> Status {
        Status {
            version: "0.1.0".to_owned(),
            application: "throughline".to_owned(),
            tenant: "acme".to_owned(),
            instance: "one".to_owned(),
            model_version: "default@0.0".to_owned(),
            started_at: throughline_api::rfc3339(0),
            ready: true,
            customers: self.view.len() as u64,
            alerts_open: self.alerts.len() as u64,
            workers: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Audit for Backend {
    fn record(&self, record: AuditRecord) -> Acknowledged {
        self.audited.lock().expect("no panic while held").push(record);
        if self.audit_hangs {
            return Box::pin(std::future::pending());
        }
        let result = if self.audit_fails { Err(AuditFailed("broker gone".to_owned())) } else { Ok(()) };
        Box::pin(std::future::ready(result))
    }
}

impl Health for Backend {
    fn live(&self) -> Probe {
        Probe::Passed
    }

    fn ready(&self) -> Probe {
        self.not_ready.clone().map_or(Probe::Passed, Probe::Failed)
    }
}

struct Running {
    runtime: Runtime,
    server: Server,
    backend: Arc<Backend>,
    agent: ureq::Agent,
}

struct Reply {
    status: u16,
    headers: ureq::http::HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Running {
    fn start(backend: Backend, options: ApiOptions) -> Self {
        for (node, score) in
            [(ANN, 31u8), ("0300000000000000000000000000000001", 12), ("0300000000000000000000000000000002", 77)]
        {
            backend.view.put(id(node), Arc::from([score]));
        }
        let backend = Arc::new(backend);
        let runtime = Runtime::new().expect("a runtime");
        let options = ApiOptions { listen: "127.0.0.1:0".parse().expect("an address"), ..options };
        let start =
            Server::start(options, backend.clone(), backend.clone(), backend.clone(), prometheus::Registry::new());
        let server = runtime.block_on(start).expect("loopback has free ports");
        let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
        Self { runtime, server, backend, agent }
    }

    fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.agent.get(format!("http://{}{path}", self.server.local_addr()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call().expect("the server answers");
        let text = response.body_mut().read_to_string().expect("text");
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), text }
    }

    fn audited(&self) -> Vec<(String, AuditResult)> {
        let records = self.backend.audited.lock().expect("no panic while held");
        records.iter().map(|record| (record.customer_id.clone(), record.result)).collect()
    }
}

fn running() -> Running {
    Running::start(Backend::default(), ApiOptions::default())
}

#[test]
fn a_lookup_is_audited_before_it_is_answered() {
    let running = running();
    let reply = running.get(&format!("/v1/customers/{ANN}?at=2026-01-01T00:00:00Z&purpose=case%2017"));
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json();
    assert_eq!(body["customer_id"], ANN);
    assert_eq!(body["scores"]["at"], 1_767_225_600_000_i64);
    assert_eq!(body["reflects"]["offset"], 99);
    assert_eq!(reply.header("cache-control"), "no-store");
    let record = running.backend.audited.lock().expect("no panic while held").remove(0);
    assert_eq!(
        (record.customer_id.as_str(), record.purpose.as_str(), record.actor.as_str()),
        (ANN, "case 17", "anonymous")
    );
    assert_eq!(record.request_id, reply.header("x-request-id"));
    assert_eq!(record.result, AuditResult::Found);

    assert_eq!(running.get(&format!("/v1/customers/{NOBODY}")).code(), "unknown_customer");
    assert_eq!(running.get("/v1/customers?type=email&value=ann%40example.org").json()["customer_id"], ANN);
    assert_eq!(running.get("/v1/customers?type=email&value=bob%40example.org").status, 404);
    assert_eq!(
        running.audited(),
        [
            (NOBODY.to_owned(), AuditResult::NotFound),
            (ANN.to_owned(), AuditResult::Found),
            (String::new(), AuditResult::NotFound)
        ]
    );
}

#[test]
fn without_an_audit_record_there_is_no_answer() {
    let short = ApiOptions { audit_timeout: Duration::from_millis(20), ..ApiOptions::default() };
    for backend in
        [Backend { audit_fails: true, ..Backend::default() }, Backend { audit_hangs: true, ..Backend::default() }]
    {
        let running = Running::start(backend, short.clone());
        let reply = running.get(&format!("/v1/customers/{ANN}"));
        assert_eq!((reply.status, reply.code().as_str()), (503, "audit_unavailable"));
        assert_eq!(reply.header("retry-after"), "5");
        assert!(!reply.text.contains("relationship") && !reply.text.contains("broker gone"), "{}", reply.text);
        assert!(running.get("/metrics").text.contains("throughline_audit_failures_total 1"));
        // A list is no look-up of one customer.
        assert_eq!(running.get("/v1/customers").status, 200);
    }
}

#[test]
fn restoring_answers_say_when_to_ask_again_and_are_not_audited() {
    let running = running();
    let reply = running.get(&format!("/v1/customers/{RESTORING}"));
    assert_eq!((reply.status, reply.code().as_str(), reply.header("retry-after")), (503, "restoring", "2"));
    assert_eq!(running.audited(), []);
}

#[test]
fn causes_stay_inside_and_a_panic_is_contained() {
    let running = running();
    for customer in [BROKEN, PANICS] {
        let reply = running.get_with(&format!("/v1/customers/{customer}"), &[("x-request-id", "from-the-caller.1")]);
        assert_eq!((reply.status, reply.code().as_str()), (500, "internal"));
        let body = reply.json();
        assert_eq!(body["error"]["request_id"], "from-the-caller.1");
        assert_eq!(body["error"]["documentation"], "throughline explain TL-H12");
        assert!(!reply.text.contains("secret") && !reply.text.contains("on purpose"), "{}", reply.text);
    }
    assert_eq!(running.get(&format!("/v1/customers/{ANN}")).status, 200);
}

#[test]
fn customers_come_lowest_first_over_all_pages() {
    let running = running();
    let mut seen = Vec::new();
    let mut path = "/v1/customers?order=score&limit=2".to_owned();
    loop {
        let page = running.get(&path).json();
        let ids = page["customers"].as_array().expect("a list").iter();
        seen.extend(ids.map(|record| record["customer_id"].as_str().expect("an id").to_owned()));
        assert_eq!(page["reflects"][0]["partition"], 3);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/customers?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["0300000000000000000000000000000001", ANN, "0300000000000000000000000000000002"]);
}

#[test]
fn alerts_come_by_severity_then_due_time() {
    let running = running();
    for (at, severity, state, due) in [
        (1, AlertSeverity::P2, AlertState::Open, 5),
        (2, AlertSeverity::P2, AlertState::Open, 4),
        (3, AlertSeverity::P1, AlertState::Acknowledged, 9),
    ] {
        let alert = OpenAlert {
            partition: Partition(0),
            alert_type: AlertType::SevereMoment,
            severity,
            state,
            due_at: Some(Now::from_millis(due)),
            record: Arc::from(format!(r#"{{"alert":{at}}}"#)),
        };
        running.backend.alerts.put(Hash128([at; 16]), alert);
    }
    let listed = |path: &str| -> Vec<i64> {
        let body = running.get(path).json();
        body["alerts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|alert| alert["alert"].as_i64().expect("a number"))
            .collect()
    };
    assert_eq!(listed("/v1/alerts"), [3, 2, 1]);
    assert_eq!(listed("/v1/alerts?severity=P2&state=open&type=severe_moment"), [2, 1]);
    let first = running.get("/v1/alerts?limit=1").json();
    let cursor = first["next_cursor"].as_str().expect("more follow");
    assert_eq!(listed(&format!("/v1/alerts?limit=1&cursor={cursor}")), [2]);
}

/// A backend whose scans say that they run, and end when the other end says so or is gone.
fn gated() -> (Backend, Receiver<()>, Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (open, opened) = mpsc::channel();
    (Backend { gate: Some(Mutex::new((entered, opened))), ..Backend::default() }, has_entered, open)
}

#[test]
fn only_so_many_scans_run_at_once() {
    let (backend, has_entered, open) = gated();
    let running = Running::start(backend, ApiOptions { scans_max: 1, ..ApiOptions::default() });
    std::thread::scope(|threads| {
        let first = threads.spawn(|| running.get("/v1/customers").status);
        has_entered.recv().expect("the first scan runs");
        let second = running.get("/v1/customers");
        assert_eq!((second.status, second.code().as_str(), second.header("retry-after")), (503, "busy", "1"));
        drop(open);
        assert_eq!(first.join().expect("no panic"), 200);
    });
    assert_eq!(running.get("/v1/customers").status, 200);
}

#[test]
fn a_request_has_a_longest_time() {
    let (backend, has_entered, open) = gated();
    let options = ApiOptions { request_timeout: Duration::from_millis(50), ..ApiOptions::default() };
    let running = Running::start(backend, options);
    let reply = running.get("/v1/customers");
    assert_eq!((reply.status, reply.code().as_str()), (504, "timeout"));
    has_entered.recv().expect("the scan ran");
    drop(open);
}

#[test]
fn odd_requests_get_a_closed_code_each() {
    let running = running();
    for (path, status, code) in [
        ("/v1/customers/not-an-id", 400, "invalid_parameter"),
        ("/v1/customers?colour=red", 400, "invalid_parameter"),
        ("/v1/customers?limit=0", 400, "invalid_parameter"),
        ("/v1/customers?cursor=zz", 400, "invalid_cursor"),
        ("/v1/customers?type=email", 400, "invalid_parameter"),
        ("/v1/alerts?severity=P9", 400, "invalid_parameter"),
        ("/v2/customers", 404, "unknown_route"),
        ("/v1/customers/a/b", 404, "unknown_route"),
    ] {
        let reply = running.get(path);
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}: {}", reply.text);
    }
    let reply = running.agent.delete(format!("http://{}/v1/alerts", running.server.local_addr())).call();
    assert_eq!(reply.expect("an answer").status().as_u16(), 405);
    assert_eq!(running.get_with("/v1/status", &[("host", "rebound.example")]).code(), "forbidden");
    assert!(running.get("/v1/alerts?severity=P9").text.contains("P1, P2, P3, ops"));
}

#[test]
fn tokens_open_what_their_role_is_for() {
    let token = |actor, role, secret| Token::new(actor, role, secret).expect("long enough");
    let options = ApiOptions {
        tokens: vec![
            token("prometheus", Role::Metrics, "metrics-secret-0001"),
            token("ann", Role::Read, "reading-secret-0001"),
            token("ops", Role::Operate, "operate-secret-0001"),
        ],
        ..ApiOptions::default()
    };
    let running = Running::start(Backend::default(), options);
    let status =
        |path: &str, secret: &str| running.get_with(path, &[("authorization", &format!("Bearer {secret}"))]).status;
    let customer = format!("/v1/customers/{ANN}");
    for (secret, expected) in [
        ("metrics-secret-0001", [200, 403, 403, 403]),
        ("operate-secret-0001", [200, 200, 403, 403]),
        ("reading-secret-0001", [200, 200, 200, 200]),
        ("somebody-elses-0001", [401, 401, 401, 401]),
    ] {
        let paths = ["/metrics", "/v1/status", "/v1/alerts", &customer];
        assert_eq!(paths.map(|path| status(path, secret)), expected, "{secret}");
    }
    assert_eq!(running.get("/metrics").header("www-authenticate"), "Bearer");
    assert_eq!(running.get("/health/ready").status, 200);
    let denied = (ANN.to_owned(), AuditResult::Denied);
    assert_eq!(running.audited(), [denied.clone(), denied, (ANN.to_owned(), AuditResult::Found)]);
}

#[test]
fn beyond_loopback_needs_tokens() {
    let backend = Arc::new(Backend::default());
    let options = ApiOptions { listen: "0.0.0.0:0".parse().expect("an address"), ..ApiOptions::default() };
    let runtime = Runtime::new().expect("a runtime");
    let start = Server::start(options, backend.clone(), backend.clone(), backend, prometheus::Registry::new());
    assert!(matches!(runtime.block_on(start), Err(StartError::OpenWithoutTokens(_))));
}

#[test]
fn live_and_ready_differ() {
    let reason = "restoring 3 of 16 partitions".to_owned();
    let running =
        Running::start(Backend { not_ready: Some(reason.clone()), ..Backend::default() }, ApiOptions::default());
    assert_eq!(running.get("/health/live").status, 200);
    let ready = running.get("/health/ready");
    assert_eq!((ready.status, ready.json()["reason"].as_str()), (503, Some(reason.as_str())));
}

#[test]
fn requests_are_counted_and_the_port_is_free_after_the_end() {
    let running = running();
    running.get("/v1/status");
    running.get("/v1/nothing");
    let metrics = running.get("/metrics");
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        r#"throughline_http_requests_total{route="status",status="2xx"} 1"#,
        r#"throughline_http_requests_total{route="unknown",status="4xx"} 1"#,
        r#"throughline_query_seconds_count{route="status"} 1"#,
    ] {
        assert!(metrics.text.contains(line), "{line} in\n{}", metrics.text);
    }
    let Running { runtime, server, .. } = running;
    let address = server.local_addr();
    runtime.block_on(server.shutdown());
    assert!(std::net::TcpListener::bind(address).is_ok());
}

#[test]
fn the_description_is_the_committed_one() {
    expect_test::expect_file!["../openapi.json"].assert_eq(&throughline_api::openapi_document());
    assert_eq!(running().get("/v1/openapi.json").text, throughline_api::openapi_document());
}
