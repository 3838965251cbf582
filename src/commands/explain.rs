//! Owns `bakeline explain`: where one version comes from, why it was built, what it passed, where it is, what keeps it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::context::{self, Loaded};
use super::{unread, uses};
use crate::catalog::{Catalog, Settings};
use crate::checks::{Phase, summary};
use crate::cli::{Explain as Args, InventoryArgs};
use crate::error::{Error, Kind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::retention::{RetentionDecision, RetentionRules, decide_retention};
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{
    AmiId, Arch, EnvName, ImageName, Inventory, Manifest, Probe, Region, State, Timestamp, Version,
};
use crate::ports::Store;
use crate::steps::check::CheckReport;
use crate::ui;

/// Everything about one version.
#[derive(Debug, Serialize)]
struct Story {
    image: ImageName,
    version: Version,
    arch: Arch,
    state: State,
    /// What it is layered on, nearest first; the last is what the vendor made.
    lineage: Vec<String>,
    built: Built,
    /// What the last judgement of its boot-phase controls came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<String>,
    /// Since when it has been judged by newer controls, without a build.
    #[serde(skip_serializing_if = "Option::is_none")]
    rechecked: Option<String>,
    /// The pending updates last found on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    updates: Option<String>,
    amis: Vec<Copy>,
}

/// How it came to be.
#[derive(Debug, Serialize)]
struct Built {
    run: String,
    by: String,
    commit: String,
    because: Vec<String>,
}

/// Its AMI at one location.
#[derive(Debug, Serialize)]
struct Copy {
    ami: AmiId,
    region: Region,
    account: String,
    environment: String,
    current: BTreeMap<EnvName, Timestamp>,
    used_by: Vec<String>,
    /// What prune would do with it, and why.
    prune: String,
    because: String,
}

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load(dir)?;
    let unsaved = InventoryArgs {
        inventory: None,
        save_inventory: None,
    };
    let fates = |inventory: &Inventory| fates(&loaded.catalog, inventory);
    let inventory = uses::inventory(&loaded, &unsaved, fates).await?;
    unread::warn(&inventory);
    let records = Record::read_all(&inventory.images, &loaded.catalog.settings.name);
    let found = find(&loaded.catalog, &inventory, &records, &args.what)?;
    let store = context::store(&loaded.catalog.settings).await?;
    let story = story(&loaded, &inventory, &records, found, &*store).await?;
    if args.json {
        ui::json(&story);
    } else {
        ui::data(&text(&story));
    }
    Ok(0)
}

fn fates(catalog: &Catalog, inventory: &Inventory) -> Vec<RetentionDecision> {
    decide_retention(
        &Record::read_all(&inventory.images, &catalog.settings.name),
        &RetentionRules::from_inventory(catalog, inventory),
    )
}

/// The record of an AMI's id, of `image@version`, or of what is current of an image on the lowest rung.
fn find<'r, 'w>(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &'r [Record<'w>],
    what: &str,
) -> Result<&'r Record<'w>> {
    let none =
        |text: String| Error::new(Kind::NotFound, text).hint("`bakeline list` shows what exists");
    let missing = |text: String| unread::missing(inventory, none(text));
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
        let found = records
            .iter()
            .find(|r| r.image.as_str() == image && r.version.to_string() == version);
        return found.ok_or_else(|| missing(format!("there is no version {version} of `{image}`")));
    }
    let name = context::image(catalog, what)?;
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
    found.ok_or_else(|| missing(format!("nothing of `{name}` is released")))
}

async fn story(
    loaded: &Loaded,
    inventory: &Inventory,
    records: &[Record<'_>],
    record: &Record<'_>,
    store: &dyn Store,
) -> Result<Story> {
    let settings = &loaded.catalog.settings;
    let (image, arch, version) = (&record.image, record.arch, record.version);
    let manifest = read(store, &keys::manifest(&settings.name, image, arch, version)).await?;
    let manifest: Option<Manifest> = manifest.and_then(|bytes| manifest::parse_manifest(&bytes));
    let report = read(
        store,
        &keys::facts(&settings.name, image, arch, version, Phase::Boot),
    )
    .await?;
    let report: Option<CheckReport> = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let probe = read(store, &keys::probe(&settings.name, image, arch)).await?;
    let probe: Option<Probe> = probe.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let fates = fates(&loaded.catalog, inventory);
    let same = |r: &&Record<'_>| r.image == *image && r.version == version && r.arch == arch;
    Ok(Story {
        image: image.clone(),
        version,
        arch,
        state: record.state,
        lineage: lineage(records, record),
        built: Built {
            run: record.tag(tags::RUN).to_owned(),
            by: record.tag(tags::BY).to_owned(),
            commit: record.tag(tags::COMMIT).to_owned(),
            because: manifest.map_or_else(Vec::new, |m| m.reasons),
        },
        checks: report.map(|r| summary(&r.verdicts).line()),
        rechecked: Some(record.tag(tags::CHECKED).to_owned()).filter(|t| !t.is_empty()),
        updates: probe.filter(|p| p.version == version).map(|p| pending(&p)),
        amis: records
            .iter()
            .filter(same)
            .map(|r| copy(settings, inventory, r, &fates))
            .collect(),
    })
}

/// What the store says; it explains, so that a store that can't be read is said and not fatal.
async fn read(store: &dyn Store, key: &str) -> Result<Option<Vec<u8>>> {
    match store.get(key).await {
        Ok(found) => Ok(found),
        Err(e) if e.kind == crate::ports::StoreErrorKind::Newer => Err(e.into()),
        Err(e) => {
            ui::say(&format!("warning: {e}"));
            Ok(None)
        }
    }
}

fn pending(probe: &Probe) -> String {
    let security = probe.pending.iter().filter(|u| u.security).count();
    format!(
        "{} updates pending, {security} of them for security, asked {}",
        probe.pending.len(),
        probe.at
    )
}

/// The versions below, and the AMI that the chain of builds came from.
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

fn copy(
    settings: &Settings,
    inventory: &Inventory,
    record: &Record<'_>,
    fates: &[RetentionDecision],
) -> Copy {
    let fate = fates
        .iter()
        .find(|f| f.ami == record.ami.id && f.region == record.ami.region);
    let due = fate
        .and_then(|f| f.next_due)
        .map_or_else(String::new, |due| format!(" on {due}"));
    Copy {
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
        because: fate.map_or_else(String::new, RetentionDecision::reason),
    }
}

fn text(story: &Story) -> String {
    let mut out = vec![format!(
        "{} {} ({}), {}",
        story.image,
        story.version,
        story.arch,
        story.state.as_str()
    )];
    let mut line = |label: &str, words: String| {
        if !words.is_empty() {
            out.push(format!("  {label:<10} {words}"));
        }
    };
    line("built on", story.lineage.join(" <- "));
    line("because", story.built.because.join("; "));
    line(
        "by",
        format!("{} in run {}", story.built.by, story.built.run),
    );
    line("commit", story.built.commit.clone());
    line(
        "checks",
        story
            .checks
            .clone()
            .unwrap_or_else(|| "the store has no evidence".to_owned()),
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
                "{} in {} of account {}: {environment}",
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
        line("  prune", format!("{}: {}", ami.prune, ami.because));
    }
    out.join("\n")
}
