//! The report as a page.

use crate::Report;

/// One self-contained HTML file.
pub fn to_html(report: &Report) -> String {
    format!("<!doctype html><title>{}</title>", report.seed)
}
