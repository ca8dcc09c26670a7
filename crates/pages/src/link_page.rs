//! What a browser shows when a person opens a link: what it is, who has it, and two ways to get it.

use std::fmt::{self, Write};

use protocol::{Link, printable};

use crate::shell::quoted;
use protocol::Escaped;

/// What the page says.
#[derive(Clone, Debug)]
pub struct LinkPage<'a> {
    /// Name of the file or folder, as found.
    pub name: &'a str,
    /// Bytes.
    pub size: u64,
    /// How many files; 1 for a single file.
    pub files: usize,
    /// Whether it is a folder, if only of one file.
    pub folder: bool,
    /// Peers that hold some of it.
    pub peers: usize,
    /// Those that hold all of it.
    pub seeds: usize,
    /// The link itself.
    pub link: &'a Link,
    /// The plain file (or a folder's list), when a peer with all of it is known.
    pub plain: Option<Plain<'a>>,
}

/// A plain download: nobody checks what arrives.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// Where a peer serves it.
    pub url: &'a str,
    /// That peer is the one that published the torrent. Any other only says that it has all of it.
    pub from_publisher: bool,
}

/// The page as HTML. Pure: the same page for the same words.
pub fn link_page(page: &LinkPage<'_>) -> String {
    let mut html = String::with_capacity(4096);
    // Writing into a string cannot fail.
    let _ = write_page(&mut html, page);
    html
}

fn write_page(out: &mut String, page: &LinkPage<'_>) -> fmt::Result {
    let mut plain = String::with_capacity(1024);
    write_plain_download(&mut plain, page)?;
    let gathers = "From all peers at once. It checks every chunk, which a browser and curl do not, and goes on where it stopped.";
    write!(
        out,
        include_str!("../templates/page.html"),
        name = Escaped(page.name),
        what = if page.folder { "folder" } else { "file" },
        size = Size(page.size),
        files = page.files,
        peers = page.peers,
        seeds = page.seeds,
        plain = plain,
        gathers = gathers,
        link = Escaped(&quoted(&page.link.to_string())),
        id = page.link.id,
    )
}

fn write_plain_download(out: &mut String, page: &LinkPage<'_>) -> fmt::Result {
    let Some(Plain { url, from_publisher }) = page.plain else {
        let (what, next) = absence(page);
        return write!(out, include_str!("../templates/absent.html"), what = what, next = next);
    };
    let who = if from_publisher { "the peer that published it" } else { "a peer that says it has all of it" };
    if page.folder {
        return write!(out, include_str!("../templates/folder.html"), who = who, url = Escaped(url));
    }
    // A name that a terminal would obey is not offered for pasting.
    let harmless = page.name.chars().all(printable::is_harmless) && !page.name.starts_with('-');
    let target = if harmless { quoted(page.name) } else { "download".to_owned() };
    write!(
        out,
        include_str!("../templates/file.html"),
        who = who,
        url = Escaped(url),
        size = Size(page.size),
        target = Escaped(&target),
        curl_url = Escaped(&quoted(url)),
    )
}

/// Why there is no plain download, and what to do about it.
fn absence(page: &LinkPage<'_>) -> (&'static str, &'static str) {
    if page.seeds > 0 {
        return (
            "No peer known here offers the plain download",
            "Those that have all of it only hand out single chunks. The line below puts them together.",
        );
    }
    let next = if page.peers == 0 {
        "Nobody is here yet, or everybody has left. Ask whoever sent you the link to start sharing again; the line \
         below can already be started and waits for them."
    } else {
        "So there is nobody to download it from in one go. The line below gathers it from those who have parts of \
         it, and waits for the rest."
    };
    ("No peer known here has all of it right now", next)
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A size for people: binary units, three digits.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return f.write_str(&counted(usize::try_from(self.0).unwrap_or(usize::MAX), "byte"));
        }
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let mut size = self.0 as f64 / 1024.0;
        let mut unit = 0;
        // What would be shown as 1024 is 1.00 of the next unit.
        while size >= 1023.5 && unit + 1 < UNITS.len() {
            size /= 1024.0;
            unit += 1;
        }
        let decimals = if size < 9.995 { 2 } else { usize::from(size < 99.95) };
        write!(f, "{size:.decimals$} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        let id = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        format!("http://10.0.0.1:5000/torrent/{id}").parse().unwrap()
    }

    #[test]
    fn sizes_are_told_in_three_digits() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (10_240, "10.0 KiB"),
            (1_048_575, "1.00 MiB"),
            (123 << 20, "123 MiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), shown);
        }
    }

    #[test]
    fn the_page_of_a_file_with_a_seed() {
        let link = link();
        let file_url = format!("http://10.0.0.2:8000/file/{}", link.id);
        insta::assert_snapshot!(link_page(&LinkPage {
            name: "holiday photos.zip",
            size: 734_003_200,
            files: 1,
            folder: false,
            peers: 12,
            seeds: 3,
            link: &link,
            plain: Some(Plain { url: &file_url, from_publisher: true }),
        }));
    }

    #[test]
    fn the_page_of_a_folder_that_nobody_has_whole_says_so() {
        let link = link();
        let html = link_page(&LinkPage {
            name: "photos",
            size: 5 << 30,
            files: 1,
            folder: true,
            peers: 1,
            seeds: 0,
            link: &link,
            plain: None,
        });
        assert!(html.contains("<dd>5.00 GiB</dd>") && html.contains("<dt>Files</dt><dd>1</dd>"));
        assert!(html.contains("No peer known here has all of it") && html.contains("those who have parts"));
        assert!(
            !html.contains("Open the folder") && !html.contains(" download>") && !html.contains("curl -f -o")
        );
    }

    #[test]
    fn a_folder_with_a_seed_is_opened_and_not_downloaded_at_once() {
        let link = link();
        let html = link_page(&LinkPage {
            name: "photos",
            size: 5 << 30,
            files: 1200,
            folder: true,
            peers: 1,
            seeds: 1,
            link: &link,
            plain: Some(Plain { url: "http://10.0.0.2:8000/file/x/", from_publisher: false }),
        });
        assert!(html.contains("href=\"http://10.0.0.2:8000/file/x/\">Open the folder<"));
        assert!(html.contains("<dt>Files</dt><dd>1200</dd>") && html.contains("A folder shared"));
        assert!(
            html.contains("from a peer that says it has all of it")
                && html.contains("nothing checks what arrives")
        );
        assert!(!html.contains(" download>") && !html.contains("curl -f -o"));
    }

    #[test]
    fn whoever_comes_when_there_is_no_plain_download_reads_what_to_do() {
        let link = link();
        let page = |peers, seeds| {
            link_page(&LinkPage {
                name: "a",
                size: 1,
                files: 1,
                folder: false,
                peers,
                seeds,
                link: &link,
                plain: None,
            })
        };
        let (empty, described) = (page(0, 0), page(2, 1));
        assert!(empty.contains("Ask whoever sent you the link") && empty.contains("href=\"\">Look again<"));
        assert!(
            described.contains("only hand out single chunks") && !described.contains("has all of it right")
        );
        assert!(empty.contains("http-torrent get http://") && described.contains("http-torrent get http://"));
    }

    #[test]
    fn a26_a_hostile_name_is_text_in_the_page_and_one_word_in_the_shell() {
        let link = link();
        let page = |name| {
            let plain = Some(Plain { url: "http://10.0.0.2:8000/file/x\"><script>", from_publisher: true });
            link_page(&LinkPage {
                name,
                size: 1,
                files: 1,
                folder: false,
                peers: 1,
                seeds: 1,
                link: &link,
                plain,
            })
        };
        let html = page("</title><script>alert(1)</script>';reboot;'");
        assert!(!html.contains("<script") && !html.contains("';reboot;'"));
        assert!(html.contains("curl -f -o <bdi>&#39;&lt;/title&gt;"));
        let html = page("\u{1b}]0;x\u{202e}");
        assert!(!html.contains(['\u{1b}', '\u{202e}']) && html.contains("curl -f -o <bdi>download</bdi> "));
        assert!(page("-O").contains("curl -f -o <bdi>download</bdi> "), "no name may be an option");
    }

    #[test]
    fn a38_the_page_loads_only_our_style_sheet() {
        let link = link();
        let url = "http://10.0.0.2:8000/file/x";
        let plain = Some(Plain { url, from_publisher: true });
        let html = link_page(&LinkPage {
            name: "a",
            size: 1,
            files: 1,
            folder: false,
            peers: 1,
            seeds: 1,
            link: &link,
            plain,
        });
        assert_eq!(html.matches(" src=").count(), 0);
        assert_eq!(html.matches("<link ").count(), 1);
        assert!(!html.contains("<script") && !html.contains("style=") && !html.contains("<img"));
    }
}
