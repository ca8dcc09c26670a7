//! The file of nodes that answered, so that a later start needs no tracker and no way in: one address a line.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::Net;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::driver::Status;

/// Most nodes that are kept. One that still lives is enough to join.
const NODES_MOST: usize = 128;
/// Largest file that is read: the longest lines, and as many again for what somebody may have written by hand.
const BYTES_MOST: u64 = 16 << 10;
/// How often the file is written.
const EVERY: Duration = Duration::from_secs(300);

/// The saved nodes. No file is no nodes; a line that is no address is skipped.
pub(super) fn read(path: &Path) -> Vec<SocketAddr> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MOST).read_to_string(&mut text));
    if let Err(error) = read
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!(path = %path.display(), %error, "saved DHT nodes cannot be read");
    }
    let nodes: BTreeSet<SocketAddr> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
    nodes.into_iter().take(NODES_MOST).collect()
}

/// Saves them now and then, and at the end.
pub(super) async fn keep(path: PathBuf, net: Net, status: watch::Receiver<Status>, stop: CancellationToken) {
    loop {
        let ended = stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
        let good = status.borrow().good.clone();
        // Better the nodes of yesterday than none.
        if !good.is_empty() {
            let to = path.clone();
            let written = net.blocking(move || write(&to, &good)).await;
            if let Some(Err(error)) = written {
                tracing::debug!(path = %path.display(), %error, "DHT nodes cannot be saved");
            }
        }
        if ended {
            return;
        }
    }
}

/// Nobody ever reads half a file: written beside it and renamed over it. Two processes may share it; the last wins. A folder that
/// is made for it is its user's alone, as the XDG Base Directory Specification wants it.
fn write(path: &Path, nodes: &[SocketAddr]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut lines = nodes.iter().take(NODES_MOST).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    lines.push('\n');
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let written = File::create(&beside).and_then(|mut file| file.write_all(lines.as_bytes()));
    let done = written.and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // It is ours to clear, and in nobody's way if it stays.
        let _ = fs::remove_file(&beside);
    }
    done
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_saved_is_read_and_anything_else_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/nodes");
        assert_eq!(read(&path), []);
        let nodes: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        write(&path, &nodes).unwrap();
        write(&path, &nodes).unwrap();
        assert_eq!(read(&path), nodes);
        let state = dir.path().join("state");
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(&path, "127.0.0.1:1\n\n# mine\nexample.org:1\n127.0.0.1\n [::1]:2\n127.0.0.1:1\n").unwrap();
        assert_eq!(read(&path), nodes);
        fs::write(&path, "127.0.0.1:1\n".repeat(1 << 20)).unwrap();
        assert_eq!(read(&path).len(), 1);
        fs::write(&path, [0xff; 10]).unwrap();
        assert_eq!(read(&path), []);
    }
}
