//! The figures: the few that matter as tiles, and the groups as a table.

use std::fmt::{self, Write};

use protocol::Escaped;

use super::RolloutPage;
use crate::rollout::{Figures, Group, GroupFigures};
use crate::units::{Rate, Span, human_bytes, human_seconds};

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), human_seconds)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The headline.
pub(super) fn tiles(page: &mut String, figures: &Figures) -> fmt::Result {
    let Figures { ratio, chunk_ratio, finished, leechers, .. } = figures;
    let over = |ratio: &Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}×"));
    let mut tiles = vec![
        (seconds(figures.time_s), "until the last is complete", format!("{finished} of {leechers}")),
        (
            over(ratio),
            "the fluid bound",
            format!("{}; no way of sharing is quicker", human_seconds(figures.bound_s)),
        ),
        (over(chunk_ratio), "the bound for whole chunks", human_seconds(figures.chunk_bound_s)),
        (seconds(figures.p50_s), "half of them", "each after it came".to_owned()),
        (seconds(figures.p99_s), "99 in a hundred", "each after it came".to_owned()),
        (format!("{:.2}", figures.seed_copies), "copies sent by the seeds", "one is the least".to_owned()),
        (
            percent(figures.control_bytes_share),
            "control bytes",
            format!("{} wasted, {} refused", percent(figures.wasted_share), figures.refused),
        ),
    ];
    if let Some(bytes) = figures.bytes_between_sites {
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let copies = bytes as f64 / figures.file_bytes.max(1) as f64;
        tiles.push((human_bytes(bytes), "between the sites", format!("{copies:.2} copies of the file")));
    }
    page.push_str("<ul class=\"tiles\">\n");
    for (value, name, more) in tiles {
        writeln!(page, "<li><b>{value}</b><span>{name}</span><small>{more}</small></li>")?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

/// A row a group, and a row a site.
pub(super) fn groups(page: &mut String, of: &RolloutPage<'_>) -> fmt::Result {
    page.push_str(
        "<div class=\"wide\">\n<table>\n<thead><tr><th>group</th><th>link</th><th class=\"number\">complete</th>\
         <th class=\"number\">last</th><th class=\"number\">half</th><th class=\"number\">99 %</th>\
         <th class=\"number\">sent</th><th class=\"number\">received</th></tr></thead>\n<tbody>\n",
    );
    for (group, figures) in of.named.rollout.groups.iter().zip(&of.figures.groups) {
        row(page, group, figures)?;
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    if of.named.rollout.sites.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<div class=\"wide\">\n<table>\n<thead><tr><th>site</th><th>line to the others</th><th>groups there</th></tr></thead>\n<tbody>\n",
    );
    for (number, site) in of.named.rollout.sites.iter().enumerate() {
        let here =
            of.named.rollout.groups.iter().zip(&of.named.names).filter(|(group, _)| group.site == number);
        let names: Vec<String> = here.map(|(_, name)| Escaped(name).to_string()).collect();
        let (up, down, delay) = (rate(site.up), rate(site.down), Span(site.delay));
        writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td>{up} up, {down} down, {delay} one way</td><td>{}</td></tr>",
            Escaped(&site.name),
            names.join(", ")
        )?;
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    Ok(())
}

fn row(page: &mut String, group: &Group, figures: &GroupFigures) -> fmt::Result {
    let GroupFigures { name, role, peers, finished, unfinished, .. } = figures;
    let is_seed = *role == "seed";
    let mood = if *unfinished > 0 { "bad" } else { "good" };
    let complete =
        if is_seed { format!("{peers} from the beginning") } else { format!("{finished} of {peers}") };
    let (up, down, rtt) = (rate(group.link.up), rate(group.link.down), Span(group.link.delay * 4));
    write!(
        page,
        "<tr><th scope=\"row\"><i class=\"dot {mood}\"></i>{}</th><td>{role}, {up} up, {down} down, {rtt} apart</td>\
         <td class=\"number\">{complete}</td>",
        Escaped(name)
    )?;
    for time in [figures.time_s, figures.p50_s, figures.p99_s] {
        let time = if is_seed { "–".to_owned() } else { seconds(time) };
        write!(page, "<td class=\"number\">{time}</td>")?;
    }
    let (sent, received) = (human_bytes(figures.sent_bytes), human_bytes(figures.received_bytes));
    writeln!(page, "<td class=\"number\">{sent}</td><td class=\"number\">{received}</td></tr>")
}

/// As it would be typed.
fn rate(bytes_per_second: u64) -> String {
    Rate::new(bytes_per_second).map_or_else(|| "nothing".to_owned(), |rate| rate.to_string())
}
