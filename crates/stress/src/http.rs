//! Small questions to the processes: bitmaps and the tracker's list.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Longest wait for an answer. A process that is slower just now is asked again at the next look.
const ANSWER: Duration = Duration::from_secs(5);
/// Largest answer: a tracker's list of [`scenario::Setting::MOST_CLIENTS`] peers with their bitmaps stays far below.
const LARGEST: usize = 64 << 20;

/// Asks over kept-alive connections. Clone is cheap.
#[derive(Clone)]
pub(crate) struct Asker(Client<HttpConnector, Empty<Bytes>>);

impl Asker {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Asker(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// The body of a `200`; `None` for any other answer, and for none.
    pub(crate) async fn get(&self, url: &str) -> Option<Bytes> {
        let request = Request::get(url).body(Empty::new()).ok()?;
        let whole = async {
            let answer = self.0.request(request).await.ok()?;
            if answer.status() != StatusCode::OK {
                return None;
            }
            Some(Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes())
        };
        tokio::time::timeout(ANSWER, whole).await.ok().flatten()
    }
}
