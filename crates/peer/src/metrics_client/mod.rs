//! Tells a metrics server every three seconds how this process does. A page for people: whatever goes wrong here is a
//! line in the debug log, and never disturbs a download.

mod board;
mod report;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use protocol::api::metrics::{DEFAULT_PORT, METRICS, REPORT_EVERY};
use protocol::{BaseUrl, Host};
use tokio_util::sync::CancellationToken;

pub(crate) use board::Board;

use crate::config::MetricsTo;
use crate::context::Context;
use crate::http_client::json_request;

/// Longest wait for a metrics server's answer: longer than a busy machine takes.
const ANSWER: Duration = Duration::from_secs(5);
/// The same for the last report: the process wants to end, and how it ended is what people look for an hour later.
const LAST_ANSWER: Duration = Duration::from_secs(3);
/// Longest pause after failures: a metrics server that is started later soon knows everyone.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);
/// The first report waits so long for a tracker's answer, which may name the metrics server.
const FIRST_NEWS: Duration = Duration::from_secs(1);
/// Largest answer read.
const MAX_ANSWER: usize = 4 << 10;

/// Reports until `stop`, and once more then, so that how it ended is seen.
pub(crate) async fn run(context: Arc<Context>, to: MetricsTo, stop: CancellationToken) {
    if to == MetricsTo::Off {
        return;
    }
    let first = tokio::time::timeout(FIRST_NEWS, context.board.first_tracker());
    let _ = stop.run_until_cancelled(first).await;
    let mut pause = REPORT_EVERY;
    let mut heard = false;
    while !stop.is_cancelled() {
        let told = stop.run_until_cancelled(tell(&context, &to, false, ANSWER)).await;
        heard = told.unwrap_or(heard);
        pause = if heard { REPORT_EVERY } else { (pause * 2).min(LONGEST_PAUSE) };
        let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }
    // Who did not listen before need not be waited for now.
    if heard {
        tell(&context, &to, true, LAST_ANSWER).await;
    }
}

/// Sends one report; says whether it was taken.
async fn tell(context: &Context, to: &MetricsTo, leaving: bool, limit: Duration) -> bool {
    let Some(server) = server(context, to) else { return false };
    let Some(report) = context.board.report(&context.identity, context.dht.as_ref(), leaving) else {
        return true;
    };
    let Ok(body) = serde_json::to_vec(&report) else { return false };
    let Ok(mut request) = json_request(Method::POST, server.join(METRICS), body) else { return false };
    // One idle connection blocks servers like the original's.
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    match context.http.exchange(&server, request, MAX_ANSWER, limit).await {
        Ok(answer) if answer.status.is_success() => true,
        Ok(answer) => {
            tracing::debug!(%server, status = answer.status.as_u16(), "metrics refused");
            false
        }
        Err(error) => {
            tracing::debug!(%server, %error, "metrics not sent");
            false
        }
    }
}

/// Where reports go: as told, else where a tracker said, else the described default.
fn server(context: &Context, to: &MetricsTo) -> Option<BaseUrl> {
    match to {
        MetricsTo::Off => None,
        MetricsTo::Url(url) => Some(url.clone()),
        MetricsTo::Learn => context
            .board
            .learned(context.identity.url.address().host())
            .or_else(|| BaseUrl::from_url_or_host_port(&format!("localhost:{DEFAULT_PORT}")).ok()),
    }
}

/// Whether a tracker may send our reports there: to its own host; or to loopback, if it is on this machine. A tracker's
/// answer must not make a swarm knock at a victim's door (as threat A6).
fn may_send_us(tracker: &BaseUrl, to: &BaseUrl, us: &Host) -> bool {
    let (tracker, to) = (tracker.address().host(), to.address().host());
    to == tracker || (is_loopback(to) && (is_loopback(tracker) || tracker == us))
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Ip(address) => address.is_loopback(),
        Host::Name(name) => name.as_str() == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_a_tracker_sends_reports_only_to_its_own_host_or_to_a_loopback_that_it_shares_with_us() {
        for (tracker, to, us, may) in [
            ("10.0.0.1:5000", "10.0.0.1:8080", "10.0.0.7", true),
            ("tracker.example:5000", "tracker.example:80", "10.0.0.7", true),
            ("10.0.0.1:5000", "10.0.0.2:80", "10.0.0.7", false),
            ("10.0.0.1:5000", "victim.example:80", "10.0.0.7", false),
            ("10.0.0.1:5000", "127.0.0.1:8080", "10.0.0.7", false),
            ("10.0.0.1:5000", "127.0.0.1:8080", "10.0.0.1", true),
            ("127.0.0.1:5000", "127.0.0.1:8080", "127.0.0.1", true),
            ("localhost:5000", "[::1]:8080", "10.0.0.1", true),
            ("127.0.0.1:5000", "10.0.0.2:8080", "127.0.0.1", false),
        ] {
            let url = |text| BaseUrl::from_url_or_host_port(text).unwrap();
            assert_eq!(
                may_send_us(&url(tracker), &url(to), &us.parse().unwrap()),
                may,
                "{tracker} {to} {us}"
            );
        }
    }
}
