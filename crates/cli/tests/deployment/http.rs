//! As little of an HTTP client as the tests need.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// Status; 0 if nobody answered.
    pub status: u16,
    /// Body.
    pub body: String,
}

/// Asks for a path and reads the whole answer.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, path).unwrap_or_else(|error| Answer { status: 0, body: error.to_string() })
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let limit = Duration::from_secs(15);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "the answer has a length: {head}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, body: body.to_owned() })
}
