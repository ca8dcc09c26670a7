//! SIGINT and SIGTERM: the first ends the process in good order, the second at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;

/// A token that is cancelled by the first signal.
pub(crate) fn stop_on_signals(output: &Output) -> Result<CancellationToken, Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")));
    let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    tokio::spawn(obey(output.clone(), interrupt, terminate, stop.clone()));
    Ok(stop)
}

async fn obey(output: Output, mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            // Whoever asks twice does not want to wait for a tracker that does not answer.
            std::process::exit(i32::from(ExitCode::Failed.number()));
        }
        output.remark("ending in good order; a second signal ends at once");
        stop.cancel();
    }
}

/// What `work` gives, unless a signal comes first.
pub(crate) async fn or_interrupted<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    stop.run_until_cancelled(work).await.ok_or_else(Failure::interrupted)
}
