//! A child process that is measured: its CPU time and memory are read from `/proc`.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Clock ticks per second in `/proc/<pid>/stat`: 100 on every Linux that we know of.
const TICKS_PER_SECOND: f64 = 100.0;

/// How long the service may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// A running child; it is killed when this value goes.
#[derive(Debug)]
pub struct Child {
    process: Process,
}

impl Child {
    /// Starts `throughline run` with a configuration file and more settings, `KEY=VALUE` each.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn service(program: &Path, config: &Path, set: &[String]) -> Result<Self> {
        Self::stages(program, config, set, &[])
    }

    /// The same with these stages alone; all if none is named.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn stages(program: &Path, config: &Path, set: &[String], stages: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(config).args(set.iter().flat_map(|setting| ["--set", setting]));
        command.args(stages.iter().flat_map(|stage| ["--stage", stage]));
        Self::spawn(command, &config.with_extension("log"))
    }

    /// Starts any program; what it says goes to `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log).context("create the log of the child")?;
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log of the child")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", Path::new(command.get_program()).display()))?;
        Ok(Self { process })
    }

    /// Waits until `/health/ready` on `address` answers 200.
    ///
    /// # Errors
    /// If the child ends, or does not become ready in 90 s.
    pub fn wait_ready(&mut self, address: &str) -> Result<()> {
        self.wait_ready_for(address, READY_LIMIT)
    }

    /// The same with another limit.
    ///
    /// # Errors
    /// If the child ends, or does not become ready in time.
    pub fn wait_ready_for(&mut self, address: &str, limit: Duration) -> Result<()> {
        let started = Instant::now();
        while !is_ready(address) {
            self.ensure_running()?;
            ensure!(started.elapsed() < limit, "the service is not ready after {} s", limit.as_secs());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// An error if the child has ended.
    ///
    /// # Errors
    /// If it has.
    pub fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait().context("look after the child")? {
            bail!("the child ended with {status}");
        }
        Ok(())
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// CPU seconds so far, user and system.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_of(&PathBuf::from(format!("/proc/{}/stat", self.pid())))
    }

    /// CPU seconds of live threads by name, numbers at the end of names cut off.
    #[must_use]
    pub fn cpu_by_thread(&self) -> BTreeMap<String, f64> {
        let mut threads = BTreeMap::new();
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else { return threads };
        for task in tasks.flatten() {
            let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else { continue };
            let Ok(cpu) = cpu_of(&task.path().join("stat")) else { continue };
            let name = name.trim().trim_end_matches(|last: char| last.is_ascii_digit()).to_owned();
            *threads.entry(name).or_insert(0.0) += cpu;
        }
        threads
    }

    /// Resident bytes.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).context("read the child's status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("find VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("read VmRSS")?;
        Ok(kib * 1024)
    }

    /// Kills the child as `kill -9` does.
    ///
    /// # Errors
    /// If it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().context("kill the child")?;
        self.process.wait().context("wait for the child")?;
        Ok(())
    }

    /// Asks the child to drain and waits until it has ended.
    ///
    /// # Errors
    /// If it cannot be asked, or does not end well in 20 s.
    pub fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-s", "TERM", &self.pid().to_string()]).status().context("run kill")?;
        ensure!(asked.success(), "kill ended with {asked}");
        let started = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().context("wait for the child")? {
                ensure!(status.success(), "the service ended with {status}");
                return Ok(());
            }
            ensure!(started.elapsed() < Duration::from_secs(20), "the service did not end in 20 s");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone after this.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// CPU seconds of the calling process so far.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn own_cpu_seconds() -> Result<f64> {
    cpu_of(Path::new("/proc/self/stat"))
}

fn cpu_of(stat: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(stat).with_context(|| format!("read {}", stat.display()))?;
    // The name in parentheses may hold anything; what follows the last one is separated by blanks, `utime` and `stime` as
    // the 12th and 13th field.
    let (_, rest) = text.rsplit_once(')').context("find the fields of the process statistics")?;
    let ticks: Vec<f64> =
        rest.split_ascii_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    ensure!(ticks.len() == 2, "the process statistics are too short");
    Ok((ticks[0] + ticks[1]) / TICKS_PER_SECOND)
}

fn is_ready(address: &str) -> bool {
    get(address, "/health/ready").is_some()
}

/// The body of what `address` answers, if it is a 200.
#[must_use]
pub fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).ok()?;
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}
