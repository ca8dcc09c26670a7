//! Who holds what: every living member is asked for its bitmap.

use protocol::api::peer::have_path;
use protocol::{ChunkSet, Torrent};
use scenario::{Facts, Permille};
use tokio::task::JoinSet;

use crate::http::Asker;
use crate::stage::Stage;

/// What was seen of everybody; who did not answer keeps what was seen last.
pub(crate) struct Watch {
    asker: Asker,
    /// What each member holds; `None` when it was not seen since its last start.
    seen: Vec<Option<ChunkSet>>,
}

impl Watch {
    pub(crate) fn new(members: usize) -> Self {
        Watch { asker: Asker::new(), seen: vec![None; members] }
    }

    /// Asks everybody who lives, all at once.
    pub(crate) async fn look(&mut self, stage: &Stage<'_>) {
        let torrent = &stage.props.torrent;
        let chunks = torrent.layout().chunk_count();
        let mut answers = JoinSet::new();
        for (place, player) in stage.players.iter().enumerate() {
            if let Some(base) = player.direct() {
                let (asker, url) = (self.asker.clone(), base + &have_path(torrent.id()));
                answers.spawn(async move { (place, asker.get(&url).await) });
            }
        }
        while let Some(answer) = answers.join_next().await {
            let Ok((place, Some(bitmap))) = answer else { continue };
            if let Ok(held) = ChunkSet::from_wire(chunks, &bitmap) {
                self.seen[place] = Some(held);
            }
        }
    }

    /// Its process was killed: what it holds in its next life has to be seen anew.
    pub(crate) fn forget(&mut self, place: usize) {
        self.seen[place] = None;
    }

    /// What the member holds, as it was seen last.
    pub(crate) fn held(&self, place: usize, torrent: &Torrent) -> Option<Permille> {
        let held = self.seen[place].as_ref()?;
        Some(Permille::of(torrent.bytes_in(held), torrent.layout().size()))
    }

    /// What a director wants to know.
    pub(crate) fn facts(&self, stage: &Stage<'_>) -> Facts {
        let torrent = &stage.props.torrent;
        let shares = (0..self.seen.len()).map(|place| self.held(place, torrent).unwrap_or_default());
        Facts { shares: shares.collect(), every_chunk_elsewhere: self.every_chunk_elsewhere(stage) }
    }

    fn every_chunk_elsewhere(&self, stage: &Stage<'_>) -> bool {
        let mut all = ChunkSet::empty(stage.props.torrent.layout().chunk_count());
        let clients = stage.players.iter().zip(&self.seen).skip(1);
        for held in clients.filter(|(player, _)| player.lives()).filter_map(|(_, held)| held.as_ref()) {
            held.iter().for_each(|chunk| {
                all.insert(chunk);
            });
        }
        all.is_full()
    }
}
