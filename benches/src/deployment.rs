//! What one run of the service needs: a name of its own, a configuration file, topics.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use throughline_config::{Config, RawConfig, Surroundings};
use throughline_kafka::admin::{Admin, TopicSpec};
use throughline_kafka::client::ClientOptions;
use throughline_testkit::broker::unique_name;

/// Tenant of every deployment; part of every id.
pub const TENANT: &str = "bench";

/// How long new partitions may be without a leader.
const LEADER_LIMIT: Duration = Duration::from_secs(30);

/// The broker and the registry that all runs share.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `host:port`.
    pub brokers: String,
    /// Base address of the schema registry.
    pub registry: String,
    /// Partitions of the source, of the copy and of everything that the service writes by customer.
    pub partitions: u32,
}

impl Cluster {
    /// Client settings as the service has them.
    #[must_use]
    pub fn client(&self) -> ClientOptions {
        ClientOptions { brokers: self.brokers.clone(), settings: Vec::new() }
    }

    /// Creates a topic that is kept for ever, and returns its new name.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn topic(&self, prefix: &str) -> Result<String> {
        let name = unique_name(prefix);
        self.create(&[TopicSpec {
            name: name.clone(),
            partitions: self.partitions,
            replication: 1,
            settings: vec![("retention.ms".to_owned(), "-1".to_owned())],
        }])?;
        Ok(name)
    }

    /// Creates topics.
    ///
    /// # Errors
    /// If the broker refuses one.
    pub fn create(&self, specs: &[TopicSpec]) -> Result<()> {
        let admin = Admin::new(&self.client(), Duration::from_secs(30)).context("connect to the broker")?;
        runtime()?.block_on(admin.create(specs)).context("create topics")?;
        self.wait_led(specs)
    }

    /// A topic exists a moment before its partitions have a leader; whoever asks in between is sent away.
    fn wait_led(&self, specs: &[TopicSpec]) -> Result<()> {
        let client: BaseConsumer = self.client().reader("bench-topics", false).create().context("make a consumer")?;
        let started = Instant::now();
        for spec in specs {
            for partition in 0..i32::try_from(spec.partitions).context("count partitions")? {
                while let Err(error) = client.fetch_watermarks(&spec.name, partition, Duration::from_secs(5)) {
                    ensure!(started.elapsed() < LEADER_LIMIT, "{}[{partition}] has no leader: {error}", spec.name);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(())
    }

    /// Removes topics, so that runs do not fill the disk. What cannot be removed does no harm.
    pub fn remove(&self, topics: &[String]) {
        let client: Result<AdminClient<DefaultClientContext>, _> =
            ClientConfig::new().set("bootstrap.servers", &self.brokers).create();
        if let (Ok(client), Ok(runtime)) = (client, runtime()) {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            let _ = runtime.block_on(client.delete_topics(&names, &AdminOptions::new()));
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("start a runtime")
}

/// Which outputs a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// Scores alone, and the changelog.
    Scores,
    /// Everything.
    All,
}

/// How a run encodes what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Avro with the schema registry.
    Avro,
    /// JSON.
    Json,
}

/// A deployment of the service for one run.
#[derive(Debug)]
pub struct Deployment {
    /// Application id, start of its consumer groups.
    pub application: String,
    /// As the service resolves it.
    pub config: Config,
    /// The configuration file.
    pub file: PathBuf,
    /// Where HTTP is served.
    pub address: String,
    topics: Vec<String>,
}

impl Deployment {
    /// Creates the topics and writes the configuration of a deployment with one worker per stage that reads `source`.
    ///
    /// # Errors
    /// If a topic or the file cannot be made.
    pub fn new(cluster: &Cluster, source: &str, outputs: Outputs, encoding: Encoding) -> Result<Self> {
        let application = unique_name("bench");
        let address = format!("127.0.0.1:{}", free_port()?);
        let text = text(cluster, &application, source, &address, outputs, encoding);
        let folder = std::env::temp_dir().join("throughline-benches");
        std::fs::create_dir_all(&folder).context("create a folder for configurations")?;
        let file = folder.join(format!("{application}.toml"));
        std::fs::write(&file, &text).context("write the configuration")?;
        let config = resolve(&file.display().to_string(), text)?;
        let specs = specs(&config);
        cluster.create(&specs)?;
        let topics = specs.into_iter().map(|spec| spec.name).collect();
        Ok(Self { application, config, file, address, topics })
    }

    /// Consumer group of a stage.
    #[must_use]
    pub fn group(&self, stage: throughline_model::Stage) -> String {
        format!("{}-{stage}", self.application)
    }

    /// Removes the topics of this deployment.
    pub fn remove(&self, cluster: &Cluster) {
        cluster.remove(&self.topics);
        for extension in ["toml", "log"] {
            let _ = std::fs::remove_file(self.file.with_extension(extension));
        }
    }
}

/// The topics that a configuration needs.
#[must_use]
pub fn specs(config: &Config) -> Vec<TopicSpec> {
    throughline_config::topics::plan(config)
        .into_iter()
        .map(|spec| TopicSpec {
            name: spec.name,
            partitions: spec.partitions,
            replication: spec.replication,
            settings: spec.settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        })
        .collect()
}

/// Resolves the text of a configuration file.
///
/// # Errors
/// Every mistake in it.
pub fn resolve(name: &str, text: String) -> Result<Config> {
    let raw = RawConfig { file: Some((name.to_owned(), text)), variables: Vec::new(), flags: Vec::new() };
    raw.resolve(&Surroundings::new(NonZeroU32::MIN)).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("{}", lines.join("\n"))
    })
}

fn text(
    cluster: &Cluster,
    application: &str,
    source: &str,
    address: &str,
    outputs: Outputs,
    encoding: Encoding,
) -> String {
    let registry = match encoding {
        Encoding::Avro => format!("[registry]\nurl = \"{}\"\nregister = true\n", cluster.registry),
        Encoding::Json => String::new(),
    };
    let outputs = match outputs {
        Outputs::Scores => "[outputs]\ntouchpoints = \"off\"\ncustomers = \"off\"\nalerts = \"off\"\n",
        Outputs::All => "",
    };
    let unused: String = ["social", "store", "call-centre", "partner", "survey", "catalog"]
        .iter()
        .map(|name| format!("[sources.{name}]\nenabled = false\n"))
        .collect();
    format!(
        "application = \"{application}\"\nprefix = \"{application}.\"\ntenant = \"{TENANT}\"\n\
         [kafka]\nbrokers = [\"{}\"]\n\
         [topics]\npartitions = {}\n\
         [workers]\nnormalize = 1\nexperience = 1\n\
         [http]\nlisten = \"{address}\"\n\
         [log]\nlevel = \"warn\"\n\
         {registry}{outputs}[sources.web]\ntopics = [\"{source}\"]\n{unused}",
        cluster.brokers, cluster.partitions,
    )
}

/// A port that nobody listens on.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("read the address of a listener")?.port())
}
