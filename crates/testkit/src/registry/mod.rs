//! A schema registry inside the test, speaking the REST API of Confluent's.
//!
//! It registers, looks up, deletes, checks compatibility of Avro schemas, answers the documented error codes, asks for
//! credentials when told to, and can be away ([`Registry::set_outage`]). Schemas of other types are stored and never judged.
//! References between schemas are refused, since nothing here uses them. Everything is in memory and ends with the value.

mod http;
mod routes;
mod store;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

pub use store::Compatibility;

use http::{Request, Response};
use store::Store;

/// How the registry is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Every request is answered with this HTTP status and no useful body.
    Status(u16),
    /// Connections are accepted and closed without an answer.
    Dropped,
}

/// What a client must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// HTTP basic authentication; holds the value that `Authorization` must have after `Basic `.
    Basic(String),
    /// A bearer token.
    Bearer(String),
}

/// One request that the registry has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Path with query, as sent.
    pub target: String,
}

/// A registry on 127.0.0.1 that ends with this value.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    stopped: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    outage: Option<Outage>,
    access: Access,
    seen: Vec<Seen>,
}

impl Registry {
    /// Starts an empty registry on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be bound.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let inner = Inner { store: Store::default(), outage: None, access: Access::Open, seen: Vec::new() };
        let shared = Arc::new(Shared { stopped: AtomicBool::new(false), inner: Mutex::new(inner) });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// The base address, `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Registers an Avro schema as a client would and returns its id.
    ///
    /// # Panics
    /// When the schema is invalid or incompatible.
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        match self.inner().store.register(subject, schema, "AVRO") {
            Ok(id) => id,
            Err(refusal) => panic!("subject {subject} refuses the schema: {refusal:?}"),
        }
    }

    /// Begins or (with `None`) ends an outage.
    pub fn set_outage(&self, outage: Option<Outage>) {
        self.inner().outage = outage;
    }

    /// Sets what clients must show from now on.
    pub fn set_access(&self, access: Access) {
        self.inner().access = access;
    }

    /// Every request so far, refused ones and those during an outage included.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.inner().seen.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The acceptor waits for a connection; this is it.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    /// A test that panicked while it held the lock has failed already; the others go on.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The answer to a request; nothing when the connection is to be dropped.
    fn answer(&mut self, request: &Request) -> Option<Response> {
        self.seen.push(Seen { method: request.method.clone(), target: request.target.clone() });
        match self.outage {
            Some(Outage::Dropped) => return None,
            Some(Outage::Status(status)) => {
                return Some(Response::refusal(status, u32::from(status), "The registry is away"));
            }
            None => {}
        }
        let expected = match &self.access {
            Access::Open => None,
            Access::Basic(credentials) => Some(format!("Basic {credentials}")),
            Access::Bearer(token) => Some(format!("Bearer {token}")),
        };
        if expected.is_some() && expected != request.authorization {
            return Some(Response::refusal(401, 401, "Unauthorized"));
        }
        Some(routes::answer(&mut self.store, request))
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // A client that keeps its connection open must not hold up the others. The thread ends with its connection.
        std::thread::spawn(move || {
            http::serve(stream, |request| {
                if shared.stopped.load(Ordering::SeqCst) { None } else { shared.inner().answer(request) }
            })
        });
    }
}
