//! Whom a getter asked for a description, and whom it may ask again. Pure.

use std::collections::BTreeMap;

use protocol::BaseUrl;

/// Requests in all: strangers may name any number of peers, and whoever is named gets a request.
const REQUESTS: usize = 64;
/// Of these, how many may go to peers that were asked before: those that keep silent leave room for who is new.
const REPEATED: usize = 24;
/// Requests to one peer. One that was just started has the torrent a moment later; one that stood still answers then.
const TO_ONE: u8 = 3;

/// The requests of one search.
#[derive(Default)]
pub(super) struct Asked {
    /// Requests to each peer; with [`TO_ONE`] it is done with.
    peers: BTreeMap<BaseUrl, u8>,
    requests: usize,
    repeated: usize,
}

impl Asked {
    /// Peers that were asked.
    pub(super) fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Of `named`, at most `most` that were never asked and may be now. They count as asked.
    pub(super) fn first(&mut self, named: impl IntoIterator<Item = BaseUrl>, most: usize) -> Vec<BaseUrl> {
        let mut new = Vec::new();
        for peer in named {
            if new.len() < most && self.requests < REQUESTS && !self.peers.contains_key(&peer) {
                self.requests += 1;
                self.peers.insert(peer.clone(), 1);
                new.push(peer);
            }
        }
        new
    }

    /// Those that may be asked once more. They count as asked.
    pub(super) fn again(&mut self) -> Vec<BaseUrl> {
        let room = (REPEATED - self.repeated).min(REQUESTS - self.requests);
        let hopeful = self.peers.iter_mut().filter(|(_, requests)| **requests < TO_ONE).take(room);
        let peers: Vec<BaseUrl> = hopeful
            .map(|(peer, requests)| {
                *requests += 1;
                peer.clone()
            })
            .collect();
        self.requests += peers.len();
        self.repeated += peers.len();
        peers
    }

    /// What `peer` sent is not the torrent.
    pub(super) fn give_up(&mut self, peer: &BaseUrl) {
        if let Some(requests) = self.peers.get_mut(peer) {
            *requests = TO_ONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(hosts: std::ops::Range<u16>) -> Vec<BaseUrl> {
        hosts.map(|port| format!("http://127.0.0.1:{port}").parse().unwrap()).collect()
    }

    #[test]
    fn who_did_not_answer_is_asked_three_times_and_who_lied_once() {
        let mut asked = Asked::default();
        assert_eq!(asked.first(peers(1..4), 8), peers(1..4));
        assert_eq!(asked.first(peers(1..4), 8), vec![], "they are known");
        asked.give_up(&peers(2..3)[0]);
        let hopeful = [peers(1..2), peers(3..4)].concat();
        assert_eq!(asked.again(), hopeful);
        assert_eq!(asked.again(), hopeful);
        assert_eq!((asked.again(), asked.peers()), (vec![], 3));
    }

    #[test]
    fn a06_however_many_are_named_requests_are_bounded_and_some_are_left_for_who_is_new() {
        let mut asked = Asked::default();
        assert_eq!(asked.first(peers(1..100), 8).len(), 8, "of one answer");
        assert_eq!(asked.first(peers(100..130), 30).len(), 30);
        let repeated: usize = (0..10).map(|_| asked.again().len()).sum();
        assert_eq!(repeated, REPEATED);
        assert_eq!(asked.first(peers(200..300), 100).len(), REQUESTS - 38 - REPEATED);
        assert_eq!((asked.first(peers(300..301), 8), asked.again()), (vec![], vec![]), "nothing is left");

        let mut many = Asked::default();
        assert_eq!(many.first(peers(1..100), 100).len(), REQUESTS);
        assert_eq!(many.again(), vec![]);
    }
}
