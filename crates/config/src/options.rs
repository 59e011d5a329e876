//! What each component is given: small structs of plain types. No component sees the whole configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use throughline_model::alert::{AlertType, RuleMode};
use throughline_model::{EventTime, SourceKind, TouchpointType, Trust};

use crate::value::Secret;

/// A secret or the file that holds it. Whoever opens files reads it at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Written in the configuration.
    Inline(Secret),
    /// In a file; a newline at its end does not belong to it.
    File(PathBuf),
}

/// Who this is among the processes of the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceOptions {
    /// Name in logs and in `throughline.instances`.
    pub id: String,
    /// Stable number, from 0; part of transactional ids.
    pub ordinal: u32,
}

/// How to reach the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// The cluster that is meant; none: not checked.
    pub cluster_id: Option<String>,
    /// TLS; none: plain text.
    pub tls: Option<TlsOptions>,
    /// Password of the client's private key.
    pub tls_key_password: Option<SecretSource>,
    /// SASL; none: no authentication, or by certificate.
    pub sasl: Option<SaslOptions>,
    /// Settings of librdkafka, by name; none of those that the loop owns.
    pub client: BTreeMap<String, String>,
}

/// Certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// Authorities to trust, PEM; none: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Certificate and private key of this client, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// A user at the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslOptions {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: &'static str,
    /// User.
    pub username: String,
    /// Password.
    pub password: SecretSource,
}

/// The schema registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Address without a slash at its end.
    pub url: String,
    /// Who asks.
    pub auth: RegistryAuth,
    /// Certificates.
    pub tls: TlsOptions,
    /// How subjects are named.
    pub subjects: SubjectNames,
    /// Whether `run` registers what is missing.
    pub register: bool,
    /// Longest time of one request.
    pub timeout: Duration,
}

/// Who asks the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryAuth {
    /// Anybody.
    Anonymous,
    /// User and password.
    Basic {
        /// User.
        username: String,
        /// Password.
        password: SecretSource,
    },
    /// Token.
    Bearer(SecretSource),
}

/// How a subject is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectNames {
    /// `<topic>-value`.
    Topic,
    /// Full name of the record.
    Record,
    /// `<topic>-<full name of the record>`.
    TopicRecord,
}

/// Names and shape of the topics written here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOptions {
    /// Put before every name.
    pub prefix: String,
    /// Partitions of inboxes, changelogs and customer-keyed outputs.
    pub partitions: NonZeroU32,
    /// Copies.
    pub replication: NonZeroU32,
    /// Copies that must have a record before it counts.
    pub min_in_sync: NonZeroU32,
}

/// One feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: SourceKind,
    /// Topics, at least one.
    pub topics: Vec<String>,
    /// Formats to try; empty: found from the payload's shape.
    pub formats: Vec<String>,
    /// Encoding of the values.
    pub encoding: Encoding,
    /// Source system, part of touchpoint ids; the name unless set.
    pub system: String,
    /// The `source` part of visit identifiers; the name unless set.
    pub visits: String,
    /// Who produces the records; the name unless set.
    pub producer: String,
    /// Zone of local times without one, IANA.
    pub time_zone: Option<String>,
    /// Calling code of telephone numbers without one, digits; empty: unknown.
    pub calling_code: String,
    /// How late a record may be and still be in time.
    pub lateness: Duration,
    /// Silence after which a partition that is read to its end no longer holds time back.
    pub idle_after: Duration,
    /// The deployment's names for touchpoint types.
    pub names: BTreeMap<String, TouchpointType>,
    /// Fields whose trust differs from the source's table.
    pub trust: BTreeMap<String, Trust>,
}

/// Encoding of source values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// By the first byte.
    Auto,
    /// JSON, NDJSON or the text of a format.
    Json,
    /// Avro in the Confluent wire format.
    Avro,
}

/// Which outputs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputOptions {
    /// Touchpoints.
    pub touchpoints: TouchpointOutput,
    /// Scores.
    pub scores: bool,
    /// Customers.
    pub customers: bool,
    /// Alerts and their latest state.
    pub alerts: bool,
    /// Staff in outputs.
    pub staff: StaffOutput,
}

/// How staff appears in outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffOutput {
    /// Not at all.
    Off,
    /// As a keyed hash.
    Hashed,
    /// As the source writes it.
    Plain,
}

/// Which touchpoints are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchpointOutput {
    /// All.
    On,
    /// None.
    Off,
    /// Those with evidence.
    Valenced,
}

/// Threads by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Workers of normalize.
    pub normalize: NonZeroU32,
    /// Workers of experience.
    pub experience: NonZeroU32,
}

/// When a worker commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitOptions {
    /// Longest time between two commits.
    pub interval: Duration,
    /// Records.
    pub records: NonZeroU32,
    /// Uncommitted state in bytes.
    pub overlay_bytes: u64,
}

/// Timeouts that hold each other: age < timeout < session timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionOptions {
    /// Longest time a transaction is kept open.
    pub age: Duration,
    /// `transaction.timeout.ms`.
    pub timeout: Duration,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// Budget of a clean stop.
    pub shutdown: Duration,
}

/// How state is kept beside the changelog, and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateOptions {
    /// Directory of the local log; none: there is none.
    pub directory: Option<PathBuf>,
    /// Age at which files are replaced by a snapshot.
    pub snapshot_after: Duration,
    /// How long the customers of a partition that was given back are kept.
    pub warm: Duration,
    /// Threads of one worker that read state back.
    pub readers: NonZeroU32,
}

/// Bounds on input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitOptions {
    /// Memory of the process, bytes; none: whoever can ask the machine finds out.
    pub memory_bytes: Option<u64>,
    /// Catalog in memory, bytes.
    pub catalog_bytes: u64,
    /// Share of rejected records that pauses a source partition, 0..=1.
    pub rejected_share: f64,
    /// Records over which it is taken.
    pub rejected_window: u32,
}

/// Which event times are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTimeOptions {
    /// Earlier ones are `missing`.
    pub earliest: EventTime,
    /// Further after receipt are `clamped`.
    pub ahead: Duration,
    /// Older on receipt are late.
    pub max_age: Duration,
}

/// Identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityOptions {
    /// Where the hash key is.
    pub hash_key: HashKeySource,
}

/// Where the hash key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKeySource {
    /// The key that everybody knows: development only.
    Development,
    /// Written in the configuration or the environment.
    Inline(HashKey),
    /// In a file: 32 bytes or 64 hex digits.
    File(PathBuf),
}

/// Alerts: what is the same for all types, and what was set for each.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertOptions {
    /// Whether suppressed ones are published.
    pub publish_suppressed: bool,
    /// Whether they carry declared attributes.
    pub context: bool,
    /// What a person set, by type, in the order of [`AlertType::ALL`]. It goes before the model file.
    pub changes: Vec<(AlertType, AlertRuleChange)>,
}

/// What a person set under `alerts.<type>`; what is absent stays as the model has it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AlertRuleChange {
    /// On, shadow or off.
    pub mode: Option<RuleMode>,
    /// Threshold that opens: a score, a deviation or a confidence.
    pub opens_at: Option<f64>,
    /// Threshold that resolves.
    pub resolves_at: Option<f64>,
    /// Quiet time after its end.
    pub cooldown: Option<Duration>,
    /// Ends without evidence.
    pub expires: Option<Duration>,
    /// When someone must have acted, from the opening.
    pub due: Option<Duration>,
}

/// The HTTP interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpOptions {
    /// Where it listens: an address or a name with its port.
    pub listen: String,
    /// The same as an address, if it is one.
    pub address: Option<SocketAddr>,
    /// Token of the role `metrics`; a role without a token is open on this machine only.
    pub metrics_token: Option<SecretSource>,
    /// Token of the role `read`.
    pub read_token: Option<SecretSource>,
    /// Token of the role `operate`.
    pub operate_token: Option<SecretSource>,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// One JSON object a line.
    pub json: bool,
}

/// The deployment's 32-byte hash key. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey(pub [u8; 32]);

impl HashKey {
    /// The key of development and of the test vectors: 00, 01, ... 1f.
    pub const DEVELOPMENT: Self = {
        let mut key = [0u8; 32];
        let mut at = 0;
        while at < 32 {
            key[at] = at as u8;
            at += 1;
        }
        Self(key)
    };

    /// Reads what a key file holds: 32 bytes, or 64 hex digits and perhaps a newline.
    #[must_use]
    pub fn read(content: &[u8]) -> Option<Self> {
        if let Ok(key) = <[u8; 32]>::try_from(content) {
            return Some(Self(key));
        }
        let text = std::str::from_utf8(content).ok()?.trim();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut key = [0u8; 32];
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("***")
    }
}
