//! Does somebody answer as a Kafka broker? One `ApiVersions` request over plain TCP.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::BrokerError;

const ASK_LIMIT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// `ApiVersions` version 0: every broker answers it, whatever it requires of its clients later.
/// Size 10, api key 18, version 0, correlation id 7, no client id.
const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

/// True when `address` (`host:port`) answers an `ApiVersions` request without an error, within 2 s.
#[must_use]
pub fn answers(address: &str) -> bool {
    ask(address).unwrap_or(false)
}

/// Returns when `address` answers; fails when `ended` says that the broker is gone or `limit` has passed.
pub(crate) fn wait_for_answer(
    address: &str,
    limit: Duration,
    log: &Path,
    mut ended: impl FnMut() -> Option<ExitStatus>,
) -> Result<(), BrokerError> {
    let started = Instant::now();
    while !answers(address) {
        if let Some(status) = ended() {
            return Err(BrokerError::Ended { status, output: last_lines(log) });
        }
        if started.elapsed() > limit {
            let seconds = limit.as_secs();
            return Err(BrokerError::Silent { address: address.to_owned(), seconds, log: log.to_owned() });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn ask(address: &str) -> io::Result<bool> {
    let Some(resolved) = address.to_socket_addrs()?.next() else { return Ok(false) };
    let mut stream = TcpStream::connect_timeout(&resolved, ASK_LIMIT)?;
    stream.set_read_timeout(Some(ASK_LIMIT))?;
    stream.write_all(&REQUEST)?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    let [_, _, _, _, correlation @ .., error_high, error_low] = answer;
    Ok(correlation == [0, 0, 0, 7] && [error_high, error_low] == [0, 0])
}

/// The last errors of the broker's log on one line, or its last line.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let marked = |line: &&str| ["ERROR", "FATAL", "Exception", "Error:"].iter().any(|mark| line.contains(mark));
    let mut lines: Vec<&str> = text.lines().filter(marked).take(3).collect();
    if lines.is_empty() {
        lines.extend(text.lines().next_back());
    }
    lines.join(" / ")
}
