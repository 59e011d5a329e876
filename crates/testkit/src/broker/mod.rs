//! A real Apache Kafka for tests and development: one KRaft process on 127.0.0.1, without rdkafka.
//!
//! [`Broker::shared`] is what a test wants: the broker that `cargo xtask test` started (named by `THROUGHLINE_TEST_KAFKA`), or
//! one of this process. [`Broker::start`] gives a broker of its own to a test that kills it, and [`Development`] is the one that
//! `cargo xtask kafka start` leaves running.

mod development;
mod distribution;
pub(crate) mod probe;
pub(crate) mod settings;
pub(crate) mod supervised;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use development::{Development, Standing};
pub use distribution::{Distribution, KAFKA_VERSION};
pub use probe::answers;

use supervised::Supervised;

/// Names a running broker (`host:port`) that tests use instead of starting one.
pub const BROKER_VARIABLE: &str = "THROUGHLINE_TEST_KAFKA";

/// How long a broker may take from start to its first answer. It needs 3 to 5 s on an idle machine; two cores that also
/// compile make it ten times slower.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(120);

/// How long an orderly stop may take before the process is killed.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A port that looked free can be taken by somebody else before the broker binds it.
pub(crate) const START_ATTEMPTS: u32 = 3;

/// What a broker is started with. The defaults are those of the test run.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// Port for clients on 127.0.0.1; a free one when absent.
    pub port: Option<u16>,
    /// Java heap in MiB.
    pub heap_mib: u32,
    /// Lines of `server.properties` that are added to or replace ours.
    pub properties: Vec<(String, String)>,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self { port: None, heap_mib: 512, properties: Vec::new() }
    }
}

/// Why there is no broker. Each prints as one line.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A program that the recipe needs is not installed.
    #[error(
        "start a real Kafka: `{program}` is not on the PATH (install {package}, or set {BROKER_VARIABLE}=host:port)"
    )]
    ProgramMissing {
        /// The program that was looked for.
        program: &'static str,
        /// What to install.
        package: &'static str,
    },
    /// Maven or the storage tool ended with an error.
    #[error("{step} ended with {status}: {output}")]
    StepFailed {
        /// Which step of the recipe.
        step: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last line that it wrote.
        output: String,
    },
    /// The broker ended before it answered.
    #[error("start a real Kafka: the broker ended with {status}: {output}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        output: String,
    },
    /// The broker runs but does not answer.
    #[error("get an answer from the broker at {address} within {seconds} s (log: {log})")]
    Silent {
        /// Where it should listen.
        address: String,
        /// How long we waited.
        seconds: u64,
        /// The log to read.
        log: PathBuf,
    },
    /// A file or folder of the recipe could not be made or read.
    #[error("{step} {path}: {cause}")]
    Files {
        /// What was tried.
        step: &'static str,
        /// On which path.
        path: PathBuf,
        /// The error of the operating system.
        cause: io::Error,
    },
}

impl BrokerError {
    pub(crate) fn files(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Files { step, path: path.to_owned(), cause }
    }
}

/// A broker that lives as long as this value. It dies with the test, also when the test is killed.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    folder: PathBuf,
    heap_mib: u32,
    distribution: Distribution,
    running: Option<Supervised>,
}

impl Broker {
    /// Starts a broker of its own, with an empty log, and returns when it answers.
    pub fn start(options: &BrokerOptions) -> Result<Self, BrokerError> {
        let distribution = Distribution::fetch()?;
        let mut attempt = 1;
        loop {
            match Self::attempt(options, &distribution) {
                Err(BrokerError::Ended { output, .. })
                    if options.port.is_none()
                        && attempt < START_ATTEMPTS
                        && output.contains("Address already in use") => {}
                outcome => return outcome,
            }
            attempt += 1;
        }
    }

    fn attempt(options: &BrokerOptions, distribution: &Distribution) -> Result<Self, BrokerError> {
        let folder = new_folder()?;
        let bootstrap = prepare(options, distribution, &folder)?;
        let mut broker =
            Self { bootstrap, folder, heap_mib: options.heap_mib, distribution: distribution.clone(), running: None };
        broker.start_again()?;
        Ok(broker)
    }

    /// The bootstrap address of the broker that this test run shares: the one of [`BROKER_VARIABLE`] when set, else one that this
    /// process starts on first use and that ends with it. Topics must have names of their own, see [`unique_name`].
    ///
    /// # Panics
    /// When there is no broker and none can be started; the line says what is missing.
    #[must_use]
    pub fn shared() -> &'static str {
        static SHARED: OnceLock<Result<(String, Option<Broker>), String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match std::env::var(BROKER_VARIABLE) {
            Ok(address) if answers(&address) => Ok((address, None)),
            Ok(address) => Err(format!("{BROKER_VARIABLE} names {address}, which does not answer as a Kafka broker")),
            Err(_) => Self::start(&BrokerOptions::default())
                .map(|broker| (broker.bootstrap.clone(), Some(broker)))
                .map_err(|error| format!("failed to {error}")),
        });
        match shared {
            Ok((address, _)) => address,
            Err(line) => panic!("{line}"),
        }
    }

    /// `host:port` for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The folder with the settings, the broker's log file and its partitions.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Process id of the Java process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Supervised::pid)
    }

    /// Starts the broker again after [`Self::stop`] or [`Self::kill`], on the same port with the partitions it had.
    pub fn start_again(&mut self) -> Result<(), BrokerError> {
        if self.running.is_some() {
            return Ok(());
        }
        let log = log_file(&self.folder);
        let java = self.distribution.server(self.heap_mib, &self.folder);
        let mut supervised = Supervised::spawn(&java, &log, &self.folder)?;
        probe::wait_for_answer(&self.bootstrap, START_LIMIT, &log, || supervised.ended())?;
        self.running = Some(supervised);
        Ok(())
    }

    /// Stops the broker in an orderly way and returns when its process is gone; kills it after 30 s.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop(STOP_LIMIT);
        }
    }

    /// Ends the broker as a power cut would (`SIGKILL`) and returns when its process is gone.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Stops the clock of the broker (`SIGSTOP`): it holds its connections and answers nobody.
    pub fn freeze(&mut self) {
        if let Some(running) = &mut self.running {
            running.signal("STOP");
        }
    }

    /// Lets a frozen broker go on (`SIGCONT`).
    pub fn thaw(&mut self) {
        if let Some(running) = &mut self.running {
            running.signal("CONT");
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        // The folder is below `target`; what cannot be removed now is only disk space.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// `<prefix>-<process id>-<count>-<start of this process in ms, hexadecimal>`: a topic, group or subject name that no other test
/// of this or another run has.
#[must_use]
pub fn unique_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static STARTED: OnceLock<u128> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis()
    });
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{count}-{started:x}", std::process::id())
}

/// Writes the settings, formats the log folder, and returns the bootstrap address.
fn prepare(options: &BrokerOptions, distribution: &Distribution, folder: &Path) -> Result<String, BrokerError> {
    let client_port = match options.port {
        Some(port) => port,
        None => free_port()?,
    };
    let controller_port = free_port()?;
    settings::write(folder, client_port, controller_port, &options.properties)?;
    distribution.format(folder)?;
    Ok(format!("127.0.0.1:{client_port}"))
}

pub(crate) fn log_file(folder: &Path) -> PathBuf {
    folder.join("broker.log")
}

/// A new folder under `target/kafka/runs`, named after this process.
pub(crate) fn new_folder() -> Result<PathBuf, BrokerError> {
    let folder = distribution::target_folder().join("kafka").join("runs").join(unique_name("broker"));
    std::fs::create_dir_all(&folder).map_err(BrokerError::files("create", &folder))?;
    Ok(folder)
}

/// A port that is free now. It lies below the range from which the operating system gives ports to outgoing connections, so
/// that it stays free while the broker starts, and while a killed one is away.
pub(crate) fn free_port() -> Result<u16, BrokerError> {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("the range ends below 65,536");
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(BrokerError::Files { step: "find a free port on", path: PathBuf::from("127.0.0.1"), cause: last })
}
