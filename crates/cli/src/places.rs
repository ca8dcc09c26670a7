//! Where programs keep things of a user (XDG Base Directory Specification).

use std::env;
use std::path::PathBuf;

/// Worth keeping and no loss: `http-torrent/{name}` in `$XDG_STATE_HOME`, by default `~/.local/state`.
pub(crate) fn state(name: &str) -> Option<PathBuf> {
    place("XDG_STATE_HOME", ".local/state", name)
}

/// Made again when it is gone: `http-torrent/{name}` in `$XDG_CACHE_HOME`, by default `~/.cache`.
pub(crate) fn cache(name: &str) -> Option<PathBuf> {
    place("XDG_CACHE_HOME", ".cache", name)
}

/// `None` where there is no home. The specification has relative paths ignored.
fn place(variable: &str, usual: &str, name: &str) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let named = env::var_os(variable).map(PathBuf::from).and_then(absolute);
    let at_home = || Some(absolute(PathBuf::from(env::var_os("HOME")?))?.join(usual));
    named.or_else(at_home).map(|folder| folder.join("http-torrent").join(name))
}
