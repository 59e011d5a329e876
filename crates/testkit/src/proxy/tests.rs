//! The proxy before a broker of six lines that answers every request with its correlation id.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::frame::Frame;
use super::frame::tests::request;
use super::*;
use crate::broker::free_port;

const LIMIT: Duration = Duration::from_secs(30);

/// A broker that says which requests it has seen, and a proxy before it.
struct Fixture {
    proxy: Proxy,
    seen: Receiver<i32>,
}

fn fixture() -> Fixture {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let behind = listener.local_addr().expect("an address").port();
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut frame = Frame::default();
                while frame.read(&mut socket).unwrap_or(false) {
                    let correlation = frame.request().expect("a request").correlation;
                    let _ = sender.send(correlation);
                    let _ = socket.write_all(&[[0, 0, 0, 4], correlation.to_be_bytes()].concat());
                }
            });
        }
    });
    let advertised = free_port().expect("a port");
    let proxy = Proxy::start(&[Endpoint { behind, advertised }]).expect("a proxy");
    Fixture { proxy, seen }
}

impl Fixture {
    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.proxy.bootstrap()).expect("the proxy accepts");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        socket
    }
}

fn ask(socket: &mut TcpStream, api: Api, correlation: i32, client: &str) {
    socket.write_all(&request(api, correlation, client)).expect("the request is sent");
}

/// The correlation id of the next answer; nothing when the connection is closed.
fn answer(socket: &mut TcpStream) -> Option<i32> {
    let mut bytes = [0; 8];
    match socket.read_exact(&mut bytes) {
        Ok(()) => Some(i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]])),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("no answer"),
        Err(_) => None,
    }
}

#[test]
fn without_a_fault_everything_passes_in_order() {
    let fixture = fixture();
    let mut socket = fixture.connect();
    for correlation in 0..100 {
        ask(&mut socket, Api::Produce, correlation, "any");
    }
    for correlation in 0..100 {
        assert_eq!(answer(&mut socket), Some(correlation));
    }
}

#[test]
fn a_cut_request_never_reaches_the_broker_and_a_cut_answer_was_done() {
    let fixture = fixture();
    let lost = fixture.proxy.inject(Fault::once(Api::EndTxn, Side::Request, Action::Cut).of("experience"));
    let mut other = fixture.connect();
    ask(&mut other, Api::EndTxn, 1, "normalize-0");
    assert_eq!(answer(&mut other), Some(1), "another client is left alone");
    let mut socket = fixture.connect();
    ask(&mut socket, Api::Heartbeat, 2, "experience-0");
    assert_eq!(answer(&mut socket), Some(2), "another kind is left alone");
    ask(&mut socket, Api::EndTxn, 3, "experience-0");
    assert_eq!(answer(&mut socket), None);
    assert_eq!(lost.met(), 1);
    drop(lost);

    let unheard = fixture.proxy.inject(Fault::once(Api::EndTxn, Side::Answer, Action::Cut));
    let mut socket = fixture.connect();
    ask(&mut socket, Api::EndTxn, 4, "experience-0");
    assert_eq!(answer(&mut socket), None);
    assert!(unheard.wait_met(LIMIT));
    let mut again = fixture.connect();
    ask(&mut again, Api::EndTxn, 5, "experience-0");
    assert_eq!(answer(&mut again), Some(5), "a fault happens as often as it says");
    let seen: Vec<i32> = fixture.seen.try_iter().collect();
    assert_eq!(seen, [1, 2, 4, 5]);
}

#[test]
fn a_held_request_holds_what_is_behind_it_until_it_is_released() {
    let fixture = fixture();
    let held = fixture.proxy.inject(Fault::once(Api::Heartbeat, Side::Request, Action::Hold));
    let mut socket = fixture.connect();
    ask(&mut socket, Api::Heartbeat, 1, "");
    ask(&mut socket, Api::OffsetFetch, 2, "");
    assert!(held.wait_met(LIMIT));
    let mut other = fixture.connect();
    ask(&mut other, Api::Fetch, 3, "");
    assert_eq!(answer(&mut other), Some(3), "another connection goes on");
    assert_eq!(fixture.seen.recv_timeout(LIMIT), Ok(3));
    assert!(fixture.seen.try_recv().is_err(), "nothing of the held connection has passed");
    drop(held);
    assert_eq!([answer(&mut socket), answer(&mut socket)], [Some(1), Some(2)]);
}

#[test]
fn a_delayed_answer_comes_late() {
    let fixture = fixture();
    let delay = Duration::from_millis(300);
    let _delayed = fixture.proxy.inject(Fault::once(Api::Fetch, Side::Answer, Action::Delay(delay)));
    let mut socket = fixture.connect();
    let began = Instant::now();
    ask(&mut socket, Api::Fetch, 1, "");
    assert_eq!(answer(&mut socket), Some(1));
    assert!(began.elapsed() >= delay);
}

#[test]
fn refused_brokers_cannot_be_reached_and_can_again() {
    let fixture = fixture();
    let mut open = fixture.connect();
    ask(&mut open, Api::Fetch, 1, "");
    assert_eq!(answer(&mut open), Some(1));
    fixture.proxy.refuse(true);
    assert_eq!(answer(&mut open), None);
    assert_eq!(answer(&mut fixture.connect()), None);
    fixture.proxy.refuse(false);
    let mut again = fixture.connect();
    ask(&mut again, Api::Fetch, 2, "");
    assert_eq!(answer(&mut again), Some(2));
}
