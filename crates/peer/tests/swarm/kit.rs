//! A swarm for tests: temporary folders, peers on any free port of 127.0.0.1, a deadline on every wait.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use peer::{Completed, Config, Content, DownloadError, Job, MetricsTo, Order, Peer, Sharing};
use protocol::api::peer::chunk_path;
use protocol::torrent::ChunkSize;
use protocol::{BaseUrl, ChunkIndex, HashAlgorithm, Host, Link, Torrent};
use store::TorrentifyOptions;
use tempfile::TempDir;

/// No story on loopback takes this long unless something hangs.
const DEADLINE: Duration = Duration::from_secs(240);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A torrent and the folder its content lies in.
pub(crate) struct Source {
    folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) torrent: Arc<Torrent>,
}

/// Bytes that differ from chunk to chunk, the same at every run.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

impl Source {
    /// A single file `data.bin` in chunks of 16 KiB.
    pub(crate) fn file(content: &[u8]) -> Self {
        Self::file_in_chunks(content, 16 << 10)
    }

    /// Likewise in chunks of this length.
    pub(crate) fn file_in_chunks(content: &[u8], chunk: u64) -> Self {
        let make = |folder: &Path| {
            let path = folder.join("data.bin");
            std::fs::write(&path, content).unwrap();
            path
        };
        Self::made_in_chunks(make, chunk)
    }

    /// Whatever `make` puts into a fresh folder; it returns the path to share.
    pub(crate) fn made(make: impl FnOnce(&Path) -> PathBuf) -> Self {
        Self::made_in_chunks(make, 16 << 10)
    }

    fn made_in_chunks(make: impl FnOnce(&Path) -> PathBuf, chunk: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = make(folder.path());
        let options = TorrentifyOptions {
            algorithm: HashAlgorithm::Blake3,
            chunk_size: Some(ChunkSize::chosen(chunk).unwrap()),
            tracker: None,
        };
        let torrent = store::torrentify(&path, options, &|_| {}).unwrap();
        Source { folder, path, torrent: Arc::new(torrent) }
    }

    /// A peer that seeds it.
    pub(crate) async fn seed(&self) -> (Peer, Sharing) {
        self.seed_with(None).await
    }

    /// One that sends at most so many bytes a second.
    pub(crate) async fn seed_with(&self, limit_up: Option<u64>) -> (Peer, Sharing) {
        let peer = start_with(limit_up).await;
        let sharing = peer.add(self.job(self.folder.path())).await.unwrap();
        within(sharing.completed()).await.unwrap();
        (peer, sharing)
    }

    /// Finds the chunk that a request line (`GET /chunk/HASH`) asks for. Of a source that is one file.
    pub(crate) fn asked(&self) -> impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static {
        let (torrent, content) = (self.torrent.clone(), std::fs::read(&self.path).unwrap());
        move |line| {
            let mut chunks = (0..torrent.chunk_count()).map(ChunkIndex::new);
            let asked = chunks.find(|chunk| line.ends_with(&chunk_path(&torrent.chunk_hash(*chunk))))?;
            let span = torrent.span(asked);
            let start = usize::try_from(span.offset).unwrap();
            Some(content[start..][..span.length as usize].to_vec())
        }
    }

    fn job(&self, dir: &Path) -> Job {
        Job {
            torrent: self.torrent.clone(),
            content: Content::Dir(dir.to_owned()),
            trackers: Vec::new(),
            peers: Vec::new(),
            order: Order::RarestFirst,
            files: None,
        }
    }
}

/// A peer that gets a torrent into a folder of its own.
pub(crate) struct Leecher {
    _folder: TempDir,
    pub(crate) peer: Peer,
    pub(crate) sharing: Sharing,
}

impl Leecher {
    pub(crate) async fn start(source: &Source, known: &[&Peer]) -> Self {
        Self::start_with(source, known.iter().map(|peer| peer.url().clone()).collect()).await
    }

    pub(crate) async fn start_with(source: &Source, known: Vec<BaseUrl>) -> Self {
        Self::start_job(Job { peers: known, ..source.job(Path::new("")) }).await
    }

    pub(crate) async fn start_files(source: &Source, known: Vec<BaseUrl>, files: BTreeSet<usize>) -> Self {
        Self::start_job(Job { peers: known, files: Some(files), ..source.job(Path::new("")) }).await
    }

    /// Started with a link: asks the tracker for the torrent, and announces to it.
    pub(crate) async fn start_link(source: &Source, tracker: &BaseUrl) -> Self {
        let (folder, peer) = (tempfile::tempdir().unwrap(), start().await);
        let (tracker_url, id) = (tracker.clone(), source.torrent.id());
        let link =
            Link { tracker: tracker_url, id, more_trackers: Vec::new(), dht: Vec::new(), secret: None };
        let torrent = Arc::new(peer.find_torrent(&link, &[]).await.unwrap());
        let content = Content::Dir(folder.path().to_owned());
        let job = Job { torrent, content, trackers: vec![tracker.clone()], ..source.job(Path::new("")) };
        let sharing = peer.add(job).await.unwrap();
        Leecher { _folder: folder, peer, sharing }
    }

    async fn start_job(job: Job) -> Self {
        let (folder, peer) = (tempfile::tempdir().unwrap(), start().await);
        let content = Content::Dir(folder.path().to_owned());
        let sharing = peer.add(Job { content, ..job }).await.unwrap();
        Leecher { _folder: folder, peer, sharing }
    }

    pub(crate) async fn completed(&self) -> Result<Completed, DownloadError> {
        within(self.sharing.completed()).await
    }
}

async fn start() -> Peer {
    start_with(None).await
}

/// Peers with one seed would be one peer.
static SEEDS: AtomicU64 = AtomicU64::new(7);

async fn start_with(limit_up: Option<u64>) -> Peer {
    let config = Config {
        bind: LOOPBACK,
        port: 0,
        source: None,
        advertise: peer::Advertise::Observed,
        host: Host::ip(LOOPBACK),
        limit_up,
        limit_down: None,
        metrics: MetricsTo::Off,
        dht: None,
        net: peer::Net::default(),
        seed: SEEDS.fetch_add(1, Ordering::Relaxed),
    };
    Peer::start(config).await.unwrap()
}

/// Fails when the future takes longer than any story should.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing came of it in time")
}

/// An HTTP answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = values.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
    }
}

/// Sends these very bytes, which ask for the connection to be closed, and reads the answer.
pub(crate) async fn exchange(url: &BaseUrl, request: &[u8]) -> Answer {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = within(tokio::net::TcpStream::connect(url.address().to_string())).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    let head_end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(head_end + 4);
    let head = String::from_utf8(answer).unwrap();
    Answer { status: head[9..12].parse().unwrap(), head, body }
}

/// `GET path`.
pub(crate) async fn get(url: &BaseUrl, path: &str) -> Answer {
    let address = url.address();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(url, request.as_bytes()).await
}
