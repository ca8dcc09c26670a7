//! What is seen while scenarios run: a table on a terminal, lines elsewhere, events with `--json`.

use std::time::Duration;

use ::scenario::{Permille, Plan, Run, Traits};
use protocol::BaseUrl;
use stress::{Look, MemberLook, Observer, Standing};
use tokio::time::Instant;

use crate::event::{Event, Role};
use crate::output::Output;
use crate::progress_line::ProgressLine;

/// Rows of clients on a terminal; the rest is counted in one more.
const MOST_ROWS: usize = 24;
/// Characters of a bar.
const WIDTH: usize = 32;
/// At most two events of progress a second are promised.
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);

/// Shows it.
pub(super) struct Live<'a> {
    output: &'a Output,
    scenario: &'static str,
    rows: Vec<ProgressLine>,
    said: Option<Instant>,
}

impl<'a> Live<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Live { output, scenario: "", rows: Vec::new(), said: None }
    }
}

impl Observer for Live<'_> {
    fn page(&mut self, url: &BaseUrl) {
        self.output.event(&Event::Listening { role: Role::MetricServer, url });
        self.output.remark(&format!("watch everybody at {url}/"));
    }

    fn begins(&mut self, plan: &Plan) {
        self.scenario = plan.name;
        self.output.remark(&format!("{}: {}", plan.name, plan.about));
        self.output.event(&Event::Scenario {
            name: plan.name,
            clients: plan.setting.clients,
            bytes: plan.setting.size,
            seed: plan.setting.seed,
        });
        // One for the title, one for those who find no room.
        let rows = plan.members.len().min(MOST_ROWS) + 2;
        self.rows = (0..rows).map(|_| ProgressLine::new(self.output)).collect();
    }

    fn looks(&mut self, look: &Look<'_>) {
        let title = format!("{} · {} of all · {:.0} s", look.plan.name, look.swarm, look.second);
        let members = look.plan.members.iter().zip(look.members);
        let texts = members.take(MOST_ROWS).map(|(member, look)| row(&member.name, &member.traits, *look));
        let hidden = look.members.iter().skip(MOST_ROWS);
        let (done, count) =
            (hidden.clone().filter(|look| look.standing == Standing::Complete).count(), hidden.count());
        let rest = (count > 0).then(|| format!("and {count} more, {done} of them complete"));
        for (row, text) in self.rows.iter().zip(std::iter::once(title).chain(texts).chain(rest)) {
            row.show(text);
        }
        if self.said.is_none_or(|said| said.elapsed() >= BETWEEN_EVENTS) {
            self.said = Some(Instant::now());
            self.output.event(&Event::Swarm {
                scenario: look.plan.name,
                seconds: look.second,
                permille: look.swarm,
                clients: look.members.iter().skip(1).map(|look| look.held).collect(),
            });
        }
    }

    fn happens(&mut self, second: f64, swarm: Permille, what: &str) {
        self.output.remark(&format!("  {second:>5.1} s  {swarm:>5}  {what}"));
        self.output.event(&Event::Fault { scenario: self.scenario, seconds: second, permille: swarm, what });
    }

    fn ends(&mut self, run: &Run) {
        self.rows.clear();
        let verdict = match run {
            _ if run.ok => "ok",
            _ if run.shows_nothing() => "VOID",
            _ => "FAILED",
        };
        self.output.result(&format!("{verdict:<6} {:<26} {:>5.1} s", run.scenario, run.seconds));
        for failure in &run.failures {
            let log = failure.log.as_deref().map(|log| format!(" ({log})")).unwrap_or_default();
            self.output.result(&format!("       {}: {}: {}{log}", failure.who, failure.what, failure.why));
        }
        self.output.event(&Event::Verdict {
            scenario: &run.scenario,
            ok: run.ok,
            seconds: run.seconds,
            failures: &run.failures,
        });
    }
}

/// `client-3  [########------------------------] 25 %  dht · 2 restarts`
fn row(name: &str, traits: &Traits, look: MemberLook) -> String {
    let filled = usize::from(look.held.get()) * WIDTH / 1000;
    let share = match look.standing {
        Standing::Awaited => "to come".to_owned(),
        Standing::Dead => "dead".to_owned(),
        Standing::Complete => "complete".to_owned(),
        Standing::Downloading => look.held.to_string(),
    };
    let mut marks: Vec<String> = traits.in_words().into_iter().map(str::to_owned).collect();
    if look.restarts > 0 {
        marks.push(format!("started again {}×", look.restarts));
    }
    format!(
        "{name:<11} [{}{}] {share:<9} {}",
        "#".repeat(filled),
        "-".repeat(WIDTH - filled),
        marks.join(" · ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::scenario::Conduct;

    #[test]
    fn a_row_says_who_how_far_and_what_is_special() {
        let traits = Traits { dht: true, conduct: Conduct::Liar, ..Traits::default() };
        let look = MemberLook { held: Permille::new(250), standing: Standing::Downloading, restarts: 2 };
        assert_eq!(
            row("client-3", &traits, look),
            "client-3    [########------------------------] 25 %      dht · liar · started again 2×"
        );
    }
}
