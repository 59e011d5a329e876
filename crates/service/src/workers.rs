//! Worker threads: built, started, watched.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use throughline_config::Config;
use throughline_experience::Rules;
use throughline_kafka::bounds::MemoryGauge;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::driver::{self, Control, DriverError, DriverOptions, Observer, Start};
use throughline_kafka::local_log::Keeper;
use throughline_kafka::metrics::{Ages, BoundMetrics, StateMetrics, TimeMetrics, TopicLabel, WorkerMetrics};
use throughline_kafka::restore::RestoreOptions;
use throughline_model::{IdHasher, SourceKind, Stage, Topic};
use throughline_normalize::{Normalizer, SourceOptions};
use throughline_pipeline::{ExperienceStage, FormatGate, NormalizeStage};
use throughline_worker::{Processor, WorkerOptions};

use crate::catalog::CatalogCell;
use crate::error::ServiceError;
use crate::observer::{Common, ExperienceObserver, LatenessWatch, NormalizeObserver};
use crate::schemas::{CachedSchemas, Schemas};
use crate::table::{SharedTable, Views};
use crate::wiring;

/// The metrics of a process.
pub struct Metrics {
    /// Of workers.
    pub workers: WorkerMetrics,
    /// Of restores and local logs.
    pub state: StateMetrics,
    /// Of watermarks and timers.
    pub time: TimeMetrics,
    /// Of bounds.
    pub bounds: BoundMetrics,
}

impl Metrics {
    /// Registers all of them.
    ///
    /// # Errors
    /// If the registry has one of the names.
    pub fn new(registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
        Ok(Self {
            workers: WorkerMetrics::new(registry)?,
            state: StateMetrics::new(registry)?,
            time: TimeMetrics::new(registry)?,
            bounds: BoundMetrics::new(registry)?,
        })
    }
}

/// What every worker is built from.
pub struct Parts<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The model.
    pub rules: Arc<Rules>,
    /// Makes ids.
    pub ids: IdHasher,
    /// Encodings and registry.
    pub schemas: Schemas,
    /// Committed state.
    pub views: Arc<Views>,
    /// The catalog.
    pub catalog: Arc<CatalogCell>,
    /// Sources by topic.
    pub sources: Vec<(String, Arc<SourceOptions>)>,
    /// Client settings.
    pub client: ClientOptions,
    /// Metrics.
    pub metrics: Metrics,
    /// Memory of the process.
    pub memory: Arc<MemoryGauge>,
    /// Which state format is written.
    pub gate: FormatGate,
    /// Local logs; none: the changelog alone.
    pub keeper: Option<Arc<Keeper>>,
}

/// A started worker.
pub struct Worker {
    /// Number in its stage.
    pub number: u32,
    /// Its control.
    pub control: Arc<Control>,
    thread: JoinHandle<()>,
}

/// The end of a worker, as its thread reports it.
pub type Ended = (String, Result<(), DriverError>);

impl Worker {
    /// Waits for the thread.
    pub fn join(self) {
        // A panic has aborted the process before: there is nothing to look at.
        let _ = self.thread.join();
    }
}

fn options(config: &Config, stage: Stage, number: u32, inputs: Vec<String>) -> DriverOptions {
    let name = format!("{stage}-{number}");
    let unique = format!("{}-{stage}-{}-{number}", config.application, config.instance.ordinal);
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    DriverOptions {
        stage,
        name,
        group: format!("{}-{stage}", config.application),
        instance: unique.clone(),
        transactional_id: unique,
        inputs,
        outputs: wiring::topic_names(config),
        changelog: (stage == Stage::Experience).then(|| wiring::topic(config, Topic::ExperienceChangelog)),
        start: Start::Earliest,
        worker: WorkerOptions {
            commit_interval: millis(config.commit.interval),
            records_max: u64::from(config.commit.records.get()),
            uncommitted_bytes_max: usize::try_from(config.commit.overlay_bytes).unwrap_or(usize::MAX),
        },
        transaction_timeout: config.transaction.timeout,
        transaction_age_max: config.transaction.age,
        session_timeout: config.transaction.session_timeout,
        connect_timeout: Duration::from_secs(30),
        poll_records_max: 500,
        restore: RestoreOptions {
            keeper: None,
            readers_max: usize::try_from(config.state.readers.get()).unwrap_or(usize::MAX),
            warm: config.state.warm,
        },
    }
}

/// Starts the workers of a stage; each reports its end to `ended`.
///
/// # Errors
/// If a thread cannot be started.
pub fn start(parts: &Parts<'_>, stage: Stage, ended: &mpsc::Sender<Ended>) -> Result<Vec<Worker>, ServiceError> {
    let count = match stage {
        Stage::Normalize => parts.config.workers.normalize.get(),
        _ => parts.config.workers.experience.get(),
    };
    (0..count)
        .map(|number| match stage {
            Stage::Normalize => start_normalize(parts, number, ended),
            _ => start_experience(parts, number, ended),
        })
        .collect()
}

fn start_normalize(parts: &Parts<'_>, number: u32, ended: &mpsc::Sender<Ended>) -> Result<Worker, ServiceError> {
    let inputs: Vec<String> = parts.sources.iter().map(|(topic, _)| topic.clone()).collect();
    let labels = parts.sources.iter().map(|(topic, source)| (topic.clone(), TopicLabel::Source(source.kind)));
    let stage = NormalizeStage::new(
        Normalizer::new(wiring::normalize_options(parts.config), parts.ids.clone()),
        parts.sources.clone(),
        CachedSchemas::new(parts.schemas.registry.clone()),
        parts.catalog.latest(),
        parts.config.topics.partitions.get(),
    )
    .with_limits(wiring::health_limits(parts.config));
    let observer = NormalizeObserver {
        common: Common::new(
            Stage::Normalize,
            parts.metrics.workers.worker(Stage::Normalize),
            parts.metrics.state.clone(),
            parts.metrics.bounds.worker(Stage::Normalize),
            labels.collect(),
        ),
        catalog: Arc::clone(&parts.catalog),
        time: parts.metrics.time.worker(Stage::Normalize),
        lateness: LatenessWatch::default(),
    };
    spawn(parts, options(parts.config, Stage::Normalize, number, inputs), number, stage, observer, ended)
}

fn start_experience(parts: &Parts<'_>, number: u32, ended: &mpsc::Sender<Ended>) -> Result<Worker, ServiceError> {
    let inbox = wiring::topic(parts.config, Topic::ExperienceInbox);
    let labels = vec![(inbox.clone(), TopicLabel::Owned(Topic::ExperienceInbox))];
    let mut stage = wiring::experience_options(parts.config, &parts.rules, &parts.ids, &parts.schemas);
    stage.targets = wiring::targets(parts.config)?;
    stage.gate = parts.gate.clone();
    let stage = ExperienceStage::new(stage, SharedTable(Arc::clone(&parts.views)));
    let observer = ExperienceObserver {
        common: Common::new(
            Stage::Experience,
            parts.metrics.workers.worker(Stage::Experience),
            parts.metrics.state.clone(),
            parts.metrics.bounds.worker(Stage::Experience),
            labels,
        ),
        views: Arc::clone(&parts.views),
        keeper: parts.keeper.clone(),
        time: parts.metrics.time.worker(Stage::Experience),
        missing: 0,
        fired_max: 0,
        customer_bytes_max: 0,
        given_up: 0,
        occurred: Ages::default(),
        received: Ages::default(),
    };
    let mut options = options(parts.config, Stage::Experience, number, vec![inbox]);
    options.restore.keeper.clone_from(&parts.keeper);
    spawn(parts, options, number, stage, observer, ended)
}

fn spawn<P, O>(
    parts: &Parts<'_>,
    options: DriverOptions,
    number: u32,
    processor: P,
    observer: O,
    ended: &mpsc::Sender<Ended>,
) -> Result<Worker, ServiceError>
where
    P: Processor + Send + 'static,
    O: Observer<P> + 'static,
{
    let control = Arc::new(Control::with_memory(Arc::clone(&parts.memory)));
    let (client, shared, ended) = (parts.client.clone(), Arc::clone(&control), ended.clone());
    let name = options.name.clone();
    let thread = std::thread::Builder::new()
        .name(name.clone())
        .spawn(move || {
            let guard = AbortOnPanic(name.clone());
            let result = driver::run(client, options, processor, shared, observer);
            std::mem::forget(guard);
            // Nobody listens only if the process is ending already.
            let _ = ended.send((name, result));
        })
        .map_err(|error| ServiceError::Unexpected(format!("cannot start a worker thread: {error}")))?;
    Ok(Worker { number, control, thread })
}

/// Under exactly-once a crash is a safe operation: the transaction times out or is fenced, state is restored. Going on
/// after a broken invariant is not safe.
struct AbortOnPanic(String);

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        tracing::error!(worker = self.0, "a worker panicked, the process ends so that state is restored");
        std::process::abort();
    }
}

/// Sources that normalize does not read.
#[must_use]
pub fn catalog_topics(config: &Config) -> Vec<String> {
    config
        .sources
        .iter()
        .filter(|source| source.kind == SourceKind::Catalog)
        .flat_map(|source| source.topics.iter().cloned())
        .collect()
}
