//! Keeps a candidate for the next run if EC2 has no capacity for its boot, and continues with it.

use async_trait::async_trait;

use super::discard::deregister_candidate;
use crate::checks::Phase;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::lifecycle::{Record, candidate, tags};
use crate::model::{Ami, AmiId, ImageName, Tags, Timestamp};
use crate::plan::Step;
use crate::steps::ami::require_ami;
use crate::steps::context::{StepEffect, Steps};
use crate::steps::publish::move_current::require_unchanged;

/// Continuation with a candidate of an earlier run. Its undo deregisters the candidate, as that of a
/// build does.
pub(in crate::steps) struct AdoptCandidate<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) ami_name: &'a str,
    pub(in crate::steps) before: &'a Tags,
}

#[async_trait]
impl StepEffect for AdoptCandidate<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let candidate = require_ami(steps, step, self.ami).await?;
        let (now, region) = (&candidate.tags, &step.region);
        require_unchanged(now, self.before, &Tags::new(), self.ami, region)?;
        if candidate.status != "available" {
            let text = format!("{} of `{}` is {}", self.ami, self.image, candidate.status);
            return Err(Error::new(ErrorKind::StepFailed, text)
                .hint("run `bakeline release` again, which builds the image"));
        }
        // A sweep at the same time keeps a candidate that has not expired.
        let expires = expiry_of(&candidate).map_or(steps.expires, |old| old.max(steps.expires));
        let mut changed = Tags::from([(tags::EXPIRES.to_owned(), expires.to_string())]);
        if steps.keep_failed {
            // Kept for inspection if its checks fail, and not adopted again.
            changed.insert(tags::KEPT.to_owned(), candidate::UNTIL_EXPIRY.to_owned());
        }
        let cloud = steps.cloud_for(step)?.change(region).await?;
        cloud.tag(region, &[self.ami.to_string()], &changed).await?;
        (context.note)(&format!("candidate {} of an earlier run", self.ami));
        Ok(StepOutput::Candidate {
            ami: self.ami.clone(),
            snapshots: candidate.snapshots,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        // A step that failed has not changed what a later run can continue with.
        if output.is_none() {
            return Ok(());
        }
        deregister_candidate(steps, step, self.ami_name).await
    }
}

fn expiry_of(ami: &Ami) -> Option<Timestamp> {
    ami.tags.get(tags::EXPIRES)?.parse().ok()
}

/// Marks a candidate as waiting for its boot checks, and stores the evidence of its build. Returns one
/// line about the candidate.
pub(in crate::steps) async fn keep_candidate(
    steps: &Steps,
    failed: &Step,
    ami: &AmiId,
) -> Result<String> {
    let found = require_ami(steps, failed, ami).await?;
    let (region, now) = (&failed.region, steps.clock.now());
    let expires = if candidate::awaits_checks(&found.tags) {
        expiry_of(&found).unwrap_or(now)
    } else {
        candidate::expiry(found.created.parse().unwrap_or(now))
    };
    let changed = Tags::from([
        (tags::KEPT.to_owned(), candidate::AWAITS_CHECKS.to_owned()),
        (tags::EXPIRES.to_owned(), expires.to_string()),
    ]);
    let cloud = steps.cloud_for(failed)?.change(region).await?;
    cloud.tag(region, &[ami.to_string()], &changed).await?;
    let stored = store_build_facts(steps, &found).await;
    let warning = stored.err().map_or_else(String::new, |error| {
        format!("; its evidence could not be stored: {}", error.one_line())
    });
    Ok(format!(
        "kept: candidate {ami} in {region} until {expires}; the next `bakeline release` checks it instead of \
         building again, if its recipe, checks and base are unchanged{warning}"
    ))
}

/// Stores the facts of the build, which the run that releases the candidate does not have.
async fn store_build_facts(steps: &Steps, candidate: &Ami) -> Result<()> {
    let settings = &steps.catalog.settings;
    let Some(record) = Record::read(candidate, settings) else {
        return Ok(());
    };
    let file = crate::steps::check::controls::evidence_file(record.image.as_str(), Phase::Build);
    if let Some(facts) = steps.workspace.read(&file) {
        let (image, version) = (&record.image, record.version);
        let key = keys::facts(&settings.name, image, record.arch, version, Phase::Build);
        steps.store.put(&key, &facts).await?;
    }
    Ok(())
}
