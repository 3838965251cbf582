//! Writes the HTML report: computes the values of its template.

use serde::Serialize;

use super::model::{Control, Finding, Profile, Reference, Report};
use super::status::{Status, counts, worst_first};
use crate::render::{Language, RenderError, render_text};

/// Path of the template; a catalog can replace it.
pub const TEMPLATE: &str = "templates/report/checks.html";

#[derive(Serialize)]
struct Page<'a> {
    target: &'a str,
    phase: &'a str,
    platform: String,
    tool: &'a str,
    started: String,
    seconds: String,
    summary: String,
    without_impact: usize,
    counts: Vec<Count>,
    profiles: Vec<Section<'a>>,
    packages: usize,
}

#[derive(Serialize)]
struct Count {
    status: &'static str,
    number: usize,
}

#[derive(Serialize)]
struct Section<'a> {
    name: &'a str,
    title: &'a str,
    version: &'a str,
    summary: &'a str,
    file: &'a str,
    sha256: &'a str,
    counts: String,
    inputs: Vec<Pair<'a>>,
    groups: Vec<Group<'a>>,
}

/// Controls with the same status.
#[derive(Serialize)]
struct Group<'a> {
    status: &'static str,
    number: usize,
    open: bool,
    controls: Vec<ControlView<'a>>,
}

#[derive(Serialize)]
struct ControlView<'a> {
    id: &'a str,
    title: &'a str,
    desc: &'a str,
    impact: String,
    place: String,
    code: &'a str,
    waiver: String,
    tags: Vec<Pair<'a>>,
    refs: Vec<Link<'a>>,
    results: Vec<ResultRow>,
}

#[derive(Serialize)]
struct Pair<'a> {
    name: &'a str,
    value: String,
}

#[derive(Serialize)]
struct Link<'a> {
    text: &'a str,
    /// True for `http:` and `https:` URLs; only these become links.
    web: bool,
}

#[derive(Serialize)]
struct ResultRow {
    subject: String,
    outcome: &'static str,
    expected: String,
    actual: String,
    why: String,
}

/// Renders the page from the text of its template.
///
/// # Errors
/// The template is invalid or uses an undefined value.
pub fn write(report: &Report, template: &str) -> Result<String, RenderError> {
    let platform = &report.platform;
    let counts = report.counts();
    let page = Page {
        target: &report.target,
        phase: report.phase.as_str(),
        platform: format!("{} {} {}", platform.name, platform.release, platform.arch),
        tool: &report.tool,
        started: report.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        seconds: format!("{:.1}", report.seconds),
        summary: counts.line(),
        without_impact: report.without_impact(),
        counts: Status::ALL
            .iter()
            .map(|s| Count {
                status: s.as_str(),
                number: counts.get(*s),
            })
            .collect(),
        profiles: report.profiles.iter().map(profile_section).collect(),
        packages: report.packages.len(),
    };
    render_text(TEMPLATE, template, Language::Html, &page)
}

fn profile_section(profile: &Profile) -> Section<'_> {
    let group = |status: Status| {
        let controls: Vec<_> = profile
            .controls
            .iter()
            .filter(|c| c.status() == status)
            .map(control_view)
            .collect();
        let open = matches!(status, Status::Error | Status::Failed);
        Group {
            status: status.as_str(),
            number: controls.len(),
            open,
            controls,
        }
    };
    Section {
        name: &profile.name,
        title: profile.title.as_deref().unwrap_or_default(),
        version: profile.version.as_deref().unwrap_or_default(),
        summary: profile.summary.as_deref().unwrap_or_default(),
        file: &profile.file,
        sha256: &profile.sha256,
        counts: counts(&profile.controls).line(),
        inputs: profile
            .inputs
            .iter()
            .map(|i| Pair {
                name: i.name(),
                value: i.value().to_string(),
            })
            .collect(),
        groups: Status::ALL
            .into_iter()
            .map(group)
            .filter(|g| g.number > 0)
            .collect(),
    }
}

fn control_view(control: &Control) -> ControlView<'_> {
    ControlView {
        id: &control.id,
        title: &control.title,
        desc: control.desc.as_deref().unwrap_or_default(),
        impact: format!("{:.1}", control.impact),
        place: format!("{}:{}", control.place.file, control.place.line),
        code: &control.code,
        waiver: control
            .waiver
            .as_ref()
            .map(super::model::Waiver::line)
            .unwrap_or_default(),
        tags: control
            .tags
            .iter()
            .map(|(name, tag)| Pair {
                name,
                value: tag.text(),
            })
            .collect(),
        refs: control.refs.iter().map(reference_link).collect(),
        results: worst_first(&control.evidence())
            .into_iter()
            .map(result_row)
            .collect(),
    }
}

fn reference_link(reference: &Reference) -> Link<'_> {
    match reference {
        Reference::Text(text) => Link { text, web: false },
        Reference::Url(text) => Link {
            text,
            web: text.starts_with("https://") || text.starts_with("http://"),
        },
    }
}

fn result_row(finding: &Finding) -> ResultRow {
    let actual = finding.actual.as_deref().unwrap_or_default();
    let why = match finding.outcome.reason() {
        Some(reason) => reason.to_string(),
        None if actual.is_empty() => finding.message.to_string(),
        None => String::new(),
    };
    ResultRow {
        subject: finding.subject(),
        outcome: finding.outcome.kind().as_str(),
        expected: finding.expected.to_string(),
        actual: actual.to_owned(),
        why,
    }
}
