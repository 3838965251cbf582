//! Owns what a release leaves in the store before it becomes current (its recipe, input by input, and the facts judged),
//! and its repair.

use serde_json::{Value, json};

use super::Steps;
use crate::checks::Phase;
use crate::engine::StepContext;
use crate::error::{Error, Kind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;
use crate::plan::{Step, fingerprint};

/// Writes all of it, of an original: a copy is of a version that has it, and may be made long after the catalog moved on.
/// It explains and decides nothing, so what the store does not take is said, and the release goes on.
pub(super) async fn keep(steps: &Steps, step: &Step, ami: &Ami, context: &StepContext<'_>) {
    let catalog = &steps.catalog.settings.name;
    let Some(record) = Record::read(ami, catalog).filter(|r| r.tag(tags::ORIGIN).is_empty()) else {
        return;
    };
    let Some(image) = steps.catalog.images.get(&record.image) else {
        return;
    };
    let tag = |key| Some(record.tag(key).to_owned()).filter(|value| !value.is_empty());
    let mut made = fingerprint::build_manifest(&steps.catalog, image, record.version, &steps.run);
    made.base = tag(tags::BASE);
    made.parent = tag(tags::PARENT);
    made.commit = tag(tags::COMMIT);
    made.reasons = vec![step.reason.clone()];
    let mut objects = vec![(
        keys::manifest(catalog, &record.image, record.arch, record.version),
        manifest::format_manifest(&made),
    )];
    for phase in [Phase::Build, Phase::Boot] {
        let file = super::check::evidence_file(record.image.as_str(), phase);
        if let Some(facts) = steps.workspace.read(&file) {
            objects.push((
                keys::facts(catalog, &record.image, record.arch, record.version, phase),
                facts,
            ));
        }
    }
    for (tag_key, content) in objects {
        if let Err(error) = steps.store.put(&tag_key, &content).await {
            (context.note)(&format!("warning: the evidence is not kept: {error}"));
        }
    }
}

/// Writes an object of this catalog's evidence.
pub(super) async fn remember(steps: &Steps, step: &Step, key: &str, text: &str) -> Result<Value> {
    own(steps, step, key)?;
    steps.store.put(key, text.as_bytes()).await?;
    Ok(json!({ "written": key }))
}

/// Removes an object of this catalog's evidence.
pub(super) async fn forget(steps: &Steps, step: &Step, key: &str) -> Result<Value> {
    own(steps, step, key)?;
    steps.store.delete(key).await?;
    Ok(json!({ "removed": key }))
}

/// Locks, journals and other catalogs' objects are nobody's to mend.
fn own(steps: &Steps, step: &Step, key: &str) -> Result<()> {
    let name = &steps.catalog.settings.name;
    let image = key
        .strip_prefix(&keys::images(name))
        .is_some_and(|rest| rest.starts_with('/'));
    let result = keys::run_in(key).is_some_and(|run| keys::report(name, &run) == key);
    if image || result {
        return Ok(());
    }
    Err(Error::new(
        Kind::StepFailed,
        format!("a defect: step {} would change `{key}`", step.id),
    ))
}
