//! A rollout written down as a scenario file, every value of it: what was simulated can be simulated again.

use std::fmt::{self, Write};
use std::time::Duration;

use super::NamedRollout;
use super::wrong::role_word;
use crate::rollout::{Arrival, Conduct, Faults, Group, Network, Rollout, SeedDeath, Site};
use crate::units::{Rate, Share, Size, Span};

pub(super) fn write(named: &NamedRollout) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = all(&mut text, named);
    text
}

fn all(text: &mut String, NamedRollout { rollout, names }: &NamedRollout) -> fmt::Result {
    let Rollout { seed, file_bytes, chunk_bytes, limit, patience, .. } = rollout;
    let (size, chunk) = (Size(*file_bytes), Size(u64::from(*chunk_bytes)));
    write!(text, "size = \"{size}\"\nchunk-size = \"{chunk}\"\nseed = {seed}\n")?;
    write!(text, "limit = \"{}\"\npatience = \"{}\"\n", Span(*limit), Span(*patience))?;
    network(text, &rollout.network)?;
    for site in &rollout.sites {
        let Site { name, up, down, delay } = site;
        write!(text, "\n[[site]]\nname = {}\n", Quoted(name))?;
        write!(text, "up = \"{}\"\ndown = \"{}\"\ndelay = \"{}\"\n", rate(*up), rate(*down), Span(*delay))?;
    }
    for (group, name) in rollout.groups.iter().zip(names) {
        one(text, group, name, &rollout.sites)?;
    }
    faults(text, &rollout.faults)
}

fn network(text: &mut String, network: &Network) -> fmt::Result {
    let headers =
        u32::try_from(network.headers_ppm).ok().and_then(Share::from_millionths).unwrap_or_default();
    write!(text, "\n[network]\nheaders = \"{headers}\"\nwindow = \"{}\"\n", Size(network.window))?;
    let (first, buffer) = (Size(network.first_window), Size(network.buffer.into()));
    write!(text, "first-window = \"{first}\"\nbuffer = \"{buffer}\"\nqueue = \"{}\"\n", Span(network.queue))?;
    writeln!(text, "uplink-queue = \"{}\"", Span(network.uplink_queue))?;
    write!(text, "gains-every = \"{}\"\nstore = \"{}\"\n", Span(network.batch), Span(network.store))?;
    writeln!(text, "control = {}", network.control_costs)
}

fn one(text: &mut String, group: &Group, name: &str, sites: &[Site]) -> fmt::Result {
    let (role, count, link) = (role_word(group.role), group.count, group.link);
    write!(text, "\n[[group]]\nname = {}\nrole = \"{role}\"\ncount = {count}\n", Quoted(name))?;
    let rtt = Span(link.delay * 4);
    write!(text, "up = \"{}\"\ndown = \"{}\"\nrtt = \"{rtt}\"\n", rate(link.up), rate(link.down))?;
    if let Some(loss) = Share::from_millionths(link.loss_ppm).filter(|_| link.loss_ppm > 0) {
        writeln!(text, "loss = \"{loss}\"")?;
    }
    if let Some(site) = sites.get(group.site) {
        writeln!(text, "site = {}", Quoted(&site.name))?;
    }
    if !group.dialable {
        text.push_str("dialable = false\n");
    }
    match group.conduct {
        Conduct::Honest => {}
        Conduct::FreeRider => text.push_str("conduct = \"free-rider\"\n"),
        Conduct::Liar => text.push_str("conduct = \"liar\"\n"),
    }
    match group.arrival {
        Arrival::AtOnce => {}
        Arrival::Staggered(apart) => writeln!(text, "arrival = \"every {}\"", Span(apart))?,
        Arrival::Within(time) => writeln!(text, "arrival = \"within {}\"", Span(time))?,
    }
    if let Some(vanishing) = group.vanishing {
        let within = Span(vanishing.within);
        writeln!(text, "vanish = {{ percent = {}, within = \"{within}\" }}", vanishing.percent)?;
    }
    if let Some(lingers) = group.lingers {
        writeln!(text, "lingers = \"{}\"", Span(lingers))?;
    }
    Ok(())
}

fn faults(text: &mut String, faults: &Faults) -> fmt::Result {
    if *faults == Faults::default() {
        return Ok(());
    }
    text.push_str("\n[faults]\n");
    if !faults.tracker_away.is_empty() {
        let pair =
            |(from, until): &(Duration, Duration)| format!("[\"{}\", \"{}\"]", Span(*from), Span(*until));
        let pairs: Vec<String> = faults.tracker_away.iter().map(pair).collect();
        writeln!(text, "tracker-away = [{}]", pairs.join(", "))?;
    }
    match faults.seed_dies {
        None => Ok(()),
        Some(SeedDeath::At(at)) => writeln!(text, "seed-dies = {{ at = \"{}\" }}", Span(at)),
        Some(SeedDeath::Copies(hundredths)) => {
            writeln!(text, "seed-dies = {{ copies = {}.{:02} }}", hundredths / 100, hundredths % 100)
        }
    }
}

/// As it would be typed; no rollout that was read has a rate of 0.
fn rate(bytes_per_second: u64) -> String {
    Rate::new(bytes_per_second).map_or_else(|| "0".to_owned(), |rate| rate.to_string())
}

/// A name as TOML has it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&toml::Value::from(self.0), f)
    }
}
