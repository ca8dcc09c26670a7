//! How everybody ended: files compared, leftovers looked for, processes asked how they ended.

use std::fs;
use std::path::Path;

use protocol::api::tracker::{Peers, peers_path};
use scenario::{Ending, MemberId, OutputFile};

use crate::content;
use crate::failed::Failed;
use crate::http::Asker;
use crate::stage::Stage;
use crate::watch::Watch;

/// Which members the tracker lists; `None` while it does not answer.
pub(crate) async fn listed(asker: &Asker, stage: &Stage<'_>) -> Option<Vec<bool>> {
    let tracker = &stage.tracker.as_ref()?.url;
    let answer = asker.get(&tracker.join(&peers_path(stage.props.torrent.id()))).await?;
    let list: Peers = serde_json::from_slice(&answer).ok()?;
    let is_listed = |player: &crate::player::Player| {
        player.url.as_ref().is_some_and(|url| list.peers.iter().any(|peer| peer.url == *url))
    };
    Some(stage.players.iter().map(is_listed).collect())
}

/// How everybody ended, in the plan's order. Nothing runs any more; every byte is compared.
pub(crate) async fn endings(
    stage: &Stage<'_>,
    watch: &Watch,
    finished: &[bool],
    listed: Option<&[bool]>,
) -> Result<Vec<Ending>, Failed> {
    let mut endings = Vec::with_capacity(stage.players.len());
    for id in stage.plan.ids() {
        let player = &stage.players[id.place()];
        let output = compared(stage, id).await;
        endings.push(Ending {
            held: watch.held(id.place(), &stage.props.torrent).unwrap_or_default(),
            finished: finished[id.place()],
            output,
            left_over: left_over(&player.dir),
            exit: player.exit(),
            listed: listed.and_then(|listed| listed.get(id.place()).copied()),
            proxied: player.proxied.as_ref().map(|proxied| proxied.requests),
            falsified: player.proxied.as_ref().map_or(0, |proxied| proxied.falsified),
        });
    }
    Ok(endings)
}

async fn compared(stage: &Stage<'_>, id: MemberId) -> OutputFile {
    let path = stage.players[id.place()].dir.join(stage.props.torrent.name().as_str());
    let setting = stage.plan.setting;
    let compare = move || content::compare(&path, setting.seed, setting.size);
    let compared = tokio::task::spawn_blocking(compare).await;
    compared.unwrap_or_else(|error| OutputFile::Unreadable(error.to_string()))
}

/// What an unfinished download leaves. A complete one leaves the file and its journal.
fn left_over(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_unfinished = |name: &String| Path::new(name).extension().is_some_and(|end| end == "part");
    names.filter(is_unfinished).collect()
}
