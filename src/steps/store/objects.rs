//! Stores the evidence of a release before the AMI becomes current: the manifest and the facts.
//! Also repairs stored evidence.

use async_trait::async_trait;

use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::{keys, manifest};
use crate::lifecycle::{Record, tags};
use crate::model::Ami;
use crate::plan::{Step, fingerprint};
use crate::steps::context::{StepEffect, Steps};

/// Stores the manifest and the facts of an original AMI. A copy has the evidence of its original.
///
/// Evidence explains but decides nothing, so a store that fails causes only a warning.
pub(in crate::steps) async fn store_release(
    steps: &Steps,
    step: &Step,
    ami: &Ami,
    context: &StepContext<'_>,
) {
    let settings = &steps.catalog.settings;
    let catalog = &settings.name;
    let record = Record::read(ami, settings).filter(|r| r.tag(tags::ORIGIN).is_empty());
    let Some(record) = record else {
        return;
    };
    let Some(image) = steps.catalog.images.get(&record.image) else {
        return;
    };
    let tag = |key| Some(record.tag(key).to_owned()).filter(|value| !value.is_empty());
    let mut manifest_now =
        fingerprint::build_manifest(&steps.catalog, image, record.version, &steps.run);
    manifest_now.base = tag(tags::BASE);
    manifest_now.parent = tag(tags::PARENT);
    manifest_now.commit = tag(tags::COMMIT);
    manifest_now.reasons = vec![step.reason.clone()];
    let mut objects = vec![(
        keys::manifest(catalog, &record.image, record.arch, record.version),
        manifest::format_manifest(&manifest_now),
    )];
    for phase in [Phase::Build, Phase::Boot] {
        let file = crate::steps::check::controls::evidence_file(record.image.as_str(), phase);
        if let Some(facts) = steps.workspace.read(&file) {
            objects.push((
                keys::facts(catalog, &record.image, record.arch, record.version, phase),
                facts,
            ));
        }
    }
    for (tag_key, content) in objects {
        if let Err(error) = steps.store.put(&tag_key, &content).await {
            (context.note)(&format!(
                "warning: the evidence could not be stored: {error}"
            ));
        }
    }
}

/// Repair of an evidence object of this catalog.
pub(in crate::steps) struct PutObject<'a> {
    pub(in crate::steps) key: &'a str,
    pub(in crate::steps) text: &'a str,
}

#[async_trait]
impl StepEffect for PutObject<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { key, text } = *self;
        require_evidence_key(steps, step, key)?;
        steps.store.put(key, text.as_bytes()).await?;
        Ok(StepOutput::ObjectWritten {
            written: key.to_owned(),
        })
    }
}

/// Deletion of an evidence object of this catalog.
pub(in crate::steps) struct DeleteObject<'a> {
    pub(in crate::steps) key: &'a str,
}

#[async_trait]
impl StepEffect for DeleteObject<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        _context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { key } = *self;
        require_evidence_key(steps, step, key)?;
        steps.store.delete(key).await?;
        Ok(StepOutput::ObjectDeleted {
            removed: key.to_owned(),
        })
    }
}

/// Fails unless the key is an evidence object or a report of this catalog. A repair never changes
/// locks, journals or objects of other catalogs.
fn require_evidence_key(steps: &Steps, step: &Step, key: &str) -> Result<()> {
    let name = &steps.catalog.settings.name;
    let image = key
        .strip_prefix(&keys::images(name))
        .is_some_and(|rest| rest.starts_with('/'));
    let result = keys::run_in(key).is_some_and(|run| keys::report(name, &run) == key);
    if image || result {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::StepFailed,
        format!(
            "step {} must not change `{key}`: it is not evidence of catalog `{name}`",
            step.id
        ),
    )
    .hint("create the plan again with `bakeline doctor`"))
}
