//! Transparent huge pages: none for what serves and downloads, where a page of 2 MiB is resident as soon as one byte of it is
//! used; as many as there are for a simulation, which jumps about in gibibytes for minutes.

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::{env, os::unix::process::CommandExt, process::Command};

/// mimalloc's own setting, which it reads before `main`.
#[cfg(target_os = "linux")]
const ALLOW: &str = "MIMALLOC_ALLOW_THP";

/// Has the kernel give this process, and those it starts, small pages only. As `.cargo/config.toml` has us built, the allocator has
/// done so; this is for a build without that, where huge pages are set to `always` (Debian's kernel): each of our threads
/// would have its part of the allocator on huge pages of its own (decision 13 has what that costs).
#[cfg(target_os = "linux")]
pub(crate) fn decline() {
    // Refused by a kernel without them: then there is nothing to decline.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Begins this process anew with the same `line` where it has declined huge pages, and with an allocator that asks for them: that is
/// decided before `main`, and a simulation of ten thousand peers takes a tenth less time with them (decision 25). Returns where they
/// are not declined, or where somebody has decided it, and where they cannot be had: then it goes on without.
///
/// Nothing may have been read or written by now.
#[cfg(target_os = "linux")]
pub(crate) fn ask(line: &[OsString]) {
    let are_declined = rustix::thread::transparent_huge_pages_are_disabled().unwrap_or(false);
    if !are_declined || env::var_os(ALLOW).is_some() {
        return;
    }
    // It outlives the new beginning.
    if rustix::thread::disable_transparent_huge_pages(false).is_err() {
        return;
    }
    if let (Some((name, words)), Ok(program)) = (line.split_first(), env::current_exe()) {
        // It comes back with an error only: the program may have been replaced while it ran.
        let _ = Command::new(program).arg0(name).args(words).env(ALLOW, "1").exec();
    }
}

/// Elsewhere nobody asks for them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn decline() {}

/// Nor are there any to be had.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ask(_line: &[OsString]) {}
