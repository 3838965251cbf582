//! Owns the way from controls, verdicts and facts to the model of a report: what was judged, of what, and what it was given.

use std::collections::HashMap;

use jiff::civil::Date;

use super::model::{
    Control, Finding, Os, Outcome, Package, Phase, Place, Platform, Profile, Reference, Report,
    Tag, Verdict, Waiver,
};
use super::text::Text;
use crate::checks::{self, Facts, Gate, System, Tree};
use crate::model::Timestamp;

/// What a report is about.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The image, or what else was inspected.
    pub target: &'a str,
    /// When in the life of the image.
    pub phase: Phase,
    /// When it was judged: waivers are as good as they are then.
    pub judged: Timestamp,
    /// How long the collection took.
    pub seconds: f64,
    /// Which failures count.
    pub gate: Gate,
}

/// The report: `verdicts` of `controls`, under `profiles` as far as these name where a control comes from.
#[must_use]
pub fn fill(
    about: &About<'_>,
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
        let made = made(control, verdict, about.gate, today);
        place(&mut profiles, control).controls.push(made);
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
        packages: system.packages.into_iter().map(package).collect(),
    }
}

fn package(of: checks::InstalledPackage) -> Package {
    let checks::InstalledPackage {
        name,
        version,
        arch,
        source,
        source_version,
    } = of;
    Package {
        name,
        version,
        arch,
        source,
        source_version,
    }
}

/// The profile that a control is reported under; one that nobody described is known by its name and file alone.
fn place<'p>(profiles: &'p mut Vec<Profile>, control: &checks::Control) -> &'p mut Profile {
    let origin = &control.origin;
    let known = profiles.iter().position(|p| p.name == origin.name);
    let at = known.unwrap_or_else(|| {
        let sha256 = checks::digest(&[control]);
        let (name, file) = (origin.name.clone(), origin.file.clone());
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

fn made(control: &checks::Control, verdict: &checks::Verdict, gate: Gate, today: Date) -> Control {
    let origin = &control.origin;
    let code = if origin.code.is_empty() {
        spelled(control)
    } else {
        origin.code.clone()
    };
    Control {
        id: control.id.clone(),
        title: control.title.clone(),
        desc: control.desc.clone(),
        impact: control.impact.into(),
        tags: control
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), tag(value)))
            .collect(),
        refs: control.refs.iter().map(|text| reference(text)).collect(),
        code,
        place: Place {
            file: origin.file.clone(),
            line: u32::try_from(origin.line).unwrap_or(u32::MAX),
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
            .results
            .iter()
            .map(|f| finding(&control.id, f))
            .collect(),
    }
}

/// Its JSON, which is YAML, where nobody kept what was written.
fn spelled(control: &checks::Control) -> String {
    serde_json::to_string_pretty(&control.body).unwrap_or_default()
}

fn tag(value: &Tree) -> Tag {
    let text = |tree: &Tree| tree.scalar_text().unwrap_or_default();
    match value.scalar_text() {
        Some(one) => Tag::Text(one),
        None => Tag::List(value.items().iter().map(text).collect()),
    }
}

fn reference(text: &str) -> Reference {
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Reference::Url(text.to_owned()),
        false => Reference::Text(text.to_owned()),
    }
}

fn finding(id: &str, of: &checks::Finding) -> Finding {
    let (resource, shown) = match of.resource.split_once(' ') {
        Some((kind, _)) => (kind.to_owned(), Text::from(of.resource.as_str())),
        None if of.resource.is_empty() => ("control".to_owned(), format!("control {id}").into()),
        None => (of.resource.clone(), of.resource.as_str().into()),
    };
    let reason = || {
        let bare = of
            .message
            .strip_prefix(&format!("{}: ", of.property))
            .unwrap_or(&of.message);
        Text::from(bare)
    };
    Finding {
        resource,
        shown,
        property: of.property.as_str().into(),
        expected: of.expected.as_str().into(),
        actual: of.actual.as_deref().map(Text::from),
        message: of.message.as_str().into(),
        verdict: match of.outcome {
            Outcome::Passed => Verdict::Passed,
            Outcome::Failed => Verdict::Failed,
            Outcome::Skipped => Verdict::Skipped { reason: reason() },
            Outcome::Error => Verdict::Error { reason: reason() },
        },
        seconds: 0.0.into(),
    }
}
