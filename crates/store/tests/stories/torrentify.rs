//! torrentify: the same content gives the same torrent, and what cannot be shared is named.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::torrent::{ChunkSize, Shape};
use protocol::{HashAlgorithm, Torrent};
use store::{TorrentifyError, TorrentifyOptions, torrentify};

use crate::support::{ALGORITHMS, CHUNK, content, options, write_file};

fn describe(path: &Path) -> Result<Torrent, TorrentifyError> {
    torrentify(path, options(), &|_| {})
}

#[test]
fn a_file_is_described_chunk_by_chunk() {
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, CHUNK, 4 * CHUNK, 4 * CHUNK + 7] {
        let bytes = content(size, 1);
        let path = folder.path().join("x");
        fs::write(&path, &bytes).unwrap();
        for algorithm in ALGORITHMS {
            let hashed = AtomicU64::new(0);
            let count = |more| {
                hashed.fetch_add(more, Ordering::Relaxed);
            };
            let torrent = torrentify(&path, TorrentifyOptions { algorithm, ..options() }, &count).unwrap();
            assert_eq!((torrent.name().as_str(), torrent.size()), ("x", size as u64));
            assert!(torrent.hashes().iter().eq(bytes.chunks(CHUNK).map(|chunk| algorithm.digest(chunk))));
            let whole = match algorithm {
                HashAlgorithm::Sha1 => algorithm.digest(&bytes),
                _ => torrent.hashes().combined(),
            };
            assert_eq!((torrent.file_hash(), hashed.into_inner()), (whole, size as u64));
        }
    }
}

#[test]
fn a_folder_is_described_in_the_order_of_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("tree");
    let files = ["b/c", "a", "b", "a-b/x", "ä", "b.d/x", "A"];
    for path in files.iter().filter(|path| **path != "b") {
        write_file(&top.join(path), path.as_bytes());
    }
    write_file(&top.join("empty"), b"");
    fs::create_dir(top.join("folder without files")).unwrap();
    fs::set_permissions(top.join("a"), fs::Permissions::from_mode(0o755)).unwrap();
    let torrent = describe(&top).unwrap();
    assert_eq!(torrent.layout().shape(), Shape::Folder);
    let listed: Vec<_> = torrent.layout().files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(listed, ["A", "a", "a-b/x", "b.d/x", "b/c", "empty", "ä"]);
    let executable = torrent.layout().files().iter().filter(|file| file.executable);
    assert_eq!(executable.map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a"]);
    let whole = torrentify(&top, TorrentifyOptions { algorithm: HashAlgorithm::Sha1, ..options() }, &|_| {});
    assert_eq!(whole.unwrap().file_hash(), HashAlgorithm::Sha1.digest("Aaa-b/xb.d/xb/cä".as_bytes()));
}

#[test]
fn the_same_content_gives_the_same_torrent() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names: Vec<String> = (0..300).map(|file| format!("{}/{file}", file % 7)).collect();
    for (at, name) in names.iter().enumerate() {
        write_file(&one.path().join("t").join(name), &content(at * 50, at as u64));
    }
    for (at, name) in names.iter().enumerate().rev() {
        write_file(&two.path().join("t").join(name), &content(at * 50, at as u64));
    }
    let [one, two] = [one, two].map(|folder| describe(&folder.path().join("t")).unwrap());
    assert_eq!(one.to_json(), two.to_json());
}

#[test]
fn the_default_chunk_size_is_what_readers_of_the_algorithm_expect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let size = 2_000_000u64;
    fs::write(&path, content(2_000_000, 2)).unwrap();
    for algorithm in ALGORITHMS {
        let torrent =
            torrentify(&path, TorrentifyOptions { algorithm, ..TorrentifyOptions::default() }, &|_| {});
        let expected = match algorithm {
            HashAlgorithm::Sha1 => ChunkSize::described_for(size),
            _ => ChunkSize::default_for(size),
        };
        assert_eq!(torrent.unwrap().layout().chunk_size(), expected);
    }
}

#[test]
fn a_link_given_by_the_user_is_followed_and_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    write_file(&folder.path().join("real/file"), b"content");
    symlink("real", folder.path().join("link")).unwrap();
    let torrent = describe(&folder.path().join("link")).unwrap();
    assert_eq!((torrent.name().as_str(), torrent.size()), ("link", 7));
    assert_eq!(describe(&folder.path().join("link/.")).unwrap().name().as_str(), "link");
}

#[test]
fn what_cannot_be_shared_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("tree");
    write_file(&top.join("fine"), b"x");
    let refusal = || describe(&top).unwrap_err();

    symlink("fine", top.join("a link")).unwrap();
    assert!(
        matches!(refusal(), TorrentifyError::Link { .. }) && refusal().to_string().contains("tree/a link")
    );
    fs::remove_file(top.join("a link")).unwrap();

    let socket = UnixListener::bind(top.join("socket")).unwrap();
    assert!(matches!(refusal(), TorrentifyError::Special { .. }) && refusal().to_string().contains("socket"));
    drop(socket);
    fs::remove_file(top.join("socket")).unwrap();

    let bad = top.join(OsStr::from_bytes(b"caf\xe9"));
    fs::write(&bad, b"x").unwrap();
    assert!(matches!(refusal(), TorrentifyError::NotText { .. }), "{}", refusal());
    fs::remove_file(bad).unwrap();

    for name in ["back\\slash", "trailing.", "nul", "%2e%2e"] {
        fs::write(top.join(name), b"x").unwrap();
        assert!(matches!(refusal(), TorrentifyError::Name { .. }) && refusal().to_string().contains(name));
        fs::remove_file(top.join(name)).unwrap();
    }
    assert!(describe(&top).is_ok());
    assert!(describe(&folder.path().join("nothing here")).is_err());
}

#[test]
fn a34_a_file_that_changes_while_it_is_read_is_refused() {
    for algorithm in ALGORITHMS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, content(8 * CHUNK, 3)).unwrap();
        let once = Once::new();
        let append = |_| once.call_once(|| fs::write(&path, content(9 * CHUNK, 4)).unwrap());
        let result = torrentify(&path, TorrentifyOptions { algorithm, ..options() }, &append);
        assert!(matches!(result, Err(TorrentifyError::Changed { .. })), "{algorithm}: {result:?}");
    }
}

#[test]
fn too_many_chunks_are_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hole");
    // A hole of 32 GiB takes no space; 16 KiB chunks would be two million.
    fs::File::create(&path).unwrap().set_len(32 << 30).unwrap();
    let error = describe(&path).unwrap_err();
    assert!(
        matches!(error, TorrentifyError::Layout(_)) && error.to_string().contains("chunk size"),
        "{error}"
    );
}
