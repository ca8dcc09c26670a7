//! Names to addresses by the system's resolver, a few at once.
//!
//! It blocks a thread for each name, for ten seconds and more where somebody's name server keeps silent, and cannot be
//! cancelled. The threads are those that read and write chunks, and names come from strangers: without a bound, a dozen
//! names that stall would stop the disk.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::Semaphore;
use tower::Service;

use crate::network::BoxFuture;

/// Names being looked up at once in this process: a third of the threads that our programs have for what blocks.
const MAX_LOOKUPS: usize = 4;

/// The system's resolver.
pub(crate) static SYSTEM: Names = Names::new(|name| {
    let addresses = (name, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
});

/// A resolver that blocks, and the places before it.
pub(crate) struct Names {
    places: Semaphore,
    ask: fn(&str) -> io::Result<Vec<IpAddr>>,
}

impl Names {
    const fn new(ask: fn(&str) -> io::Result<Vec<IpAddr>>) -> Self {
        Names { places: Semaphore::const_new(MAX_LOOKUPS), ask }
    }

    /// The addresses of `name`. Whoever gives up while it waits for a place leaves nothing behind; a look-up that has
    /// begun keeps its place until its thread is free again.
    pub(crate) async fn resolve(&'static self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name.eq_ignore_ascii_case("localhost") {
            // RFC 6761 §6.3: it needs no asking, so it need not wait behind those that stall.
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let place = self.places.acquire().await.map_err(io::Error::other)?;
        let (name, ask) = (name.to_owned(), self.ask);
        let asking = tokio::task::spawn_blocking(move || {
            let _place = place;
            ask(&name)
        });
        asking.await.map_err(io::Error::other)?
    }
}

/// [`SYSTEM`] as hyper's connector asks it, each name for so long at most.
#[derive(Clone)]
pub(crate) struct Within(pub(crate) Duration);

impl Service<Name> for Within {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let limit = self.0;
        Box::pin(async move {
            let found = tokio::time::timeout(limit, SYSTEM.resolve(name.as_str())).await;
            let found = found.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            // The connector puts the port in.
            let addresses: Vec<_> = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(addresses.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use futures_util::FutureExt;

    use super::*;

    /// Whether the silent name server has answered, and how many have asked it.
    static SILENT: (Mutex<(bool, usize)>, Condvar) = (Mutex::new((false, 0)), Condvar::new());

    static STALLING: Names = Names::new(|_| {
        let (state, answered) = &SILENT;
        state.lock().unwrap().1 += 1;
        drop(answered.wait_while(state.lock().unwrap(), |(answers, _)| !*answers).unwrap());
        Ok(vec![])
    });

    #[test]
    fn a14_names_that_stall_leave_threads_for_the_disk_and_their_places_come_back() {
        let threads = MAX_LOOKUPS + 1;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(threads)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            for _ in 0..100 {
                assert!(STALLING.resolve("slow.example").now_or_never().is_none(), "nobody waits for it");
            }
            let disk = tokio::task::spawn_blocking(|| "a chunk");
            let read = tokio::time::timeout(Duration::from_secs(20), disk).await;
            assert_eq!(read.unwrap().unwrap(), "a chunk");
            SILENT.0.lock().unwrap().0 = true;
            SILENT.1.notify_all();
            let last = tokio::time::timeout(Duration::from_secs(20), STALLING.resolve("slow.example")).await;
            assert!(last.unwrap().unwrap().is_empty());
        });
        let asked = SILENT.0.lock().unwrap().1;
        assert_eq!(asked, MAX_LOOKUPS + 1, "of those given up only the ones with a place were asked");
    }

    #[tokio::test]
    async fn localhost_is_this_machine_and_needs_no_asking() {
        let found = STALLING.resolve("LocalHost").now_or_never().unwrap().unwrap();
        assert!(found.len() == 2 && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
