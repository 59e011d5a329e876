//! A running process of the program: its log, its signals, its end.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{LIMIT, http};

/// Time between two looks at a condition that nothing announces.
const LOOK: Duration = Duration::from_millis(25);

/// A process of `throughline run` that does not outlive the test, however that ends.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    watchdog: Option<(Child, ChildStdin)>,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    seen: Mutex<Seen>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Program {
    pub(super) fn start(folder: &Path, name: &str, config: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_throughline"))
            .args(["run", "--config"])
            .arg(config)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Log::default());
        let (stderr, shared) = (child.stderr.take().expect("stderr was asked to be a pipe"), Arc::clone(&log));
        // A failing test keeps the folder, and with it the log of every process.
        let path = config.with_extension("log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the folder can be written");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writeln!(file, "{line}").expect("the log can be written");
                shared.seen().lines.push(line);
                shared.grown.notify_all();
            }
            shared.seen().ended = true;
            shared.grown.notify_all();
        });
        let watchdog = Some(watch(child.id()));
        Self { name: name.to_owned(), child, watchdog, log }
    }

    /// Waits for a line of the log.
    pub fn wait_for_line<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.log.seen();
        loop {
            if let Some(found) = seen.lines.iter().find_map(|line| find(line)) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!seen.ended, "{} ended before {what}:\n{}", self.name, last(&seen.lines));
            assert!(!left.is_zero(), "{}: not {what} in {LIMIT:?}:\n{}", self.name, last(&seen.lines));
            seen = self.log.grown.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets the process run for this long, which must not be its end.
    pub fn runs_for(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut seen = self.log.seen();
        loop {
            assert!(!seen.ended, "{} ended by itself:\n{}", self.name, last(&seen.lines));
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            seen = self.log.grown.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether it has not ended, by itself or otherwise.
    pub fn is_running(&self) -> bool {
        !self.log.seen().ended
    }

    /// Waits for a condition while the process runs.
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !condition() {
            assert!(Instant::now() < deadline, "{}: not {what} in {LIMIT:?}:\n{}", self.name, self.log());
            self.runs_for(LOOK);
        }
    }

    /// The address it serves HTTP on.
    pub fn address(&self) -> SocketAddr {
        self.wait_for_line("serving HTTP", serving)
    }

    /// The same, if it has said so yet.
    pub fn address_now(&self) -> Option<SocketAddr> {
        self.log.seen().lines.iter().find_map(|line| serving(line))
    }

    /// Waits until `/health/ready` passes.
    pub fn wait_ready(&self) {
        let address = self.address();
        self.wait_until("ready", || http::get(address, "/health/ready").status == 200);
    }

    /// The answer of a route, which must be 200, as JSON.
    pub fn json(&self, path: &str) -> Value {
        let answer = http::get(self.address(), path);
        assert_eq!(answer.status, 200, "{}: GET {path}: {}\n{}", self.name, answer.body, self.log());
        serde_json::from_str(&answer.body).expect("the answer is JSON")
    }

    /// Input partitions that it serves in a stage.
    pub fn served(&self, stage: &str) -> usize {
        let status = self.json("/v1/status");
        let workers = status["workers"].as_array().expect("a list").iter().filter(|worker| worker["stage"] == stage);
        let partitions = workers.flat_map(|worker| worker["partitions"].as_array().expect("a list"));
        partitions.filter(|partition| partition["state"] == "serving").count()
    }

    /// Resident memory, as the kernel counts it.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1_024
    }

    /// A metric by its name and labels as they are written.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let answer = http::get(self.address(), "/metrics");
        let value = answer.body.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(value.parse().expect("a number"))
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "{} cannot be sent SIG{name}", self.name);
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }

    /// Asks it to end and holds it to the 10 s it has, with exit code 0.
    pub fn drain(mut self) {
        let began = Instant::now();
        self.signal("TERM");
        let status = self.wait_end(Duration::from_secs(10));
        let took = began.elapsed();
        assert!(status.success(), "{} ended with {status} after SIGTERM:\n{}", self.name, self.log());
        assert!(took < Duration::from_secs(10), "{} took {took:?} to end:\n{}", self.name, self.log());
    }

    /// Waits for its end.
    pub fn wait_end(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        let mut seen = self.log.seen();
        while !seen.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} does not end in {limit:?}:\n{}", self.name, last(&seen.lines));
            seen = self.log.grown.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(seen);
        self.child.wait().expect("the process ends")
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        last(&self.log.seen().lines)
    }
}

impl Drop for Program {
    #[allow(clippy::print_stderr, reason = "a failed test tells what its processes said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}, last lines of its log:\n{}", self.name, self.log());
        }
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some((mut shell, mut signal)) = self.watchdog.take() {
            // A line tells the watchdog that there is nothing left to do.
            let _ = signal.write_all(b"\n");
            drop(signal);
            let _ = shell.wait();
        }
    }
}

/// A shell that kills the process when the pipe from this one closes, which it does however this one ends.
fn watch(id: u32) -> (Child, ChildStdin) {
    let mut shell = Command::new("sh")
        .args(["-c", "read -r line || kill -s KILL \"$1\"", "watchdog", &id.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell can be run");
    let pipe = shell.stdin.take().expect("stdin was asked to be a pipe");
    (shell, pipe)
}

/// The address in the line that tells it.
fn serving(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    (fields.get("message")? == "serving").then_some(())?;
    fields.get("address")?.as_str()?.parse().ok()
}

fn last(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(40)..].join("\n")
}
