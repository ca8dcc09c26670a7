//! What a browser shows when a person opens a link: what it is, who has it, and two ways to get it.

use std::fmt::{self, Write};

use protocol::{Link, printable};

use crate::html::Escaped;
use crate::shell::quoted;

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
    /// Where a peer serves the plain file (or a folder's list), when one with all of it is known.
    pub file_url: Option<&'a str>,
}

/// The page as HTML. Pure: the same page for the same words.
pub fn link_page(page: &LinkPage<'_>) -> String {
    let mut html = String::with_capacity(4096);
    // Writing into a string cannot fail.
    let _ = write_page(&mut html, page);
    html
}

fn write_page(out: &mut String, page: &LinkPage<'_>) -> fmt::Result {
    let name = Escaped(page.name);
    let link = page.link.to_string();
    let files = if page.folder { format!(" in {}", counted(page.files, "file")) } else { String::new() };
    write!(
        out,
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{name}</title>
<link rel="stylesheet" href="../assets/link.css">
</head>
<body>
<main>
<h1>{name}</h1>
<p class="faint">A {what}, shared by its readers over plain HTTP</p>
<dl>
<div><dt>Size</dt><dd>{size}{files}</dd></div>
<div><dt>Peers</dt><dd>{peers}</dd></div>
<div><dt>With all of it</dt><dd>{seeds}</dd></div>
</dl>
"#,
        what = if page.folder { "folder" } else { "file" },
        size = Size(page.size),
        peers = page.peers,
        seeds = page.seeds,
    )?;
    write_plain_download(out, page)?;
    write!(
        out,
        r"<h2>With http-torrent</h2>
<p>From all peers at once, verified, resumed where it stopped:</p>
<pre>http-torrent get {}</pre>
</main>
<footer>Torrent {}</footer>
</body>
</html>
",
        Escaped(&quoted(&link)),
        page.link.id,
    )
}

fn write_plain_download(out: &mut String, page: &LinkPage<'_>) -> fmt::Result {
    let Some(url) = page.file_url else {
        return out.write_str(
            "<h2>In the browser</h2>\n<p>No peer known here has all of it right now, so there is nobody to download \
             it from in one piece. Reload this page later, or use the line below, which gathers it from those who \
             have parts.</p>\n",
        );
    };
    let shown = Escaped(url);
    if page.folder {
        return write!(
            out,
            "<h2>In the browser</h2>\n<p><a class=\"button\" href=\"{shown}\">Open the folder</a></p>\n<p \
             class=\"faint\">From one of the peers that have all of it.</p>\n"
        );
    }
    // A name that a terminal would obey is not offered for pasting.
    let harmless = page.name.chars().all(printable::is_harmless) && !page.name.starts_with('-');
    let target = if harmless { quoted(page.name) } else { "download".to_owned() };
    let curl = format!("curl -o {target} {}", quoted(url));
    write!(
        out,
        "<h2>In the browser</h2>\n<p><a class=\"button\" href=\"{shown}\" download>Download</a></p>\n<p \
         class=\"faint\">From one of the peers that have all of it, or in a terminal:</p>\n<pre>{}</pre>\n",
        Escaped(&curl),
    )
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
            file_url: Some(&file_url),
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
            file_url: None,
        });
        assert!(html.contains("5.00 GiB in 1 file<") && html.contains("No peer known here has all of it"));
        assert!(!html.contains("class=\"button\"") && !html.contains("curl"));
    }

    #[test]
    fn a26_a_hostile_name_is_text_in_the_page_and_one_word_in_the_shell() {
        let link = link();
        let page = |name| {
            let file_url = Some("http://10.0.0.2:8000/file/x\"><script>");
            link_page(&LinkPage {
                name,
                size: 1,
                files: 1,
                folder: false,
                peers: 1,
                seeds: 1,
                link: &link,
                file_url,
            })
        };
        let html = page("</title><script>alert(1)</script>';reboot;'");
        assert!(!html.contains("<script") && !html.contains("';reboot;'"));
        assert!(html.contains("curl -o &#39;&lt;/title&gt;"));
        let html = page("\u{1b}]0;x\u{202e}");
        assert!(!html.contains(['\u{1b}', '\u{202e}']) && html.contains("curl -o download "));
        assert!(page("-O").contains("curl -o download "), "no name may be an option");
    }

    #[test]
    fn a38_the_page_loads_only_our_style_sheet() {
        let link = link();
        let url = "http://10.0.0.2:8000/file/x";
        let file_url = Some(url);
        let html = link_page(&LinkPage {
            name: "a",
            size: 1,
            files: 1,
            folder: false,
            peers: 1,
            seeds: 1,
            link: &link,
            file_url,
        });
        assert_eq!(html.matches(" src=").count(), 0);
        assert_eq!(html.matches("<link ").count(), 1);
        assert!(!html.contains("<script") && !html.contains("style=") && !html.contains("<img"));
    }
}
