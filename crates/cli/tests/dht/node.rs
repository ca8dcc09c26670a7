//! Nodes on real sockets without a process: one that answers as a test likes, and a network of ours for bulk.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dht::message::{Body, MAX_DATAGRAM, Message, Query};
use dht::{Action, Config, Event, Family, Node};
use protocol::Time;

/// The longest a thread sits on its socket before it looks at anything else.
const LOOK: Duration = Duration::from_millis(20);

/// A node that answers what a test likes.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Answers every query with `answer`.
pub(crate) fn answer_with(answer: impl Fn(&Query) -> Body + Send + 'static) -> Scripted {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LOOK)).unwrap();
    let address = socket.local_addr().unwrap();
    let (heard, stop) = (Arc::<Mutex<Vec<Vec<u8>>>>::default(), Arc::<AtomicBool>::default());
    let (hearing, stopping) = (heard.clone(), stop.clone());
    let thread = thread::spawn(move || {
        let mut buffer = [0; MAX_DATAGRAM];
        while !stopping.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            hearing.lock().unwrap().push(buffer[..length].to_vec());
            if let Ok(Message { transaction, body: Body::Query { query, .. } }) =
                Message::decode(&buffer[..length])
            {
                let message = Message { transaction, body: answer(&query) };
                socket.send_to(&message.encode(), from).unwrap();
            }
        }
    });
    Scripted { address, heard, stop, thread: Some(thread) }
}

impl Scripted {
    /// Every datagram that came.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// One of our nodes on a socket, driven by whoever owns it.
pub(crate) struct OnSocket {
    node: Node,
    socket: UdpSocket,
    pub(crate) address: SocketAddr,
    epoch: Instant,
    /// What it said that was no datagram.
    pub(crate) said: Vec<Action>,
}

impl OnSocket {
    pub(crate) fn new(seed: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let node = Node::new(Config::default(), Family::V4, [seed; 32]);
        OnSocket { node, socket, address, epoch: Instant::now(), said: Vec::new() }
    }

    pub(crate) fn good(&self) -> usize {
        self.node.good_count(self.now())
    }

    fn now(&self) -> Time {
        Time::from(self.epoch.elapsed())
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        self.node.handle(self.now(), event, &mut actions);
        for action in actions {
            match action {
                // Lost, if the socket is full.
                Action::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
                other => self.said.push(other),
            }
        }
    }

    /// Takes in what came, and does what is due. True when something came.
    pub(crate) fn turn(&mut self) -> bool {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut any = false;
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            any = true;
            self.tell(Event::Datagram { from, bytes: &buffer[..length] });
        }
        if self.node.wake_at().is_some_and(|wake| wake <= self.now()) {
            self.tell(Event::Woke);
        }
        any
    }
}
