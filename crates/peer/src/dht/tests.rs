//! Nodes of this crate on real sockets.

use super::*;

async fn node(bind: &str, tasks: &TaskTracker, stop: &CancellationToken) -> Dht {
    let setup = Setup {
        config: DhtConfig::default(),
        bind: bind.parse().unwrap(),
        host: None,
        read_only: false,
        net: Net::default(),
        clock: Clock::start(),
        seeds: rand::random(),
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    Dht::start(setup).await.unwrap()
}

async fn knows(dht: &Dht, nodes: usize) {
    let mut status = dht.status.clone();
    let known = status.wait_for(|status| status.good.len() >= nodes);
    let _ =
        tokio::time::timeout(Duration::from_secs(20), known).await.expect("it knows enough nodes").unwrap();
}

/// The one provider that a node finds.
async fn found(dht: &Dht, key: Key) -> SocketAddr {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let search = async {
        loop {
            if let Some(providers) = dht.find(key).await.recv().await {
                return providers[0];
            }
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), search).await.expect("it is found")
}

#[tokio::test]
async fn one_socket_on_all_addresses_is_a_node_of_both_networks() {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let both = node("::", &tasks, &stop).await;
    let (four, six) = (node("127.0.0.1", &tasks, &stop).await, node("::1", &tasks, &stop).await);
    let port = both.address().port();
    four.add_nodes(vec![SocketAddr::new("127.0.0.1".parse().unwrap(), port)]).await;
    six.add_nodes(vec![SocketAddr::new("::1".parse().unwrap(), port)]).await;
    for (dht, nodes) in [(&four, 1), (&six, 1), (&both, 2)] {
        knows(dht, nodes).await;
    }
    let key = Key::of_hash(&protocol::HashAlgorithm::Sha1.digest(b"abc"));
    both.announce(key, NonZeroU16::new(80).unwrap(), Urgency::Torrent).await;
    assert_eq!(found(&four, key).await, "127.0.0.1:80".parse().unwrap());
    assert_eq!(found(&six, key).await, "[::1]:80".parse().unwrap());
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_guest_finds_and_leaves_no_trace() {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let (one, other) = (node("127.0.0.1", &tasks, &stop).await, node("127.0.0.1", &tasks, &stop).await);
    one.add_nodes(vec![other.address()]).await;
    let hash = protocol::HashAlgorithm::Sha1.digest(b"abc");
    one.announce(Key::of_hash(&hash), NonZeroU16::new(80).unwrap(), Urgency::Torrent).await;
    let _ = found(&other, Key::of_hash(&hash)).await;
    let config = DhtConfig { bootstrap: vec![other.address().into()], ..DhtConfig::default() };
    let bind = "127.0.0.1".parse().unwrap();
    let providers =
        Dht::with_guest(config, bind, async |guest| guest.providers(&hash, Duration::from_secs(20)).await);
    assert_eq!(providers.await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
    assert_eq!((one.nodes(), other.nodes()), (1, 1), "each knows the other and nobody else");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_guest_finds_a_lone_provider() {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let lone = node("127.0.0.1", &tasks, &stop).await;
    let hash = protocol::HashAlgorithm::Sha1.digest(b"abc");
    lone.announce(Key::of_hash(&hash), NonZeroU16::new(80).unwrap(), Urgency::Torrent).await;
    let config = DhtConfig { bootstrap: vec![lone.address().into()], ..DhtConfig::default() };
    let bind = "127.0.0.1".parse().unwrap();
    let providers =
        Dht::with_guest(config, bind, async |guest| guest.providers(&hash, Duration::from_secs(20)).await);
    assert_eq!(providers.await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}
