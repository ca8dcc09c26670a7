//! This process's part in the DHT: the shell round [`::dht::Node`].
//!
//! `driver` owns the socket and the brain; `ways_in` and `tracker` bring addresses of other nodes; `saved` keeps the
//! good ones for the next start; `swarm` announces and looks for the peers of one torrent. What the DHT says is
//! hearsay (threat A20): an address it names becomes a neighbour like any other, by answering itself.

mod driver;
mod saved;
pub(crate) mod swarm;
#[cfg(test)]
mod tests;
pub(crate) mod tracker;
mod ways_in;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::dht::{Key, Urgency};
use net::Net;
use protocol::{BaseUrl, Hash, HostPort};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::driver::{Driver, Status};
use crate::clock::Clock;

/// Room for datagrams that wait to be received: what was measured to lose none with 64 look-ups in flight.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Commands that wait for the driver; whoever has more waits.
const COMMANDS: usize = 256;
/// Lists of providers that wait for whoever looks something up; what comes on top is left out.
const FINDINGS: usize = 64;
/// Pause between two look-ups of somebody who waits for the first provider.
const AGAIN: Duration = Duration::from_secs(2);

/// How a process takes part in the DHT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhtConfig {
    /// UDP port to listen on; 0 is any.
    pub port: u16,
    /// Ways in, names among them.
    pub bootstrap: Vec<HostPort>,
    /// Join the worldwide network. Only whole torrents are announced there.
    pub public: bool,
    /// Where good nodes are kept for the next start; `None` is nowhere.
    pub saved: Option<PathBuf>,
}

/// Why there is no DHT node.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct DhtError {
    /// The UDP address.
    pub address: SocketAddr,
    /// Why not.
    pub source: io::Error,
}

/// What a node is started with.
pub(crate) struct Setup {
    pub(crate) config: DhtConfig,
    pub(crate) bind: IpAddr,
    /// What others call this host; needed when it is bound to all addresses.
    pub(crate) host: Option<IpAddr>,
    /// It asks and does not answer.
    pub(crate) read_only: bool,
    pub(crate) net: Net,
    pub(crate) clock: Clock,
    /// One for each family.
    pub(crate) seeds: [[u8; 32]; 2],
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// What is asked of the driver.
enum Command {
    Find { key: Key, tell: mpsc::Sender<Vec<SocketAddr>> },
    Announce { key: Key, port: NonZeroU16, urgency: Urgency },
    AddNodes(Vec<SocketAddr>),
}

/// A running node. Clone is cheap; it runs until the token it was started with is cancelled.
#[derive(Clone)]
pub struct Dht {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    address: SocketAddr,
    public: bool,
    /// Trackers that are asked for nodes already.
    trackers: Arc<Mutex<BTreeSet<BaseUrl>>>,
}

impl Dht {
    /// Listens, and looks for others from the moment it returns.
    pub(crate) async fn start(setup: Setup) -> Result<Dht, DhtError> {
        let Setup { config, bind, host, read_only, net, clock, seeds, stop, tasks } = setup;
        let address = SocketAddr::new(bind, config.port);
        let error = |source| DhtError { address, source };
        let socket = net.udp(address, RECEIVE_BUFFER).await.map_err(error)?;
        let address = socket.local_addr().map_err(error)?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (status_to, status) = watch::channel(Status::default());
        let dht = Dht { commands, status, address, public: config.public, trackers: Arc::default() };
        let driver = Driver::new(driver::Setup {
            socket,
            address,
            own: Some(address.ip()).filter(|ip| !ip.is_unspecified()).or(host),
            read_only,
            clock,
            seeds,
            inbox,
            status: status_to,
            stop: stop.clone(),
        });
        tasks.spawn(driver.run());
        let ways_in = ways_in::WaysIn { dht: dht.clone(), net: net.clone(), config: config.clone() };
        tasks.spawn(stop.clone().run_until_cancelled_owned(ways_in.run()));
        if let (Some(path), false) = (config.saved, read_only) {
            tasks.spawn(saved::keep(path, net, dht.status.clone(), stop));
        }
        Ok(dht)
    }

    /// A node for one question: it asks, answers nobody, and is gone when `ask` ends.
    pub async fn with_guest<T>(
        config: DhtConfig,
        bind: IpAddr,
        ask: impl AsyncFnOnce(&Dht) -> T,
    ) -> Result<T, DhtError> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let setup = Setup {
            config,
            bind,
            host: None,
            read_only: true,
            net: Net::default(),
            clock: Clock::start(),
            seeds: rand::random(),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        let dht = Dht::start(setup).await?;
        let answer = ask(&dht).await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        Ok(answer)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many nodes it knows that answered lately.
    pub fn nodes(&self) -> usize {
        self.status.borrow().good.len()
    }

    /// Returns when a node is known that answers.
    pub(crate) async fn joined(&self) {
        let mut status = self.status.clone();
        if status.wait_for(|status| !status.good.is_empty()).await.is_err() {
            // The driver has ended, and will never know one.
            std::future::pending::<()>().await;
        }
    }

    /// Who claims to provide a hash (or a torrent id, which reads the same), in order of address. Asks again and again
    /// until somebody does, `patience` at most: a node that was just started knows nobody yet.
    pub async fn providers(&self, hash: &Hash, patience: Duration) -> Vec<SocketAddr> {
        let until = Instant::now() + patience;
        let mut providers = BTreeSet::new();
        // Nobody can be asked before.
        let _ = tokio::time::timeout_at(until, self.joined()).await;
        while providers.is_empty() && Instant::now() < until {
            let mut found = self.find(Key::of_hash(hash)).await;
            while let Ok(Some(more)) = tokio::time::timeout_at(until, found.recv()).await {
                providers.extend(more);
            }
            if providers.is_empty() {
                tokio::time::sleep_until(until.min(Instant::now() + AGAIN)).await;
            }
        }
        providers.into_iter().collect()
    }

    /// Looks a key up once: providers as they are heard of; closed at the end.
    pub(crate) async fn find(&self, key: Key) -> mpsc::Receiver<Vec<SocketAddr>> {
        let (tell, found) = mpsc::channel(FINDINGS);
        // Without a driver the sender is dropped, which ends the look-up.
        let _ = self.commands.send(Command::Find { key, tell }).await;
        found
    }

    async fn announce(&self, key: Key, port: NonZeroU16, urgency: Urgency) {
        let _ = self.commands.send(Command::Announce { key, port, urgency }).await;
    }

    async fn add_nodes(&self, addresses: Vec<SocketAddr>) {
        if !addresses.is_empty() {
            let _ = self.commands.send(Command::AddNodes(addresses)).await;
        }
    }
}
