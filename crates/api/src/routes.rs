//! The routes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;
use serde_json::value::RawValue;
use throughline_model::closed_set;
use throughline_view::AlertQuery;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::access::{Access, Caller};
use crate::backend::{
    Answer, Audit, AuditAction, AuditInterface, AuditRecord, AuditResult, CustomerBody, CustomersBody, Health, Probe,
    Queries, Reflects,
};
use crate::error::{ApiError, ErrorBody, ErrorCode, json};
use crate::metrics::ApiMetrics;
use crate::parameters::{
    AlertsParameters, CustomerParameters, CustomersParameters, CustomersRequest, Lookup, customer_id, query,
};
use crate::server::ApiOptions;
use crate::status::Status;

closed_set! {
    /// The routes, as labels of metrics.
    pub enum Route {
        /// Metrics.
        Metrics = "metrics",
        /// Liveness.
        Live = "health_live",
        /// Readiness.
        Ready = "health_ready",
        /// One customer by id.
        Customer = "customer",
        /// A list of customers, or one by identifier.
        Customers = "customers",
        /// Alerts.
        Alerts = "alerts",
        /// Status.
        Status = "status",
        /// The description of the interface.
        OpenApi = "openapi",
        /// None of these.
        Unknown = "unknown",
    }
}

impl Route {
    /// The route of a path; the router agrees, a test holds that.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/metrics" => Self::Metrics,
            "/health/live" => Self::Live,
            "/health/ready" => Self::Ready,
            "/v1/customers" => Self::Customers,
            "/v1/alerts" => Self::Alerts,
            "/v1/status" => Self::Status,
            "/v1/openapi.json" => Self::OpenApi,
            _ if path.starts_with("/v1/customers/") => Self::Customer,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn access(self) -> Access {
        match self {
            Self::Live | Self::Ready | Self::OpenApi => Access::Open,
            // An unknown path tells nothing, but is not worth an answer to strangers.
            Self::Metrics | Self::Unknown => Access::Metrics,
            Self::Status => Access::Status,
            Self::Customer | Self::Customers | Self::Alerts => Access::Customers,
        }
    }
}

/// What every request needs.
pub(crate) struct Shared {
    pub(crate) options: ApiOptions,
    pub(crate) queries: Arc<dyn Queries>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) registry: prometheus::Registry,
    pub(crate) metrics: ApiMetrics,
    pub(crate) scans: Semaphore,
    pub(crate) openapi: String,
}

/// One request: its id and who asks.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) id: Arc<str>,
    pub(crate) caller: Caller,
}

type Reply = Response<Body>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/v1/customers/{customer_id}", get(customer))
        .route("/v1/customers", get(customers))
        .route("/v1/alerts", get(alerts))
        .route("/v1/status", get(status))
        .route("/v1/openapi.json", get(openapi))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(shared)
}

/// A page of customers, lowest relationship score first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CustomersReply {
    /// Records of `experience.scores`.
    #[schema(value_type = Vec<Object>)]
    customers: Vec<Box<RawValue>>,
    /// Ask with this `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Committed offsets this reflects at least.
    reflects: Vec<Reflects>,
}

/// A page of alerts by severity, then `due_at`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsReply {
    /// Records of `experience.alerts.state`.
    #[schema(value_type = Vec<Object>)]
    alerts: Vec<Box<RawValue>>,
    /// Ask with this `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Answer of a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProbeReply {
    /// `passed` or `failed`.
    status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "Metrics in the text format of Prometheus", content_type = "text/plain", body = String),
    (status = "default", description = "Error", body = ErrorBody)))]
async fn metrics(State(shared): State<Arc<Shared>>, Extension(request): Extension<Request>) -> Reply {
    let registry = shared.registry.clone();
    let encoded = blocking(move || {
        let mut text = Vec::with_capacity(64 * 1024);
        TextEncoder::new().encode(&registry.gather(), &mut text).map(|()| text)
    })
    .await;
    match encoded {
        Ok(text) => {
            let mut response = Response::new(Body::from(text));
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, format);
            response
        }
        Err(cause) => internal(&request, &cause.to_string()).into_response(&request.id),
    }
}

/// Whether the process lives. Depends on nothing outside it.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses(
    (status = 200, description = "It lives", body = ProbeReply),
    (status = 503, description = "It does not", body = ProbeReply)))]
async fn live(State(shared): State<Arc<Shared>>) -> Reply {
    probe(shared.health.live())
}

/// Whether to send traffic: own partitions restored, or none owned.
#[utoipa::path(get, path = "/health/ready", tag = "operations", responses(
    (status = 200, description = "Ready", body = ProbeReply),
    (status = 503, description = "Not ready", body = ProbeReply)))]
async fn ready(State(shared): State<Arc<Shared>>) -> Reply {
    probe(shared.health.ready())
}

/// One customer. The look-up is on `throughline.audit` before it is answered.
#[utoipa::path(get, path = "/v1/customers/{customer_id}", tag = "customers",
    params(("customer_id" = String, Path, description = "34 hex digits"), CustomerParameters), responses(
    (status = 200, description = "The customer", body = CustomerBody),
    (status = 404, description = "`unknown_customer`", body = ErrorBody),
    (status = 503, description = "`restoring` or `audit_unavailable`, with `Retry-After`", body = ErrorBody),
    (status = "default", description = "Error", body = ErrorBody)))]
async fn customer(
    State(shared): State<Arc<Shared>>,
    Extension(request): Extension<Request>,
    Path(id): Path<String>,
    parameters: Result<Query<CustomerParameters>, QueryRejection>,
) -> Reply {
    let answer = async {
        let id = customer_id(&id)?;
        let lookup = query(parameters)?.read()?;
        let queries = Arc::clone(&shared.queries);
        let at = lookup.at;
        let answer = blocking(move || queries.customer(id, at)).await;
        looked_up(&shared, &request, answer, &lookup, id.hex().as_str()).await
    };
    reply(&request, answer.await)
}

/// Customers by relationship score, lowest first; or, with `type` and `value`, the one an identifier belongs to.
#[utoipa::path(get, path = "/v1/customers", tag = "customers", params(CustomersParameters), responses(
    (status = 200, description = "A page of customers; with `type` and `value` one customer", body = CustomersAnswer),
    (status = 404, description = "`unknown_customer`", body = ErrorBody),
    (status = 503, description = "`restoring`, `busy` or `audit_unavailable`, with `Retry-After`", body = ErrorBody),
    (status = "default", description = "Error", body = ErrorBody)))]
async fn customers(
    State(shared): State<Arc<Shared>>,
    Extension(request): Extension<Request>,
    parameters: Result<Query<CustomersParameters>, QueryRejection>,
) -> Reply {
    match query(parameters).and_then(CustomersParameters::read) {
        Err(error) => error.into_response(&request.id),
        Ok(CustomersRequest::Find { kind, value, lookup }) => {
            let queries = Arc::clone(&shared.queries);
            let at = lookup.at;
            let answer = blocking(move || queries.find(kind, &value, at)).await;
            reply(&request, looked_up(&shared, &request, answer, &lookup, "").await)
        }
        Ok(CustomersRequest::Page(page)) => {
            let answer = scan(&shared, move |queries| queries.customers(page)).await;
            let answer = answer.and_then(|answer| found(&request, answer)).map(|body: CustomersBody| CustomersReply {
                customers: body.page.items,
                next_cursor: body.page.next.map(|next| next.to_string()),
                reflects: body.reflects,
            });
            reply(&request, answer)
        }
    }
}

/// The two forms of an answer of `/v1/customers`, for the description only.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum CustomersAnswer {
    /// Without `type` and `value`.
    Page(CustomersReply),
    /// With `type` and `value`.
    One(CustomerBody),
}

/// Alerts that are not closed, by severity, then `due_at`.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(AlertsParameters), responses(
    (status = 200, description = "A page of alerts", body = AlertsReply),
    (status = 503, description = "`restoring` or `busy`, with `Retry-After`", body = ErrorBody),
    (status = "default", description = "Error", body = ErrorBody)))]
async fn alerts(
    State(shared): State<Arc<Shared>>,
    Extension(request): Extension<Request>,
    parameters: Result<Query<AlertsParameters>, QueryRejection>,
) -> Reply {
    let answer = async {
        let page: AlertQuery = query(parameters)?.read()?;
        let answer = scan(&shared, move |queries| queries.alerts(page)).await?;
        let page = found(&request, answer)?;
        Ok(AlertsReply { alerts: page.items, next_cursor: page.next.map(|next| next.to_string()) })
    };
    reply(&request, answer.await)
}

/// What the workers do and what to do about it. Holds no customer.
#[utoipa::path(get, path = "/v1/status", tag = "operations", responses(
    (status = 200, description = "Status", body = Status),
    (status = "default", description = "Error", body = ErrorBody)))]
async fn status(State(shared): State<Arc<Shared>>) -> Reply {
    let queries = Arc::clone(&shared.queries);
    json(StatusCode::OK, &blocking(move || queries.status()).await)
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "operations", responses(
    (status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn openapi(State(shared): State<Arc<Shared>>) -> Reply {
    let mut response = Response::new(Body::from(shared.openapi.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn unknown_route(Extension(request): Extension<Request>) -> Reply {
    ApiError::new(ErrorCode::UnknownRoute, "no such route").into_response(&request.id)
}

async fn method_not_allowed(Extension(request): Extension<Request>) -> Reply {
    ApiError::new(ErrorCode::MethodNotAllowed, "this interface only reads").into_response(&request.id)
}

fn probe(probe: Probe) -> Reply {
    match probe {
        Probe::Passed => json(StatusCode::OK, &ProbeReply { status: "passed", reason: None }),
        Probe::Failed(reason) => {
            json(StatusCode::SERVICE_UNAVAILABLE, &ProbeReply { status: "failed", reason: Some(reason) })
        }
    }
}

fn reply(request: &Request, answer: Result<impl Serialize, ApiError>) -> Reply {
    match answer {
        Ok(body) => json(StatusCode::OK, &body),
        Err(error) => error.into_response(&request.id),
    }
}

/// Runs a query on a thread that may block. A panic goes on in the caller, where the request turns it into a 500.
async fn blocking<T: Send + 'static>(query: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(query).await {
        Ok(answer) => answer,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("a blocking query is never cancelled"),
        },
    }
}

/// Runs a query that looks at everything; only so many at once.
async fn scan<T: Send + 'static>(
    shared: &Arc<Shared>,
    query: impl FnOnce(&dyn Queries) -> T + Send + 'static,
) -> Result<T, ApiError> {
    if shared.scans.available_permits() == 0 {
        return Err(busy());
    }
    let permitted = Arc::clone(shared);
    // The permit is taken on the thread that scans: it is held until the scan ends, even if the caller gives up.
    blocking(move || {
        let _permit = permitted.scans.try_acquire().map_err(|_| busy())?;
        Ok(query(&*permitted.queries))
    })
    .await
}

fn busy() -> ApiError {
    ApiError::new(ErrorCode::Busy, "too many scans at once").retry_after(Duration::from_secs(1))
}

fn found<T>(request: &Request, answer: Answer<T>) -> Result<T, ApiError> {
    match answer {
        Answer::Found(body) => Ok(body),
        Answer::NotFound => Err(ApiError::new(ErrorCode::UnknownCustomer, "no customer by that id or identifier")),
        Answer::Restoring { retry_after } => {
            Err(ApiError::new(ErrorCode::Restoring, "this partition is being restored").retry_after(retry_after))
        }
        Answer::Failed { cause } => Err(internal(request, &cause)),
    }
}

fn internal(request: &Request, cause: &str) -> ApiError {
    tracing::error!(request_id = &*request.id, cause, "failed to answer a request");
    ApiError::new(ErrorCode::Internal, "something broke inside; the log knows what, by request id")
}

/// Writes the audit record of a look-up, and only then lets its answer out.
async fn looked_up(
    shared: &Shared,
    request: &Request,
    answer: Answer<CustomerBody>,
    lookup: &Lookup,
    asked_id: &str,
) -> Result<CustomerBody, ApiError> {
    let (result, customer_id) = match &answer {
        Answer::Found(body) => (AuditResult::Found, body.customer_id.clone()),
        Answer::NotFound => (AuditResult::NotFound, asked_id.to_owned()),
        // Nothing was looked at, so there is nothing to write down.
        Answer::Restoring { .. } | Answer::Failed { .. } => return found(request, answer),
    };
    audit(shared, request, result, customer_id, lookup.purpose.clone()).await?;
    found(request, answer)
}

/// Writes one audit record and waits until it is acknowledged.
pub(crate) async fn audit(
    shared: &Shared,
    request: &Request,
    result: AuditResult,
    customer_id: String,
    purpose: String,
) -> Result<(), ApiError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let record = AuditRecord {
        // A caller may choose the request id, so it alone would not be unique.
        audit_id: format!("{}-{}-{:x}", shared.options.instance, request.id, now.as_nanos()),
        occurred_at_millis: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        actor: request.caller.actor.clone(),
        role: request.caller.role_name(),
        interface: AuditInterface::Http,
        action: AuditAction::Lookup,
        customer_id,
        purpose,
        result,
        request_id: request.id.to_string(),
    };
    let cause = match tokio::time::timeout(shared.options.audit_timeout, shared.audit.record(record)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(failed)) => failed.to_string(),
        Err(_) => "write the audit record: no acknowledgement in time".to_owned(),
    };
    shared.metrics.audit_failed();
    tracing::error!(request_id = &*request.id, cause, "look-up refused without an audit record");
    let error = ApiError::new(ErrorCode::AuditUnavailable, "the look-up could not be recorded, so it is not answered");
    Err(error.retry_after(Duration::from_secs(5)))
}
