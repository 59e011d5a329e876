//! The server: listens, names every request, finds out who asks, contains panics, stops.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request as HttpRequest, Response, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::access::{Caller, Token, identify, may_listen};
use crate::backend::{Audit, AuditResult, Health, Queries};
use crate::error::{ApiError, ErrorCode};
use crate::metrics::ApiMetrics;
use crate::routes::{Request, Route, Shared, audit, router};

/// What the interface can be told.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Where to listen; port 0 takes a free one. Beyond loopback only with tokens.
    pub listen: SocketAddr,
    /// Tokens; without any, everyone who reaches loopback may read.
    pub tokens: Vec<Token>,
    /// Name of this instance, part of audit ids.
    pub instance: String,
    /// Longest wait for the acknowledgement of an audit record.
    pub audit_timeout: Duration,
    /// Longest time of one request.
    pub request_timeout: Duration,
    /// Scans (pages of customers or alerts) at once.
    pub scans_max: usize,
    /// Longest wait for open requests when stopping.
    pub shutdown_timeout: Duration,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8088)),
            tokens: Vec::new(),
            instance: "throughline".to_owned(),
            audit_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            scans_max: 2,
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}

/// Why the interface did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Beyond loopback without tokens.
    #[error("listen on {0} without tokens: configure token files, or a loopback address")]
    OpenWithoutTokens(SocketAddr),
    /// The address is taken or not ours.
    #[error("listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// A metric of the same name is registered already.
    #[error("register the metrics of the interface")]
    Metrics(#[from] prometheus::Error),
}

/// A running interface. Dropped, it stops at once; [`Server::shutdown`] lets open requests end.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    shutdown_timeout: Duration,
}

impl Server {
    /// Starts to listen on the current tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be listened on, or would open the interface without tokens.
    pub async fn start(
        options: ApiOptions,
        queries: Arc<dyn Queries>,
        audit: Arc<dyn Audit>,
        health: Arc<dyn Health>,
        registry: prometheus::Registry,
    ) -> Result<Self, StartError> {
        let listen = options.listen;
        if !may_listen(listen, &options.tokens) {
            return Err(StartError::OpenWithoutTokens(listen));
        }
        let listener = TcpListener::bind(listen).await.map_err(|cause| StartError::Listen(listen, cause))?;
        let local_addr = listener.local_addr().map_err(|cause| StartError::Listen(listen, cause))?;
        let metrics = ApiMetrics::new(&registry)?;
        let shutdown_timeout = options.shutdown_timeout;
        let scans = Semaphore::new(options.scans_max.max(1));
        let openapi = crate::openapi::document();
        let shared = Arc::new(Shared { options, queries, audit, health, registry, metrics, scans, openapi });
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, app(shared), stopping));
        tracing::info!(address = %local_addr, "http interface listens");
        Ok(Self { local_addr, stop, serving, shutdown_timeout })
    }

    /// The address it listens on, with the port taken for port 0.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes no more requests, lets the open ones end within the limit, stops.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(self.shutdown_timeout, &mut self.serving).await.is_err() {
            tracing::warn!("http requests still open at the end of the drain");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, app: Router, mut stopping: watch::Receiver<bool>) {
    let stopped = async move {
        // An error means that the server itself is gone, which is a reason to stop as well.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    if let Err(cause) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
        tracing::error!(%cause, "http interface stopped");
    }
}

fn app(shared: Arc<Shared>) -> Router {
    let ids = Arc::new(RequestIds::new());
    router(Arc::clone(&shared)).layer(from_fn_with_state((shared, ids), around))
}

/// Around every request: its id, its caller, its limit, its metrics; a panic becomes a 500.
async fn around(
    State((shared, ids)): State<(Arc<Shared>, Arc<RequestIds>)>,
    http: HttpRequest<Body>,
    next: Next,
) -> Response<Body> {
    let started = Instant::now();
    let route = Route::of(http.uri().path());
    let id = ids.of(http.headers());
    let caller = identify(&shared.options.tokens, route.access(), http.headers());
    let customer = wanted_customer(route, http.uri());
    let mut response = match permitted(&shared, route, &id, caller, customer).await {
        Ok(request) => answered(&shared, http, next, request).await,
        Err(error) => error.into_response(&id),
    };
    let headers = response.headers_mut();
    headers.insert("x-request-id", HeaderValue::from_str(&id).expect("request ids are printable ASCII"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, seconds) = (response.status().as_u16(), started.elapsed().as_secs_f64());
    shared.metrics.answered(route, status, seconds);
    // The query string stays out of logs: it may hold an identifier.
    tracing::debug!(request_id = &*id, %route, status, seconds, "http request");
    response
}

/// Whether the caller may go on. A look-up that the role does not allow is on the audit topic like any other.
async fn permitted(
    shared: &Shared,
    route: Route,
    id: &Arc<str>,
    caller: Result<Caller, ErrorCode>,
    customer: Option<String>,
) -> Result<Request, ApiError> {
    let caller = caller.map_err(|code| {
        let text = match code {
            ErrorCode::Unauthenticated => "a bearer token is needed",
            _ => "without tokens only loopback host names are answered",
        };
        ApiError::new(code, text)
    })?;
    let request = Request { id: Arc::clone(id), caller };
    if request.caller.role.is_none_or(|role| role.may(route.access())) {
        return Ok(request);
    }
    if let Some(customer_id) = customer {
        audit(shared, &request, AuditResult::Denied, customer_id, String::new()).await?;
    }
    Err(ApiError::new(ErrorCode::Forbidden, "the role of this token may not read that"))
}

/// Whom a look-up is about: an id, or nothing where an identifier was given. `None` if it is not a look-up of one customer.
fn wanted_customer(route: Route, uri: &Uri) -> Option<String> {
    match route {
        Route::Customer => {
            let id = uri.path().strip_prefix("/v1/customers/").unwrap_or_default();
            // What is no id may be anything, a name or an address: it stays out of the audit topic.
            Some(crate::parameters::customer_id(id).map_or_else(|_| String::new(), |id| id.to_string()))
        }
        Route::Customers => uri.query().is_some_and(|query| query.contains("value=")).then(String::new),
        _ => None,
    }
}

async fn answered(shared: &Shared, mut http: HttpRequest<Body>, next: Next, request: Request) -> Response<Body> {
    let id = Arc::clone(&request.id);
    http.extensions_mut().insert(request);
    // A task of its own: a panic ends that task, and is an answer here.
    let mut answer = tokio::spawn(next.run(http));
    match tokio::time::timeout(shared.options.request_timeout, &mut answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(broken)) => {
            tracing::error!(request_id = &*id, cause = %broken, "http request panicked");
            let text = "something broke inside; the log knows what, by request id";
            ApiError::new(ErrorCode::Internal, text).into_response(&id)
        }
        Err(_) => {
            answer.abort();
            ApiError::new(ErrorCode::Timeout, "took too long").into_response(&id)
        }
    }
}

/// Names requests: the caller's own `x-request-id` if it is harmless, else one made here.
struct RequestIds {
    start: u64,
    next: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // The keys of a hasher are random for each process, which is all that is wanted of a prefix.
        Self { start: RandomState::new().hash_one("request"), next: AtomicU64::new(1) }
    }

    fn of(&self, headers: &HeaderMap) -> Arc<str> {
        let harmless = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(harmless) {
            Some(id) => Arc::from(id),
            None => Arc::from(format!("{:016x}-{:x}", self.start, self.next.fetch_add(1, Ordering::Relaxed))),
        }
    }
}
