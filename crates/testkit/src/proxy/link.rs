//! One connection: two threads that pass frames, one a direction.

use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::{Board, Side, Verdict};
use super::frame::{Frame, Header};

/// Requests that are not answered yet, by correlation id: an answer does not say what it answers.
type Open = Arc<Mutex<HashMap<i32, Header>>>;

/// Passes frames until one side closes or a fault does.
pub(super) fn run(client: TcpStream, broker: TcpStream, board: &Arc<Board>) -> io::Result<()> {
    // Small frames would wait for each other otherwise, which no direct connection does to them.
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let Some(link) = board.open([client.try_clone()?, broker.try_clone()?]) else { return Ok(()) };
    let open = Open::default();
    let (answers_from, answers_to) = (broker.try_clone()?, client.try_clone()?);
    let (answers_board, answers_open) = (Arc::clone(board), Arc::clone(&open));
    std::thread::spawn(move || {
        // Whatever ends it ends the connection, which both sides see.
        let _ = pass_answers(answers_from, answers_to, link, &answers_board, &answers_open);
        answers_board.shut(link);
    });
    let passed = pass_requests(client, broker, link, board, &open);
    board.shut(link);
    passed
}

fn pass_requests(from: TcpStream, mut to: TcpStream, link: u64, board: &Board, open: &Open) -> io::Result<()> {
    let (mut from, mut frame) = (BufReader::new(from), Frame::default());
    while frame.read(&mut from)? {
        let header = frame.request()?;
        if board.judge(link, &header, Side::Request) == Verdict::Close {
            break;
        }
        open.lock().unwrap_or_else(PoisonError::into_inner).insert(header.correlation, header);
        to.write_all(frame.bytes())?;
    }
    Ok(())
}

fn pass_answers(from: TcpStream, mut to: TcpStream, link: u64, board: &Board, open: &Open) -> io::Result<()> {
    let (mut from, mut frame) = (BufReader::new(from), Frame::default());
    while frame.read(&mut from)? {
        let answered = open.lock().unwrap_or_else(PoisonError::into_inner).remove(&frame.answered()?);
        if let Some(header) = answered
            && board.judge(link, &header, Side::Answer) == Verdict::Close
        {
            break;
        }
        to.write_all(frame.bytes())?;
    }
    Ok(())
}
