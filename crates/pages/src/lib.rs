//! The pages a browser sees, embedded in the binary.
//!
//! No script and nothing from elsewhere: a page works offline and under the strictest content security policy
//! (threats A26, A38). Whoever serves them sends [`CONTENT_SECURITY_POLICY`] along.

mod asset;
pub mod browser;
pub mod dashboard;
mod link_page;
mod shell;

pub use asset::{Asset, asset};
pub use link_page::{LinkPage, Plain, link_page};

/// The policy all pages here live under: our own style sheet, nothing else, and nobody's frame (threat A25).
pub const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
