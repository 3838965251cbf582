//! Writes JUnit XML for GitLab: a suite for each profile, a case for each result.

use std::collections::BTreeMap;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::model::{Control, Finding, FindingOutcome, Profile, Report};
use super::number::Seconds;
use super::status::Status;
use crate::render::visible::{block, line};

/// Maximum length of an attribute in characters.
const MAX_ATTRIBUTE: usize = 300;
/// Size from which cases have no bodies. GitLab accepts 30 MB.
const MAX_WITH_BODIES: usize = 20 << 20;

type Xml = Writer<Vec<u8>>;

/// Renders the report as XML. Escapes control and format characters, which XML forbids.
#[must_use]
pub fn write(report: &Report) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory does not fail.
    let _written = write_document(&mut xml, report);
    let mut out = String::from_utf8(xml.into_inner()).unwrap_or_default();
    out.push('\n');
    out
}

fn write_document(xml: &mut Xml, report: &Report) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut names = Names::default();
    let suites = xml.create_element("testsuites");
    suites.write_inner_content(|xml| {
        report
            .profiles
            .iter()
            .enumerate()
            .try_for_each(|(at, p)| write_suite(xml, at, p, report, &mut names))
    })?;
    Ok(())
}

/// Test case: one result of a control.
struct Case {
    class: String,
    name: String,
    file: String,
    seconds: Seconds,
    kind: CaseKind,
    message: String,
    body: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CaseKind {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl CaseKind {
    fn element(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

fn write_suite(
    xml: &mut Xml,
    at: usize,
    profile: &Profile,
    report: &Report,
    names: &mut Names,
) -> io::Result<()> {
    let cases: Vec<Case> = profile
        .controls
        .iter()
        .flat_map(|c| control_cases(c, profile, report, names))
        .collect();
    let count = |kind| cases.iter().filter(|c| c.kind == kind).count().to_string();
    let took: f64 = cases.iter().map(|c| f64::from(c.seconds)).sum();
    let name = xml_token(&profile.name, "profile");
    let attributes = [
        ("name", name.clone()),
        ("package", name),
        ("id", at.to_string()),
        (
            "timestamp",
            report.started.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        ),
        ("hostname", xml_token(&report.target, "localhost")),
        ("tests", cases.len().to_string()),
        ("failures", count(CaseKind::Failure)),
        ("errors", count(CaseKind::Error)),
        ("skipped", count(CaseKind::Skipped)),
        ("time", format!("{took:.6}")),
    ];
    xml.create_element("testsuite")
        .with_attributes(borrow_values(&attributes))
        .write_inner_content(|xml| {
            write_properties(xml, profile, report)?;
            cases.iter().try_for_each(|c| write_case(xml, c))?;
            xml.create_element("system-out").write_empty()?;
            xml.create_element("system-err").write_empty()?;
            Ok(())
        })?;
    Ok(())
}

fn write_properties(xml: &mut Xml, profile: &Profile, report: &Report) -> io::Result<()> {
    let platform = &report.platform;
    let known = [
        ("target", line(&report.target).into_owned()),
        ("phase", report.phase.as_str().to_owned()),
        (
            "platform",
            [&platform.name, &platform.release, &platform.arch]
                .map(|t| line(t))
                .join(" "),
        ),
        (
            "profile-version",
            line(profile.version.as_deref().unwrap_or_default()).into_owned(),
        ),
        ("profile-sha256", line(&profile.sha256).into_owned()),
        ("bakeline", line(&report.tool).into_owned()),
    ];
    xml.create_element("properties")
        .write_inner_content(|xml| {
            known.iter().try_for_each(|(name, value)| {
                let attributes = [("name", *name), ("value", value.as_str())];
                xml.create_element("property")
                    .with_attributes(attributes)
                    .write_empty()
                    .map(drop)
            })
        })?;
    Ok(())
}

fn control_cases(
    control: &Control,
    profile: &Profile,
    report: &Report,
    names: &mut Names,
) -> Vec<Case> {
    let class = xml_token(&format!("{}.{}", profile.name, control.id), "control");
    let make = |finding: &Finding| {
        let (kind, message) = case_kind(finding, control);
        // GitLab drops cases with the same class and name within a job, so the name contains the
        // target and the phase.
        let name = format!(
            "{} ({}, {})",
            finding.subject(),
            report.target,
            report.phase.as_str()
        );
        Case {
            name: names.unique(&class, xml_token(&name, "result")),
            class: class.clone(),
            file: line(&control.place.file).into_owned(),
            seconds: finding.seconds,
            kind,
            message: truncate(&line(&message)),
            body: case_body(finding, control, &message),
        }
    };
    control.evidence().iter().map(make).collect()
}

fn case_kind(finding: &Finding, control: &Control) -> (CaseKind, String) {
    match &finding.outcome {
        FindingOutcome::Passed => (CaseKind::Passed, String::new()),
        FindingOutcome::Skipped { reason } => (CaseKind::Skipped, reason.to_string()),
        FindingOutcome::Error { reason } => (CaseKind::Error, reason.to_string()),
        FindingOutcome::Failed => match (control.status(), &control.waiver) {
            (Status::Waived, Some(waiver)) => (CaseKind::Skipped, waiver.line()),
            (Status::Tolerated, _) => (
                CaseKind::Skipped,
                format!("tolerated because of its low impact: {}", finding.message),
            ),
            _ => (CaseKind::Failure, finding.message.to_string()),
        },
    }
}

/// Returns the body of a case. GitLab shows the body but not the attributes.
fn case_body(finding: &Finding, control: &Control, message: &str) -> String {
    let Control {
        id, title, place, ..
    } = control;
    let mut rows = vec![
        format!("{id}: {title}"),
        format!("{}:{}", place.file, place.line),
        finding.subject(),
    ];
    rows.push(format!("expected: {}", finding.expected));
    rows.extend(
        finding
            .actual
            .as_ref()
            .map(|actual| format!("actual: {actual}")),
    );
    rows.push(message.to_owned());
    rows.extend(
        control
            .waiver
            .as_ref()
            .filter(|w| w.expired)
            .map(|w| w.line()),
    );
    rows.iter()
        .map(|row| line(row))
        .collect::<Vec<_>>()
        .join("\n")
}

fn write_case(xml: &mut Xml, case: &Case) -> io::Result<()> {
    let attributes = [
        ("classname", case.class.clone()),
        ("name", case.name.clone()),
        ("file", case.file.clone()),
        ("time", format!("{:.6}", case.seconds)),
    ];
    let omit_body = xml.get_ref().len() > MAX_WITH_BODIES;
    let element = xml
        .create_element("testcase")
        .with_attributes(borrow_values(&attributes));
    if case.kind == CaseKind::Passed {
        return element.write_empty().map(drop);
    }
    let body = if omit_body {
        "omitted because of the size of this report; see the other formats"
    } else {
        case.body.as_str()
    };
    element.write_inner_content(|xml| {
        let mut child = xml
            .create_element(case.kind.element())
            .with_attribute(("message", case.message.as_str()));
        if case.kind != CaseKind::Skipped {
            child = child.with_attribute(("type", case.kind.element()));
        }
        child
            .write_text_content(BytesText::new(&block(body)))
            .map(drop)
    })?;
    Ok(())
}

fn borrow_values<'a, const N: usize>(
    attributes: &'a [(&'a str, String); N],
) -> [(&'a str, &'a str); N] {
    attributes
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()))
}

/// Names of the cases so far, by class and name, with the last number that was appended.
#[derive(Default)]
struct Names(BTreeMap<(String, String), usize>);

impl Names {
    /// Returns a name that is unique in the class. Appends a number if necessary.
    fn unique(&mut self, class: &str, name: String) -> String {
        let first = (class.to_owned(), name.clone());
        let Some(mut n) = self.0.get(&first).copied() else {
            self.0.insert(first, 1);
            return name;
        };
        loop {
            n += 1;
            let numbered = format!("{name} #{n}");
            let key = (class.to_owned(), numbered.clone());
            if !self.0.contains_key(&key) {
                self.0.insert(key, 1);
                self.0.insert(first, n);
                return numbered;
            }
        }
    }
}

/// Returns the text as an XML Schema token: one line, single spaces. Returns the fallback if it is
/// empty.
fn xml_token(text: &str, fallback: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    match truncate(&line(&words.join(" "))) {
        empty if empty.is_empty() => fallback.to_owned(),
        token => token,
    }
}

fn truncate(text: &str) -> String {
    match text.char_indices().nth(MAX_ATTRIBUTE) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}
