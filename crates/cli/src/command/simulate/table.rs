//! What people read: one line of what is simulated, and the figures.

use scenario::rollout::{Figures, GroupFigures, NamedRollout, Role};
use scenario::units::{Rate, Size, Span, human_bytes, human_seconds};

/// `1G in 1024 chunks of 1M, seed 1: 1 source (seed, 1gbit up), 100 peers (1gbit up, 1gbit down, 20ms apart)`.
pub(super) fn what(named: &NamedRollout) -> String {
    let rollout = &named.rollout;
    let group = |(group, name): (&scenario::rollout::Group, &String)| {
        let rate = |rate| Rate::new(rate).map(|rate| rate.to_string()).unwrap_or_default();
        let (up, down, rtt) = (rate(group.link.up), rate(group.link.down), Span(group.link.delay * 4));
        match group.role {
            Role::Seed => format!("{} {name} (seed, {up} up)", group.count),
            Role::Leecher => format!("{} {name} ({up} up, {down} down, {rtt} apart)", group.count),
        }
    };
    let groups: Vec<String> = rollout.groups.iter().zip(&named.names).map(group).collect();
    let (size, chunk) = (Size(rollout.file_bytes), Size(rollout.chunk_bytes.into()));
    format!("{size} in {} chunks of {chunk}, seed {}: {}", rollout.chunks(), rollout.seed, groups.join(", "))
}

/// The figures, a line each, and the groups if they are several.
pub(super) fn lines(named: &NamedRollout, figures: &Figures) -> Vec<String> {
    let row = |name: &str, value: String, more: String| {
        format!("{name:<22} {value:>12}  {more}").trim_end().to_owned()
    };
    let times = |ratio: Option<f64>, what: &str| ratio.map(|ratio| format!("{ratio:.3} × the {what}"));
    let of_both = [times(figures.ratio, "fluid bound"), times(figures.chunk_ratio, "chunk bound")];
    let of_both: Vec<String> = of_both.into_iter().flatten().collect();
    let mut lines = vec![
        row("the last is complete", seconds(figures.time_s), of_both.join(", ")),
        row("half of them within", seconds(figures.p50_s), "each after its own arrival".to_owned()),
        row("99 % within", seconds(figures.p99_s), String::new()),
        row("fluid bound", seconds(Some(figures.bound_s)), "no way of sharing is quicker".to_owned()),
        row(
            "chunk bound",
            seconds(Some(figures.chunk_bound_s)),
            "nor, in chunks of this size, than this".to_owned(),
        ),
        row("the seed sent", format!("{:.3} copies", figures.seed_copies), String::new()),
        row("control bytes", percent(figures.control_bytes_share), "of the payload".to_owned()),
        row("wasted", percent(figures.wasted_share), "of the payload".to_owned()),
        row("refused requests", figures.refused.to_string(), String::new()),
        row("complete", format!("{} of {}", figures.finished, figures.leechers), fate(figures)),
    ];
    if let Some(bytes) = figures.bytes_between_sites {
        lines.push(row("between sites", human_bytes(bytes), copies(bytes, figures.file_bytes)));
    }
    if named.names.len() > 2 {
        lines.extend(groups(figures));
    }
    lines
}

/// Who is missing, and why.
fn fate(figures: &Figures) -> String {
    let killed = (figures.killed > 0).then(|| format!("{} were killed before", figures.killed));
    let unfinished =
        (figures.unfinished > 0).then(|| format!("{} stayed and did not finish", figures.unfinished));
    killed.into_iter().chain(unfinished).collect::<Vec<_>>().join(", ")
}

fn groups(figures: &Figures) -> Vec<String> {
    let width = figures.groups.iter().map(|group| group.name.chars().count()).max().unwrap_or(0).max(5);
    let mut lines = vec![
        String::new(),
        format!(
            "{:<width$}  {:>14} {:>10} {:>10} {:>10} {:>9} {:>9}",
            "group", "complete", "last", "half", "99 %", "sent", "received"
        ),
    ];
    for group in &figures.groups {
        let GroupFigures { name, time_s, p50_s, p99_s, .. } = group;
        let is_seed = group.role == "seed";
        let complete = if is_seed {
            "from the start".to_owned()
        } else {
            format!("{} of {}", group.finished, group.peers)
        };
        let time = |time| if is_seed { "–".to_owned() } else { seconds(time) };
        let (last, half, most) = (time(*time_s), time(*p50_s), time(*p99_s));
        let (sent, received) = (human_bytes(group.sent_bytes), human_bytes(group.received_bytes));
        lines.push(format!(
            "{name:<width$}  {complete:>14} {last:>10} {half:>10} {most:>10} {sent:>9} {received:>9}"
        ));
    }
    lines
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), human_seconds)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn copies(bytes: u64, file: u64) -> String {
    format!("{:.2} copies", bytes as f64 / file.max(1) as f64)
}
