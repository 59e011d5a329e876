//! The schema registry, asked by blocking HTTP and remembered.
//!
//! An outage and an unknown id are different answers: [`Lookup::Pending`] pauses what needs the schema and rejects
//! nothing, [`Lookup::Unknown`] comes from a registry that answers and rejects the record.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use backon::{BlockingRetryable, ExponentialBuilder};
use base64::Engine;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use throughline_config::{RegistryAuth, RegistryOptions, SecretSource, SubjectNames, TlsOptions};
use throughline_pipeline::records::SubjectSchema;
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Schemas remembered; past it, those the registry did not have are forgotten first.
const CACHED_MAX: usize = 10_000;

/// How long an id that the registry does not have is not asked for again: a topic full of them must not flood it, and one
/// that is registered late must be found.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// How long after an outage was met for an id the registry is left alone.
const PENDING_FOR: Duration = Duration::from_secs(1);

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Compatibility that a new subject is given.
const COMPATIBILITY: &str = "BACKWARD_TRANSITIVE";

/// The registry's code for an id or a schema that it does not have.
const SCHEMA_NOT_FOUND: u32 = 40_403;
/// The registry's code for a subject that it does not have.
const SUBJECT_NOT_FOUND: u32 = 40_401;

/// What is known of a schema id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The schema, an Avro schema as text.
    Known(Arc<str>),
    /// An answering registry does not have it, or it is not an Avro schema that stands alone; why.
    Unknown(Arc<str>),
    /// Nobody could say. Ask again later.
    Pending,
}

/// Why the registry did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// No answer, or one that says nothing about the schema. Ask again later.
    #[error("schema registry is unavailable: {0}")]
    Unavailable(String),
    /// An answer: no.
    #[error("schema registry refuses with code {code}: {detail}")]
    Refused {
        /// The registry's code, for instance 409.
        code: u32,
        /// Its words.
        detail: String,
    },
}

/// A schema that a subject should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSchema {
    /// Subject.
    pub subject: String,
    /// The schema's text.
    pub text: String,
}

/// How a subject stands to the schema it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectState {
    /// It has it, under this id.
    Registered(u32),
    /// There is no such subject.
    Missing,
    /// It has others, and this one is compatible with them.
    Behind,
    /// It has others that this one is not compatible with; why.
    Incompatible(Vec<String>),
}

/// A client of one registry; shared by threads.
#[derive(Debug)]
pub struct Registry {
    agent: Agent,
    url: String,
    /// Value of the header; a secret, so [`fmt::Debug`](std::fmt::Debug) of it is not the text.
    authorization: Option<Authorization>,
    cache: Mutex<HashMap<u32, Cached>>,
}

struct Authorization(String);

impl std::fmt::Debug for Authorization {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("redacted")
    }
}

#[derive(Debug, Clone)]
struct Cached {
    lookup: Lookup,
    /// When it is asked for again; never if the answer cannot change.
    ask_after: Option<Instant>,
}

impl Registry {
    /// A client with these options. Reads the files of secrets and certificates, asks nothing yet.
    pub fn new(options: &RegistryOptions) -> anyhow::Result<Self> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout))
            .tls_config(tls_config(&options.tls)?)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: options.url.trim_end_matches('/').to_owned(),
            authorization: authorization(&options.auth)?,
            cache: Mutex::default(),
        })
    }

    /// What is remembered of the id; asks nobody. `None`: it is time to [`Registry::lookup`].
    #[must_use]
    pub fn cached(&self, id: u32) -> Option<Lookup> {
        let cached = self.cache().get(&id).cloned()?;
        let is_fresh = cached.ask_after.is_none_or(|at| Instant::now() < at);
        is_fresh.then_some(cached.lookup)
    }

    /// The schema of an id: remembered, or asked for once.
    pub fn lookup(&self, id: u32) -> Lookup {
        if let Some(lookup) = self.cached(id) {
            return lookup;
        }
        let lookup = match self.get::<SchemaAnswer>(&format!("/schemas/ids/{id}")) {
            Ok(answer) => answer.into_lookup(),
            Err(RegistryError::Refused { code: SCHEMA_NOT_FOUND, detail }) => Lookup::Unknown(detail.into()),
            Err(_) => Lookup::Pending,
        };
        self.remember(id, lookup.clone());
        lookup
    }

    /// The id under which the subject has the schema, if it has.
    pub fn schema_id(&self, wanted: &WantedSchema) -> Result<Option<u32>, RegistryError> {
        let path = format!("/subjects/{}", escaped(&wanted.subject));
        match self.post::<IdAnswer>(&path, &SchemaRequest { schema: &wanted.text }) {
            Ok(answer) => Ok(Some(answer.id)),
            Err(RegistryError::Refused { code: SCHEMA_NOT_FOUND | SUBJECT_NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How each subject stands to the schema it should have, in the order given. Changes nothing.
    pub fn plan(&self, wanted: &[WantedSchema]) -> Result<Vec<SubjectState>, RegistryError> {
        wanted.iter().map(|wanted| retried(|| self.state(wanted))).collect()
    }

    /// Registers what is missing or behind and returns the ids, in the order given. New subjects get the compatibility
    /// `BACKWARD_TRANSITIVE`. Stops at the first refusal; what was done stays, doing it again has no effect.
    pub fn apply(&self, wanted: &[WantedSchema]) -> Result<Vec<u32>, RegistryError> {
        let register = |wanted: &WantedSchema| match self.state(wanted)? {
            SubjectState::Registered(id) => Ok(id),
            SubjectState::Missing => {
                self.set_compatibility(&wanted.subject)?;
                self.register(wanted)
            }
            // The registry judges again and says in its own words why not.
            SubjectState::Behind | SubjectState::Incompatible(_) => self.register(wanted),
        };
        wanted.iter().map(|wanted| retried(|| register(wanted))).collect()
    }

    /// The ids of the schemas that are about to be written, in the order given. With `register` what is missing is
    /// registered; without, a missing one is an error that names the command.
    pub fn ids(&self, wanted: &[WantedSchema], register: bool) -> anyhow::Result<Vec<u32>> {
        if register {
            return self.apply(wanted).context("failed to register the schemas of the outputs");
        }
        let one = |wanted: &WantedSchema| {
            retried(|| self.schema_id(wanted))?.with_context(|| {
                format!("subject {} lacks the schema of this version; run `throughline schemas apply`", wanted.subject)
            })
        };
        wanted.iter().map(one).collect()
    }

    fn state(&self, wanted: &WantedSchema) -> Result<SubjectState, RegistryError> {
        if let Some(id) = self.schema_id(wanted)? {
            return Ok(SubjectState::Registered(id));
        }
        let subject = escaped(&wanted.subject);
        match self.get::<Vec<u32>>(&format!("/subjects/{subject}/versions")) {
            Ok(_) => {}
            Err(RegistryError::Refused { code: SUBJECT_NOT_FOUND, .. }) => return Ok(SubjectState::Missing),
            Err(error) => return Err(error),
        }
        let path = format!("/compatibility/subjects/{subject}/versions?verbose=true");
        let answer: CompatibilityAnswer = self.post(&path, &SchemaRequest { schema: &wanted.text })?;
        Ok(if answer.is_compatible { SubjectState::Behind } else { SubjectState::Incompatible(answer.messages) })
    }

    fn register(&self, wanted: &WantedSchema) -> Result<u32, RegistryError> {
        let path = format!("/subjects/{}/versions", escaped(&wanted.subject));
        self.post::<IdAnswer>(&path, &SchemaRequest { schema: &wanted.text }).map(|answer| answer.id)
    }

    fn set_compatibility(&self, subject: &str) -> Result<(), RegistryError> {
        let path = format!("/config/{}", escaped(subject));
        let request = CompatibilityRequest { compatibility: COMPATIBILITY };
        let sent = self.with_authorization(self.agent.put(self.address(&path)).content_type(CONTENT_TYPE));
        answer::<serde_json::Value>(sent.send(&json(&request)[..])).map(drop)
    }

    fn get<A: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<A, RegistryError> {
        answer(self.with_authorization(self.agent.get(self.address(path)).header("accept", CONTENT_TYPE)).call())
    }

    fn post<A: for<'de> Deserialize<'de>>(&self, path: &str, request: &impl Serialize) -> Result<A, RegistryError> {
        let sent = self.with_authorization(self.agent.post(self.address(path)).content_type(CONTENT_TYPE));
        answer(sent.send(&json(request)[..]))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn with_authorization<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.authorization {
            Some(Authorization(value)) => request.header("authorization", value),
            None => request,
        }
    }

    fn remember(&self, id: u32, lookup: Lookup) {
        let ask_after = match &lookup {
            Lookup::Known(_) => None,
            Lookup::Unknown(_) => Some(Instant::now() + UNKNOWN_FOR),
            Lookup::Pending => Some(Instant::now() + PENDING_FOR),
        };
        let mut cache = self.cache();
        if cache.len() >= CACHED_MAX {
            cache.retain(|_, cached| matches!(cached.lookup, Lookup::Known(_)));
        }
        if cache.len() < CACHED_MAX {
            cache.insert(id, Cached { lookup, ask_after });
        }
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<u32, Cached>> {
        // Nothing panics while it holds the lock, and a map of answers is valid at any moment.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subjects and schemas of topics whose names configuration gave.
pub fn wanted<'s>(
    topics: impl IntoIterator<Item = (&'s str, &'s SubjectSchema)>,
    names: SubjectNames,
) -> Vec<WantedSchema> {
    let mut wanted: Vec<_> = topics
        .into_iter()
        .map(|(topic, schema)| WantedSchema { subject: subject(topic, schema, names), text: schema.text.clone() })
        .collect();
    // By record name, topics with the same record share a subject.
    wanted.sort_by(|one, other| one.subject.cmp(&other.subject));
    wanted.dedup();
    wanted
}

/// The subject of a topic's values.
#[must_use]
pub fn subject(topic: &str, schema: &SubjectSchema, names: SubjectNames) -> String {
    match names {
        SubjectNames::Topic => format!("{topic}-value"),
        SubjectNames::Record => schema.record.clone(),
        SubjectNames::TopicRecord => format!("{topic}-{}", schema.record),
    }
}

#[derive(Serialize)]
struct SchemaRequest<'a> {
    schema: &'a str,
}

#[derive(Serialize)]
struct CompatibilityRequest {
    compatibility: &'static str,
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

#[derive(Deserialize)]
struct CompatibilityAnswer {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
    #[serde(default, rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

impl SchemaAnswer {
    fn into_lookup(self) -> Lookup {
        match self.schema_type.as_deref() {
            None | Some("AVRO") if self.references.is_empty() => Lookup::Known(self.schema.into()),
            None | Some("AVRO") => Lookup::Unknown("the schema refers to others".into()),
            Some(kind) => Lookup::Unknown(format!("the schema is of type {kind}").into()),
        }
    }
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error_code: u32,
    #[serde(default)]
    message: String,
}

fn json(request: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(request).expect("requests are strings in structs")
}

/// Reads an answer. Only a refusal in the registry's own form is one; what a proxy says in its place is an outage, and so
/// are missing rights: records must wait until somebody mends that.
fn answer<A: for<'de> Deserialize<'de>>(answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<A, RegistryError> {
    let unavailable = |error: &dyn std::fmt::Display| RegistryError::Unavailable(error.to_string());
    let mut answer = answer.map_err(|error| unavailable(&error))?;
    let status = answer.status();
    let body =
        answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(|error| unavailable(&error))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| unavailable(&error));
    }
    let may_refuse = matches!(status.as_u16(), 404 | 409 | 422);
    match serde_json::from_slice::<ErrorAnswer>(&body) {
        Ok(error) if may_refuse => Err(RegistryError::Refused { code: error.error_code, detail: error.message }),
        _ => Err(RegistryError::Unavailable(format!("status {status}"))),
    }
}

/// Tries again while the registry is unavailable, four times within a few seconds.
fn retried<T>(ask: impl FnMut() -> Result<T, RegistryError>) -> Result<T, RegistryError> {
    let times = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(3);
    ask.retry(times).when(|error| matches!(error, RegistryError::Unavailable(_))).call()
}

/// Everything but unreserved characters percent-encoded, so that a subject is one segment of a path.
fn escaped(subject: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes every character");
        }
    }
    out
}

fn authorization(auth: &RegistryAuth) -> anyhow::Result<Option<Authorization>> {
    Ok(match auth {
        RegistryAuth::Anonymous => None,
        RegistryAuth::Basic { username, password } => {
            let pair = format!("{username}:{}", secret(password)?);
            Some(Authorization(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))))
        }
        RegistryAuth::Bearer(token) => Some(Authorization(format!("Bearer {}", secret(token)?))),
    })
}

fn secret(source: &SecretSource) -> anyhow::Result<String> {
    match source {
        SecretSource::Inline(secret) => Ok(secret.reveal().to_owned()),
        SecretSource::File(path) => {
            let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
            Ok(text.trim_end_matches(['\n', '\r']).to_owned())
        }
    }
}

pub(crate) fn tls_config(options: &TlsOptions) -> anyhow::Result<TlsConfig> {
    let roots = match &options.ca_file {
        Some(path) => RootCerts::new_with_certs(&certificates(path)?),
        None => RootCerts::PlatformVerifier,
    };
    let client = match &options.client {
        Some((certificate, key)) => {
            let pem = fs::read(key).with_context(|| format!("failed to read {}", key.display()))?;
            let key = PrivateKey::from_pem(&pem).with_context(|| format!("no private key in {}", key.display()))?;
            Some(ClientCert::new_with_certs(&certificates(certificate)?, key))
        }
        None => None,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder().unversioned_rustls_crypto_provider(provider).root_certs(roots).client_cert(client).build())
}

fn certificates(path: &Path) -> anyhow::Result<Vec<Certificate<'static>>> {
    let pem = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| format!("failed to parse {}", path.display()))?
        {
            certificates.push(certificate);
        }
    }
    ensure!(!certificates.is_empty(), "no certificate in {}", path.display());
    Ok(certificates)
}
