//! Builds the model of a report from controls, verdicts and facts.

use std::collections::HashMap;

use jiff::civil::Date;

use super::model::{
    Control, Finding, FindingOutcome, Os, Outcome, Package, Phase, Place, Platform, Profile,
    Reference, Report, Tag, Waiver,
};
use super::text::Text;
use crate::checks::{self, Facts, Gate, System, Tree};
use crate::model::Timestamp;

/// Circumstances of a report.
#[derive(Debug, Clone)]
pub struct ReportContext<'a> {
    /// Name of the image or of another target.
    pub target: &'a str,
    /// Phase of the checks.
    pub phase: Phase,
    /// Time of the evaluation; decides which waivers have expired.
    pub judged: Timestamp,
    /// Duration of the collection in seconds.
    pub seconds: f64,
    /// Gate that decides which failures count.
    pub gate: Gate,
}

/// Builds a report of `verdicts`. Groups the controls by profile: by those of `profiles`, and by
/// new entries for controls of other profiles.
#[must_use]
pub fn assemble_report(
    about: &ReportContext<'_>,
    profiles: Vec<Profile>,
    controls: &[&checks::Control],
    verdicts: &[checks::Verdict],
    facts: &Facts,
) -> Report {
    let system = System::from_facts(facts);
    let today = about.judged.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut profiles = profiles;
    let by_id: HashMap<&str, &checks::Control> =
        controls.iter().map(|c| (c.id.as_str(), *c)).collect();
    for verdict in verdicts {
        let Some(control) = by_id.get(verdict.control.as_str()).copied() else {
            continue;
        };
        let made = convert_control(control, verdict, about.gate, today);
        profile_entry(&mut profiles, control).controls.push(made);
    }
    profiles.retain(|p| !p.controls.is_empty());
    Report {
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        target: about.target.into(),
        phase: about.phase,
        started: facts.identity.clock.parse().unwrap_or(about.judged),
        seconds: about.seconds.into(),
        platform: Platform {
            name: system.os.as_str().into(),
            release: system.version.as_str().into(),
            arch: system.arch.as_str().into(),
        },
        os: Os {
            id: system.os.into(),
            version: system.version.into(),
        },
        profiles,
        packages: system.packages.into_iter().map(convert_package).collect(),
    }
}

fn convert_package(installed: checks::InstalledPackage) -> Package {
    let checks::InstalledPackage {
        name,
        version,
        arch,
        source,
        source_version,
    } = installed;
    Package {
        name,
        version,
        arch,
        source,
        source_version,
    }
}

/// Returns the profile entry of a control. Adds an entry with name and file if there is none.
fn profile_entry<'p>(profiles: &'p mut Vec<Profile>, control: &checks::Control) -> &'p mut Profile {
    let definition = &control.defined_at;
    let known = profiles.iter().position(|p| p.name == definition.name);
    let at = known.unwrap_or_else(|| {
        let sha256 = checks::digest(&[control]);
        let (name, file) = (definition.name.clone(), definition.file.clone());
        profiles.push(Profile {
            name,
            file,
            sha256,
            ..Profile::default()
        });
        profiles.len() - 1
    });
    &mut profiles[at]
}

fn convert_control(
    control: &checks::Control,
    verdict: &checks::Verdict,
    gate: Gate,
    today: Date,
) -> Control {
    let definition = &control.defined_at;
    let code = if definition.code.is_empty() {
        control_json(control)
    } else {
        definition.code.clone()
    };
    Control {
        id: control.id.clone(),
        title: control.title.clone(),
        desc: control.desc.clone(),
        impact: control.impact.into(),
        tags: control
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), convert_tag(value)))
            .collect(),
        refs: control
            .refs
            .iter()
            .map(|text| parse_reference(text))
            .collect(),
        code,
        place: Place {
            file: definition.file.clone(),
            line: u32::try_from(definition.line).unwrap_or(u32::MAX),
        },
        waiver: verdict.waiver.as_ref().map(|w| Waiver {
            justification: w.justification.clone(),
            owner: w.owner.clone(),
            expires: w.expires,
            expired: w.is_expired(today),
        }),
        tolerated: gate.tolerates(verdict.impact),
        outcome: verdict.outcome,
        results: verdict
            .findings
            .iter()
            .map(|f| convert_finding(&control.id, f))
            .collect(),
    }
}

/// Returns the control as JSON (which is also YAML), for controls without source text.
fn control_json(control: &checks::Control) -> String {
    serde_json::to_string_pretty(&control.body).unwrap_or_default()
}

fn convert_tag(value: &Tree) -> Tag {
    let text = |tree: &Tree| tree.scalar_text().unwrap_or_default();
    match value.scalar_text() {
        Some(one) => Tag::Text(one),
        None => Tag::List(value.items().iter().map(text).collect()),
    }
}

fn parse_reference(text: &str) -> Reference {
    if text.starts_with("https://") || text.starts_with("http://") {
        Reference::Url(text.to_owned())
    } else {
        Reference::Text(text.to_owned())
    }
}

fn convert_finding(id: &str, source: &checks::Finding) -> Finding {
    let (resource, shown) = match source.resource.split_once(' ') {
        Some((kind, _)) => (kind.to_owned(), Text::from(source.resource.as_str())),
        None if source.resource.is_empty() => {
            ("control".to_owned(), format!("control {id}").into())
        }
        None => (source.resource.clone(), source.resource.as_str().into()),
    };
    let reason = || {
        let bare = source
            .message
            .strip_prefix(&format!("{}: ", source.property))
            .unwrap_or(&source.message);
        Text::from(bare)
    };
    Finding {
        resource,
        shown,
        property: source.property.as_str().into(),
        expected: source.expected.as_str().into(),
        actual: source.actual.as_deref().map(Text::from),
        message: source.message.as_str().into(),
        outcome: match source.outcome {
            Outcome::Passed => FindingOutcome::Passed,
            Outcome::Failed => FindingOutcome::Failed,
            Outcome::Skipped => FindingOutcome::Skipped { reason: reason() },
            Outcome::Error => FindingOutcome::Error { reason: reason() },
        },
        seconds: 0.0.into(),
    }
}
