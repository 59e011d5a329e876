//! A Kafka of several brokers for tests of broker faults: each broker a process of its own, killed and started again one by
//! one, with listeners whose advertised port belongs to a proxy.
//!
//! Every broker is controller too, so that the loss of one leaves a quorum of three. With three brokers every topic of Kafka's
//! own has three replicas of which two must be in sync; with one it is the broker of [`crate::broker`] with more listeners.

mod settings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::broker::supervised::Supervised;
use crate::broker::{self, BrokerError, Distribution, START_ATTEMPTS, START_LIMIT, STOP_LIMIT, probe};

/// How long the controllers wait for a silent broker before they take its leaderships away. A test that kills brokers waits
/// for it each time; the default is 9 s.
pub const BROKER_SESSION: Duration = Duration::from_secs(4);

/// What a cluster is started with.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Brokers, 1 or 3 (two have no quorum when one is gone).
    pub brokers: u32,
    /// Java heap of each in MiB.
    pub heap_mib: u32,
    /// Proxied listeners of each broker: as many proxies can stand before the cluster without knowing of each other.
    pub proxied: u32,
    /// Lines of `server.properties` that are added to or replace ours.
    pub properties: Vec<(String, String)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { brokers: 3, heap_mib: 400, proxied: 1, properties: Vec::new() }
    }
}

/// Where a proxied listener of a broker really is, and where clients are told that it is. Both on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Port that the broker listens on.
    pub behind: u16,
    /// Port that clients are told: the proxy's.
    pub advertised: u16,
}

/// Brokers that live as long as this value.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    heap_mib: u32,
    distribution: Distribution,
}

#[derive(Debug)]
struct Member {
    address: String,
    endpoints: Vec<Endpoint>,
    folder: PathBuf,
    running: Option<Supervised>,
}

/// Ports of one broker.
#[derive(Debug)]
struct Ports {
    direct: u16,
    controller: u16,
    endpoints: Vec<Endpoint>,
}

impl Ports {
    fn choose(proxied: u32) -> Result<Self, BrokerError> {
        let endpoint = |_| Ok(Endpoint { behind: broker::free_port()?, advertised: broker::free_port()? });
        Ok(Self {
            direct: broker::free_port()?,
            controller: broker::free_port()?,
            endpoints: (0..proxied).map(endpoint).collect::<Result<_, BrokerError>>()?,
        })
    }
}

impl Cluster {
    /// Starts the brokers with empty logs and returns when each of them answers.
    pub fn start(options: &ClusterOptions) -> Result<Self, BrokerError> {
        let distribution = Distribution::fetch()?;
        let mut attempt = 1;
        loop {
            match Self::attempt(options, &distribution) {
                Err(BrokerError::Ended { output, .. })
                    if attempt < START_ATTEMPTS && output.contains("Address already in use") => {}
                outcome => return outcome,
            }
            attempt += 1;
        }
    }

    fn attempt(options: &ClusterOptions, distribution: &Distribution) -> Result<Self, BrokerError> {
        let ports: Vec<Ports> =
            (0..options.brokers).map(|_| Ports::choose(options.proxied)).collect::<Result<_, _>>()?;
        let mut cluster = Self { members: Vec::new(), heap_mib: options.heap_mib, distribution: distribution.clone() };
        for (number, own) in ports.iter().enumerate() {
            let folder = broker::new_folder()?;
            let mut properties = settings::of_member(number, &ports);
            properties.extend(options.properties.iter().cloned());
            broker::settings::write(&folder, own.direct, own.controller, &properties)?;
            cluster.members.push(Member {
                address: format!("127.0.0.1:{}", own.direct),
                endpoints: own.endpoints.clone(),
                folder,
                running: None,
            });
        }
        cluster.format()?;
        for number in 0..cluster.members.len() {
            cluster.launch(number)?;
        }
        for number in 0..cluster.members.len() {
            cluster.wait_for(number)?;
        }
        Ok(cluster)
    }

    /// Prepares the log folders, all at once: each takes the start of a Java.
    fn format(&self) -> Result<(), BrokerError> {
        std::thread::scope(|scope| {
            let formats: Vec<_> =
                self.members.iter().map(|member| scope.spawn(|| self.distribution.format(&member.folder))).collect();
            formats.into_iter().try_for_each(|format| format.join().expect("formatting does not panic"))
        })
    }

    /// How many brokers there are, running or not.
    #[must_use]
    pub fn brokers(&self) -> usize {
        self.members.len()
    }

    /// `host:port` list of the direct listeners, for `bootstrap.servers` of whoever is not to be disturbed.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<&str> = self.members.iter().map(|member| member.address.as_str()).collect();
        addresses.join(",")
    }

    /// The endpoints of one proxied listener, one for each broker.
    #[must_use]
    pub fn endpoints(&self, listener: usize) -> Vec<Endpoint> {
        self.members.iter().map(|member| member.endpoints[listener]).collect()
    }

    /// Whether the process of a broker was started and not ended from here.
    #[must_use]
    pub fn is_running(&self, number: usize) -> bool {
        self.members[number].running.is_some()
    }

    /// The log file of a broker.
    #[must_use]
    pub fn log(&self, number: usize) -> PathBuf {
        broker::log_file(&self.members[number].folder)
    }

    /// Starts a broker again on its ports with the partitions it had, and returns when it answers.
    pub fn start_again(&mut self, number: usize) -> Result<(), BrokerError> {
        self.launch(number)?;
        self.wait_for(number)
    }

    /// Starts a broker without waiting for its answer: the first two of three do not answer before there is a quorum.
    pub fn launch(&mut self, number: usize) -> Result<(), BrokerError> {
        let member = &mut self.members[number];
        if member.running.is_none() {
            let java = self.distribution.server(self.heap_mib, &member.folder);
            member.running = Some(Supervised::spawn(&java, &broker::log_file(&member.folder), &member.folder)?);
        }
        Ok(())
    }

    /// Returns when a launched broker answers.
    pub fn wait_for(&mut self, number: usize) -> Result<(), BrokerError> {
        let member = &mut self.members[number];
        let log = broker::log_file(&member.folder);
        let running = &mut member.running;
        let answered = probe::wait_for_answer(&member.address, START_LIMIT, &log, || running.as_mut()?.ended());
        if answered.is_err() {
            member.running = None;
        }
        answered
    }

    /// Stops a broker in an orderly way: it gives its leaderships away first. Killed after 30 s.
    pub fn stop(&mut self, number: usize) {
        if let Some(running) = self.members[number].running.take() {
            running.stop(STOP_LIMIT);
        }
    }

    /// Ends a broker as a power cut would (`SIGKILL`) and returns when its process is gone.
    pub fn kill(&mut self, number: usize) {
        if let Some(running) = self.members[number].running.take() {
            running.kill();
        }
    }

    /// Stops the clock of a broker (`SIGSTOP`): it holds its connections and answers nobody.
    pub fn freeze(&mut self, number: usize) {
        if let Some(running) = &mut self.members[number].running {
            running.signal("STOP");
        }
    }

    /// Lets a frozen broker go on (`SIGCONT`).
    pub fn thaw(&mut self, number: usize) {
        if let Some(running) = &mut self.members[number].running {
            running.signal("CONT");
        }
    }

    /// Copies the logs of all brokers into `folder`, to be looked at after a failure.
    pub fn keep_logs(&self, folder: &Path) -> Result<(), BrokerError> {
        for number in 0..self.members.len() {
            let (from, to) = (self.log(number), folder.join(format!("broker-{number}.log")));
            std::fs::copy(&from, &to).map_err(BrokerError::files("copy", &from))?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..self.members.len() {
            self.kill(number);
            // The folder is below `target`; what cannot be removed now is only disk space.
            let _ = std::fs::remove_dir_all(&self.members[number].folder);
        }
    }
}
