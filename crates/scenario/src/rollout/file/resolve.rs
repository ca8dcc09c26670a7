//! What a scenario file means: every default, every bound, and what would make a simulation senseless or endless.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::torrent::ChunkSize;
use toml::Spanned;

use super::NamedRollout;
use super::form::{FaultsForm, Form, GroupForm, NetworkForm, SiteForm};
use super::overrides::Overrides;
use super::wrong::{BadScenario, Wrong, role_word};
use crate::rollout::{
    Arrival, Bounds, Conduct, Faults, Group, Link, Network, Role, Rollout, SeedDeath, Site, Vanishing,
    time_for,
};
use crate::units::{Share, Size, Span};

/// Most peers. Ten thousand with a thousand chunks take a quarter of an hour and 0.8 GiB.
pub const MOST_PEERS: u32 = 100_000;
/// Most chunks: 256 GiB in chunks of 1 MiB.
pub const MOST_CHUNKS: u32 = 1 << 18;
/// Most chunks of all peers together, which is what time and memory go by: a few hours and some ten GiB.
pub const MOST_HELD: u64 = 1 << 27;
/// Longest name of a group or a site.
const MOST_NAME: usize = 64;
/// Longest time of any kind, and when a run ends that nothing else ended.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The round trip where none is given: a network within a country.
const USUAL_RTT: Duration = Duration::from_millis(20);
/// A run in which nothing happens for this long is over, at least.
const USUAL_PATIENCE: Duration = Duration::from_secs(600);
/// Uplinks are shared by about so many bodies: a chunk takes so many times longer than alone.
const SHARED_BY: u32 = 32;
/// So many samples of a run that is as quick as it can be; of a longer one more.
const SAMPLES: u32 = 240;

/// Decides what is simulated.
pub(super) fn resolve(form: Form, overrides: &Overrides) -> Result<NamedRollout, BadScenario> {
    let size = overrides.size.map_or(form.size, |bytes| Spanned::new(0..0, Size(bytes)));
    let file_bytes =
        in_bounds("size", &size, |Size(bytes)| bytes, 1..=protocol::torrent::layout::MAX_SIZE, Size)?;
    let chunk_bytes = chunk_bytes(file_bytes, form.chunk_size.as_ref(), overrides.chunk_size)?;
    let sites = sites(&form.site)?;
    let usual = form.network.rtt.as_ref().map_or(Ok(USUAL_RTT), |rtt| time("rtt of [network]", rtt))?;
    let mut names: Vec<String> = Vec::new();
    let mut groups = Vec::new();
    for form in &form.group {
        let (name, group) = group(form, usual, &sites)?;
        if names.contains(&name) {
            return Err(BadScenario::new("name of [[group]]", Some(form.span()), Wrong::TwoOfAName(name)));
        }
        (names, groups) = ([names, vec![name]].concat(), [groups, vec![group]].concat());
    }
    let mut rollout = Rollout {
        seed: overrides.seed.or(form.seed.map(Spanned::into_inner)).unwrap_or(1),
        file_bytes,
        chunk_bytes,
        groups,
        sites,
        network: network(&form.network)?,
        faults: faults(&form.faults)?,
        limit: form.limit.as_ref().map_or(Ok(LONGEST), |limit| time("limit", limit))?,
        patience: Duration::ZERO,
        sample: Duration::ZERO,
    };
    overrides.change(&mut rollout)?;
    sensible(&rollout)?;
    rollout.patience = match &form.patience {
        Some(patience) => time("patience", patience)?,
        None => patience(&rollout),
    };
    rollout.sample = sample(&rollout);
    Ok(NamedRollout { rollout, names })
}

fn chunk_bytes(file: u64, form: Option<&Spanned<Size>>, over: Option<u64>) -> Result<u32, BadScenario> {
    let Some(Size(bytes)) = over.map(Size).or(form.map(|size| *size.get_ref())) else {
        return Ok(ChunkSize::default_for(file).get());
    };
    ChunkSize::chosen(bytes).map(ChunkSize::get).map_err(|error| {
        BadScenario::new("chunk-size", form.map(Spanned::span), Wrong::Form(error.to_string()))
    })
}

fn sites(forms: &[SiteForm]) -> Result<Vec<Site>, BadScenario> {
    let mut sites: Vec<Site> = Vec::new();
    for SiteForm { name, up, down, delay } in forms {
        let name_of = checked_name("name of [[site]]", name)?;
        if sites.iter().any(|site| site.name == name_of) {
            return Err(BadScenario::new("name of [[site]]", Some(name.span()), Wrong::TwoOfAName(name_of)));
        }
        let delay =
            delay.as_ref().map(|delay| time(&format!("delay of site '{name_of}'"), delay)).transpose()?;
        sites.push(Site {
            up: up.get_ref().bytes_per_second(),
            down: down.as_ref().unwrap_or(up).get_ref().bytes_per_second(),
            delay: delay.unwrap_or_default(),
            name: name_of,
        });
    }
    Ok(sites)
}

fn group(
    spanned: &Spanned<GroupForm>,
    usual_rtt: Duration,
    sites: &[Site],
) -> Result<(String, Group), BadScenario> {
    let form = spanned.get_ref();
    let role = Role::from(form.role);
    let name = match &form.name {
        Some(name) => checked_name("name of [[group]]", name)?,
        None => format!("{}s", role_word(role)),
    };
    let field = |field: &str| format!("{field} of group '{name}'");
    let count = match &form.count {
        Some(count) => in_bounds(&field("count"), count, u64::from, 1..=MOST_PEERS.into(), |count| count)?,
        None => 1,
    };
    let rtt = form.rtt.as_ref().map_or(Ok(usual_rtt), |rtt| time(&field("rtt"), rtt))?;
    let link = Link {
        up: form.up.get_ref().bytes_per_second(),
        down: form.down.as_ref().unwrap_or(&form.up).get_ref().bytes_per_second(),
        delay: rtt / 4,
        loss_ppm: form.loss.map_or(0, Share::millionths),
    };
    let mut group = Group::new(role, u32::try_from(count).unwrap_or(MOST_PEERS), link);
    group.site = match &form.site {
        Some(site) => {
            let found = sites.iter().position(|one| &one.name == site.get_ref());
            let unknown = || Wrong::UnknownSite(site.get_ref().clone());
            found.ok_or_else(|| BadScenario::new(field("site"), Some(site.span()), unknown()))?
        }
        None if sites.is_empty() => 0,
        None => return Err(BadScenario::new(field("site"), Some(spanned.span()), Wrong::NoSite)),
    };
    if let Some(arrival) = &form.arrival {
        only_for_leechers(role, &field("arrival"), arrival)?;
        group.arrival = arrival.get_ref().0;
        if let Arrival::Staggered(span) | Arrival::Within(span) = group.arrival {
            time(&field("arrival"), &Spanned::new(arrival.span(), Span(span)))?;
        }
    }
    if let Some(lingers) = &form.lingers {
        only_for_leechers(role, &field("lingers"), lingers)?;
        group.lingers = Some(time(&field("lingers"), lingers)?);
    }
    if let Some(vanish) = &form.vanish {
        let percent =
            in_bounds(&field("vanish.percent"), &vanish.percent, u64::from, 0..=100, |count| count)?;
        let within = time(&field("vanish.within"), &vanish.within)?;
        group.vanishing = Some(Vanishing { percent: u32::try_from(percent).unwrap_or(100), within });
    }
    group.dialable = form.dialable.unwrap_or(true);
    group.conduct = form.conduct.map_or(Conduct::Honest, Conduct::from);
    Ok((name, group))
}

fn only_for_leechers<T>(role: Role, field: &str, value: &Spanned<T>) -> Result<(), BadScenario> {
    match role {
        Role::Leecher => Ok(()),
        Role::Seed => Err(BadScenario::new(field, Some(value.span()), Wrong::OnlyForLeechers)),
    }
}

fn network(form: &NetworkForm) -> Result<Network, BadScenario> {
    let mut network = Network::default();
    let size = |field: &str, size: &Spanned<Size>| {
        in_bounds(&format!("{field} of [network]"), size, |Size(bytes)| bytes, 1 << 10..=1 << 30, Size)
    };
    if let Some(headers) = form.headers {
        network.headers_ppm = headers.millionths;
    }
    if let Some(window) = &form.window {
        network.window = size("window", window)?;
    }
    if let Some(first) = &form.first_window {
        network.first_window = size("first-window", first)?;
    }
    if let Some(buffer) = &form.buffer {
        network.buffer = u32::try_from(size("buffer", buffer)?).unwrap_or(u32::MAX);
    }
    if let Some(queue) = &form.queue {
        network.queue = time("queue of [network]", queue)?;
    }
    if let Some(queue) = &form.uplink_queue {
        network.uplink_queue = time("uplink-queue of [network]", queue)?;
    }
    if let Some(every) = &form.gains_every {
        network.batch = time("gains-every of [network]", every)?;
    }
    if let Some(store) = &form.store {
        network.store = time("store of [network]", store)?;
    }
    network.control_costs = form.control.unwrap_or(network.control_costs);
    Ok(network)
}

fn faults(form: &FaultsForm) -> Result<Faults, BadScenario> {
    let mut faults = Faults::default();
    for away in &form.tracker_away {
        let (Span(from), Span(until)) = *away.get_ref();
        let field = "tracker-away of [faults]";
        time(field, &Spanned::new(away.span(), Span(until)))?;
        if from >= until {
            return Err(BadScenario::new(field, Some(away.span()), Wrong::Backwards));
        }
        faults.tracker_away.push((from, until));
    }
    if let Some(dies) = &form.seed_dies {
        let field = "seed-dies of [faults]";
        faults.seed_dies = Some(match (&dies.get_ref().at, &dies.get_ref().copies) {
            (Some(at), None) => SeedDeath::At(time(field, at)?),
            (None, Some(copies)) => SeedDeath::Copies(hundredths(field, copies)?),
            _ => return Err(BadScenario::new(field, Some(dies.span()), Wrong::EitherOr("at", "copies"))),
        });
    }
    Ok(faults)
}

fn hundredths(field: &str, copies: &Spanned<f64>) -> Result<u64, BadScenario> {
    let value = (copies.get_ref() * 100.0).round();
    if !(1.0..=1e8).contains(&value) {
        return Err(out_of_bounds(field, copies, "0.01", "1000000"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 1 to 1e8"
    )]
    Ok(value as u64)
}

/// What no single value is to blame for.
fn sensible(rollout: &Rollout) -> Result<(), BadScenario> {
    let wrong = |field: &str, wrong| Err(BadScenario::new(field, None, wrong));
    for role in [Role::Seed, Role::Leecher] {
        if !rollout.groups.iter().any(|group| group.role == role) {
            return wrong("", Wrong::Nobody(role));
        }
    }
    let gives =
        |group: &Group| group.role == Role::Seed && group.dialable && group.conduct == Conduct::Honest;
    if !rollout.groups.iter().any(gives) {
        return wrong("", Wrong::NoSource);
    }
    let peers: u64 = rollout.groups.iter().map(|group| u64::from(group.count)).sum();
    if rollout.groups.iter().any(|group| group.count == 0) || peers > MOST_PEERS.into() {
        let bounds =
            Wrong::Bounds { least: "1".to_owned(), most: format!("{MOST_PEERS}, all groups together") };
        return wrong("number of peers", bounds);
    }
    let chunks = rollout.file_bytes.div_ceil(u64::from(rollout.chunk_bytes));
    if chunks > u64::from(MOST_CHUNKS) || peers * chunks > MOST_HELD {
        let most = if chunks > u64::from(MOST_CHUNKS) { MOST_CHUNKS.into() } else { MOST_HELD };
        return wrong("", Wrong::TooMuch { peers, chunks, most });
    }
    Ok(())
}

/// How long nothing may happen in a run that goes on all the same: the longest wait for the next peer, for the tracker,
/// or for a chunk over the slowest link.
fn patience(rollout: &Rollout) -> Duration {
    let waits = rollout.groups.iter().map(|group| match group.arrival {
        Arrival::AtOnce => Duration::ZERO,
        Arrival::Staggered(span) | Arrival::Within(span) => span,
    });
    let away = rollout.faults.tracker_away.iter().map(|(from, until)| until.saturating_sub(*from));
    let links = rollout.groups.iter().map(|group| &group.link).flat_map(|link| [link.up, link.down]);
    let rates = links.chain(rollout.sites.iter().flat_map(|site| [site.up, site.down]));
    let chunks = rates.map(|rate| time_for(rollout.chunk_bytes.into(), rate).saturating_mul(SHARED_BY));
    let most = waits.chain(away).chain(chunks).max().unwrap_or_default();
    // Whole seconds can be written down.
    Duration::from_secs(most.as_secs()).saturating_add(USUAL_PATIENCE).min(LONGEST)
}

/// How often the state of the swarm is noted: often enough for a smooth curve.
fn sample(rollout: &Rollout) -> Duration {
    let last = rollout.groups.iter().map(|group| match group.arrival {
        Arrival::AtOnce => Duration::ZERO,
        Arrival::Staggered(apart) => apart.saturating_mul(group.count),
        Arrival::Within(time) => time,
    });
    let quickest = Bounds::of(rollout).chunked.saturating_add(last.max().unwrap_or_default());
    (quickest / SAMPLES).clamp(Duration::from_millis(5), Duration::from_secs(3600))
}

fn checked_name(field: &str, name: &Spanned<String>) -> Result<String, BadScenario> {
    let length = name.get_ref().chars().count();
    if (1..=MOST_NAME).contains(&length) {
        return Ok(name.get_ref().clone());
    }
    Err(out_of_bounds(field, name, "1", format!("{MOST_NAME} characters")))
}

fn time(field: &str, span: &Spanned<Span>) -> Result<Duration, BadScenario> {
    let Span(duration) = *span.get_ref();
    if duration > LONGEST {
        return Err(out_of_bounds(field, span, "0s", Span(LONGEST)));
    }
    Ok(duration)
}

/// A number, when it is within bounds; those are shown as it would be typed.
fn in_bounds<T: Copy, D: Display>(
    field: &str,
    value: &Spanned<T>,
    number: impl Fn(T) -> u64,
    bounds: RangeInclusive<u64>,
    shown: impl Fn(u64) -> D,
) -> Result<u64, BadScenario> {
    let found = number(*value.get_ref());
    if bounds.contains(&found) {
        return Ok(found);
    }
    Err(out_of_bounds(field, value, shown(*bounds.start()), shown(*bounds.end())))
}

fn out_of_bounds<T>(field: &str, value: &Spanned<T>, least: impl Display, most: impl Display) -> BadScenario {
    let wrong = Wrong::Bounds { least: least.to_string(), most: most.to_string() };
    // What a command line says stands in no line of the file.
    let span = Some(value.span()).filter(|span| !span.is_empty());
    BadScenario::new(field, span, wrong)
}
