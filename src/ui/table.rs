//! Renders tables with plain columns, which `awk` can split.

use comfy_table::{ContentArrangement, Table, presets};

/// Renders rows below a header. Without rows the result is the header.
#[must_use]
pub fn columns(header: &[&str], rows: &[Vec<String>]) -> String {
    render(header, rows, None)
}

/// Renders rows with long texts. On a terminal, the texts are wrapped at its width.
#[must_use]
pub fn wrapped_columns(header: &[&str], rows: &[Vec<String>]) -> String {
    render(header, rows, Table::new().width())
}

fn render(header: &[&str], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
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

/// Replaces control characters, so that user text cannot move the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_wrapped_at_the_width_of_a_terminal() {
        let text = |words: usize| vec!["word"; words].join(" ");
        let rows = [vec!["eu-west-1".to_owned(), text(60), text(20)]];
        let header = ["LOCATION", "FINDING", "REPAIR"];
        let widest = |text: String| text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        assert!(widest(render(&header, &rows, Some(100))) <= 100);
        let plain = render(&header, &rows, None);
        assert_eq!(plain.lines().count(), 2, "one line per row for `awk`");
        assert!(plain.contains(&text(60)));
    }
}
