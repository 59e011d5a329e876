//! The broker that stays: started once, found again by its pid file, stopped by command.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{BrokerError, BrokerOptions, Distribution, START_LIMIT, STOP_LIMIT, answers, log_file, prepare, probe};

const PAUSE: Duration = Duration::from_millis(50);

/// A broker in a folder of its own (`target/kafka-dev`) that outlives the command that started it and keeps its topics.
#[derive(Debug)]
pub struct Development {
    folder: PathBuf,
    port: u16,
}

/// What is known about the development broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The process runs and answers.
    Answering {
        /// Process id of the broker.
        pid: u32,
    },
    /// The process runs and does not answer (yet).
    Silent {
        /// Process id of the broker.
        pid: u32,
    },
    /// There is no process of ours, though somebody else answers on the port.
    Foreign,
    /// Nobody is there.
    Stopped,
}

impl Development {
    /// The development broker on `port` of 127.0.0.1, whether it runs or not.
    #[must_use]
    pub fn at(port: u16) -> Self {
        Self { folder: super::distribution::target_folder().join("kafka-dev"), port }
    }

    /// `host:port` for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The log file of the broker.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        log_file(&self.folder)
    }

    /// Looks whether the broker runs and answers.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.pid(), answers(&self.bootstrap())) {
            (Some(pid), true) => Standing::Answering { pid },
            (Some(pid), false) => Standing::Silent { pid },
            (None, true) => Standing::Foreign,
            (None, false) => Standing::Stopped,
        }
    }

    /// Starts the broker unless it runs, and returns its process id when it answers. Topics of an earlier start are still there.
    pub fn start(&self) -> Result<u32, BrokerError> {
        if let Some(pid) = self.pid() {
            probe::wait_for_answer(&self.bootstrap(), START_LIMIT, &self.log(), || None)?;
            return Ok(pid);
        }
        let distribution = Distribution::fetch()?;
        let options = BrokerOptions { port: Some(self.port), ..BrokerOptions::default() };
        std::fs::create_dir_all(&self.folder).map_err(BrokerError::files("create", &self.folder))?;
        if !self.folder.join("partitions").is_dir() {
            prepare(&options, &distribution, &self.folder)?;
        }
        let log = self.log();
        let output = File::create(&log).map_err(BrokerError::files("create", &log))?;
        let errors = OpenOptions::new().append(true).open(&log).map_err(BrokerError::files("open", &log))?;
        let mut child = distribution
            .server(options.heap_mib, &self.folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Not in our group, so that an interrupt of the terminal does not reach it.
            .process_group(0)
            .spawn()
            .map_err(BrokerError::files("run", Path::new("java")))?;
        let pid_file = self.pid_file();
        std::fs::write(&pid_file, child.id().to_string()).map_err(BrokerError::files("write", &pid_file))?;
        probe::wait_for_answer(&self.bootstrap(), START_LIMIT, &log, || child.try_wait().ok().flatten())?;
        Ok(child.id())
    }

    /// Stops the broker and returns when it is gone; false when there was none. With `purge` its topics are removed too.
    pub fn stop(&self, purge: bool) -> Result<bool, BrokerError> {
        let pid = self.pid();
        if let Some(pid) = pid {
            signal(pid, "TERM");
            let started = Instant::now();
            while self.pid().is_some() {
                if started.elapsed() > STOP_LIMIT {
                    signal(pid, "KILL");
                }
                std::thread::sleep(PAUSE);
            }
        }
        let _ = std::fs::remove_file(self.pid_file());
        if purge && self.folder.is_dir() {
            std::fs::remove_dir_all(&self.folder).map_err(BrokerError::files("remove", &self.folder))?;
        }
        Ok(pid.is_some())
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// The process id in the pid file, if that process is our broker: a process id may have been given to another program.
    fn pid(&self) -> Option<u32> {
        let pid: u32 = std::fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        let shown = Command::new("ps").args(["-ww", "-o", "stat=,args=", "-p", &pid.to_string()]).output().ok()?;
        let line = String::from_utf8_lossy(&shown.stdout).into_owned();
        let ours = line.contains("kafka.Kafka") && line.contains("kafka-dev") && !line.starts_with('Z');
        ours.then_some(pid)
    }
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}
