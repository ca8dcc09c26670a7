//! Downloads onto a disk that has mishaps, between two real peers.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::torrent::ChunkSize;
use protocol::{BaseUrl, ChunkIndex, HashAlgorithm, Host, Torrent};
use store::{StoreError, TorrentifyOptions};
use swarm::Order;
use tempfile::TempDir;

use crate::config::{Advertise, Config, MetricsTo};
use crate::holding::Holding;
use crate::peer::{Content, Job, Peer};
use crate::sharing::{DownloadError, Sharing};

/// No story takes this long unless something hangs.
const DEADLINE: Duration = Duration::from_secs(60);
const CHUNK: usize = 16 << 10;
const CHUNKS: usize = 40;
const SIZE: u64 = (CHUNK * CHUNKS) as u64;

struct Story {
    folder: TempDir,
    torrent: Arc<Torrent>,
    _seed: Peer,
    sharing: Sharing,
    holding: Arc<Holding>,
}

impl Story {
    /// A download of [`CHUNKS`] chunks that takes a second or two.
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (there, here) = (folder.path().join("there"), folder.path().join("here"));
        std::fs::create_dir(&there).unwrap();
        let content: Vec<u8> =
            (0..CHUNKS * CHUNK).map(|at| (at / CHUNK * 7 + at % 251).to_le_bytes()[0]).collect();
        std::fs::write(there.join("f"), content).unwrap();
        let chunk_size = Some(ChunkSize::chosen(CHUNK as u64).unwrap());
        let options = TorrentifyOptions { algorithm: HashAlgorithm::Blake3, chunk_size, tracker: None };
        let torrent = Arc::new(store::torrentify(&there.join("f"), options, &|_| {}).unwrap());
        let seed = start(Some(512 << 10)).await;
        seed.add(job(&torrent, &there, Vec::new())).await.unwrap();
        let leecher = start(None).await;
        let sharing = leecher.add(job(&torrent, &here, vec![seed.url().clone()])).await.unwrap();
        let holding = leecher.holding(torrent.id()).unwrap();
        Story { folder, torrent, _seed: seed, sharing, holding }
    }

    /// The disk says this next.
    fn mishap(&self, error: StoreError) {
        self.holding.mishaps.lock().unwrap().push_back(error);
    }

    /// Waits until so many chunks are here.
    async fn held(&self, count: u32) {
        let mut since = self.holding.held();
        while since.0.count() < count {
            within(self.holding.gains_after(since.1)).await;
            since = self.holding.held();
        }
    }

    async fn completes(&self) {
        let done = within(self.sharing.completed()).await.unwrap();
        let original = std::fs::read(self.folder.path().join("there/f")).unwrap();
        assert!(std::fs::read(done.path).unwrap() == original, "the copy differs");
    }
}

fn job(torrent: &Arc<Torrent>, dir: &Path, peers: Vec<BaseUrl>) -> Job {
    let (torrent, content) = (torrent.clone(), Content::Dir(dir.to_owned()));
    Job { torrent, content, trackers: Vec::new(), peers, order: Order::RarestFirst, files: None }
}

async fn start(limit_up: Option<u64>) -> Peer {
    static SEEDS: AtomicU64 = AtomicU64::new(1);
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let config = Config {
        bind: here,
        port: 0,
        source: None,
        advertise: Advertise::Observed,
        host: Host::ip(here),
        limit_up,
        limit_down: None,
        metrics: MetricsTo::Off,
        dht: None,
        net: net::Net::default(),
        seed: SEEDS.fetch_add(1, Ordering::Relaxed),
    };
    Peer::start(config).await.unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing came of it in time")
}

fn no_space() -> StoreError {
    StoreError::NoSpace { op: "write to", path: "f.part".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a35_chunks_that_the_disk_lost_are_no_longer_claimed_and_fetched_again() {
    let story = Story::begin().await;
    story.held(5).await;
    let chunks: Vec<ChunkIndex> = story.holding.held().0.iter().take(3).collect();
    story.mishap(StoreError::Lost { chunks });
    story.completes().await;
    assert!(story.holding.is_complete(), "the three are here again");
    assert_eq!(story.sharing.progress().borrow().bytes, SIZE, "and progress tells of what is here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a35_what_is_lost_is_not_offered() {
    let story = Story::begin().await;
    story.held(5).await;
    let lost = story.holding.held().0.iter().next().unwrap();
    story.mishap(StoreError::Lost { chunks: vec![lost] });
    // The next that the disk is asked is the next chunk's write, or a sync.
    while story.holding.holds(lost) {
        tokio::task::yield_now().await;
    }
    let before = story.holding.held().1;
    story.completes().await;
    let gained = story.holding.gains_since(before).unwrap();
    let runs = gained.checked_runs(story.torrent.chunk_count()).unwrap();
    assert!(runs.iter().any(|(first, last)| (*first..=*last).contains(&lost)), "told again: {runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a35_a_full_disk_is_said_and_waited_for() {
    let story = Story::begin().await;
    story.held(5).await;
    // More than are in flight, and then two tries.
    (0..CHUNKS).for_each(|_| story.mishap(no_space()));
    let mut progress = story.sharing.progress();
    let full =
        |progress: &crate::Progress| progress.waiting.as_ref().is_some_and(|why| why.contains("make room"));
    within(progress.wait_for(full)).await.unwrap();
    story.holding.mishaps.lock().unwrap().clear();
    story.completes().await;
    assert_eq!(progress.borrow().waiting, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a35_a_disk_that_fails_ends_the_download() {
    let story = Story::begin().await;
    story.held(5).await;
    let source = std::io::Error::other("broken");
    story.mishap(StoreError::Io { op: "write to", path: "f.part".into(), source });
    let ended = within(story.sharing.completed()).await;
    assert!(matches!(ended, Err(DownloadError::Store(_))), "{ended:?}");
}
