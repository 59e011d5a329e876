//! The service: started, supervised, ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use throughline_api::{ApiOptions, Role, Server, Token};
use throughline_config::{Config, HttpOptions, SecretSource};
use throughline_experience::Rules;
use throughline_kafka::admin::Admin;
use throughline_kafka::append::Appender;
use throughline_kafka::bounds::MemoryGauge;
use throughline_model::{Stage, Topic};
use throughline_pipeline::FormatGate;
use throughline_pipeline::publish::Deployment;

use crate::audit::KafkaAudit;
use crate::error::ServiceError;
use crate::instances::Myself;
use crate::queries::{About, Committed};
use crate::schemas::Schemas;
use crate::secrets::secret;
use crate::table::Views;
use crate::workers::{Ended, Metrics, Parts, Worker, catalog_topics, start};
use crate::{catalog, memory, wiring};

/// Which stages a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// Normalize.
    pub normalize: bool,
    /// Experience.
    pub experience: bool,
}

impl Stages {
    /// Both.
    pub const ALL: Self = Self { normalize: true, experience: true };
}

/// Restores under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restoring {
    /// Partitions that are not served yet.
    pub partitions: usize,
    /// Records read.
    pub records: u64,
    /// Records still to read, at most.
    pub remaining: u64,
    /// The longest of the times left.
    pub left: Option<Duration>,
}

/// A started service.
pub struct Instance {
    workers: Vec<Worker>,
    ended: mpsc::Receiver<Ended>,
    server: Option<Server>,
    stop_followers: Arc<AtomicBool>,
    shutdown: Duration,
    /// Committed state, for whoever shares the process (the demo).
    pub committed: Arc<Committed>,
    /// Where HTTP is served.
    pub address: Option<SocketAddr>,
}

impl Instance {
    /// Starts everything. Memory that an allocator keeps for later cannot be asked for this way.
    ///
    /// # Errors
    /// If something that the service needs is not there.
    pub async fn start(config: &Config, rules: Rules, stages: Stages) -> Result<Self, ServiceError> {
        Self::start_with(config, rules, stages, || {}).await
    }

    /// The same; `purge` asks the allocator of this program to give back what it keeps for later.
    ///
    /// # Errors
    /// If something that the service needs is not there, or does not fit into the memory there is.
    pub async fn start_with(config: &Config, rules: Rules, stages: Stages, purge: fn()) -> Result<Self, ServiceError> {
        let memory_limit = memory_limit(config, stages)?;
        let keeper = if stages.experience { wiring::keeper(config)? } else { None };
        let client = wiring::client(&config.kafka)?;
        let ids = wiring::ids(config)?;
        let (admin, cluster, wanted) = (client.clone(), config.kafka.cluster_id.clone(), needed_topics(config, stages));
        let fixed = fixed_partitions(config);
        blocking(move || check_topics(&admin, cluster.as_deref(), &wanted, &fixed)).await?;
        let prepared = config.clone();
        let schemas = blocking(move || Schemas::prepare(&prepared)).await?;
        let stop_followers = Arc::new(AtomicBool::new(false));
        let catalog = follow_catalog(config, &client, &stop_followers).await?;
        let gate = join_instances(config, stages, &client, &stop_followers).await?;
        let registry = prometheus::Registry::new();
        let metrics = Metrics::new(&registry).map_err(|error| ServiceError::Unexpected(error.to_string()))?;
        let rules = Arc::new(rules);
        metrics.workers.set_build(env!("CARGO_PKG_VERSION"), &rules.version());
        let memory = Arc::new(MemoryGauge::default());
        if let Some(limit) = memory_limit {
            let uncommitted = u64::from(config.workers.experience.get()) * config.commit.overlay_bytes;
            let (gauge, metrics) = (Arc::clone(&memory), metrics.bounds.clone());
            let watch = memory::Watch { limit, uncommitted, gauge, metrics, purge };
            watch.start(Arc::clone(&stop_followers))?;
        }
        let parts = Parts {
            config,
            rules,
            ids,
            schemas,
            views: Views::new(config.topics.partitions.get()),
            catalog,
            sources: wiring::sources(config)?,
            client: client.clone(),
            metrics,
            memory,
            keeper,
            gate,
        };
        let (report, ended) = mpsc::channel();
        let mut workers = Vec::new();
        if stages.experience {
            workers.extend(start(&parts, Stage::Experience, &report)?);
            trim_inbox(config, &client, &workers, &stop_followers)?;
        }
        if stages.normalize {
            workers.extend(start(&parts, Stage::Normalize, &report)?);
        }
        let committed = Arc::new(committed(&parts, &workers));
        let server = match &config.http {
            Some(http) => Some(serve(config, http, &client, &committed, registry).await?),
            None => None,
        };
        let address = server.as_ref().map(Server::local_addr);
        Ok(Self { workers, ended, server, stop_followers, shutdown: config.transaction.shutdown, committed, address })
    }

    /// The first worker that ended by itself, if one did: its reason.
    ///
    /// # Errors
    /// Its fault.
    pub fn poll_ended(&self) -> Result<(), ServiceError> {
        match self.ended.try_recv() {
            Ok((name, Err(error))) => {
                tracing::error!(worker = name, %error, "worker stopped");
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// What the restores of all workers do together; none if nothing is restored.
    #[must_use]
    pub fn restoring(&self) -> Option<Restoring> {
        let statuses = self.workers.iter().map(|worker| worker.control.status());
        let restores: Vec<_> = statuses.flat_map(|status| status.tasks).filter_map(|task| task.restore).collect();
        (!restores.is_empty()).then(|| Restoring {
            partitions: restores.len(),
            records: restores.iter().map(|at| at.records).sum(),
            remaining: restores.iter().map(|at| at.remaining).sum(),
            left: restores.iter().filter_map(|at| at.left).max(),
        })
    }

    /// Drains: transactions commit, clients close. Gives up after the configured budget.
    ///
    /// # Errors
    /// If a worker did not end in time, or ended with a fault.
    pub async fn stop(self) -> Result<(), ServiceError> {
        tracing::info!("draining");
        self.stop_followers.store(true, Ordering::Release);
        for worker in &self.workers {
            worker.control.drain();
        }
        let deadline = Instant::now() + self.shutdown;
        let mut running = self.workers.len();
        let mut fault = None;
        while running > 0 {
            match self.ended.try_recv() {
                Ok((name, result)) => {
                    running -= 1;
                    if let Err(error) = result {
                        tracing::error!(worker = name, %error, "worker stopped");
                        fault = fault.or(Some(error));
                    }
                }
                Err(mpsc::TryRecvError::Empty) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(_) => break,
            }
        }
        if let Some(server) = self.server {
            server.shutdown().await;
        }
        if running > 0 {
            // Nothing is lost: what is open times out or is fenced, and is read again.
            return Err(ServiceError::Unexpected(format!("{running} workers did not drain in time")));
        }
        for worker in self.workers {
            worker.join();
        }
        tracing::info!("stopped");
        fault.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Says that this instance is there, and follows who else is: they decide which state format is written.
async fn join_instances(
    config: &Config,
    stages: Stages,
    client: &throughline_kafka::client::ClientOptions,
    stop: &Arc<AtomicBool>,
) -> Result<FormatGate, ServiceError> {
    let gate = FormatGate::default();
    let mut named = Vec::new();
    named.extend(stages.normalize.then_some(Stage::Normalize));
    named.extend(stages.experience.then_some(Stage::Experience));
    let myself = Myself { id: config.instance.id.clone(), stages: named };
    let (client, topic) = (client.clone(), wiring::topic(config, Topic::Instances));
    let (shared, stop) = (gate.clone(), Arc::clone(stop));
    blocking(move || crate::instances::follow(&client, &topic, myself, shared, &stop)).await?;
    Ok(gate)
}

/// Reads the catalog and follows it.
async fn follow_catalog(
    config: &Config,
    client: &throughline_kafka::client::ClientOptions,
    stop: &Arc<AtomicBool>,
) -> Result<Arc<catalog::CatalogCell>, ServiceError> {
    let (reader, topics, stop) = (client.clone(), catalog_topics(config), Arc::clone(stop));
    let bytes = config.limits.catalog_bytes;
    blocking(move || catalog::follow(&reader, &topics, bytes, &stop)).await
}

/// The memory that this process may use, into which what its settings allow must fit; none if nobody knows.
fn memory_limit(config: &Config, stages: Stages) -> Result<Option<u64>, ServiceError> {
    let found = memory::found().map(|memory| memory.bytes);
    let limit = config.limits.memory_bytes.or(found);
    if let Some((limit, found)) = limit.zip(found)
        && limit > found
    {
        tracing::warn!(
            limit,
            found,
            "limits.memory is more than there is: the process may be killed before sources wait"
        );
    }
    limit.map(|limit| memory::check(config, stages, limit).map(|()| limit)).transpose()
}

/// What the interface can see.
fn committed(parts: &Parts<'_>, workers: &[Worker]) -> Committed {
    let config = parts.config;
    Committed {
        views: Arc::clone(&parts.views),
        deployment: Deployment {
            tenant: config.tenant.clone(),
            model_version: parts.rules.version(),
            mixed: false,
            staff: wiring::experience_options(config, &parts.rules, &parts.ids, &parts.schemas).switches.staff,
            ids: parts.ids.clone(),
        },
        rules: Arc::clone(&parts.rules),
        ids: parts.ids.clone(),
        single_view: config.outputs.customers,
        workers: workers.iter().map(|worker| (worker.number, Arc::clone(&worker.control))).collect(),
        about: About {
            application: config.application.clone(),
            instance: config.instance.id.clone(),
            started_at: throughline_api::rfc3339(crate::observer::now_millis()),
            calling_code: config.sources.first().map(|source| source.calling_code.clone()).unwrap_or_default(),
        },
    }
}

/// Calls that wait for the network, off the threads that serve.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(call).await.map_err(|error| ServiceError::Unexpected(error.to_string()))?
}

async fn serve(
    config: &Config,
    http: &HttpOptions,
    client: &throughline_kafka::client::ClientOptions,
    committed: &Arc<Committed>,
    registry: prometheus::Registry,
) -> Result<Server, ServiceError> {
    let listen = match http.address {
        Some(address) => address,
        None => tokio::net::lookup_host(&http.listen)
            .await
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| ServiceError::Configuration(format!("http.listen: {} is no address", http.listen)))?,
    };
    let options =
        ApiOptions { listen, tokens: tokens(http)?, instance: config.instance.id.clone(), ..ApiOptions::default() };
    let appender = Appender::new(client, "throughline-audit", &wiring::topic(config, Topic::Audit))
        .map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    Server::start(
        options,
        Arc::clone(committed) as Arc<dyn throughline_api::Queries>,
        Arc::new(KafkaAudit::new(appender)),
        Arc::clone(committed) as Arc<dyn throughline_api::Health>,
        registry,
    )
    .await
    .map_err(|error| ServiceError::Configuration(error.to_string()))
}

fn tokens(http: &HttpOptions) -> Result<Vec<Token>, ServiceError> {
    let mut tokens = Vec::new();
    let roles: [(&str, Role, &Option<SecretSource>); 3] = [
        ("metrics", Role::Metrics, &http.metrics_token),
        ("read", Role::Read, &http.read_token),
        ("operate", Role::Operate, &http.operate_token),
    ];
    for (actor, role, source) in roles {
        if let Some(source) = source {
            let token = Token::new(actor, role, &secret(source)?).ok_or_else(|| {
                ServiceError::Configuration(format!(
                    "http.{actor}_token must have {} bytes or more",
                    Token::SECRET_BYTES_MIN
                ))
            })?;
            tokens.push(token);
        }
    }
    Ok(tokens)
}

/// Experience workers delete what they have read from their inbox.
fn trim_inbox(
    config: &Config,
    client: &throughline_kafka::client::ClientOptions,
    workers: &[Worker],
    stop: &Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    let controls = workers.iter().map(|worker| Arc::clone(&worker.control)).collect();
    let group = format!("{}-{}", config.application, Stage::Experience);
    crate::trim::start(client, &group, &wiring::topic(config, Topic::ExperienceInbox), controls, stop)
}

fn needed_topics(config: &Config, stages: Stages) -> Vec<String> {
    let mut topics: Vec<String> =
        throughline_config::topics::plan(config).into_iter().map(|topic| topic.name).collect();
    if stages.normalize {
        let sources = config.sources.iter().filter(|source| source.kind != throughline_model::SourceKind::Catalog);
        topics.extend(sources.flat_map(|source| source.topics.iter().cloned()));
    }
    topics
}

fn check_topics(
    client: &throughline_kafka::client::ClientOptions,
    cluster: Option<&str>,
    wanted: &[String],
    fixed: &[(String, u32)],
) -> Result<(), ServiceError> {
    let admin =
        Admin::new(client, Duration::from_secs(15)).map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    let existing = admin.partitions().map_err(|error| ServiceError::Unreachable(error.to_string()))?;
    crate::topics::same_cluster(cluster, &admin)?;
    let missing: Vec<&str> = wanted.iter().filter(|topic| !existing.contains_key(*topic)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(ServiceError::Mismatch(format!(
            "topics are missing, or this user may not see them: {}; create them with: throughline topics apply (with --sources \
             for source topics that nobody else owns), and see with throughline check --connect what is not allowed",
            missing.join(", ")
        )));
    }
    let differs = |(topic, wanted): &&(String, u32)| existing.get(topic).is_some_and(|found| found != wanted);
    match fixed.iter().find(differs) {
        None => Ok(()),
        Some((topic, wanted)) => Err(ServiceError::Mismatch(format!(
            "topic {topic} has {} partitions, and topics.partitions says {wanted}: customers would be looked for where they are \
             not. Set topics.partitions back to what the topics have (throughline topics plan shows the difference), or choose \
             another application id and prefix to rebuild with the new number",
            existing[topic]
        ))),
    }
}

/// Topics whose partitions are computed from their number, with that number.
fn fixed_partitions(config: &Config) -> Vec<(String, u32)> {
    let all = config.topics.partitions.get();
    let specs = throughline_config::topics::plan(config).into_iter();
    let is_fixed = |topic: Option<Topic>| !matches!(topic, Some(Topic::DeadLetters | Topic::Audit));
    specs.filter(|spec| spec.partitions == all && is_fixed(spec.topic)).map(|spec| (spec.name, all)).collect()
}

/// Runs until a signal: the first drains, a second ends at once. `purge` asks the allocator of this program to give back what
/// it keeps for later; `show` is told five times a second what is restored.
///
/// # Errors
/// If the service could not start or go on.
pub async fn run(
    config: &Config,
    rules: Rules,
    stages: Stages,
    purge: fn(),
    mut show: impl FnMut(Option<Restoring>),
) -> Result<(), ServiceError> {
    let instance = Instance::start_with(config, rules, stages, purge).await?;
    if let Some(address) = instance.address {
        tracing::info!(%address, "serving");
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                show(instance.restoring());
                instance.poll_ended()?;
            }
        }
    }
    show(None);
    let second = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    tokio::select! {
        stopped = instance.stop() => stopped,
        () = second => Err(ServiceError::Unexpected("ended at once by a second signal".to_owned())),
    }
}
