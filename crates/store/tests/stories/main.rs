//! The store on the real disk, as its users meet it.
#![expect(clippy::unwrap_used, reason = "also in what the tests share")]

mod download;
mod in_the_way;
mod memory;
mod selection;
mod shared;
mod support;
mod torrentify;
mod verify;
