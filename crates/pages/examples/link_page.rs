//! Writes the link page in each of its states below a folder, to look at in a browser without a swarm:
//! `cargo run -p pages --example link_page -- target/link-page`, then open `target/link-page/torrent/file.html`.

use std::path::PathBuf;
use std::{env, fs, io};

use pages::{LinkPage, Plain, asset, link_page};
use protocol::Link;

/// A name as bad as names get: markup, a command, a reversed ending, and no place to break the line.
const HOSTILE: &str = "<script>alert(1)</script>$(reboot)'\"&amp;photo\u{202e}gpj.exe";

fn main() -> io::Result<()> {
    let folder: PathBuf = env::args_os().nth(1).unwrap_or_else(|| "target/link-page".into()).into();
    fs::create_dir_all(folder.join("torrent"))?;
    fs::create_dir_all(folder.join("assets"))?;
    let css = asset("link.css").ok_or_else(|| io::Error::other("no style sheet"))?;
    fs::write(folder.join("assets/link.css"), css.bytes)?;
    let id = "3f1c7a5be0924d8896b1f2ce4a7d30595be0924d8896b1f2ce4a7d30593f1c7a";
    let link: Link = format!("http://192.168.1.20:5000/torrent/{id}").parse().map_err(io::Error::other)?;
    let file_url = format!("http://192.168.1.34:40213/file/{id}");
    let file = LinkPage {
        name: "debian-13.2.0-amd64-DVD-1.iso",
        size: 3_994_091_520,
        files: 1,
        folder: false,
        peers: 12,
        seeds: 3,
        link: &link,
        plain: Some(Plain { url: &file_url, from_publisher: true }),
    };
    let hostile = format!("{HOSTILE}{}", "x".repeat(255 - HOSTILE.len()));
    let states = [
        ("file", file.clone()),
        ("folder", LinkPage { name: "photos", files: 4_812, folder: true, ..file.clone() }),
        ("nobody", LinkPage { peers: 0, seeds: 0, plain: None, ..file.clone() }),
        ("parts", LinkPage { peers: 4, seeds: 0, plain: None, ..file.clone() }),
        ("chunks", LinkPage { peers: 4, seeds: 1, plain: None, ..file.clone() }),
        ("hostile", LinkPage { name: &hostile, ..file.clone() }),
        ("arabic", LinkPage { name: "تقرير نهائي.pdf", ..file }),
    ];
    for (state, page) in states {
        fs::write(folder.join(format!("torrent/{state}.html")), link_page(&page))?;
    }
    Ok(())
}
