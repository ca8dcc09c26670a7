//! The scenario file: what stands there is what is simulated, what is wrong is named, and what is written can be read.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::time::Duration;

use proptest::prelude::*;
use scenario::rollout::{
    Arrival, Conduct, DEFAULT, NamedRollout, Overrides, Role, SeedDeath, Vanishing, Wrong,
};

const SEED: &str = "[[group]]\nrole = 'seed'\nup = '8mbit'\n";
const LEECHER: &str = "[[group]]\nrole = 'leecher'\nup = '8mbit'\n";

fn parse(text: &str) -> NamedRollout {
    NamedRollout::parse(text, &Overrides::default()).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// The least that can be simulated, with something at its top and something at its end.
fn least(top: &str, end: &str) -> String {
    format!("size = '1M'\n{top}\n{SEED}{LEECHER}{end}\n")
}

#[test]
fn the_least_file_has_a_default_for_everything_else() {
    let named = parse(&least("", ""));
    let rollout = &named.rollout;
    assert_eq!(named.names, ["seeds", "leechers"]);
    assert_eq!((rollout.file_bytes, rollout.chunk_bytes, rollout.seed), (1 << 20, 64 << 10, 1));
    let [seed, leecher] = &rollout.groups[..] else { panic!("{rollout:?}") };
    assert_eq!((seed.role, seed.count, leecher.role, leecher.count), (Role::Seed, 1, Role::Leecher, 1));
    assert_eq!((leecher.link.up, leecher.link.down), (1_000_000, 1_000_000));
    assert_eq!(leecher.link.delay, Duration::from_millis(5), "a quarter of the round trip");
    assert_eq!(rollout.network, scenario::rollout::Network::default());
}

#[test]
fn every_field_arrives_where_it_belongs() {
    let named = parse(
        "size = '2G'\nchunk-size = '256K'\nseed = 7\nlimit = '2h'\npatience = '5m'\n\
         [network]\nrtt = '40ms'\nheaders = '3%'\nwindow = '1M'\nfirst-window = 20000\nbuffer = '32K'\nqueue = '5ms'\n\
         gains-every = '50ms'\nstore = '1ms'\ncontrol = false\n\
         [[site]]\nname = 'a'\nup = '1gbit'\ndown = '2gbit'\ndelay = '3ms'\n[[site]]\nname = 'b'\nup = '9mbit'\n\
         [[group]]\nname = 'src'\nrole = 'seed'\nup = '100mbit'\nsite = 'b'\n\
         [[group]]\nname = 'dst'\nrole = 'leecher'\ncount = 9\nup = '10mbit'\ndown = '50M'\nrtt = '400us'\nloss = '0.1%'\n\
         site = 'a'\ndialable = false\nconduct = 'free-rider'\narrival = 'every 20ms'\n\
         vanish = { percent = 20, within = '30s' }\nlingers = '10m'\n\
         [faults]\ntracker-away = [['10s', '40s'], ['1m', '2m']]\nseed-dies = { copies = 1.5 }\n",
    );
    let rollout = &named.rollout;
    assert_eq!(named.names, ["src", "dst"]);
    assert_eq!((rollout.seed, rollout.chunk_bytes, rollout.chunks()), (7, 256 << 10, 8192));
    assert_eq!((rollout.limit.as_secs(), rollout.patience.as_secs()), (7200, 300));
    let network = rollout.network;
    assert_eq!((network.headers_ppm, network.window, network.first_window), (30_000, 1 << 20, 20_000));
    assert_eq!((network.buffer, network.queue.as_millis(), network.batch.as_millis()), (32 << 10, 5, 50));
    assert_eq!((network.store.as_millis(), network.control_costs), (1, false));
    let [a, b] = &rollout.sites[..] else { panic!("{rollout:?}") };
    assert_eq!((a.up, a.down, a.delay.as_millis()), (125_000_000, 250_000_000, 3));
    assert_eq!((b.up, b.down, b.delay.as_millis()), (1_125_000, 1_125_000, 0));
    let [src, dst] = &rollout.groups[..] else { panic!("{rollout:?}") };
    assert_eq!((src.site, src.link.delay), (1, Duration::from_millis(10)));
    assert_eq!((dst.site, dst.count, dst.link.loss_ppm, dst.dialable), (0, 9, 1000, false));
    assert_eq!((dst.link.delay, dst.link.down), (Duration::from_micros(100), 50 << 20));
    assert_eq!(
        (dst.conduct, dst.arrival),
        (Conduct::FreeRider, Arrival::Staggered(Duration::from_millis(20)))
    );
    assert_eq!(dst.vanishing, Some(Vanishing { percent: 20, within: Duration::from_secs(30) }));
    assert_eq!(dst.lingers, Some(Duration::from_secs(600)));
    assert_eq!(rollout.faults.tracker_away.len(), 2);
    assert_eq!(rollout.faults.seed_dies, Some(SeedDeath::Copies(150)));
}

fn refused(text: &str, said: &str) {
    let Err(error) = NamedRollout::parse(text, &Overrides::default()) else { panic!("{said}:\n{text}") };
    let whole = error.to_string();
    assert!(whole.contains(said), "{whole}\nand not: {said}");
    assert!(!error.next().is_empty() && !whole.contains('\n'), "{whole}");
}

#[test]
fn a_wrong_file_names_the_line_the_field_and_the_next_step() {
    for (text, said) in [
        ("", "missing field `size`"),
        ("size = '1M'", "role = \"seed\""),
        ("size = '1M'\nsise = 3", "line 2: 'sise = 3': unknown field `sise`, expected one of"),
        (
            "size = 1.5",
            "line 1: 'size = 1.5': invalid type: floating point `1.5`, expected a text like \"64K\"",
        ),
        ("size = '1X'", "line 1: 'size = '1X'': expected a number with K, M, G or T"),
        ("size = '1M'\nseed = -1", "line 2: 'seed = -1'"),
        ("size = = 1", "line 1: 'size = = 1'"),
        (&least("size = '0'", ""), "duplicate key"),
        (&format!("size = 0\n{SEED}{LEECHER}"), "line 1: size: must be from 1 to 16T"),
        (&format!("size = '17T'\n{SEED}{LEECHER}"), "line 1: size: must be from 1 to 16T"),
        (
            &least("chunk-size = '100000'", ""),
            "line 2: chunk-size: a chunk size is a power of two from 16K to 16M",
        ),
        (&least("limit = '99999d'", ""), "line 2: limit: must be from 0s to 30d"),
        (&least("network = { window = '1' }", ""), "line 2: window of [network]: must be from 1K to 1G"),
        (&least("network = { headers = 4 }", ""), "expected true, false, or a share"),
    ] {
        refused(text, said);
    }
}

#[test]
fn a_file_that_makes_no_sense_is_refused_likewise() {
    for (text, said) in [
        (&format!("size = '1M'\n{LEECHER}"), "there is no group with role = \"seed\""),
        (&format!("size = '1M'\n{SEED}"), "there is no group with role = \"leecher\""),
        (&format!("size = '1M'\n{SEED}dialable = false\n{LEECHER}"), "no seed is honest and can be dialled"),
        (&least("", "count = 0"), "line 9: count of group 'leechers': must be from 1 to 100000"),
        (&least("", "count = 100000"), "number of peers: must be from 1 to 100000, all groups together"),
        (&least("", "up = '1mbit'"), "duplicate key"),
        (&least("", "down = '0mbit'"), "line 9: 'down = '0mbit'': expected bytes a second"),
        (
            &least("", "down = 50"),
            "line 9: 'down = 50': invalid type: integer `50`, expected a text like \"400mbit\"",
        ),
        (&least("", "rtt = '20'"), "line 9: 'rtt = '20'': expected a duration with its unit"),
        (&least("", "loss = '101%'"), "line 9: 'loss = '101%'': expected a share"),
        (
            &least("", "conduct = 'bad'"),
            "line 9: 'conduct = 'bad'': unknown variant `bad`, expected one of `honest`",
        ),
        (&least("", "arrival = 'soon'"), "line 9: 'arrival = 'soon'': expected \"at once\""),
        (&least("", "name = ''"), "line 9: name of [[group]]: must be from 1 to 64 characters"),
        (&least("", "name = 'seeds'"), "line 6: name of [[group]]: 'seeds' is the name of two of them"),
        (&least("", "site = 'moon'"), "line 9: site of group 'leechers': there is no [[site]] named 'moon'"),
        (
            &least("", "vanish = { percent = 101, within = '1s' }"),
            "line 9: vanish.percent of group 'leechers': must be from 0 to 100",
        ),
        (&least("", "vanish = { percent = 10 }"), "missing field `within`"),
        (&least("", "[[site]]\nname = 'x'\nup = '1mbit'"), "line 3: site of group 'seeds': there are sites"),
        (
            &least("site = [{ name = 'x', up = '1mbit' }, { name = 'x', up = '1mbit' }]", ""),
            "line 2: name of [[site]]",
        ),
        (
            &least("", "[faults]\ntracker-away = [['2s', '1s']]"),
            "line 10: tracker-away of [faults]: must end after",
        ),
        (&least("", "[faults]\nseed-dies = {}"), "line 10: seed-dies of [faults]: needs either at or copies"),
        (
            &least("", "[faults]\nseed-dies = { copies = 0 }"),
            "line 10: seed-dies of [faults]: must be from 0.01",
        ),
        (
            &least("", "[faults]\nseed-dies = { copies = nan }"),
            "line 10: seed-dies of [faults]: must be from 0.01",
        ),
        (
            &format!("size = '1M'\n{SEED}arrival = 'every 1s'\n{LEECHER}"),
            "line 5: arrival of group 'seeds': seeds are",
        ),
        (&format!("size = '2T'\n{SEED}{LEECHER}"), "2 peers times 524288 chunks"),
        (&format!("size = '16G'\n{SEED}{LEECHER}count = 99999"), "100000 peers times 16384 chunks"),
    ] {
        refused(text, said);
    }
}

#[test]
fn what_a_command_line_says_wins_where_it_is_plain_what_it_means() {
    let overrides = Overrides {
        peers: Some(3),
        size: Some(512 << 20),
        chunk_size: None,
        seed_up: Some(10),
        up: Some(20),
        down: Some(30),
        rtt: Some(Duration::from_millis(8)),
        seed: Some(9),
    };
    let rollout = NamedRollout::parse(DEFAULT, &overrides).unwrap().rollout;
    assert_eq!((rollout.file_bytes, rollout.chunk_bytes, rollout.seed), (512 << 20, 512 << 10, 9));
    let [seed, leechers] = &rollout.groups[..] else { panic!("{rollout:?}") };
    assert_eq!((seed.link.up, leechers.count, leechers.link.up, leechers.link.down), (10, 3, 20, 30));
    assert_eq!((seed.link.delay, leechers.link.delay), (Duration::from_millis(2), Duration::from_millis(2)));

    let three = least("", &format!("{LEECHER}name = 'more'"));
    let fine = Overrides { size: Some(1), seed_up: Some(1), seed: Some(2), ..Overrides::default() };
    assert!(NamedRollout::parse(&three, &fine).is_ok());
    let refused = NamedRollout::parse(&three, &Overrides { up: Some(1), ..fine }).unwrap_err();
    assert_eq!(
        (refused.field.as_str(), &refused.wrong),
        ("up", &Wrong::WhichGroup { role: Role::Leecher, count: 2 })
    );
    let nobody = Overrides { peers: Some(0), ..Overrides::default() };
    assert!(matches!(NamedRollout::parse(DEFAULT, &nobody).unwrap_err().wrong, Wrong::Bounds { .. }));
    let nothing = Overrides { size: Some(0), ..Overrides::default() };
    assert_eq!(
        NamedRollout::parse(DEFAULT, &nothing).unwrap_err().to_string(),
        "size: must be from 1 to 16T"
    );
}

#[test]
fn waiting_for_a_slow_link_or_a_late_peer_is_no_reason_to_give_up() {
    let patience = |end: &str| parse(&least("", end)).rollout.patience;
    let usual = patience("");
    assert!(patience("arrival = 'every 3h'") > Duration::from_secs(3 * 3600));
    assert!(
        patience("down = '8kbit'") > Duration::from_secs(65 * 32),
        "64 KiB shared by many at 1,000 bytes a second"
    );
    assert!(patience("[faults]\ntracker-away = [['1s', '1h']]") > usual);
}

/// A group of leechers, a line each field.
fn group(number: usize) -> impl Strategy<Value = String> {
    let span = || {
        prop_oneof![(0..5000u64).prop_map(|ms| format!("{ms}ms")), (1..90u64).prop_map(|s| format!("{s}s"))]
    };
    let arrival = prop_oneof![
        Just("at once".to_owned()),
        span().prop_map(|span| format!("every {span}")),
        span().prop_map(|span| format!("within {span}")),
    ];
    let links = (1..40u32, 1..9_999u64, 1..9_999u64, 0..100_000u64, 0..=1_000_000u32);
    let kinds =
        (any::<bool>(), 0..3usize, arrival, 0..=100u32, span(), proptest::option::of(span()), 0..2usize);
    (links, kinds).prop_map(move |((count, up, down, rtt, loss), (dialable, conduct, arrival, percent, within, lingers, site))| {
        let conduct = ["honest", "free-rider", "liar"][conduct];
        let lingers = lingers.map(|span| format!("lingers = '{span}'\n")).unwrap_or_default();
        format!(
            "[[group]]\nname = \"g{number}\\\"'\"\nrole = 'leecher'\ncount = {count}\nup = '{up}kbit'\ndown = '{down}'\n\
             rtt = '{rtt}us'\nloss = '{}.{:04}%'\ndialable = {dialable}\nconduct = '{conduct}'\narrival = '{arrival}'\n\
             vanish = {{ percent = {percent}, within = '{within}' }}\n{lingers}site = 's{site}'\n",
            loss / 10_000,
            loss % 10_000,
        )
    })
}

proptest! {
    #[test]
    fn what_is_written_down_is_the_same_rollout(
        (size, chunk, seed) in (1..(1u64 << 32), 14..25u32, 0..i64::MAX),
        groups in (1..4usize).prop_flat_map(|count| (0..count).map(group).collect::<Vec<_>>()),
        copies in 1..100_000u64,
        headers in 0..=1_000_000u32,
    ) {
        let text = format!(
            "size = {size}\nchunk-size = {}\nseed = {seed}\n[network]\nheaders = '{}.{:04}%'\n\
             [[site]]\nname = 's0'\nup = '77'\ndelay = '5ms'\n[[site]]\nname = 's1'\nup = '1gbit'\n\
             {SEED}site = 's0'\n{}[faults]\ntracker-away = [['1s', '2s']]\nseed-dies = {{ copies = {}.{:02} }}\n",
            1u64 << chunk, headers / 10_000, headers % 10_000, groups.concat(), copies / 100, copies % 100,
        );
        let named = NamedRollout::parse(&text, &Overrides::default());
        // Only for being too much may it be refused.
        match named {
            Err(error) => prop_assert!(matches!(error.wrong, Wrong::TooMuch { .. }), "{error}\n{text}"),
            Ok(named) => {
                let again = NamedRollout::parse(&named.to_toml(), &Overrides::default());
                prop_assert_eq!(again, Ok(named));
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", at in 0..400usize, insert in "[\\[\\]='\"a-z0-9\\. \n]{0,8}") {
        let _ = NamedRollout::parse(&text, &Overrides::default());
        let good = least("[[site]]\nname = 'x'\nup = '1mbit'", "[faults]\ntracker-away = [['1s', '2s']]");
        let at = at.min(good.len());
        let _ = NamedRollout::parse(&format!("{}{insert}{}", &good[..at], &good[at..]), &Overrides::default());
    }
}
