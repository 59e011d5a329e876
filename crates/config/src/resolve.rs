//! From merged layers to option structs: derives what is left open, checks what must fit together, reports everything.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use throughline_model::EventTime;

use crate::alerts::alert_options;
use crate::checks::check_all;
use crate::error::{ConfigError, ConfigWarning, Origin};
use crate::layers::{KeyPath, RawConfig, Setting, Settings};
use crate::memory::bounds_fit_the_memory;
use crate::options::*;
use crate::sources::source_options;
use crate::value::{Secret, Value};

/// What the machine adds to the configuration. Read by the caller, so that resolving stays a function of its input.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Cores that may be used.
    pub cores: NonZeroU32,
    /// Names of the source formats of this build; empty: names are not checked.
    pub formats: Vec<String>,
    /// Memory that this process may use; none: not asked.
    pub memory: Option<Memory>,
}

/// Memory that a process may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Bytes.
    pub bytes: u64,
    /// Who says so.
    pub from: String,
}

impl Surroundings {
    /// A machine with so many cores, whose memory was not asked for, and the formats of this build.
    #[must_use]
    pub fn new(cores: NonZeroU32) -> Self {
        let formats = throughline_normalize::formats::all().iter().map(|format| format.name().to_owned());
        Self { cores, formats: formats.collect(), memory: None }
    }
}

/// Everything, resolved. Components are given one of its parts each, never the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Name of the deployment on the cluster.
    pub application: String,
    /// The brand whose customers these are.
    pub tenant: String,
    /// Who this is.
    pub instance: InstanceOptions,
    /// Brokers.
    pub kafka: KafkaOptions,
    /// Schema registry; none: JSON.
    pub registry: Option<RegistryOptions>,
    /// Topics written here.
    pub topics: TopicOptions,
    /// Feeds that are read, by name.
    pub sources: Vec<SourceOptions>,
    /// Outputs.
    pub outputs: OutputOptions,
    /// Threads.
    pub workers: WorkerOptions,
    /// Commits.
    pub commit: CommitOptions,
    /// Timeouts.
    pub transaction: TransactionOptions,
    /// State beside the changelog.
    pub state: StateOptions,
    /// Bounds on input.
    pub limits: LimitOptions,
    /// Which event times are believed.
    pub event_time: EventTimeOptions,
    /// Names of the brand, removed before sentiment is taken.
    pub brands: Vec<String>,
    /// Whether an unknown purpose `service` means no.
    pub consent_strict: bool,
    /// Identifiers.
    pub identity: IdentityOptions,
    /// Model file; none: the one built in ([`crate::DEFAULT_MODEL_TOML`]).
    pub model_file: Option<PathBuf>,
    /// Roles to targets; none: roles only.
    pub routing_file: Option<PathBuf>,
    /// Alerts.
    pub alerts: AlertOptions,
    /// HTTP; none: not served.
    pub http: Option<HttpOptions>,
    /// Logs.
    pub log: LogOptions,
    /// Works, but deserves a look.
    pub warnings: Vec<ConfigWarning>,
    /// What holds, by key, with its origin.
    pub settings: Settings,
}

impl RawConfig {
    /// Checks every layer and everything that must fit together.
    ///
    /// # Errors
    /// Every mistake at once: those of the file by line, then variables, flags, and what follows from the defaults.
    pub fn resolve(&self, surroundings: &Surroundings) -> Result<Config, Vec<ConfigError>> {
        let (settings, errors) = self.layers();
        let mut resolver = Resolver { settings, errors, warnings: Vec::new() };
        resolver.derive(surroundings);
        let sources = source_options(&mut resolver, &surroundings.formats);
        check_all(&mut resolver, &sources);
        let config = resolver.build(sources);
        bounds_fit_the_memory(&mut resolver, &config);
        if resolver.errors.is_empty() {
            Ok(Config { warnings: resolver.warnings, settings: resolver.settings, ..config })
        } else {
            resolver.errors.sort_by_key(|error| error.origin.reading_order());
            Err(resolver.errors)
        }
    }
}

/// The settings, with the mistakes and remarks found so far.
pub(crate) struct Resolver {
    pub(crate) settings: Settings,
    pub(crate) errors: Vec<ConfigError>,
    pub(crate) warnings: Vec<ConfigWarning>,
}

impl Resolver {
    /// The setting of a key of the table, which always has a default.
    pub(crate) fn setting(&self, key: &str) -> &Setting {
        self.settings.get(&KeyPath::of(key)).expect("every fixed key of the table is in default.toml")
    }

    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.setting(key).origin.is_set()
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        match &self.setting(key).value {
            Value::Text(text) | Value::Secret(text) => text,
            other => unreachable!("`{key}` is a text, not {other}"),
        }
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        self.optional_text(key).map(PathBuf::from)
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        match &self.setting(key).value {
            Value::Flag(flag) => *flag,
            Value::Text(text) => text == "on",
            other => unreachable!("`{key}` is a flag, not {other}"),
        }
    }

    pub(crate) fn count(&self, key: &str) -> u32 {
        match &self.setting(key).value {
            Value::Count(count) => u32::try_from(*count).expect("the ranges of counts fit 32 bits"),
            other => unreachable!("`{key}` is a count, not {other}"),
        }
    }

    pub(crate) fn at_least_one(&self, key: &str) -> NonZeroU32 {
        NonZeroU32::new(self.count(key)).expect("the range of this key starts at one")
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        match &self.setting(key).value {
            Value::Number(number) => *number,
            other => unreachable!("`{key}` is a number, not {other}"),
        }
    }

    pub(crate) fn duration(&self, key: &str) -> Duration {
        match &self.setting(key).value {
            Value::Duration(duration) => *duration,
            other => unreachable!("`{key}` is a duration, not {other}"),
        }
    }

    pub(crate) fn size(&self, key: &str) -> u64 {
        match &self.setting(key).value {
            Value::Size(bytes) => *bytes,
            other => unreachable!("`{key}` is a size, not {other}"),
        }
    }

    pub(crate) fn auto_size(&self, key: &str) -> Option<u64> {
        match &self.setting(key).value {
            Value::Auto => None,
            Value::Size(bytes) => Some(*bytes),
            other => unreachable!("`{key}` is a size or auto, not {other}"),
        }
    }

    /// A secret or its file.
    pub(crate) fn secret(&self, key: &str) -> Option<SecretSource> {
        let inline = self.text(key);
        if inline.is_empty() {
            self.path(&format!("{key}_file")).map(SecretSource::File)
        } else {
            Some(SecretSource::Inline(Secret::new(inline)))
        }
    }

    /// Sets what follows from something else.
    pub(crate) fn set_derived(&mut self, path: KeyPath, value: Value, from: impl Into<String>) {
        let origin = Origin::Derived { from: from.into() };
        self.settings.insert(path, Setting { value, origin, snippet: None });
    }

    /// A mistake at a key.
    pub(crate) fn error(&mut self, key: &str, problem: impl Into<String>, help: impl Into<String>) {
        self.error_at(&KeyPath::of(key), problem, help);
    }

    pub(crate) fn error_at(&mut self, path: &KeyPath, problem: impl Into<String>, help: impl Into<String>) {
        let setting = self.settings.get(path).expect("a mistake is at a key that holds a value");
        let help = help.into();
        let help = if help.is_empty() { Vec::new() } else { vec![help] };
        self.errors.push(ConfigError {
            key: path.to_string(),
            problem: problem.into(),
            help,
            origin: setting.origin.clone(),
            snippet: setting.snippet.clone(),
        });
    }

    /// A remark at a key.
    pub(crate) fn warn(&mut self, key: &str, problem: impl Into<String>) {
        let origin = self.setting(key).origin.clone();
        self.warnings.push(ConfigWarning { key: key.to_owned(), problem: problem.into(), origin });
    }

    fn derive(&mut self, surroundings: &Surroundings) {
        let partitions = self.count("topics.partitions");
        let half = (surroundings.cores.get() / 2).max(1);
        for key in ["workers.normalize", "workers.experience"] {
            if self.setting(key).value == Value::Auto {
                let from = format!("{} cores", surroundings.cores);
                self.set_derived(KeyPath::of(key), Value::Count(half.min(partitions).into()), from);
            }
        }
        if self.setting("topics.min_in_sync").value == Value::Auto {
            let copies = (self.count("topics.replication") - 1).max(1);
            self.set_derived(KeyPath::of("topics.min_in_sync"), Value::Count(copies.into()), "topics.replication");
        }
        if let Some(Memory { bytes, from }) = &surroundings.memory
            && self.setting("limits.memory").value == Value::Auto
        {
            self.set_derived(KeyPath::of("limits.memory"), Value::Size(*bytes), from.clone());
        }
        if self.text("commit.profile") == "low_latency" && !self.is_set("commit.interval") {
            let interval = Value::Duration(Duration::from_millis(25));
            self.set_derived(KeyPath::of("commit.interval"), interval, "commit.profile");
        }
        if self.text("instance.id").is_empty() {
            let id = format!("{}-{}", self.text("application"), self.count("instance.ordinal"));
            self.set_derived(KeyPath::of("instance.id"), Value::Text(id), "application and instance.ordinal");
        }
    }

    fn build(&self, sources: Vec<SourceOptions>) -> Config {
        Config {
            application: self.text("application").to_owned(),
            tenant: self.text("tenant").to_owned(),
            instance: InstanceOptions {
                id: self.text("instance.id").to_owned(),
                ordinal: self.count("instance.ordinal"),
            },
            kafka: self.kafka(),
            registry: self.registry(),
            topics: TopicOptions {
                prefix: self.text("prefix").to_owned(),
                partitions: self.at_least_one("topics.partitions"),
                replication: self.at_least_one("topics.replication"),
                min_in_sync: self.at_least_one("topics.min_in_sync"),
            },
            sources,
            outputs: OutputOptions {
                touchpoints: match self.text("outputs.touchpoints") {
                    "off" => TouchpointOutput::Off,
                    "valenced" => TouchpointOutput::Valenced,
                    _ => TouchpointOutput::On,
                },
                scores: self.flag("outputs.scores"),
                customers: self.flag("outputs.customers"),
                alerts: self.flag("outputs.alerts"),
                staff: match self.text("outputs.staff") {
                    "off" => StaffOutput::Off,
                    "plain" => StaffOutput::Plain,
                    _ => StaffOutput::Hashed,
                },
            },
            workers: WorkerOptions {
                normalize: self.at_least_one("workers.normalize"),
                experience: self.at_least_one("workers.experience"),
            },
            commit: CommitOptions {
                interval: self.duration("commit.interval"),
                records: self.at_least_one("commit.records"),
                overlay_bytes: self.size("commit.overlay"),
            },
            transaction: TransactionOptions {
                age: self.duration("transaction.age"),
                timeout: self.duration("transaction.timeout"),
                session_timeout: self.duration("transaction.session_timeout"),
                shutdown: self.duration("transaction.shutdown"),
            },
            state: StateOptions {
                directory: self.path("state.directory"),
                snapshot_after: self.duration("state.snapshot_after"),
                warm: self.duration("state.warm"),
                readers: self.at_least_one("state.readers"),
            },
            limits: self.limits(),
            event_time: self.event_time(),
            brands: self.setting("text.brands").value.texts(),
            consent_strict: self.flag("consent.strict"),
            identity: self.identity(),
            model_file: self.path("model.file"),
            routing_file: self.path("routing.file"),
            alerts: alert_options(self),
            http: self.flag("http.enabled").then(|| self.http()),
            log: LogOptions { level: self.text("log.level").to_owned(), json: self.text("log.format") == "json" },
            warnings: Vec::new(),
            settings: Settings::new(),
        }
    }

    fn tls(&self, table: &str) -> TlsOptions {
        let certificate = self.path(&format!("{table}.certificate_file"));
        TlsOptions {
            ca_file: self.path(&format!("{table}.ca_file")),
            client: certificate.zip(self.path(&format!("{table}.key_file"))),
        }
    }

    fn kafka(&self) -> KafkaOptions {
        let mechanism = match self.text("kafka.sasl.mechanism") {
            "plain" => Some("PLAIN"),
            "scram-sha-256" => Some("SCRAM-SHA-256"),
            "scram-sha-512" => Some("SCRAM-SHA-512"),
            _ => None,
        };
        let client = self.settings.iter().filter_map(|(path, setting)| match (path.0.as_slice(), &setting.value) {
            ([kafka, client, name], Value::Text(text)) if kafka == "kafka" && client == "client" => {
                Some((name.clone(), text.clone()))
            }
            _ => None,
        });
        KafkaOptions {
            brokers: self.setting("kafka.brokers").value.texts(),
            cluster_id: self.optional_text("kafka.cluster_id"),
            tls: self.flag("kafka.tls.enabled").then(|| self.tls("kafka.tls")),
            tls_key_password: self.secret("kafka.tls.key_password"),
            sasl: mechanism.zip(self.secret("kafka.sasl.password")).map(|(mechanism, password)| SaslOptions {
                mechanism,
                username: self.text("kafka.sasl.username").to_owned(),
                password,
            }),
            client: client.collect::<BTreeMap<_, _>>(),
        }
    }

    fn registry(&self) -> Option<RegistryOptions> {
        let url = self.optional_text("registry.url")?;
        // A mistake in the authentication is already noted; what is built then is never used.
        let auth = match self.text("registry.auth") {
            "basic" => self
                .secret("registry.password")
                .map(|password| RegistryAuth::Basic { username: self.text("registry.username").to_owned(), password }),
            "bearer" => self.secret("registry.token").map(RegistryAuth::Bearer),
            _ => None,
        };
        Some(RegistryOptions {
            url: url.trim_end_matches('/').to_owned(),
            auth: auth.unwrap_or(RegistryAuth::Anonymous),
            tls: self.tls("registry"),
            subjects: match self.text("registry.subjects") {
                "record" => SubjectNames::Record,
                "topic_record" => SubjectNames::TopicRecord,
                _ => SubjectNames::Topic,
            },
            register: self.flag("registry.register"),
            timeout: self.duration("registry.timeout"),
        })
    }

    fn limits(&self) -> LimitOptions {
        LimitOptions {
            memory_bytes: self.auto_size("limits.memory"),
            catalog_bytes: self.size("limits.catalog"),
            rejected_share: self.number("limits.rejected_share"),
            rejected_window: self.count("limits.rejected_window"),
        }
    }

    fn event_time(&self) -> EventTimeOptions {
        let earliest: jiff::Timestamp =
            self.text("event_time.earliest").parse().expect("a time was checked when it was read");
        EventTimeOptions {
            earliest: EventTime::from_millis(earliest.as_millisecond()),
            ahead: self.duration("event_time.ahead"),
            max_age: self.duration("event_time.max_age"),
        }
    }

    fn identity(&self) -> IdentityOptions {
        let hash_key = match self.secret("identity.hash_key") {
            None => HashKeySource::Development,
            Some(SecretSource::File(file)) => HashKeySource::File(file),
            // A key that cannot be read is already noted; what is built then is never used.
            Some(SecretSource::Inline(text)) => {
                HashKey::read(text.reveal().as_bytes()).map_or(HashKeySource::Development, HashKeySource::Inline)
            }
        };
        IdentityOptions { hash_key }
    }

    fn http(&self) -> HttpOptions {
        let listen = self.text("http.listen").to_owned();
        HttpOptions {
            address: listen.parse().ok(),
            listen,
            metrics_token: self.secret("http.metrics_token"),
            read_token: self.secret("http.read_token"),
            operate_token: self.secret("http.operate_token"),
        }
    }
}
