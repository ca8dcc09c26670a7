//! What two machines must agree on: hashes, chunks, torrents, links, paths and bodies.
//!
//! Pure: this crate knows no clock, socket, file, thread or random source, and every other crate may depend on
//! it. Each type here has one checked constructor, so that a value which exists is a value that is right:
//! a [`torrent::Torrent`] in hand has consistent sizes, harmless names and an id that matches its content.
//!
//! Written down for other implementations in `docs/protocol.md`.

pub mod address;
pub mod api;
pub mod base_url;
pub mod chunk;
pub mod file_path;
pub mod hash;
mod hex;
mod html;
pub mod id;
pub mod link;
pub mod printable;
mod serde_text;
pub mod time;
pub mod torrent;
pub mod verified;

pub use address::{Host, HostPort};
pub use base_url::BaseUrl;
pub use chunk::{ChunkIndex, ChunkSet};
pub use file_path::{FilePath, NameError};
pub use hash::{Hash, HashAlgorithm};
pub use html::Escaped;
pub use id::{PeerId, ShortId, TorrentId};
pub use link::Link;
pub use printable::Printable;
pub use time::Time;
pub use torrent::Torrent;
pub use verified::VerifiedChunk;
