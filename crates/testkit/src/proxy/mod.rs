//! A TCP proxy between Kafka's clients and its brokers that loses, delays and holds back one kind of request or answer.
//!
//! Bytes pass unchanged and in their order: a delayed or held frame delays what is behind it in that direction of that
//! connection, as a network would. A cut connection is closed on both sides: cut at the request, the broker has never seen it;
//! cut at the answer, the broker has done it and the client does not know.
//!
//! Clients come through here because a listener of [`crate::cluster`] tells them this port.

mod fault;
mod frame;
mod link;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub use fault::{Action, Fault, Injected, Side};
pub use frame::Api;

use crate::cluster::Endpoint;
use fault::Board;

/// A connection that cannot be made to a broker in this time is closed to the client.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Proxies before all brokers of a cluster, one listening port for each; they end with this value.
#[derive(Debug)]
pub struct Proxy {
    board: Arc<Board>,
    advertised: Vec<SocketAddr>,
}

impl Proxy {
    /// Listens on the advertised port of every endpoint.
    pub fn start(endpoints: &[Endpoint]) -> io::Result<Self> {
        let board = Arc::new(Board::default());
        let mut advertised = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, endpoint.advertised))?;
            advertised.push(listener.local_addr()?);
            let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, endpoint.behind));
            let board = Arc::clone(&board);
            std::thread::spawn(move || accept(&listener, behind, &board));
        }
        Ok(Self { board, advertised })
    }

    /// `host:port` list for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.advertised.iter().map(SocketAddr::to_string).collect();
        addresses.join(",")
    }

    /// Makes a fault happen to the next frames that fit it, until its number of times is reached or it is released.
    #[must_use = "a fault that is dropped is over"]
    pub fn inject(&self, fault: Fault) -> Injected {
        Board::inject(&self.board, fault)
    }

    /// Closes every connection that is open now; new ones pass.
    pub fn cut_all(&self) {
        self.board.cut_all();
    }

    /// While refused, every open connection is closed and a new one is closed at once: no broker can be reached.
    pub fn refuse(&self, refused: bool) {
        self.board.refuse(refused);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.board.close();
        // The listening threads look at the board when somebody connects.
        for address in &self.advertised {
            let _ = TcpStream::connect_timeout(address, CONNECT_LIMIT);
        }
    }
}

fn accept(listener: &TcpListener, behind: SocketAddr, board: &Arc<Board>) {
    for client in listener.incoming() {
        if board.is_closed() {
            return;
        }
        let Ok(client) = client else { continue };
        if board.is_refusing() {
            continue;
        }
        let board = Arc::clone(board);
        // A broker that is slow to accept must not keep others from connecting.
        std::thread::spawn(move || {
            if let Ok(broker) = TcpStream::connect_timeout(&behind, CONNECT_LIMIT) {
                // An error is the end of one connection, which both sides see.
                let _ = link::run(client, broker, &board);
            }
        });
    }
}

#[cfg(test)]
mod tests;
