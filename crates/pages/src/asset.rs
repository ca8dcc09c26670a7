//! Files that pages need, embedded.

/// One embedded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// A strong entity tag, quoted: the same for the same bytes.
    pub etag: &'static str,
}

/// An asset with its tag, both made by the compiler.
macro_rules! embedded {
    ($file:literal, $media_type:literal) => {{
        const BYTES: &[u8] = include_bytes!(concat!("../assets/", $file));
        const TAG: [u8; 18] = etag(BYTES);
        let Ok(etag) = std::str::from_utf8(&TAG) else { return None };
        Some(Asset { media_type: $media_type, bytes: BYTES, etag })
    }};
}

/// The asset of this name, as it stands behind `/assets/`. All of them are built from `dashboard/`.
pub const fn asset(name: &str) -> Option<Asset> {
    match name.as_bytes() {
        b"link.css" => embedded!("link.css", "text/css; charset=utf-8"),
        b"dashboard.css" => embedded!("dashboard.css", "text/css; charset=utf-8"),
        b"dashboard.js" => embedded!("dashboard.js", "text/javascript; charset=utf-8"),
        b"icon.svg" => embedded!("icon.svg", "image/svg+xml"),
        _ => None,
    }
}

/// FNV-1a (64 bit) in hex and quotes, computed by the compiler: a tag must only differ between builds, not resist
/// anybody.
const fn etag(bytes: &[u8]) -> [u8; 18] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    let mut tag = [b'"'; 18];
    let mut digit = 0;
    while digit < 16 {
        tag[digit + 1] = b"0123456789abcdef"[(hash >> (60 - 4 * digit) & 15) as usize];
        digit += 1;
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_have_a_type_and_a_tag_of_their_bytes() {
        let css = asset("link.css").unwrap();
        assert!(css.media_type.starts_with("text/css") && css.bytes.starts_with(b"/*"));
        // FNV-1a's published test values.
        assert_eq!(&etag(b""), b"\"cbf29ce484222325\"");
        assert_eq!(&etag(b"foobar"), b"\"85944171f73967e8\"");
        assert_eq!(asset("../Cargo.toml"), None);
    }

    #[test]
    fn a38_the_style_sheets_fetch_nothing() {
        for name in ["link.css", "dashboard.css"] {
            assert!(!fetches(&String::from_utf8_lossy(asset(name).unwrap().bytes)), "{name}");
        }
        for fetching in ["a{background:url(x)}", "@import 'x';", "a{background:image-set('x' 1x)}"] {
            assert!(fetches(fetching), "{fetching}");
        }
    }

    fn fetches(css: &str) -> bool {
        ["url(", "@import", "image-set("].iter().any(|way| css.contains(way))
    }

    #[test]
    fn every_asset_of_the_page_is_embedded() {
        let html = crate::dashboard::HTML;
        let named: Vec<&str> =
            html.split("assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named, ["icon.svg", "dashboard.css", "dashboard.js"]);
        assert!(named.iter().all(|name| asset(name).is_some()));
        let script = String::from_utf8_lossy(asset("dashboard.js").unwrap().bytes);
        assert!(
            !script.contains("import(") && !script.contains("eval(") && !script.contains("sourceMappingURL")
        );
    }

    const TEMPLATES: [&str; 4] = [
        include_str!("../templates/page.html"),
        include_str!("../templates/file.html"),
        include_str!("../templates/folder.html"),
        include_str!("../templates/absent.html"),
    ];

    /// Classes that stand in the markup and have no rule in the style sheet.
    fn unstyled<'a>(markup: &'a str, css: &str) -> Vec<&'a str> {
        let values = markup.split("class=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let classes = values.flat_map(str::split_whitespace);
        let ruled = |class: &&str| {
            let selector = format!(".{}", class.replace(':', "\\:"));
            let ends = |at: usize| {
                css[at + selector.len()..].starts_with(|c: char| !c.is_alphanumeric() && !"-_\\".contains(c))
            };
            css.match_indices(&selector).any(|(at, _)| ends(at))
        };
        classes.filter(|class| !ruled(class)).collect()
    }

    #[test]
    fn the_committed_style_sheet_has_a_rule_for_every_class_of_the_markup() {
        let css = String::from_utf8_lossy(asset("link.css").unwrap().bytes);
        for markup in TEMPLATES {
            assert!(markup.contains("class=\""));
            assert_eq!(unstyled(markup, &css), Vec::<&str>::new(), "run `make dashboard`");
        }
        assert_eq!(unstyled("<p class=\"a sm:p-8 b\">", ".a{} .sm\\:p-80{} .b-c{}"), ["sm:p-8", "b"]);
    }
}
