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

/// A token that is cancelled by the first signal that asks to end, a closed terminal's included. Further ones change
/// nothing: what is being cleared away then must not be left behind.
pub(crate) fn stop_on_any_signal(output: &Output) -> Result<CancellationToken, Failure> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()] {
        let mut signals =
            signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
        let (output, stop) = (output.clone(), stop.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if !stop.is_cancelled() {
                    output.remark("ending: every process that was started is stopped first");
                }
                stop.cancel();
            }
        });
    }
    Ok(stop)
}

/// What `work` gives, unless a signal comes first.
pub(crate) async fn or_interrupted<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    stop.run_until_cancelled(work).await.ok_or_else(Failure::interrupted)
}
