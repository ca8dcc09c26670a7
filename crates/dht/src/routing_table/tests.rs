//! The table's promises: bounded, sorted, and never talked into forgetting a good node.

use proptest::prelude::*;

use super::*;

const OWN: Id = Id::from_bytes([0; 20]);

fn minutes(minutes: u64) -> Time {
    Time::ZERO + Duration::from_secs(minutes * 60)
}

/// A node in the bucket of ids that share `bits` with ours.
fn node(bits: usize, number: u16) -> Contact {
    let mut random = [0; 20];
    random[18..].copy_from_slice(&number.to_be_bytes());
    let [high, low] = number.to_be_bytes();
    Contact { id: OWN.at_shared_bits(bits, random), address: ([127, 0, high, low], 7).into() }
}

/// A query is missed, and none was sent before it.
fn miss(table: &mut RoutingTable, at: u64, node: Contact) -> Missed {
    table.missed(minutes(at), &node.address, minutes(at))
}

#[test]
fn one_pause_is_one_miss_however_many_queries_it_loses() {
    let mut table = RoutingTable::new(OWN);
    let millis = |millis| Time::ZERO + Duration::from_millis(millis);
    let address = node(0, 1).address;
    table.answered(millis(0), node(0, 1));
    // Eight in flight; a pause loses them all.
    for sent in 0..8 {
        let missed = table.missed(millis(sent * 100 + 2_000), &address, millis(sent * 100));
        assert_eq!(missed, if sent == 0 { Missed::Once } else { Missed::Before });
    }
    assert_eq!(table.nearest(OWN, 8), [node(0, 1)]);
    table.answered(millis(3_000), node(0, 1));
    assert_eq!(table.missed(millis(3_500), &address, millis(1_500)), Missed::Before, "it answered since");
    assert!(table.knows(millis(3_500), &address));
    // Whereas who stays away is found out.
    assert_eq!(table.missed(millis(6_000), &address, millis(4_000)), Missed::Once);
    assert_eq!(table.missed(millis(8_000), &address, millis(6_000)), Missed::NowBad);
}

#[test]
fn a21_good_nodes_are_never_displaced_by_newcomers() {
    let mut table = RoutingTable::new(OWN);
    for number in 0..100 {
        assert_eq!(table.answered(minutes(0), node(5, number)), usize::from(number) < K, "{number}");
    }
    assert!(!table.asked(minutes(1), node(5, 50)), "no place: not worth a ping");
    // One of them dies, is found out, and gives way.
    assert_eq!(miss(&mut table, 1, node(5, 3)), Missed::Once);
    assert!(!table.answered(minutes(1), node(5, 50)));
    assert_eq!(miss(&mut table, 1, node(5, 3)), Missed::NowBad);
    assert_eq!(miss(&mut table, 1, node(5, 50)), Missed::Again, "unknown");
    assert!(table.answered(minutes(1), node(5, 50)));
    let known: Vec<_> = table.good(minutes(1)).collect();
    assert_eq!(known.len(), K);
    assert!(!known.contains(&node(5, 3)) && known.contains(&node(5, 50)));
}

#[test]
fn a21_one_host_on_the_internet_has_two_places() {
    let mut table = RoutingTable::new(OWN);
    let taken = (0..20u16)
        .filter(|number| {
            let address = ([93, 184, 0, 1], 1_000 + number).into();
            table.answered(minutes(0), Contact { address, ..node(usize::from(*number), *number) })
        })
        .count();
    assert_eq!(taken, SOURCE_MOST);
}

#[test]
fn who_is_silent_becomes_questionable_and_who_misses_queries_is_forgotten() {
    let mut table = RoutingTable::new(OWN);
    table.answered(minutes(0), node(0, 1));
    assert!(table.knows(minutes(14), &node(0, 1).address));
    assert!(!table.knows(minutes(15), &node(0, 1).address));
    assert_eq!(table.quiet(minutes(11)).count(), 0);
    assert_eq!(table.quiet(minutes(12)).collect::<Vec<_>>(), [node(0, 1)]);
    assert!(!table.asked(minutes(15), node(0, 1)), "a known node that asks is there");
    assert!(table.knows(minutes(16), &node(0, 1).address));
    for _ in 0..FAILURES_MOST - 1 {
        miss(&mut table, 16, node(0, 1));
    }
    assert_eq!(table.nearest_good(minutes(16), OWN, 8), []);
    assert_eq!(table.nearest(OWN, 8), [node(0, 1)], "bad, and all that is left");
    assert!(table.asked(minutes(17), node(0, 1)), "it is back: worth a ping");
    miss(&mut table, 17, node(0, 1));
    assert_eq!(table.nearest(OWN, 8), []);
}

#[test]
fn a_node_that_comes_back_under_another_name_is_one_node() {
    let mut table = RoutingTable::new(OWN);
    table.answered(minutes(0), node(0, 1));
    let renamed = Contact { id: node(3, 9).id, ..node(0, 1) };
    assert!(table.asked(minutes(1), renamed));
    assert!(table.answered(minutes(1), renamed));
    assert_eq!(table.good(minutes(1)).collect::<Vec<_>>(), [renamed]);
    // Whereas a name does not move while its owner is there.
    let stolen = Contact { address: ([127, 9, 9, 9], 9).into(), ..renamed };
    assert!(!table.asked(minutes(2), stolen) && !table.answered(minutes(2), stolen));
    assert_eq!(table.good(minutes(2)).collect::<Vec<_>>(), [renamed]);
    assert!(!table.answered(minutes(2), Contact { id: OWN, ..node(0, 5) }), "our own name");
}

#[test]
fn a_bucket_where_nothing_happened_is_refreshed_once_in_a_while() {
    let mut table = RoutingTable::new(OWN);
    table.answered(minutes(10), node(2, 1));
    assert_eq!(table.stale_bucket(minutes(11), minutes(1)), Some(0));
    assert_eq!(table.stale_bucket(minutes(11), minutes(1)), Some(1));
    assert_eq!(
        table.stale_bucket(minutes(11), minutes(1)),
        None,
        "bucket 2 heard of its node, nobody is nearer"
    );
    assert_eq!(table.stale_bucket(minutes(26), minutes(12)), Some(0));
}

#[test]
fn a21_nodes_near_our_own_id_do_not_make_us_refresh_the_space_between() {
    let mut table = RoutingTable::new(OWN);
    for number in 0..40 {
        table.answered(minutes(0), node(usize::from(number % 4), number));
    }
    for number in 40..48 {
        table.answered(minutes(0), node(140, number));
    }
    let refreshed = std::iter::from_fn(|| table.stale_bucket(minutes(30), minutes(15)));
    assert_eq!(refreshed.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

proptest! {
    #[test]
    fn it_is_bounded_and_tells_the_nearest_first(
        steps in proptest::collection::vec((0usize..12, 0u16..40, 0u8..4), 1..400),
        target: [u8; 20],
    ) {
        let mut table = RoutingTable::new(OWN);
        for (at, (bits, number, what)) in (0u64..).zip(steps) {
            let now = Time::ZERO + Duration::from_secs(at * 10);
            match what {
                0 | 1 => { table.answered(now, node(bits, number)); }
                2 => { table.asked(now, node(bits, number)); }
                _ => { table.missed(now, &node(bits, number).address, now); }
            }
            for (at, bucket) in table.buckets.iter().enumerate() {
                prop_assert!(bucket.entries.len() <= places(at));
                prop_assert!(bucket.entries.iter().all(|entry| OWN.shared_bits(entry.contact.id) == at));
            }
            prop_assert_eq!(table.id_at.len(), table.entries().count());
            prop_assert_eq!(table.of_source.values().sum::<usize>(), table.entries().count());
        }
        let target = Id::from_bytes(target);
        let nearest = table.nearest(target, K);
        prop_assert!(nearest.windows(2).all(|pair| pair[0].id.distance(target) < pair[1].id.distance(target)));
        if let (Some(last), true) = (nearest.last(), nearest.len() == K) {
            let nearer = table.entries().filter(|entry| {
                !entry.is_bad() && entry.contact.id.distance(target) <= last.id.distance(target)
            });
            prop_assert_eq!(nearer.count(), K);
        }
    }
}
