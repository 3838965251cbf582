//! Reads the pending updates of an instance and stores them as a dated fact.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::evidence::keys;
use crate::model::{AmiId, EVIDENCE_SCHEMA, ImageName, Probe, Timestamp, Version};
use crate::plan::{Step, StepId};
use crate::ports::ScriptLimits;
use crate::steps::check::collect;
use crate::steps::context::{StepEffect, Steps};

/// Limits of a new instance, plus the time to wait for a first-boot job that holds apt's locks
/// (ten minutes, apt.sh).
const LIMITS: ScriptLimits = ScriptLimits {
    timeout: Duration::from_secs(600 + 300),
    ..ScriptLimits::NEW_INSTANCE
};

/// Pending updates of a version, read from an instance and stored.
pub(in crate::steps) struct ProbeUpdates<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) version: &'a Version,
    pub(in crate::steps) ami: &'a AmiId,
    pub(in crate::steps) instance: &'a StepId,
}

#[async_trait]
impl StepEffect for ProbeUpdates<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self {
            image,
            version: &version,
            ami,
            instance: boot,
        } = *self;
        let definition = steps
            .catalog
            .images
            .get(image)
            .ok_or_else(|| Error::input(format!("image `{image}` is not in the catalog")))?;
        let ssm = steps.catalog.settings.builder.access == crate::catalog::Access::Ssm;
        let (instance, address) = context.outputs.instance(boot)?;
        let host = if ssm { instance.0 } else { address };
        let target = collect::instance_target(steps, &step.scope, definition.login_user(), &host);
        let script = definition.platform.pending_script();
        let out = steps
            .shell
            .run(&target, &script, LIMITS, &context.cancel)
            .await;
        let kind = || {
            if context.cancel.is_cancelled() {
                ErrorKind::Interrupted
            } else {
                ErrorKind::StepFailed
            }
        };
        let failed = || format!("the pending updates of `{image}` {version} could not be read");
        let out = out.map_err(|e| {
            Error::new(kind(), failed())
                .because(e)
                .hint(format!("instance {host}"))
        })?;
        let mut pending = definition
            .platform
            .parse_pending(&String::from_utf8_lossy(&out.stdout))
            .map_err(|e| Error::new(ErrorKind::StepFailed, failed()).because(e))?;
        pending.sort();
        let now = steps.clock.now();
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let key = keys::probe(&steps.catalog.settings.name, image, definition.arch);
        let security = pending.iter().filter(|u| u.security).count();
        let since = earlier_start(steps, &key, ami).await?.unwrap_or(at);
        let (image, ami, schema) = (image.clone(), ami.clone(), EVIDENCE_SCHEMA);
        let since = (security > 0).then_some(since);
        let probe = Probe {
            schema,
            image,
            version,
            ami,
            at,
            since,
            pending,
        };
        let text = serde_json::to_vec_pretty(&probe).unwrap_or_default();
        steps.store.put(&key, &text).await?;
        let all = probe.pending.len();
        Ok(StepOutput::Updates {
            summary: format!("{security} security, {all} in all"),
            ami: probe.ami.clone(),
            probe,
        })
    }
}

/// Returns the time since which an AMI has pending security updates, as an earlier probe stored it.
async fn earlier_start(steps: &Steps, key: &str, ami: &AmiId) -> Result<Option<Timestamp>> {
    let stored = steps.store.get(key).await?;
    let earlier = stored.and_then(|bytes| serde_json::from_slice::<Probe>(&bytes).ok());
    Ok(earlier.filter(|p| p.ami == *ami).and_then(|p| p.since))
}
