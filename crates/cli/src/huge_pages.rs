//! No transparent huge pages for what serves and downloads: a page of 2 MiB is resident as soon as one byte of it is used.

/// Has the kernel give this process, and those it starts, small pages only, as it does anyway where huge ones are set to
/// `madvise`. Where they are set to `always` (Debian's kernel), each of our threads has its part of the allocator on huge
/// pages of its own (decision 13 has what that costs). `simulate`, which jumps about in gibibytes for minutes, keeps them.
#[cfg(target_os = "linux")]
pub(crate) fn decline() {
    // Refused by a kernel without them: then there is nothing to decline.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Elsewhere nobody asks for them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn decline() {}
