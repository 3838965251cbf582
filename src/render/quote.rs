//! Owns quoting: the one place where a value becomes text of another language.

use std::io::{Error, Result, Write};

/// A JSON string of Packer's HCL2-JSON, quotes included. `${` and `%{` are HCL templates in any string: doubled they are
/// text. `{{` can't be escaped reliably (Packer expands it once when preparing and again when running), so it is refused.
pub(super) fn packer(value: &str, out: &mut dyn Write) -> Result<()> {
    if value.contains("{{") {
        return Err(Error::other(format!(
            "the value {value:?} contains `{{{{`, which Packer would expand"
        )));
    }
    if value.contains('\0') {
        return Err(Error::other(format!("the value {value:?} contains NUL")));
    }
    json(&value.replace("${", "$${").replace("%{", "%%{"), out)
}

/// One word of a POSIX shell, in single quotes.
pub(super) fn shell(value: &str, out: &mut dyn Write) -> Result<()> {
    if value.contains('\0') {
        return Err(Error::other(format!("the value {value:?} contains NUL")));
    }
    write!(out, "'{}'", value.replace('\'', r"'\''"))
}

/// A JSON string whose text is Slack mrkdwn without any of Slack's own markup
/// (<https://docs.slack.dev/messaging/formatting-message-text>: only `&`, `<` and `>` have a meaning).
pub(super) fn slack(value: &str, out: &mut dyn Write) -> Result<()> {
    json(
        &value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
        out,
    )
}

/// Text of an HTML page, or the inside of a quoted attribute. Nothing from a target is markup, and nothing hides in it.
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

fn json(value: &str, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer(out, value).map_err(Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(quote: fn(&str, &mut dyn Write) -> Result<()>, value: &str) -> Option<String> {
        let mut out = Vec::new();
        quote(value, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn each_language_gets_its_own_quotes() {
        assert_eq!(
            text(packer, r#"${file("/etc/passwd")} %{ if }"#).as_deref(),
            Some(r#""$${file(\"/etc/passwd\")} %%{ if }""#)
        );
        assert_eq!(text(packer, "{{env}}"), None);
        assert_eq!(text(packer, "a\0b"), None);
        assert_eq!(
            text(shell, "it's $(id) `id`").as_deref(),
            Some(r"'it'\''s $(id) `id`'")
        );
        assert_eq!(text(shell, "a\0b"), None);
        assert_eq!(
            text(html, "</script><img src='x' onerror=\"y()\">&\u{1b}[1m\0\n").as_deref(),
            Some(
                "&lt;/script&gt;&lt;img src=&#39;x&#39; onerror=&quot;y()&quot;&gt;&amp;\\u{1b}[1m\\u{0}\n"
            )
        );
        assert_eq!(
            text(slack, "<!channel> & \"x\"").as_deref(),
            Some(r#""&lt;!channel&gt; &amp; \"x\"""#)
        );
    }
}
