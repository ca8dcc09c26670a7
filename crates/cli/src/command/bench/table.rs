//! What people read: what is tried, and the figures, a line each.

use load::Figures;
use scenario::units::human_bytes;

use super::Case;

/// What a case is about.
pub(super) fn about(case: Case, announced: u32) -> String {
    match case {
        Case::Announces => "announces: listed peers announce again (native)".to_owned(),
        Case::LookUps => "look-ups: POST /chunk (described)".to_owned(),
        Case::DescribedHashes => "described-hashes: clients that hold the same hashes".to_owned(),
        Case::Announced => format!("announced: {announced} peers at once (native)"),
        Case::Burst => "burst: new peers within one second, a connection each (native)".to_owned(),
    }
}

/// The figures. What was not measured has no line.
pub(super) fn lines(figures: &Figures) -> Vec<String> {
    let row = |name: &str, value: String, more: String| {
        format!("{name:<22} {value:>12}  {more}").trim_end().to_owned()
    };
    let per = |rate: f64| hashes(rate, figures.hashes_per_request);
    let mut lines = vec![
        format!("{}: {} listed", figures.case, figures.listed),
        row(
            "requests",
            figures.requests.to_string(),
            format!("in {:.2} s, {} refused", figures.seconds, figures.refused),
        ),
        row("a second", whole(figures.requests_per_s), per(figures.requests_per_s)),
    ];
    if let Some(rate) = figures.requests_per_cpu_s {
        let cost = figures.cpu_s.zip(figures.load_cpu_s);
        let cost =
            cost.map(|(tracker, load)| format!("{tracker:.2} s of the tracker, {load:.2} s of the load"));
        let more = [Some(per(rate)).filter(|text| !text.is_empty()), cost];
        lines.push(row(
            "a CPU second",
            whole(rate),
            more.into_iter().flatten().collect::<Vec<_>>().join("; "),
        ));
    }
    if let (Some(p50), Some(p99), Some(longest)) = (figures.p50_ms, figures.p99_ms, figures.longest_ms) {
        let more = format!("99 % within {p99:.2} ms, the longest {longest:.2} ms");
        lines.push(row("half within", format!("{p50:.2} ms"), more));
    }
    if let Some(peers) = figures.peers_in_answer {
        lines.push(row("peers in an answer", peers.to_string(), String::new()));
    }
    if let Some(bytes) = figures.resident_bytes {
        let before = figures.resident_before_bytes.map(|before| format!("{} before", human_bytes(before)));
        lines.push(row("memory", human_bytes(bytes), before.unwrap_or_default()));
    }
    lines
}

fn whole(rate: f64) -> String {
    format!("{rate:.0}")
}

#[expect(clippy::cast_precision_loss, reason = "a request has at most some thousands")]
fn hashes(rate: f64, per_request: u64) -> String {
    if per_request == 0 { String::new() } else { format!("{:.0} hashes", rate * per_request as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_has_no_line() {
        let mut figures = Figures {
            case: "look-ups",
            requests: 7,
            refused: 0,
            seconds: 2.0,
            requests_per_s: 3.5,
            requests_per_cpu_s: None,
            hashes_per_request: 100,
            p50_ms: Some(1.0),
            p99_ms: Some(2.0),
            longest_ms: Some(3.0),
            cpu_s: None,
            load_cpu_s: Some(1.0),
            listed: 50,
            peers_in_answer: None,
            resident_before_bytes: None,
            resident_bytes: None,
        };
        let text = lines(&figures).join("\n");
        assert!(text.contains("350 hashes") && !text.contains("CPU") && !text.contains("memory"), "{text}");
        (figures.requests_per_cpu_s, figures.cpu_s) = (Some(10.0), Some(0.7));
        assert!(lines(&figures).join("\n").contains("1000 hashes; 0.70 s of the tracker"));
    }
}
