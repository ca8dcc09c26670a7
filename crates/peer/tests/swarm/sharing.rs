//! From one to another, in every awkward size.

use futures_util::FutureExt as _;

use crate::kit::{Leecher, Source, bytes, get};

async fn arrives(source: &Source) {
    let (seed, _sharing) = source.seed().await;
    let leecher = Leecher::start(source, &[&seed]).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(completed.bytes, source.torrent.size());
    same(&source.path, &completed.path);
}

fn same(one: &std::path::Path, other: &std::path::Path) {
    if one.is_dir() {
        let list = |path: &std::path::Path| {
            let mut names: Vec<_> =
                std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(list(one), list(other), "{}", other.display());
        for name in list(one) {
            same(&one.join(&name), &other.join(&name));
        }
    } else {
        assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap(), "{}", other.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_every_awkward_size_arrives() {
    for length in [0, 1, 16 << 10, (16 << 10) + 1, 10 * (16 << 10), 1_000_003] {
        arrives(&Source::file(&bytes(length))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_is_complete_from_the_first_look_on() {
    let source = Source::file(&bytes(1));
    let (_seed, sharing) = source.seed().await;
    let completed = sharing.completed().now_or_never().expect("no later than it is shared").unwrap();
    assert_eq!((completed.path, completed.bytes), (source.path, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_equal_chunks_arrives_with_one_of_them_fetched() {
    let source = Source::file(&vec![7; 5 * (16 << 10)]);
    let (seed, sharing) = source.seed().await;
    let leecher = Leecher::start(&source, &[&seed]).await;
    let completed = leecher.completed().await.unwrap();
    same(&source.path, &completed.path);
    drop(sharing);
    let metrics = String::from_utf8(get(seed.url(), "/metrics").await.body).unwrap();
    assert!(metrics.contains("http_torrent_uploaded_bytes_total 16384"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_with_empty_and_nested_files_arrives() {
    let source = Source::made(|folder| {
        let top = folder.join("top");
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        for (name, length) in [("empty", 0), ("a/one", 1), ("a/b/two", 40_000), ("z", 16 << 10)] {
            std::fs::write(top.join(name), bytes(length)).unwrap();
        }
        top
    });
    arrives(&source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_small_files_arrive() {
    let source = Source::made(|folder| {
        let top = folder.join("many");
        std::fs::create_dir_all(&top).unwrap();
        for at in 0..10_000 {
            std::fs::write(top.join(format!("{at:05}")), format!("file {at}")).unwrap();
        }
        top
    });
    arrives(&source).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leechers_that_know_only_the_seed_find_each_other() {
    let source = Source::file(&bytes(4 << 20));
    // Slow enough that those who come first still have something to wait for when they hear of the others.
    let (seed, _sharing) = source.seed_with(Some(2 << 20)).await;
    let mut leechers = Vec::new();
    for _ in 0..4 {
        leechers.push(Leecher::start(&source, &[&seed]).await);
    }
    let mut from_peers = 0;
    for leecher in &leechers {
        let completed = leecher.completed().await.unwrap();
        same(&source.path, &completed.path);
        assert_eq!(completed.sources.seed + completed.sources.peer, 4 << 20);
        from_peers += completed.sources.peer;
    }
    assert!(from_peers > 0, "they gave each other something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chosen_files_of_a_folder_arrive_without_the_others() {
    let source = Source::made(|folder| {
        let top = folder.join("top");
        std::fs::create_dir_all(&top).unwrap();
        for (name, length) in [("a", 100_000), ("b", 50_000), ("c", 200_000)] {
            std::fs::write(top.join(name), bytes(length)).unwrap();
        }
        top
    });
    let (seed, _sharing) = source.seed().await;
    let leecher = Leecher::start_files(&source, vec![seed.url().clone()], [1].into()).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!((completed.bytes, completed.sources.seed), (50_000, 50_000));
    let names: Vec<_> = std::fs::read_dir(&completed.path).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["b"]);
    same(&source.path.join("b"), &completed.path.join("b"));
}
