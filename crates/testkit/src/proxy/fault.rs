//! Faults, and the board on which they are pinned while they last.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::frame::{Api, Header};

/// Direction of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// From client to broker.
    Request,
    /// From broker to client.
    Answer,
}

/// What happens to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The connection is closed in its place.
    Cut,
    /// It goes on after this time.
    Delay(Duration),
    /// It goes on when the fault is released.
    Hold,
}

/// A fault: what happens to which frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Kind of request, or of the request that is answered.
    pub api: Api,
    /// Which of both.
    pub side: Side,
    /// What happens to it.
    pub action: Action,
    /// How often at most.
    pub times: u32,
    /// Start of the `client.id` of those it happens to; empty for all.
    pub client: String,
}

impl Fault {
    /// A fault that happens once, to whoever comes first.
    #[must_use]
    pub fn once(api: Api, side: Side, action: Action) -> Self {
        Self { api, side, action, times: 1, client: String::new() }
    }

    /// The same, at most this often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The same, to clients whose `client.id` begins like this.
    #[must_use]
    pub fn of(mut self, client: &str) -> Self {
        client.clone_into(&mut self.client);
        self
    }

    fn fits(&self, header: &Header, side: Side) -> bool {
        self.side == side && self.api as i16 == header.api && header.client.starts_with(&self.client)
    }
}

/// A fault that is pinned; dropping it releases what it holds.
#[derive(Debug)]
pub struct Injected {
    board: Arc<Board>,
    id: u64,
}

impl Injected {
    /// How often it has happened.
    #[must_use]
    pub fn met(&self) -> u32 {
        self.board.lock().pinned.get(&self.id).map_or(0, |pinned| pinned.met)
    }

    /// Waits until it has happened at least once; false when it has not within `limit`.
    #[must_use]
    pub fn wait_met(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.board.lock();
        while state.pinned.get(&self.id).is_some_and(|pinned| pinned.met == 0) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.board.wait(state, left);
        }
        true
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        self.board.lock().pinned.remove(&self.id);
        self.board.changed.notify_all();
    }
}

/// Everything that the threads of a proxy share.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pinned: BTreeMap<u64, Pinned>,
    links: BTreeMap<u64, [TcpStream; 2]>,
    next: u64,
    refusing: bool,
    closed: bool,
}

#[derive(Debug)]
struct Pinned {
    fault: Fault,
    met: u32,
}

/// What a link does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Close,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn inject(board: &Arc<Self>, fault: Fault) -> Injected {
        let mut state = board.lock();
        let id = state.number();
        state.pinned.insert(id, Pinned { fault, met: 0 });
        drop(state);
        Injected { board: Arc::clone(board), id }
    }

    /// Decides about a frame of the link `link`, and waits as long as a fault wants it to wait.
    pub(super) fn judge(&self, link: u64, header: &Header, side: Side) -> Verdict {
        let mut state = self.lock();
        let fits = |pinned: &Pinned| pinned.met < pinned.fault.times && pinned.fault.fits(header, side);
        let Some((&id, pinned)) = state.pinned.iter_mut().find(|(_, pinned)| fits(pinned)) else {
            return Verdict::Pass;
        };
        pinned.met += 1;
        let action = pinned.fault.action;
        self.changed.notify_all();
        let until = match action {
            Action::Cut => return Verdict::Close,
            Action::Delay(time) => Some(Instant::now() + time),
            Action::Hold => None,
        };
        // A link that was cut meanwhile has nobody to wait for; a delay lasts on when its fault is released.
        while state.links.contains_key(&link) {
            let left = match until {
                Some(until) => until.saturating_duration_since(Instant::now()),
                None if state.pinned.contains_key(&id) => Duration::from_secs(60),
                None => Duration::ZERO,
            };
            if left.is_zero() {
                return Verdict::Pass;
            }
            state = self.wait(state, left);
        }
        Verdict::Close
    }

    /// Notes an open link, unless none is allowed.
    pub(super) fn open(&self, sockets: [TcpStream; 2]) -> Option<u64> {
        let mut state = self.lock();
        if state.refusing || state.closed {
            return None;
        }
        let id = state.number();
        state.links.insert(id, sockets);
        Some(id)
    }

    /// Closes a link on both sides; a second call does nothing.
    pub(super) fn shut(&self, link: u64) {
        if let Some(sockets) = self.lock().links.remove(&link) {
            shut(&sockets);
        }
        self.changed.notify_all();
    }

    pub(super) fn cut_all(&self) {
        for sockets in std::mem::take(&mut self.lock().links).values() {
            shut(sockets);
        }
        self.changed.notify_all();
    }

    pub(super) fn refuse(&self, refused: bool) {
        self.lock().refusing = refused;
        if refused {
            self.cut_all();
        }
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.lock().refusing
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.cut_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

fn shut(sockets: &[TcpStream; 2]) {
    for socket in sockets {
        // It fails where the other side was first.
        let _ = socket.shutdown(Shutdown::Both);
    }
}
