//! The link: where to ask, and for what.
//!
//! `http://tracker:port/torrent/{id}`; further trackers as `?tr=host:port`, ways into the DHT as
//! `?dht=host:port`; a secret only ever in the `#fragment`, which no HTTP client sends.

use std::fmt;
use std::str::FromStr;

use crate::base_url::BadUrl;
use crate::{BaseUrl, HostPort, TorrentId};

/// Longest link taken.
pub const MAX_LINK: usize = 4096;
/// Most further trackers, and most ways into the DHT, in one link.
pub const MAX_EXTRAS: usize = 16;

/// A parsed link.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The tracker that answers at the link itself.
    pub tracker: BaseUrl,
    /// The torrent.
    pub id: TorrentId,
    /// Further trackers (`tr`).
    pub more_trackers: Vec<BaseUrl>,
    /// Ways into the DHT (`dht`).
    pub dht: Vec<HostPort>,
    /// What stands behind `#`, if anything. Never displayed by `Debug`.
    pub secret: Option<String>,
}

/// Why a text is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// Over [`MAX_LINK`].
    #[error("a link has at most {MAX_LINK} characters")]
    TooLong,
    /// Not `…/torrent/{id}`.
    #[error("a link looks like http://host:port/torrent/<64 hexadecimal digits>")]
    Form,
    /// The part before `/torrent/`.
    #[error("the link's tracker: {0}")]
    Tracker(BadUrl),
    /// A `tr` or `dht` that is no address, or too many of them.
    #[error("the link's '{0}' is wrong: expected host:port, at most {MAX_EXTRAS} times")]
    Extra(&'static str),
}

impl Link {
    /// A link to this torrent at this tracker and nothing more.
    pub const fn new(tracker: BaseUrl, id: TorrentId) -> Self {
        Link { tracker, id, more_trackers: Vec::new(), dht: Vec::new(), secret: None }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/torrent/{}", self.tracker, self.id)?;
        let trackers = self.more_trackers.iter().map(|tracker| ("tr", tracker.to_tracker_url()));
        let dht = self.dht.iter().map(|node| ("dht", node.to_string()));
        for (at, (key, value)) in trackers.chain(dht).enumerate() {
            write!(f, "{}{key}={value}", if at == 0 { '?' } else { '&' })?;
        }
        self.secret.as_ref().map_or(Ok(()), |secret| write!(f, "#{secret}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|_| "[redacted]".to_owned());
        fmt::Display::fmt(&Link { secret, ..self.clone() }, f)
    }
}

impl FromStr for Link {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        if text.len() > MAX_LINK {
            return Err(BadLink::TooLong);
        }
        let (rest, secret) = match text.split_once('#') {
            Some((rest, secret)) => (rest, (!secret.is_empty()).then(|| secret.to_owned())),
            None => (text, None),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (tracker, id) = place.rsplit_once("/torrent/").ok_or(BadLink::Form)?;
        let mut link = Link::new(
            tracker.parse().map_err(BadLink::Tracker)?,
            id.strip_suffix('/').unwrap_or(id).parse().map_err(|_| BadLink::Form)?,
        );
        link.secret = secret;
        for pair in query.split('&') {
            // Unknown keys are a later version's business.
            match pair.split_once('=') {
                Some(("tr", value)) if link.more_trackers.len() < MAX_EXTRAS => {
                    let tracker = BaseUrl::from_url_or_host_port(value).map_err(|_| BadLink::Extra("tr"))?;
                    link.more_trackers.push(tracker);
                }
                Some(("dht", value)) if link.dht.len() < MAX_EXTRAS => {
                    link.dht.push(value.parse().map_err(|_| BadLink::Extra("dht"))?);
                }
                Some(("tr", _)) => return Err(BadLink::Extra("tr")),
                Some(("dht", _)) => return Err(BadLink::Extra("dht")),
                _ => {}
            }
        }
        Ok(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_link_survives_its_text() {
        for text in [
            format!("http://10.0.0.1:5000/torrent/{ID}"),
            format!(
                "https://site.example/p2p/torrent/{ID}?tr=10.0.0.2:5000&tr=https://b.example/x&dht=[::1]:8468#s3cret"
            ),
        ] {
            assert_eq!(text.parse::<Link>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_secret_is_not_logged() {
        let link: Link = format!("http://a:1/torrent/{ID}#s3cret").parse().unwrap();
        assert!(!format!("{link:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_no_link_says_why() {
        assert_eq!("torrent.json".parse::<Link>(), Err(BadLink::Form));
        assert_eq!("http://a:1/torrent/12".parse::<Link>(), Err(BadLink::Form));
        assert!(matches!(format!("ftp://a/torrent/{ID}").parse::<Link>(), Err(BadLink::Tracker(_))));
        assert_eq!(format!("http://a:1/torrent/{ID}?dht=x").parse::<Link>(), Err(BadLink::Extra("dht")));
        let many = format!("http://a:1/torrent/{ID}?{}", vec!["tr=a:1"; 17].join("&"));
        assert_eq!(many.parse::<Link>(), Err(BadLink::Extra("tr")));
    }
}
