//! Quotes values for the languages of the templates. No other rendering module quotes values.

use std::io::{Error, Result, Write};

/// Writes a JSON string for Packer's HCL2-JSON, with quotes.
///
/// `${` and `%{` are templates of HCL in any string, so they are doubled. `{{` cannot be escaped
/// reliably, because Packer expands it once when preparing and again when running. It is an error.
pub(super) fn packer(value: &str, out: &mut dyn Write) -> Result<()> {
    if value.contains("{{") {
        return Err(Error::other(format!(
            "the value {value:?} contains `{{{{`, which Packer would expand"
        )));
    }
    if value.contains('\0') {
        return Err(Error::other(format!("the value {value:?} contains NUL")));
    }
    write_json(&value.replace("${", "$${").replace("%{", "%%{"), out)
}

/// Writes a word of a POSIX shell in single quotes.
pub(super) fn shell(value: &str, out: &mut dyn Write) -> Result<()> {
    if value.contains('\0') {
        return Err(Error::other(format!("the value {value:?} contains NUL")));
    }
    out.write_all(crate::platform::sh_quote(value).as_bytes())
}

/// Writes a JSON string for Slack. Escapes the control characters `&`, `<` and `>`, so that text
/// contains no links or mentions.
///
/// Only `&`, `<` and `>` have a meaning
/// (<https://docs.slack.dev/messaging/formatting-message-text>).
pub(super) fn slack(value: &str, out: &mut dyn Write) -> Result<()> {
    write_json(
        &value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
        out,
    )
}

/// Writes text of an HTML page, or of a quoted attribute. Escapes all markup and hidden characters.
pub(super) fn html(value: &str, out: &mut dyn Write) -> Result<()> {
    let visible = super::visible::block(value);
    let mut rest = &*visible;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let entity = match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        };
        write!(out, "{}{entity}", &rest[..at])?;
        rest = &rest[at + 1..];
    }
    write!(out, "{rest}")
}

fn write_json(value: &str, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(out, value).map_err(Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_quoting(quote: fn(&str, &mut dyn Write) -> Result<()>, value: &str) -> Option<String> {
        let mut out = Vec::new();
        quote(value, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn values_are_quoted_for_each_language() {
        assert_eq!(
            apply_quoting(packer, r#"${file("/etc/passwd")} %{ if }"#).as_deref(),
            Some(r#""$${file(\"/etc/passwd\")} %%{ if }""#)
        );
        assert_eq!(apply_quoting(packer, "{{env}}"), None);
        assert_eq!(apply_quoting(packer, "a\0b"), None);
        assert_eq!(
            apply_quoting(shell, "it's $(id) `id`").as_deref(),
            Some(r"'it'\''s $(id) `id`'")
        );
        assert_eq!(apply_quoting(shell, "a\0b"), None);
        assert_eq!(
            apply_quoting(html, "</script><img src='x' onerror=\"y()\">&\u{1b}[1m\0\n").as_deref(),
            Some(
                "&lt;/script&gt;&lt;img src=&#39;x&#39; onerror=&quot;y()&quot;&gt;&amp;\\u{1b}[1m\\u{0}\n"
            )
        );
        assert_eq!(
            apply_quoting(slack, "<!channel> & \"x\"").as_deref(),
            Some(r#""&lt;!channel&gt; &amp; \"x\"""#)
        );
    }
}
