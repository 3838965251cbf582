//! Owns tables: plain columns that a person reads and `awk` can split.

use comfy_table::{ContentArrangement, Table, presets};

/// Lays out rows under a header; empty input gives the header alone.
#[must_use]
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    let text = table.to_string();
    let lines = text
        .lines()
        .map(|l| l.strip_prefix(' ').unwrap_or(l).trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

/// User text in a table can't move the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
