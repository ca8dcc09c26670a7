//! One run: the hosts of a plan on a simulated network, its faults at their times, and the facts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use net::Net;
use peer::{Config, Content, DhtConfig, Job, MetricsTo, Order, Peer};
use protocol::torrent::ChunkSize;
use protocol::{BaseUrl, ChunkSet, HashAlgorithm, Host, Torrent};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use store::{Opened, TorrentifyOptions};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracker::{Tracker, TrackerConfig};
use turmoil::Sim;

use crate::auditor::{Auditor, at};
use crate::lines::Lines;
use crate::network::{Manners, Wire};
use crate::plan::{Fault, PATIENCE, Plan, Role, TRACKER};
use crate::record::{Facts, HostId, Record};

/// Where everybody listens, on a network of its own in which nothing else lives.
pub(crate) const PORT: u16 = 9000;
const DHT_PORT: u16 = 9001;
/// A step of the simulation: every host runs once, messages move.
const TICK: Duration = Duration::from_millis(10);
/// A tracker that came back is looked at for so long.
const AFTERWARDS: Duration = Duration::from_secs(16);

/// How far a clock jumps: over every time-out, lease and pause there is.
const NAP: Duration = Duration::from_secs(3600);

/// Software in the simulation.
type Ended = turmoil::Result;

/// What a test may do to see that a property can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    None,
    /// A byte of every finished file is turned: as if a lie had been believed.
    Believe,
    /// Journals are thrown away when a host ends: as if nothing were durable.
    Forget,
    /// Links that broke stay broken.
    NeverRepair,
}

/// Everything that the hosts share.
#[derive(Clone)]
struct Stage {
    plan: Arc<Plan>,
    record: Record,
    torrent: Arc<Torrent>,
    folder: Arc<TempDir>,
    addresses: Arc<BTreeMap<HostId, IpAddr>>,
    /// Of the present process of each host.
    lines: Arc<Mutex<BTreeMap<HostId, Lines>>>,
    /// Told when the host's clock is to jump.
    naps: Arc<BTreeMap<HostId, Notify>>,
}

/// What came of a run.
pub(crate) struct Outcome {
    pub(crate) facts: Facts,
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) addresses: BTreeMap<HostId, IpAddr>,
    pub(crate) ended: Duration,
}

/// Runs a plan to its end, or to the end of patience.
pub(crate) fn run(plan: &Plan, sabotage: Sabotage) -> Outcome {
    count_panics();
    let mut sim = turmoil::Builder::new()
        .rng_seed(plan.seed)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(60))
        .simulation_duration(Duration::from_secs(3600))
        .tcp_capacity(4096)
        .udp_capacity(512)
        .enable_random_order()
        .build();
    let stage = Stage::set(plan, &sim);
    for host in (0..plan.hosts.len()).map(HostId) {
        let stage = stage.clone();
        sim.host(plan.name(host), move || stage.clone().live(host));
    }
    let auditor = stage.auditor();
    sim.client("auditor", async move {
        auditor.run().await;
        Ok(())
    });
    let mut faults = plan.faults.iter();
    let mut next = faults.next();
    let enough = plan.tracker_returned().map_or(plan.quiet(), |returned| returned + AFTERWARDS);
    while sim.elapsed() < plan.quiet() + PATIENCE {
        while let Some((_, fault)) = next.filter(|(when, _)| *when <= sim.elapsed()) {
            stage.befall(&mut sim, *fault, sabotage);
            next = faults.next();
        }
        stage.step(&mut sim);
        let complete = stage.record.with(|facts| facts.complete.len()) == plan.leechers().count();
        if complete && sim.elapsed() >= enough {
            break;
        }
    }
    let ended = sim.elapsed();
    drop(sim);
    stage.check_files(sabotage);
    PANICS.take().into_iter().for_each(|panic| stage.record.violation(panic));
    let Stage { record, torrent, addresses, .. } = stage;
    Outcome { facts: record.facts(), torrent, addresses: BTreeMap::clone(&addresses), ended }
}

impl Stage {
    fn set(plan: &Plan, sim: &Sim<'_>) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let mut rng = StdRng::seed_from_u64(plan.seed);
        let content: Vec<u8> = (0..plan.size).map(|_| rng.random()).collect();
        for host in (0..plan.hosts.len()).filter(|host| plan.hosts[*host] != Role::Tracker) {
            let dir = folder.path().join(host.to_string());
            std::fs::create_dir(&dir).unwrap();
            if matches!(plan.hosts[host], Role::Seed(_)) {
                std::fs::write(dir.join(FILE), &content).unwrap();
            }
        }
        let original = folder.path().join(FILE);
        std::fs::write(&original, &content).unwrap();
        let options = TorrentifyOptions {
            algorithm: HashAlgorithm::Blake3,
            chunk_size: Some(ChunkSize::new(plan.chunk_size.into()).unwrap()),
            tracker: None,
        };
        let torrent = Arc::new(store::torrentify(&original, options, &|_| {}).unwrap());
        let addresses = (0..plan.hosts.len()).map(HostId).map(|host| (host, sim.lookup(plan.name(host))));
        Stage {
            addresses: Arc::new(addresses.collect()),
            plan: Arc::new(plan.clone()),
            record: Record::default(),
            folder: Arc::new(folder),
            torrent,
            lines: Arc::default(),
            naps: Arc::new((0..plan.hosts.len()).map(|host| (HostId(host), Notify::new())).collect()),
        }
    }

    fn dir(&self, host: HostId) -> PathBuf {
        self.folder.path().join(host.0.to_string())
    }

    fn auditor(&self) -> Auditor {
        let honest = |(host, _): &(&HostId, &IpAddr)| {
            !matches!(self.plan.hosts[host.0], Role::Tracker | Role::Seed(Manners::Lies))
        };
        let peers = self.addresses.iter().filter(honest);
        Auditor {
            record: self.record.clone(),
            torrent: self.torrent.clone(),
            tracker: at(self.addresses[&TRACKER]),
            peers: peers.map(|(host, address)| (*host, at(*address))).collect(),
            rng: StdRng::seed_from_u64(self.plan.seed),
        }
    }

    /// One life of a host.
    async fn live(self, host: HostId) -> Ended {
        let life = self.record.begins(host, self.addresses[&host]);
        let manners = match self.plan.hosts[host.0] {
            Role::Seed(manners) => manners,
            Role::Tracker | Role::Leecher => Manners::Honest,
        };
        let lines = Lines::new(host, self.record.clone());
        self.lines.lock().unwrap().insert(host, lines.clone());
        // No two processes have the same, and the second life of one is another process.
        let seed = self.plan.seed.wrapping_mul(1_000_003) ^ (host.0 * 1_000 + life) as u64;
        let net = Net::other(Wire {
            host,
            record: self.record.clone(),
            manners,
            lines: lines.clone(),
            loss: self.plan.dht.unwrap_or_default(),
            dice: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        });
        let process = async {
            match self.plan.hosts[host.0] {
                Role::Tracker => track(net, seed).await,
                Role::Seed(manners) => {
                    let limit_up = (manners == Manners::Honest).then_some(self.plan.limit_up);
                    self.share(host, net, seed, limit_up).await
                }
                Role::Leecher => self.share(host, net, seed, None).await,
            }
        };
        tokio::select! {
            biased;
            () = lines.close() => std::future::pending().await,
            () = self.nap(host) => Ok(()),
            ended = process => ended,
        }
    }

    /// Jumps whenever it is told to; does not end.
    async fn nap(&self, host: HostId) {
        loop {
            self.naps[&host].notified().await;
            tokio::time::advance(NAP).await;
        }
    }

    async fn share(&self, host: HostId, net: Net, seed: u64, limit_up: Option<u64>) -> Ended {
        let config = Config {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: PORT,
            source: None,
            advertise: peer::Advertise::Observed,
            host: Host::ip(self.addresses[&host]),
            limit_up,
            limit_down: None,
            metrics: MetricsTo::Off,
            dht: self.plan.dht.map(|_| self.dht()),
            net,
            seed,
        };
        let peer = Peer::start(config).await?;
        let tracker = BaseUrl::http(at(self.addresses[&TRACKER]).into());
        let job = Job {
            torrent: self.torrent.clone(),
            content: Content::Dir(self.dir(host)),
            trackers: vec![tracker],
            peers: Vec::new(),
            order: Order::RarestFirst,
            files: None,
        };
        let sharing = peer.add(job).await?;
        match sharing.completed().await {
            Err(error) => self.record.violation(format!("{}: {error}", self.plan.name(host))),
            Ok(_) if self.plan.hosts[host.0] == Role::Leecher => {
                self.record.with(|facts| _ = facts.complete.insert(host, facts.now));
            }
            Ok(_) => {}
        }
        std::future::pending().await
    }

    /// Two that everybody knows, as a user would name them.
    fn dht(&self) -> DhtConfig {
        let known = self.addresses.iter().filter(|(host, _)| **host != TRACKER).take(2);
        let bootstrap = known.map(|(_, address)| SocketAddr::new(*address, DHT_PORT).into()).collect();
        DhtConfig { port: DHT_PORT, bootstrap, public: false, saved: None }
    }

    fn befall(&self, sim: &mut Sim<'_>, fault: Fault, sabotage: Sabotage) {
        let address = |host: HostId| self.addresses[&host];
        match fault {
            Fault::Partition(one, other) => sim.partition(address(one), address(other)),
            Fault::Repair(..) if sabotage == Sabotage::NeverRepair => {}
            Fault::Repair(one, other) => sim.repair(address(one), address(other)),
            Fault::Hold(one, other) => sim.hold(address(one), address(other)),
            Fault::Release(one, other) => sim.release(address(one), address(other)),
            Fault::Slow(one, other, latency) => {
                sim.set_link_latency(address(one), address(other), latency);
            }
            Fault::Nap(host) => self.naps[&host].notify_one(),
            Fault::Crash(host) => {
                // None before its first step.
                let lines = self.lines.lock().unwrap().get(&host).cloned();
                lines.iter().for_each(Lines::end);
                self.step(sim);
                sim.crash(address(host));
                self.look_at_disk(host, sabotage);
            }
            Fault::PullThePlug(host) => {
                self.others(sim, host).for_each(|other| sim.partition(address(host), other));
                sim.crash(address(host));
                self.look_at_disk(host, sabotage);
            }
            Fault::Start(host) => {
                self.others(sim, host).for_each(|other| sim.repair(address(host), other));
                sim.bounce(address(host));
            }
        }
    }

    fn step(&self, sim: &mut Sim<'_>) {
        self.record.with(|facts| facts.now = sim.elapsed());
        if let Err(error) = sim.step() {
            self.record.violation(format!("a host failed: {error}"));
        }
    }

    fn others(&self, sim: &Sim<'_>, host: HostId) -> impl Iterator<Item = IpAddr> {
        let auditor = sim.lookup("auditor");
        let others: Vec<_> =
            self.addresses.iter().filter(|(other, _)| **other != host).map(|(_, at)| *at).collect();
        others.into_iter().chain([auditor])
    }

    /// What a host that just ended will find when it starts again.
    fn look_at_disk(&self, host: HostId, sabotage: Sabotage) {
        self.record.with(|facts| _ = facts.complete.remove(&host));
        if self.plan.hosts[host.0] != Role::Leecher {
            return;
        }
        let dir = self.dir(host);
        let durable = match store::open(self.torrent.clone(), &dir, &|_| {}) {
            Ok(Opened::Complete(_)) => ChunkSet::full(self.torrent.chunk_count()),
            Ok(Opened::Partial(partial)) => partial.have(),
            Err(error) => return self.record.violation(format!("{host:?} cannot go on: {error}")),
        };
        let next = self.record.life(host) + 1;
        self.record.with(|facts| _ = facts.durable.insert((host, next), durable));
        if sabotage == Sabotage::Forget {
            for entry in std::fs::read_dir(&dir).unwrap() {
                std::fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }

    /// What has the final name is right, whether its host got to say so or not.
    fn check_files(&self, sabotage: Sabotage) {
        let original = std::fs::read(self.folder.path().join(FILE)).unwrap();
        for host in self.plan.leechers() {
            let path = self.dir(host).join(FILE);
            let Ok(mut bytes) = std::fs::read(&path) else {
                if self.record.with(|facts| facts.complete.contains_key(&host)) {
                    self.record.violation(format!("{host:?} is complete and has no file"));
                }
                continue;
            };
            if sabotage == Sabotage::Believe {
                bytes[0] ^= 1;
            }
            if bytes != original {
                self.record.violation(format!("{host:?} has wrong bytes under the final name"));
            }
        }
    }
}

/// The file that is shared.
const FILE: &str = "data.bin";

async fn track(net: Net, seed: u64) -> Ended {
    let listener = net.listen((Ipv4Addr::UNSPECIFIED, PORT).into()).await?;
    let tracker = Tracker::new(TrackerConfig { net, seed, ..TrackerConfig::default() });
    tracker.serve(listener, CancellationToken::new()).await?;
    Ok(())
}

thread_local! {
    /// Panics of tasks in this thread's run; the runtimes of the hosts swallow them.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn count_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.with_borrow_mut(|panics| panics.push(format!("panic: {panic}")));
            usual(panic);
        }));
    });
    PANICS.take();
}
