//! What must hold after every run (threats.md says it in prose).

use std::fmt::Write;
use std::time::Duration;

use protocol::ChunkIndex;

use crate::plan::{Fault, Plan};
use crate::record::HostId;
use crate::world::Outcome;

/// A tracker that comes back knows everybody again within this time.
const KNOWN_AGAIN: Duration = Duration::from_secs(15);
/// Requests that were under way when a liar was found out, over links that may take nearly a second either way.
const STILL_UNDER_WAY: Duration = Duration::from_secs(4);

/// What does not hold; empty when all is well.
pub(crate) fn judge(plan: &Plan, outcome: &Outcome) -> String {
    let mut wrong = String::new();
    let mut say = |text: String| writeln!(wrong, "- {text}").unwrap();
    outcome.facts.violations.iter().for_each(|violation| say(violation.clone()));
    for host in plan.leechers() {
        if !outcome.facts.complete.contains_key(&host) {
            say(format!(
                "{} is not complete {:?} after the last fault",
                plan.name(host),
                outcome.ended.saturating_sub(plan.quiet())
            ));
        }
    }
    nothing_durable_is_fetched_again(plan, outcome, &mut say);
    liars_are_left(plan, outcome, &mut say);
    the_tracker_knows_everybody_again(plan, outcome, &mut say);
    wrong
}

fn nothing_durable_is_fetched_again(plan: &Plan, outcome: &Outcome, say: &mut impl FnMut(String)) {
    let torrent = &outcome.torrent;
    for asked in &outcome.facts.asked {
        let Some(durable) = outcome.facts.durable.get(&(asked.host, asked.life)) else { continue };
        if asked.back && durable.is_full() {
            continue;
        }
        let chunk = (0..torrent.chunk_count()).map(ChunkIndex::new);
        let mut chunk = chunk.filter(|chunk| torrent.chunk_hash(*chunk).to_string() == asked.hash);
        if chunk.any(|chunk| durable.contains(chunk)) {
            say(format!("{} fetched again what was durable: {asked:?}", plan.name(asked.host)));
        }
    }
}

fn liars_are_left(plan: &Plan, outcome: &Outcome, say: &mut impl FnMut(String)) {
    let Some(liar) = plan.liar() else { return };
    for host in plan.leechers() {
        let link_breaks = plan.faults.iter().any(|(_, fault)| breaks(*fault, host, liar));
        let Some(lied) = outcome.facts.lied_to.get(&outcome.addresses[&host]).filter(|_| !link_breaks) else {
            continue;
        };
        let life = outcome.facts.lives[&host];
        let of_this = outcome.facts.asked.iter().filter(|asked| asked.host == host && asked.life == life);
        let mut later = of_this
            .filter(|asked| asked.to == outcome.addresses[&liar] && asked.at > *lied + STILL_UNDER_WAY);
        if let Some(asked) = later.next() {
            say(format!("{} was lied to at {lied:?} and asked the liar again: {asked:?}", plan.name(host)));
        }
    }
}

/// Whether what was sent over the link may have come much later than it was sent, or never.
fn breaks(fault: Fault, one: HostId, other: HostId) -> bool {
    match fault {
        Fault::Partition(a, b) | Fault::Hold(a, b) => [(one, other), (other, one)].contains(&(a, b)),
        Fault::PullThePlug(host) => host == one || host == other,
        _ => false,
    }
}

fn the_tracker_knows_everybody_again(plan: &Plan, outcome: &Outcome, say: &mut impl FnMut(String)) {
    let Some(returned) = plan.tracker_returned() else { return };
    let everybody: Vec<String> = outcome
        .addresses
        .iter()
        .filter(|(host, _)| host.0 != 0)
        .map(|(_, address)| format!("http://{}", crate::auditor::at(*address)))
        .collect();
    let in_time = |at: Duration| (returned..=returned + KNOWN_AGAIN).contains(&at);
    let lists = outcome.facts.listed.iter().filter(|(at, _)| in_time(*at));
    let longest = lists.map(|(_, list)| everybody.iter().filter(|url| list.contains(*url)).count()).max();
    if longest != Some(everybody.len()) {
        say(format!("the tracker came back at {returned:?} and listed {longest:?} of {everybody:?} in time"));
    }
}
