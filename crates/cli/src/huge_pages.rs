//! No transparent huge pages for what serves and downloads: a page of 2 MiB is resident as soon as one byte of it is used.
//! For a simulation, wherever they are to be had.

/// Has the kernel give this process, and those it starts, small pages only, as it does anyway where huge ones are set to
/// `madvise`. Where they are set to `always` (Debian's kernel), each of our threads has its part of the allocator on huge
/// pages of its own (decision 13 has what that costs).
#[cfg(target_os = "linux")]
pub(crate) fn decline() {
    // Refused by a kernel without them: then there is nothing to decline.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Takes them where they are set to `always`: a simulation jumps about in gibibytes for minutes, and needs a sixth less
/// time with them. The allocator has declined them for everybody.
#[cfg(target_os = "linux")]
pub(crate) fn accept() {
    let _ = rustix::thread::disable_transparent_huge_pages(false);
}

/// Elsewhere nobody asks for them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn decline() {}

/// Nor declines them.
#[cfg(not(target_os = "linux"))]
pub(crate) fn accept() {}
