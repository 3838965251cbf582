//! Owns what a release leaves in the store before it becomes current: its recipe, input by input, and the facts judged.

use super::Steps;
use crate::checks::Phase;
use crate::engine::StepContext;
use crate::evidence::{keys, manifest};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;
use crate::plan::{Step, fingerprint};

/// Writes all of it. They explain and decide nothing, so what the store does not take is said, and the release goes on.
pub(super) async fn keep(steps: &Steps, step: &Step, ami: &Ami, context: &StepContext<'_>) {
    let catalog = &steps.catalog.settings.name;
    let Some(record) = Record::read(ami, catalog) else { return };
    let Some(image) = steps.catalog.images.get(&record.image) else { return };
    let tag = |key| Some(record.tag(key).to_owned()).filter(|value| !value.is_empty());
    let mut made = fingerprint::manifest(&steps.catalog, image, record.version, &steps.run);
    made.base = tag(tags::BASE);
    made.parent = tag(tags::PARENT);
    made.commit = tag(tags::COMMIT);
    made.reasons = vec![step.reason.clone()];
    let mut objects =
        vec![(keys::manifest(catalog, &record.image, record.arch, record.version), manifest::write(&made))];
    for phase in [Phase::Build, Phase::Boot] {
        let file = super::check::evidence_file(record.image.as_str(), phase);
        if let Some(facts) = steps.workspace.read(&file) {
            objects.push((keys::facts(catalog, &record.image, record.arch, record.version, phase), facts));
        }
    }
    for (key, content) in objects {
        if let Err(error) = steps.store.put(&key, &content).await {
            (context.note)(&format!("warning: the evidence is not kept: {error}"));
        }
    }
}
