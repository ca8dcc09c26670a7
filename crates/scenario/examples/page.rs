//! The page of a report that was written before: `cargo run -p scenario --example page < report.json > report.html`.

use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut json = String::new();
    io::stdin().read_to_string(&mut json)?;
    let report: scenario::Report = serde_json::from_str(&json)?;
    io::stdout().write_all(scenario::to_html(&report).as_bytes())?;
    Ok(())
}
