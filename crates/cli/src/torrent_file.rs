//! torrent.json files: read with a limit, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use protocol::Torrent;
use protocol::torrent::MAX_TORRENT_JSON;

use crate::failure::Failure;

/// Reads and validates one.
pub(crate) fn read(path: &Path) -> Result<Torrent, Failure> {
    let shown = path.display();
    let json = read_bytes(path).map_err(|error| {
        let next = match error.kind() {
            io::ErrorKind::NotFound => {
                "make one with 'http-torrent torrentify', or use 'http-torrent get' with a link"
            }
            _ => "name a readable torrent.json",
        };
        Failure::disk(format!("cannot read '{shown}': {error}"), next)
    })?;
    Torrent::from_json(&json).map_err(|error| {
        let failure = Failure::from(error);
        Failure { cause: format!("'{shown}': {}", failure.cause), ..failure }
    })
}

/// The bytes of `path`, at most one more than a torrent.json may have (the parser then refuses them).
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TORRENT_JSON as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a place where another file than an older torrent.json is.
pub(crate) fn check_place(path: &Path) -> Result<(), Failure> {
    match read_bytes(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(bytes) if bytes.is_empty() || Torrent::from_json(&bytes).is_ok() => Ok(()),
        _ => {
            let cause = format!("'{}' exists and is no torrent.json", path.display());
            Err(Failure::in_the_way(cause, "choose another name with -o; it was not touched"))
        }
    }
}

/// Writes one; an older torrent.json of this name is replaced, any other file is left alone.
pub(crate) fn write(path: &Path, torrent: &Torrent) -> Result<(), Failure> {
    check_place(path)?;
    replace(path, &torrent.to_json()).map_err(|error| {
        Failure::disk(format!("cannot write '{}': {error}", path.display()), "name a writable place with -o")
    })
}

/// Nobody ever sees half a file: written beside it, made durable, then renamed over it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // What is left would be in the way of nobody, but it is ours to clear.
        let _ = fs::remove_file(&beside);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
    use protocol::{FilePath, HashAlgorithm};

    fn torrent(name: &str) -> Torrent {
        let size = ChunkSize::chosen(65536).unwrap();
        let layout = Layout::file(FilePath::name(name).unwrap(), 0, false, size).unwrap();
        let hashes = ChunkHashes::from_raw(HashAlgorithm::Blake3, Vec::new()).unwrap();
        let of_all = hashes.combined();
        Torrent::new(layout, hashes, of_all, None).unwrap()
    }

    #[test]
    fn an_older_torrent_is_replaced_and_another_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("torrent.json");
        for name in ["a", "b"] {
            write(&path, &torrent(name)).unwrap();
            assert_eq!(read(&path).unwrap(), torrent(name));
        }
        fs::write(&path, "my diary").unwrap();
        let refused = write(&path, &torrent("a")).unwrap_err();
        assert_eq!((refused.exit, refused.kind), (ExitCode::Disk, "in_the_way"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "my diary");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let missing = read(&dir.path().join("torrent.json")).unwrap_err();
        assert_eq!(missing.exit, ExitCode::Disk);
        assert!(missing.next.contains("torrentify"));
        fs::write(dir.path().join("x"), "{}").unwrap();
        assert_eq!(read(&dir.path().join("x")).unwrap_err().exit, ExitCode::Integrity);
    }
}
