//! A child that cannot outlive this process.
//!
//! A small shell stands between us and Java. It reads signal names from a pipe that only this process holds: when we end, in
//! whatever way, the pipe closes, and the shell kills Java and removes the folder. (`PR_SET_PDEATHSIG` would need unsafe code,
//! and fires when the *thread* that started the child ends, which in a test run is long before the process does.)

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::BrokerError;

/// `$1` is the folder to remove when the pipe closes under a running broker, `$2` the log; the rest is the command. The process
/// id goes to the standard output, signals arrive one name a line. The reader is told to end when the broker has ended by
/// itself; once it cleans up, it cannot be interrupted.
const SUPERVISOR: &str = r#"
folder=$1; log=$2; shift 2
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
broker=$!
(
    while read -r signal; do kill -s "$signal" "$broker"; done
    trap '' TERM
    kill -s KILL "$broker"
    while kill -s 0 "$broker"; do sleep 0.1; done
    rm -rf "$folder"
) <&3 2>/dev/null >/dev/null &
reader=$!
exec 3<&-
echo "$broker"
wait "$broker"
status=$?
kill "$reader" 2>/dev/null
exit "$status"
"#;

const PAUSE: Duration = Duration::from_millis(10);

/// A running command under the supervising shell.
#[derive(Debug)]
pub(crate) struct Supervised {
    shell: Child,
    signals: ChildStdin,
    pid: u32,
}

impl Supervised {
    /// Runs `command` with its output appended to `log`. `folder` is removed if this process ends while the command runs.
    pub(crate) fn spawn(command: &Command, log: &Path, folder: &Path) -> Result<Self, BrokerError> {
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "broker-supervisor"])
            .args([folder, log])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt from the terminal reaches us, not the broker: it ends by the pipe, after us.
            .process_group(0)
            .spawn()
            .map_err(BrokerError::files("run", Path::new("sh")))?;
        let signals = shell.stdin.take().expect("the standard input was asked to be a pipe");
        let stdout = shell.stdout.take().expect("the standard output was asked to be a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(BrokerError::files("read from", Path::new("sh")))?;
        let pid = line.trim().parse().expect("the shell prints the process id before anything can fail");
        Ok(Self { shell, signals, pid })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How the command ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Sends a signal by its name without `SIG`. A command that has ended already takes no signals, which is no error.
    pub(crate) fn signal(&mut self, name: &str) {
        let _ = writeln!(self.signals, "{name}");
    }

    /// Asks the command to end, waits up to `limit`, then kills it.
    pub(crate) fn stop(mut self, limit: Duration) {
        self.signal("CONT");
        self.signal("TERM");
        let started = Instant::now();
        while self.ended().is_none() {
            if started.elapsed() > limit {
                return self.kill();
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Kills the command and returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.signal("KILL");
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_ends_the_command_and_removes_its_folder() {
        let folder = std::env::temp_dir().join(super::super::unique_name("supervised"));
        std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let mut command = Command::new("sleep");
        command.arg("600");
        let running = Supervised::spawn(&command, &folder.join("log"), &folder).expect("sh and sleep exist");
        let Supervised { mut shell, signals, .. } = running;
        assert!(matches!(shell.try_wait(), Ok(None)));

        drop(signals);

        let status = shell.wait().expect("the shell can be waited for");
        assert!(!status.success());
        let deadline = Instant::now() + Duration::from_secs(60);
        while folder.exists() {
            assert!(Instant::now() < deadline, "the folder is still there");
            std::thread::yield_now();
        }
    }
}
