//! Renders tables that fit the terminal.
//!
//! Values such as names and IDs are never broken. If a table is too wide, the text in its last column
//! is wrapped. If that is not enough, the first columns become a heading above their rows.

use super::width::{display_width, printable, wrap};

/// Blanks between two columns.
const GAP: usize = 2;
/// Indent of rows below a heading, and of further lines of a row.
const INDENT: usize = 2;
/// Width that a column of text needs. With less, the text is printed below its row.
const MIN_TEXT: usize = 24;

/// Table with a header.
#[derive(Debug, Clone)]
pub struct Table {
    header: Vec<&'static str>,
    text_header: Option<&'static str>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    values: Vec<String>,
    /// Paragraphs in the column of text.
    text: Vec<String>,
    /// Lines below the row.
    details: Vec<String>,
}

impl Table {
    /// Creates a table of values.
    #[must_use]
    pub fn new(header: &[&'static str]) -> Self {
        Self {
            header: header.to_vec(),
            text_header: None,
            rows: Vec::new(),
        }
    }

    /// Creates a table of values with a last column of text.
    #[must_use]
    pub fn with_text(header: &[&'static str], text: &'static str) -> Self {
        Self {
            text_header: Some(text),
            ..Self::new(header)
        }
    }

    /// Adds a row of values.
    pub fn push(&mut self, values: Vec<String>) {
        self.push_text(values, Vec::new());
    }

    /// Adds a row of values and paragraphs of text.
    pub fn push_text(&mut self, values: Vec<String>, text: Vec<String>) {
        let clean = |cells: Vec<String>| cells.iter().map(|cell| printable(cell)).collect();
        self.rows.push(Row {
            values: clean(values),
            text: clean(text),
            details: Vec::new(),
        });
    }

    /// Adds a line below the last row.
    pub fn push_detail(&mut self, line: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.details.push(printable(line));
        }
    }

    /// Returns true if the table has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders the table within a width. Without rows the result is the header.
    #[must_use]
    pub fn render(&self, width: usize) -> String {
        let layout = self.choose_layout(width);
        let mut lines = Vec::new();
        let header: Vec<String> = self.header.iter().map(|h| (*h).to_owned()).collect();
        let mut title = layout.value_line(&header);
        match (layout.text, self.text_header) {
            (TextPlace::Column { start, .. }, Some(text)) => {
                title = format!("{title:<start$}{text}");
            }
            (TextPlace::Below { .. }, Some(text)) => title = format!("{title}  {text}"),
            _ => {}
        }
        if layout.grouped > 0 {
            lines.push(header[..layout.grouped].join(" "));
        }
        lines.push(title);
        let mut heading: &[String] = &[];
        for row in &self.rows {
            let first = &row.values[..layout.grouped];
            if heading != first {
                lines.extend(wrap(&first.join(" "), width));
                heading = first;
            }
            layout.add_row(row, &mut lines, width);
        }
        let lines = lines.iter().map(|line| line.trim_end());
        lines.collect::<Vec<_>>().join("\n")
    }

    fn choose_layout(&self, width: usize) -> Layout {
        let mut widths: Vec<usize> = self.header.iter().map(|h| display_width(h)).collect();
        for row in &self.rows {
            for (widest, value) in widths.iter_mut().zip(&row.values) {
                *widest = (*widest).max(display_width(value));
            }
        }
        let texts = self.rows.iter().flat_map(|row| &row.text);
        let text_width = self.text_header.map(|header| {
            let longest = texts.map(|text| display_width(text)).max().unwrap_or(0);
            longest.max(display_width(header))
        });
        let most = match self.header.len() {
            0 | 1 => 0,
            2 | 3 => 1,
            _ => 2,
        };
        for grouped in 0..=most {
            let layout = Layout::new(&widths, grouped, text_width);
            let TextPlace::Column { start, room } = layout.text else {
                if layout.values_width() <= width {
                    return layout;
                }
                continue;
            };
            if start + room <= width {
                return layout;
            }
            if start + MIN_TEXT <= width {
                let text = TextPlace::Column {
                    start,
                    room: width - start,
                };
                return Layout { text, ..layout };
            }
        }
        let last = Layout::new(&widths, most, text_width);
        let text = match last.text {
            TextPlace::None => TextPlace::None,
            _ => TextPlace::Below {
                indent: last.indent() + INDENT,
            },
        };
        Layout { text, ..last }
    }
}

/// Position of the text of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextPlace {
    None,
    /// Column that begins at `start` and is `room` wide.
    Column {
        start: usize,
        room: usize,
    },
    /// Lines below the values.
    Below {
        indent: usize,
    },
}

/// Arrangement of the columns.
#[derive(Debug, Clone)]
struct Layout {
    /// Widths of all columns of values.
    widths: Vec<usize>,
    /// Number of columns that form a heading.
    grouped: usize,
    text: TextPlace,
}

impl Layout {
    fn new(widths: &[usize], grouped: usize, text_width: Option<usize>) -> Self {
        let mut layout = Self {
            widths: widths.to_vec(),
            grouped,
            text: TextPlace::None,
        };
        if let Some(room) = text_width {
            let start = layout.values_width() + GAP;
            layout.text = TextPlace::Column { start, room };
        }
        layout
    }

    fn indent(&self) -> usize {
        if self.grouped > 0 { INDENT } else { 0 }
    }

    fn columns(&self) -> &[usize] {
        &self.widths[self.grouped..]
    }

    fn values_width(&self) -> usize {
        let gaps = self.columns().len().saturating_sub(1) * GAP;
        self.indent() + self.columns().iter().sum::<usize>() + gaps
    }

    fn value_line(&self, values: &[String]) -> String {
        let mut line = " ".repeat(self.indent());
        let values = &values[self.grouped..];
        for (at, (value, width)) in values.iter().zip(self.columns()).enumerate() {
            if at > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            line.push_str(value);
            line.push_str(&" ".repeat(width - display_width(value)));
        }
        line
    }

    fn add_row(&self, row: &Row, lines: &mut Vec<String>, width: usize) {
        let values = self.value_line(&row.values);
        match self.text {
            TextPlace::None => lines.push(values),
            TextPlace::Column { start, room } => {
                let mut text = row.text.iter().flat_map(|text| wrap(text, room));
                let pad = start.saturating_sub(display_width(&values));
                let first = text.next().unwrap_or_default();
                lines.push(format!("{values}{}{first}", " ".repeat(pad)));
                lines.extend(text.map(|more| format!("{}{more}", " ".repeat(start))));
            }
            TextPlace::Below { indent } => {
                lines.push(values);
                let room = width.saturating_sub(indent).max(MIN_TEXT);
                let text = row.text.iter().flat_map(|text| wrap(text, room));
                lines.extend(text.map(|more| format!("{}{more}", " ".repeat(indent))));
            }
        }
        let indent = " ".repeat(self.indent() + INDENT);
        lines.extend(row.details.iter().map(|line| format!("{indent}{line}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMI: &str = "ami-0123456789abcdef0";

    fn results(image: &str) -> Table {
        let mut table = Table::with_text(&["IMAGE", "VERSION", "AMI", "LOCATION"], "STATUS");
        for location in ["eu-central-1", "222222222222.eu-central-1"] {
            let values = [image, "20261128.1", AMI, location].map(str::to_owned);
            table.push_text(values.to_vec(), vec!["failed, the rest stays".to_owned()]);
        }
        table
    }

    fn widest(text: &str) -> usize {
        text.lines().map(display_width).max().unwrap_or(0)
    }

    #[test]
    fn table_that_fits_has_one_line_per_row() {
        let text = results("web").render(120);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("IMAGE  VERSION     AMI"), "{text}");
    }

    #[test]
    fn wide_table_fits_without_broken_values() {
        for width in [64, 72, 80, 100] {
            for image in ["web", &"long-name".repeat(6)] {
                let text = results(image).render(width);
                assert!(widest(&text) <= width, "{width}: {text}");
                assert_eq!(text.matches(AMI).count(), 2, "{text}");
                assert_eq!(text.matches(" 222222222222.eu-central-1").count(), 1);
            }
        }
    }

    #[test]
    fn long_text_is_wrapped_beside_its_values() {
        let mut table = Table::with_text(&["IMAGE", "ACTION"], "REASON");
        let values = || vec!["web".to_owned(), "build".to_owned()];
        table.push_text(values(), vec!["word ".repeat(30), "other".to_owned()]);
        let text = table.render(80);
        assert!(widest(&text) <= 80 && text.lines().count() == 5, "{text}");
        assert!(text.ends_with("\n               other"), "{text}");
    }

    #[test]
    fn heading_is_printed_once_for_its_rows() {
        let image = "n".repeat(30);
        let text = results(&image).render(80);
        assert_eq!(text.matches(&image).count(), 1, "{text}");
        assert!(text.starts_with("IMAGE VERSION\n  AMI "), "{text}");
    }
}
