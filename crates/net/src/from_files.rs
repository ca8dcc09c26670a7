//! Bodies that lie in files: the kernel sends them from its own memory (sendfile(2)), and no byte of them comes into this process.
//!
//! hyper writes bytes and knows no files. So it is given *stand-ins*, parts of one static that nobody reads, as long as what they
//! stand for; and where one of them would be written to the connection, the part of the file is sent. hyper never copies what it
//! writes by vectors, so a stand-in is known by where it lies. In what order they are written, the handler made them.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::stream::Stream;

/// An open file that parts are sent of.
pub trait FileToSend: AsFd + Send + Sync {
    /// Whether it may still be sent. Asked before each of the kernel's steps: false ends the connection.
    fn is_as_it_was(&self) -> bool;
}

/// One of them, shared.
pub type OpenFile = Arc<dyn FileToSend>;

/// Most bytes that one stand-in stands for.
pub const LONGEST_STAND_IN: usize = 256 << 10;

static STAND_IN: [u8; LONGEST_STAND_IN] = [0; LONGEST_STAND_IN];

/// Bytes copied at a time where the kernel does not send files.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COPIED: usize = 16 << 10;

/// The parts of files that stand-ins on one connection stand for, in the order in which they are to be sent. As many as its handler
/// made and hyper has not written: each body bounds that. Clone is cheap.
#[derive(Clone, Default)]
pub(crate) struct Parts(Arc<Mutex<VecDeque<Part>>>);

struct Part {
    file: OpenFile,
    offset: u64,
    left: usize,
}

impl Parts {
    /// What stands for `length` bytes of `file` from `offset`. `None` when there are none or more than [`LONGEST_STAND_IN`].
    pub(crate) fn stand_in(&self, file: OpenFile, offset: u64, length: usize) -> Option<&'static [u8]> {
        let stand_in = STAND_IN.get(..length).filter(|bytes| !bytes.is_empty())?;
        self.queue().push_back(Part { file, offset, left: length });
        Some(stand_in)
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parts").field(&self.queue().len()).finish()
    }
}

fn is_stand_in(bytes: &[u8]) -> bool {
    STAND_IN.as_ptr_range().contains(&bytes.as_ptr())
}

/// A connection that sends parts of files where their stand-ins are written.
pub struct FromFiles {
    stream: Stream,
    parts: Parts,
}

impl FromFiles {
    pub(crate) fn new(stream: Stream, parts: Parts) -> Self {
        FromFiles { stream, parts }
    }

    /// Sends of the part that comes next, of which `length` bytes are left.
    fn poll_send(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        // Not under the lock: handlers that make the next part must not wait for the kernel.
        let next = self.parts.queue().pop_front();
        let Some(mut part) = next.filter(|part| part.left == length) else {
            return Poll::Ready(Err(out_of_step()));
        };
        let sent = self.poll_send_part(cx, &part);
        if let Poll::Ready(Ok(sent)) = sent {
            part.offset += sent as u64;
            part.left -= sent;
        }
        if part.left > 0 {
            self.parts.queue().push_front(part);
        }
        sent
    }

    fn poll_send_part(&mut self, cx: &mut Context<'_>, part: &Part) -> Poll<io::Result<usize>> {
        let Stream::Tcp(stream) = &mut self.stream else { return Poll::Ready(Err(out_of_step())) };
        if !part.file.is_as_it_was() {
            return Poll::Ready(Err(io::Error::other("a file was changed while it was sent")));
        }
        match ready!(poll_send(stream, cx, part))? {
            0 => {
                let why = "a file became shorter while it was sent";
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)))
            }
            sent => Poll::Ready(Ok(sent)),
        }
    }
}

/// Stand-ins and parts must come in pairs. The connection ends rather than send a byte that is not right.
fn out_of_step() -> io::Error {
    io::Error::other("nothing is known that this stands for")
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn poll_send(stream: &mut TcpStream, cx: &mut Context<'_>, part: &Part) -> Poll<io::Result<usize>> {
    use rustix::io::Errno;
    let send = |stream: &TcpStream| {
        Ok(rustix::fs::sendfile(stream, &*part.file, Some(&mut part.offset.clone()), part.left)?)
    };
    match ready!(poll_write_with(stream, cx, send)) {
        // This file system or container does not let the kernel send it.
        Err(error)
            if matches!(
                Errno::from_io_error(&error),
                Some(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::OPNOTSUPP)
            ) =>
        {
            poll_copy(stream, cx, part)
        }
        done => Poll::Ready(done),
    }
}

/// Writes what stands before a part of a file, and where the system can, has it wait for that (`MSG_MORE`, at most 200 ms): a head in a packet
/// of its own would wake the other side for nothing.
fn poll_before_part(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match stream {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Stream::Tcp(stream) => poll_write_with(stream, cx, |stream| {
            let flags = libc::MSG_MORE | libc::MSG_NOSIGNAL;
            socket2::SockRef::from(stream).send_vectored_with_flags(bufs, flags)
        }),
        stream => Pin::new(stream).poll_write_vectored(cx, bufs),
    }
}

/// Until it is done, or the kernel takes nothing more for now.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn poll_write_with(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    write: impl Fn(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(tokio::io::Interest::WRITABLE, || write(stream)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            done => return Poll::Ready(done),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn poll_copy(stream: &mut TcpStream, cx: &mut Context<'_>, part: &Part) -> Poll<io::Result<usize>> {
    let mut bytes = [0; COPIED];
    let room = &mut bytes[..part.left.min(COPIED)];
    let read = rustix::io::retry_on_intr(|| rustix::io::pread(&*part.file, &mut *room, part.offset))?;
    Pin::new(stream).poll_write(cx, &bytes[..read])
}

/// No stand-in is ever made here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn poll_send(_: &mut TcpStream, _: &mut Context<'_>, _: &Part) -> Poll<io::Result<usize>> {
    Poll::Ready(Err(out_of_step()))
}

impl AsyncRead for FromFiles {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for FromFiles {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if is_stand_in(buf) {
            return self.poll_send(cx, buf.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs.iter().position(|buf| is_stand_in(buf)) {
            Some(0) => self.poll_send(cx, bufs[0].len()),
            Some(stand_in) => poll_before_part(&mut self.stream, cx, &bufs[..stand_in]),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{BorrowedFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A file in memory, and whether somebody wrote to it since.
    struct InMemory(File, AtomicBool);

    impl AsFd for InMemory {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    impl FileToSend for InMemory {
        fn is_as_it_was(&self) -> bool {
            !self.1.load(Ordering::Relaxed)
        }
    }

    /// One that holds `content`.
    fn file(content: &[u8]) -> Arc<InMemory> {
        let file: OwnedFd = rustix::fs::memfd_create("content", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let file = File::from(file);
        (&file).write_all(content).unwrap();
        Arc::new(InMemory(file, AtomicBool::new(false)))
    }

    async fn connected() -> (FromFiles, Parts, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let parts = Parts::default();
        let stream = Stream::Tcp(listener.accept().await.unwrap().0);
        (FromFiles::new(stream, parts.clone()), parts, other)
    }

    /// Writes all of it as hyper does: a vector of what is left, again and again.
    async fn write_all(stream: &mut FromFiles, mut bufs: Vec<&[u8]>) -> io::Result<()> {
        while let Some(first) = bufs.first() {
            if first.is_empty() {
                bufs.remove(0);
                continue;
            }
            let slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
            let mut written = stream.write_vectored(&slices).await?;
            for buf in &mut bufs {
                let taken = written.min(buf.len());
                *buf = &buf[taken..];
                written -= taken;
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn between_heads_the_parts_of_files_are_sent_in_their_order() {
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let (mut stream, parts, mut other) = connected().await;
        let (one, two) = (file(&content), file(b"another file"));
        let written = async {
            let first = parts.stand_in(one.clone(), 1000, LONGEST_STAND_IN).unwrap();
            let second = parts.stand_in(two, 8, 4).unwrap();
            write_all(&mut stream, vec![b"head ", first, b" middle ", second, b" end"]).await.unwrap();
            let third = parts.stand_in(one, 0, 4).unwrap();
            stream.write_all(third).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut got = Vec::new();
        let ((), read) = tokio::join!(written, other.read_to_end(&mut got));
        read.unwrap();
        let wanted = [b"head ", &content[1000..1000 + LONGEST_STAND_IN], b" middle file end", &content[..4]];
        assert!(got == wanted.concat(), "{} bytes", got.len());
    }

    #[tokio::test]
    async fn a_head_waits_for_the_part_behind_it() {
        let (mut stream, parts, other) = connected().await;
        let other = other.into_std().unwrap();
        let mut waited = false;
        // The kernel lets it wait for 200 ms: one in ten times this test is not held up for that long.
        for _ in 0..10 {
            let part = parts.stand_in(file(b"part"), 0, 4).unwrap();
            let head = [IoSlice::new(b"head "), IoSlice::new(part)];
            assert_eq!(stream.write_vectored(&head).await.unwrap(), 5);
            waited |= other.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            write_all(&mut stream, vec![part]).await.unwrap();
            let mut got = [0; 9];
            other.set_nonblocking(false).unwrap();
            (&other).read_exact(&mut got).unwrap();
            other.set_nonblocking(true).unwrap();
            assert_eq!(&got, b"head part");
        }
        assert!(waited, "it came alone, ten times");
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_ends_the_connection() {
        let (mut stream, parts, _other) = connected().await;
        let stand_in = parts.stand_in(file(b"short"), 0, 9).unwrap();
        let error = write_all(&mut stream, vec![stand_in]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a34_a_file_that_was_written_to_ends_the_connection() {
        let (mut stream, parts, mut other) = connected().await;
        let file = file(&vec![7; LONGEST_STAND_IN]);
        let (first, second) =
            (parts.stand_in(file.clone(), 0, 100).unwrap(), parts.stand_in(file.clone(), 100, 100).unwrap());
        write_all(&mut stream, vec![first]).await.unwrap();
        file.1.store(true, Ordering::Relaxed);
        assert!(write_all(&mut stream, vec![second]).await.is_err());
        drop(stream);
        let mut got = Vec::new();
        let _ = other.read_to_end(&mut got).await;
        assert_eq!(got, [7; 100], "and nothing of it is sent");
    }

    #[tokio::test]
    async fn a_stand_in_that_is_not_the_next_ends_the_connection() {
        let (mut stream, parts, _other) = connected().await;
        let (_skipped, second) =
            (parts.stand_in(file(b"first"), 0, 5).unwrap(), parts.stand_in(file(b"second"), 0, 6).unwrap());
        assert!(write_all(&mut stream, vec![second]).await.is_err());
    }

    #[tokio::test]
    async fn a_stand_in_for_nothing_ends_the_connection() {
        let (mut stream, parts, _other) = connected().await;
        assert!(parts.stand_in(file(b""), 0, 0).is_none());
        assert!(parts.stand_in(file(b""), 0, LONGEST_STAND_IN + 1).is_none());
        let stand_in = parts.stand_in(file(b"once"), 0, 4).unwrap();
        write_all(&mut stream, vec![stand_in]).await.unwrap();
        assert!(write_all(&mut stream, vec![stand_in]).await.is_err());
    }

    #[tokio::test]
    async fn where_the_kernel_does_not_send_files_they_are_copied() {
        let (mut stream, _, mut other) = connected().await;
        let Stream::Tcp(tcp) = &mut stream.stream else { panic!("of the system") };
        let part = Part { file: file(&vec![7; 2 * COPIED]), offset: 5, left: 2 * COPIED };
        let copied = std::future::poll_fn(|cx| poll_copy(tcp, cx, &part)).await.unwrap();
        assert_eq!(copied, COPIED);
        let mut got = vec![0; COPIED];
        other.read_exact(&mut got).await.unwrap();
        assert_eq!(got, vec![7; COPIED]);
    }
}
