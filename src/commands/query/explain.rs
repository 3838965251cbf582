//! Implements `bakeline explain`: shows the lineage, checks, locations and retention of a version.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::catalog::{Catalog, Settings};
use crate::checks::{Phase, summary};
use crate::cli::Explain as Args;
use crate::commands::support::access::AccessMode;
use crate::commands::support::context::{self, LoadedCatalog};
use crate::commands::support::{references, unreachable};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::retention::{RetentionDecision, RetentionRules, decide_retention};
use crate::lifecycle::{Record, lookup, revoke, tags};
use crate::model::{
    AmiId, Arch, EnvName, ImageName, Inventory, Manifest, Probe, Region, State, Timestamp, Version,
};
use crate::ports::Store;
use crate::steps::check::controls::CheckReport;
use crate::ui;

/// Values that one filter may have (limit of EC2).
const MAX_FILTER_VALUES: usize = 200;

/// Facts about one version.
#[derive(Debug, Serialize)]
struct VersionDetails {
    image: ImageName,
    version: Version,
    arch: Arch,
    state: State,
    /// Chain of parents, nearest first. The last entry is the vendor AMI.
    lineage: Vec<String>,
    built: BuildDetails,
    /// Summary of the last boot checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<String>,
    /// Time of the last recheck.
    #[serde(skip_serializing_if = "Option::is_none")]
    rechecked: Option<String>,
    /// Summary of the last update probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    updates: Option<String>,
    amis: Vec<AmiDetails>,
}

/// Origin of a version.
#[derive(Debug, Serialize)]
struct BuildDetails {
    run: String,
    by: String,
    commit: String,
    #[serde(rename = "because")]
    reasons: Vec<String>,
}

/// AMI of a version in one location.
#[derive(Debug, Serialize)]
struct AmiDetails {
    ami: AmiId,
    region: Region,
    account: String,
    environment: String,
    current: BTreeMap<EnvName, Timestamp>,
    used_by: Vec<String>,
    /// Next action of prune.
    prune: String,
    #[serde(rename = "because")]
    reason: String,
}

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let what = asked_version(args)?;
    let inventory = load_facts(&loaded, &what).await?;
    unreachable::warn_unreachable(&inventory);
    let records = Record::read_all(&inventory.images, &loaded.catalog.settings);
    let found = find_record(&loaded.catalog, &inventory, &records, &what)?;
    let store = context::open_store(&loaded.catalog.settings).await?;
    let story = describe_version(&loaded, &inventory, &records, found, &*store).await?;
    if args.json {
        ui::json(&story);
    } else {
        ui::data(&render_text(&story, ui::width::stdout_width()));
    }
    Ok(0)
}

/// Returns the argument, with a separate version as `image@version`.
fn asked_version(args: &Args) -> Result<String> {
    let Some(version) = &args.version else {
        return Ok(args.what.clone());
    };
    if args.what.contains('@') || args.what.starts_with("ami-") {
        let text = format!("`{}` already names a version", args.what);
        return Err(Error::new(ErrorKind::Usage, text).hint(format!("remove `{version}`")));
    }
    Ok(format!("{}@{version}", args.what))
}

/// Loads the facts about a version. If its AMIs are kept, the AMIs of the image and its relatives and
/// the references that EC2 reports are enough, because further references could only keep them, too.
async fn load_facts(loaded: &LoadedCatalog, what: &str) -> Result<Inventory> {
    let catalog = &loaded.catalog;
    let access = AccessMode::Read("explain");
    let clouds = context::connect_clouds(&catalog.settings, access).await?;
    if let Some(images) = related_images(catalog, what) {
        let select = |inventory: &Inventory| version_amis(catalog, inventory, what, false);
        let inventory = references::load_reported(loaded, &clouds, &images, &select).await?;
        let asked = select(&inventory);
        let decisions = retention_decisions(catalog, &inventory);
        let mut asked_decisions = decisions.iter().filter(|d| asked.contains(&d.ami));
        if !asked.is_empty() && asked_decisions.all(|d| !d.retire) {
            return Ok(inventory);
        }
    }
    let select = |inventory: &Inventory| version_amis(catalog, inventory, what, true);
    let decide = |inventory: &Inventory| retention_decisions(catalog, inventory);
    references::load_references_to(loaded, &clouds, Some(&select), decide).await
}

/// Returns the published names of an image, its ancestors and its descendants. None if the argument
/// names no image of the catalog, or if there are too many names for a filter.
fn related_images(catalog: &Catalog, what: &str) -> Option<BTreeSet<String>> {
    let name = ImageName::from(what.split_once('@').map_or(what, |(image, _)| image));
    let image = catalog.images.get(&name)?;
    let descends = |other: &&ImageName| {
        let lineage = catalog.lineage(other);
        lineage.iter().any(|ancestor| ancestor.name == image.name)
    };
    let ancestors = catalog.lineage(&name).into_iter().map(|i| &i.name);
    let related = ancestors.chain(catalog.images.keys().filter(descends));
    let published: BTreeSet<String> = related.map(|n| n.published().to_owned()).collect();
    (published.len() <= MAX_FILTER_VALUES).then_some(published)
}

/// Returns the AMIs of a version in all locations, with `children` also those that are layered on it.
fn version_amis(
    catalog: &Catalog,
    inventory: &Inventory,
    what: &str,
    children: bool,
) -> BTreeSet<AmiId> {
    let settings = &catalog.settings;
    let records = Record::read_all(&inventory.images, settings);
    let Ok(asked) = find_record(catalog, inventory, &records, what) else {
        return BTreeSet::new();
    };
    let own = (asked.image.clone(), asked.version);
    let versions = match children {
        true => revoke::affected_versions(settings, &records, &own.0, own.1),
        false => vec![own],
    };
    let is_selected = |r: &&Record<'_>| {
        let mut versions = versions.iter();
        r.arch == asked.arch && versions.any(|(image, v)| *image == r.image && *v == r.version)
    };
    let selected = records.iter().filter(is_selected);
    selected.map(|r| r.ami.id.clone()).collect()
}

fn retention_decisions(catalog: &Catalog, inventory: &Inventory) -> Vec<RetentionDecision> {
    decide_retention(
        &Record::read_all(&inventory.images, &catalog.settings),
        &RetentionRules::from_inventory(catalog, inventory),
    )
}

/// Finds the record of an AMI ID, of `image@version`, or of the current version of an image in the
/// first environment.
fn find_record<'r, 'w>(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &'r [Record<'w>],
    what: &str,
) -> Result<&'r Record<'w>> {
    let none = |text: String| {
        Error::new(ErrorKind::NotFound, text).hint("`bakeline list` shows what exists")
    };
    let missing = |text: String| unreachable::not_found_or_incomplete(inventory, none(text));
    if what.starts_with("ami-") {
        let found = records.iter().find(|r| r.ami.id.as_str() == what);
        return found.ok_or_else(|| {
            missing(format!(
                "catalog `{}` has no AMI {what}",
                catalog.settings.name
            ))
        });
    }
    if let Some((image, version)) = what.split_once('@') {
        context::require_one_architecture(catalog, image)?;
        let found = records
            .iter()
            .find(|r| r.image.as_str() == image && r.version.to_string() == version);
        return found.ok_or_else(|| missing(format!("image `{image}` has no version {version}")));
    }
    let name = context::find_image(catalog, what)?;
    let (image, lowest) = (
        &catalog.images[&name],
        &catalog.settings.environments[0].name,
    );
    let home: Vec<&Record<'_>> = records
        .iter()
        .filter(|r| r.ami.region == *catalog.settings.home())
        .collect();
    let good = lookup::find_last_good(records, &name, lowest, image.arch).map(|r| r.version);
    let found = home
        .into_iter()
        .find(|r| r.image == name && Some(r.version) == good);
    found.ok_or_else(|| missing(format!("no version of `{name}` is released")))
}

async fn describe_version(
    loaded: &LoadedCatalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    record: &Record<'_>,
    store: &dyn Store,
) -> Result<VersionDetails> {
    let settings = &loaded.catalog.settings;
    let (image, arch, version) = (&record.image, record.arch, record.version);
    let manifest =
        read_stored(store, &keys::manifest(&settings.name, image, arch, version)).await?;
    let manifest: Option<Manifest> = manifest.and_then(|bytes| manifest::parse_manifest(&bytes));
    let report = read_stored(
        store,
        &keys::facts(&settings.name, image, arch, version, Phase::Boot),
    )
    .await?;
    let report: Option<CheckReport> = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let probe = read_stored(store, &keys::probe(&settings.name, image, arch)).await?;
    let probe: Option<Probe> = probe.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let fates = retention_decisions(&loaded.catalog, inventory);
    let same = |r: &&Record<'_>| r.image == *image && r.version == version && r.arch == arch;
    Ok(VersionDetails {
        image: image.clone(),
        version,
        arch,
        state: record.state,
        lineage: lineage(records, record),
        built: BuildDetails {
            run: record.tag(tags::RUN).to_owned(),
            by: record.tag(tags::BY).to_owned(),
            commit: record.tag(tags::COMMIT).to_owned(),
            reasons: manifest.map_or_else(Vec::new, |m| m.reasons),
        },
        checks: report.map(|r| summary(&r.verdicts).line()),
        rechecked: Some(record.tag(tags::CHECKED).to_owned()).filter(|t| !t.is_empty()),
        updates: probe
            .filter(|p| p.version == version)
            .map(|p| updates_summary(&p)),
        amis: records
            .iter()
            .filter(same)
            .map(|r| describe_ami(settings, inventory, r, &fates))
            .collect(),
    })
}

/// Reads an object from the store. Prints a warning if the store cannot be read.
async fn read_stored(store: &dyn Store, key: &str) -> Result<Option<Vec<u8>>> {
    match store.get(key).await {
        Ok(found) => Ok(found),
        Err(e) if e.kind == crate::ports::StoreErrorKind::Newer => Err(e.into()),
        Err(e) => {
            ui::say(&format!("warning: {e}"));
            Ok(None)
        }
    }
}

fn updates_summary(probe: &Probe) -> String {
    let security = probe.pending.iter().filter(|u| u.security).count();
    format!(
        "{} pending, {security} of them security updates, as of {}",
        probe.pending.len(),
        probe.at
    )
}

/// Returns the chain of parents of a version and the vendor AMI at its end.
fn lineage(records: &[Record<'_>], record: &Record<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let mut now = record;
    for _ in 0..records.len() {
        let base = now.tag(tags::BASE);
        let below = records
            .iter()
            .find(|r| base.ends_with(r.ami.id.as_str()) && r.ami.id != now.ami.id);
        let Some(next) = below else {
            out.push(if base.is_empty() {
                "unknown".to_owned()
            } else {
                base.to_owned()
            });
            break;
        };
        out.push(format!("{}@{} ({})", next.image, next.version, next.ami.id));
        now = next;
    }
    out
}

fn describe_ami(
    settings: &Settings,
    inventory: &Inventory,
    record: &Record<'_>,
    fates: &[RetentionDecision],
) -> AmiDetails {
    let fate = fates
        .iter()
        .find(|f| f.ami == record.ami.id && f.region == record.ami.region);
    let due = fate
        .and_then(|f| f.next_due)
        .map_or_else(String::new, |due| format!(" on {due}"));
    AmiDetails {
        ami: record.ami.id.clone(),
        region: record.ami.region.clone(),
        account: record.ami.owner.clone(),
        environment: record.tag(&settings.environment_key).to_owned(),
        current: record.current.clone(),
        used_by: inventory
            .references
            .iter()
            .filter(|r| r.ami == record.ami.id)
            .map(|r| format!("{} {}", r.kind, r.referrer))
            .collect(),
        prune: fate.map_or_else(String::new, |f| format!("{}{due}", f.action())),
        reason: fate.map_or_else(String::new, RetentionDecision::reason),
    }
}

/// Width of the labels of `explain`.
const LABEL_WIDTH: usize = 13;

fn render_text(story: &VersionDetails, width: usize) -> String {
    let mut out = vec![format!(
        "{} {} ({}), {}",
        story.image,
        story.version,
        story.arch,
        story.state.as_str()
    )];
    let mut line = |label: &str, words: String| {
        if !words.is_empty() {
            let room = width.saturating_sub(LABEL_WIDTH);
            let mut lines = ui::width::wrap(&words, room).into_iter();
            let first = lines.next().unwrap_or_default();
            out.push(format!("  {label:<10} {first}"));
            out.extend(lines.map(|more| format!("{:LABEL_WIDTH$}{more}", "")));
        }
    };
    line("base", story.lineage.join(" <- "));
    line("reason", story.built.reasons.join("; "));
    line("built by", story.built.by.clone());
    line("run", story.built.run.clone());
    line("commit", story.built.commit.clone());
    line(
        "checks",
        story
            .checks
            .clone()
            .unwrap_or_else(|| "not in the store".to_owned()),
    );
    line("rechecked", story.rechecked.clone().unwrap_or_default());
    line("updates", story.updates.clone().unwrap_or_default());
    for ami in &story.amis {
        let environment = if ami.environment.is_empty() {
            "no environment"
        } else {
            &ami.environment
        };
        line(
            "AMI",
            format!(
                "{} in {}, account {}: {environment}",
                ami.ami, ami.region, ami.account
            ),
        );
        let since: Vec<String> = ami
            .current
            .iter()
            .map(|(env, since)| format!("{env} since {since}"))
            .collect();
        line("  current", since.join(", "));
        line("  used by", ami.used_by.join(", "));
        line("  prune", format!("{}: {}", ami.prune, ami.reason));
    }
    out.join("\n")
}
