//! The metrics server's page: a shell that loads one script and one style sheet, both from the same server.

/// The page. What it shows comes later, as data.
pub const HTML: &str = include_str!("../templates/dashboard.html");

/// The policy it lives under: our own script, style and data, nothing inline, nothing from elsewhere, nobody's frame
/// (threats A25, A26, A38).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";
