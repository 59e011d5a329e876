//! Just enough HTTP/1.1: requests with a length, answers in JSON, connections that stay open.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Requests larger than this are somebody's mistake.
const REQUEST_BYTES_MAX: usize = 4 << 20;

const HEADERS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path with query, as sent.
    pub(super) target: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Response {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    pub(super) fn refusal(status: u16, code: u32, text: impl Into<String>) -> Self {
        Self { status, body: json!({ "error_code": code, "message": text.into() }) }
    }
}

/// Answers the requests of one connection until either side has enough. `answer` returns nothing to drop the connection.
pub(super) fn serve(mut stream: TcpStream, mut answer: impl FnMut(&Request) -> Option<Response>) {
    let mut received = Vec::new();
    while let Ok(Some(request)) = next_request(&mut stream, &mut received) {
        let Some(response) = answer(&request) else { return };
        if write_response(&mut stream, &response).is_err() {
            return;
        }
    }
}

fn next_request(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut part = [0; 16 * 1024];
    loop {
        if let Some((request, length)) = parse(received)? {
            received.drain(..length);
            return Ok(Some(request));
        }
        let count = stream.read(&mut part)?;
        if count == 0 || received.len() + count > REQUEST_BYTES_MAX {
            return Ok(None);
        }
        received.extend_from_slice(&part[..count]);
    }
}

/// The first request in `received` with its length in bytes, once all of it is there.
fn parse(received: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let status = head.parse(received).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(head_bytes) = status else { return Ok(None) };
    let find = |name: &str| {
        head.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let body_bytes: usize = find("content-length").and_then(|value| value.trim().parse().ok()).unwrap_or(0);
    let Some(body) = received.get(head_bytes..head_bytes.saturating_add(body_bytes)) else { return Ok(None) };
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        authorization: find("authorization").map(str::to_owned),
        body: body.to_vec(),
    };
    Ok(Some((request, head_bytes + body_bytes)))
}

fn write_response(stream: &mut TcpStream, response: &Response) -> io::Result<()> {
    let body = response.body.to_string();
    let reason = if response.status == 200 { "OK" } else { "Refused" };
    let status = response.status;
    let length = body.len();
    // One write, so that a client that does not read the body is not reset in the middle of it.
    let text =
        format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes())
}
