//! Tests that text from a target is escaped and truncated in all formats.

use super::*;
use crate::report::model::{Package, Tag};
use crate::report::text::Text;
use crate::report::{Format, write};

const HOSTILE: &str = "</script></style></pre><b onclick=\"x()\">'\u{1b}[2J\u{9b}31m]]><![CDATA[&lt;\0\u{202e}\u{2028}\u{fffe}\r\n@{ target }@";

/// Returns a report in which every text is hostile.
fn hostile_report() -> Report {
    let all = || Text::from(HOSTILE);
    let text = || HOSTILE.to_owned();
    let result = Finding {
        resource: text(),
        shown: all(),
        property: all(),
        expected: all(),
        actual: Some(all()),
        message: all(),
        outcome: FindingOutcome::Failed,
        seconds: f64::NAN.into(),
    };
    let error = Finding {
        outcome: FindingOutcome::Error { reason: all() },
        ..result.clone()
    };
    let skipped = Finding {
        outcome: FindingOutcome::Skipped { reason: all() },
        ..result.clone()
    };
    let mut report = report_with(Outcome::Error, vec![result, error, skipped]);
    (report.target, report.tool) = (all(), text());
    (report.platform.name, report.os.id, report.os.version) = (all(), all(), all());
    report.packages.push(Package {
        name: text(),
        version: text(),
        arch: text(),
        source: Some(text()),
        source_version: None,
    });
    let profile = &mut report.profiles[0];
    (profile.name, profile.title, profile.file, profile.sha256) =
        (text(), Some(text()), text(), text());
    let control = &mut profile.controls[0];
    (control.id, control.title, control.desc, control.code) =
        (text(), text(), Some(text()), text());
    control.tags.insert(text(), Tag::List(vec![text()]));
    control.waiver = super::sample_control("os-15")
        .waiver
        .map(|w| crate::report::model::Waiver { owner: text(), ..w });
    control.place.file = text();
    report
}

fn render_hostile(format: Format) -> String {
    write(&hostile_report(), format, PAGE).expect("a report")
}

#[test]
fn control_characters_are_escaped_in_all_formats() {
    for format in Format::ALL {
        let text = render_hostile(format);
        let unexpected: Vec<char> = text
            .chars()
            .filter(|c| c.is_control() && !"\n\t".contains(*c))
            .collect();
        // JSON can contain C1 control characters.
        let json = matches!(format, Format::Json | Format::Inspec | Format::Cyclonedx);
        assert!(
            unexpected.iter().all(|c| json && *c >= '\u{80}'),
            "{format:?}: {unexpected:?}"
        );
        assert_eq!(text.contains('\u{202e}'), json, "{format:?}");
    }
}

#[test]
fn terminal_report_contains_only_known_lines() {
    let text = render_hostile(Format::Text);
    assert!(text.contains(r"\u{1b}[2J\u{9b}31m]]>") && text.contains(r"\r\n@{ target }@"));
    let known = [
        "  error  ",
        "     ",
        "</script>",
        "\\u",
        "1 control: 1 error",
    ];
    assert!(
        text.lines()
            .all(|l| l.is_empty() || known.iter().any(|k| l.starts_with(k))),
        "{text}"
    );
}

#[test]
fn html_page_contains_only_known_tags() {
    let page = render_hostile(Format::Html);
    let tags = |page: &str| {
        regex::Regex::new("<[^>]*>")
            .expect("a pattern")
            .find_iter(page)
            .map(|t| t.as_str().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let ours = tags(PAGE);
    // Allow the variable parts of the template: classes, checked links and the attribute `open`.
    let known = |tag: &String| {
        ours.contains(tag)
            || tag.starts_with("<details")
            || ["li", "span", "div"].iter().any(|t| {
                regex::Regex::new(&format!("^<{t} class=\"(status |result )?[a-z]+\">$"))
                    .expect("a pattern")
                    .is_match(tag)
            })
    };
    let unexpected: Vec<String> = tags(&page)
        .into_iter()
        .filter(|t| !known(t) && !t.contains("https://www.debian.org/"))
        .collect();
    assert_eq!(unexpected, Vec::<String>::new());
    assert!(
        page.contains("&lt;/script&gt;") && page.contains("@{ target }@"),
        "template syntax in values is not evaluated"
    );
}

#[test]
fn junit_is_well_formed_and_complete() {
    let text = render_hostile(Format::Junit);
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut failures = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) => {
                failures += usize::from(tag.name().as_ref() == b"failure");
                for attribute in tag.attributes() {
                    let value = attribute.expect("an attribute").value;
                    assert!(!value.contains(&b'<') && !value.contains(&b'\n'));
                }
            }
            quick_xml::events::Event::CData(_) | quick_xml::events::Event::Comment(_) => {
                panic!("{text}")
            }
            _ => {}
        }
    }
    assert_eq!(failures, 1);
    assert!(text.contains(r"]]&gt;&lt;![CDATA[&amp;lt;\u{0}\u{202e}\u{2028}\u{fffe}\r\n"));
}

#[test]
fn long_values_are_truncated_in_all_formats() {
    let long = Text::from("<\u{1b}".repeat(1 << 19));
    let result = Finding {
        shown: long.clone(),
        expected: long.clone(),
        actual: Some(long.clone()),
        message: long.clone(),
        ..finding_with(FindingOutcome::Error { reason: long })
    };
    let report = report_with(Outcome::Error, vec![result]);
    for format in Format::ALL {
        let text = write(&report, format, PAGE).expect("a report");
        assert!(text.len() < 200_000, "{format:?}: {}", text.len());
        assert!(
            format == Format::Cyclonedx || text.contains("1048576 bytes in total"),
            "{format:?}"
        );
    }
}

#[test]
fn empty_report_is_valid_in_all_formats() {
    let mut report = sample();
    (report.profiles, report.packages) = (Vec::new(), Vec::new());
    (report.os, report.platform) = Default::default();
    report.seconds = f64::INFINITY.into();
    for format in Format::ALL {
        let text = write(&report, format, PAGE).expect("a report");
        assert!(
            text.ends_with('\n') && !text.contains("inf") && !text.contains("seconds\": null"),
            "{format:?}: {text}"
        );
    }
}
