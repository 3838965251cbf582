//! Launches a test instance of a finished AMI and terminates it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::catalog::Placement;
use crate::engine::{StepContext, StepOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ImageName, InstanceId, Region};
use crate::plan::{AmiRef, Step, StepId, StepName};
use crate::ports::{Instance, LaunchRequest, Secret};
use crate::steps::access::host_key;
use crate::steps::access::placement::{LaunchRefusal, PlacementSearch};
use crate::steps::context::{StepEffect, Steps, client_token};
use crate::steps::created;
use crate::steps::creations::CreationKey;
use crate::steps::poll::poll_until;

/// Longest wait for an instance. EC2 starts and terminates instances within minutes.
const LIMIT: Duration = Duration::from_secs(600);

/// Launch of a test instance.
pub(in crate::steps) struct Boot<'a> {
    pub(in crate::steps) image: &'a ImageName,
    pub(in crate::steps) ami: &'a AmiRef,
}

#[async_trait]
impl StepEffect for Boot<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { image, ami } = *self;
        let definition = steps.catalog.images.get(image);
        let builder = steps.builder_of(&step.scope);
        let platform = definition.map(|i| i.platform).unwrap_or_default();
        let keys = host_key::load_or_generate(steps, &step.scope).await?;
        let request = LaunchRequest {
            ami: context.outputs.ami(ami)?,
            instance_type: String::new(),
            key_name: context
                .outputs
                .key_pair(&StepId::new(step.scope.clone(), StepName::Key))?,
            group: context
                .outputs
                .group(&StepId::new(step.scope.clone(), StepName::Group))?,
            subnet: None,
            instance_profile: builder.instance_profile.clone(),
            public_address: builder.public_address,
            user_data: Some(Secret::new(platform.first_boot(
                crate::plan::release::EXPIRES.as_hours(),
                &host_key::user_data_keys(&keys),
            ))),
            tags: steps.temporary_tags(&step.scope),
            token: String::new(),
        };
        let ami = request.ami.clone();
        let (instance, placement) =
            start_with_capacity(steps, step, image, request, context).await?;
        let id = instance.id.clone();
        let address = require_address(instance, builder.public_address)?;
        let wait = definition.and_then(|i| i.instance.boot_wait);
        wait_for_boot(steps, wait.unwrap_or_default(), &id, &context.cancel).await?;
        host_key::write_known_hosts(steps, &step.scope, &keys, &[id.as_str(), &address])?;
        Ok(StepOutput::Instance {
            instance: id,
            address,
            ami,
            instance_type: placement.instance_type,
            subnet: placement.subnet,
        })
    }

    async fn undo(
        &self,
        steps: &Steps,
        step: &Step,
        output: Option<&StepOutput>,
        _context: &StepContext<'_>,
    ) -> Result<()> {
        let Self { image, .. } = *self;
        terminate_all(steps, step, image, output).await
    }
}

/// Returns the key of the instance of an image, of its build or its check.
pub(in crate::steps) fn instance_key(step: &Step, image: &ImageName) -> CreationKey {
    CreationKey::new("instance of image", image.as_str(), None, &step.region)
}

/// Starts the instance with the first instance type and subnet for which EC2 has capacity.
async fn start_with_capacity(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    mut request: LaunchRequest,
    context: &StepContext<'_>,
) -> Result<(Instance, Placement)> {
    let mut search = PlacementSearch::new(steps, step);
    loop {
        let placement = search.next()?;
        request.instance_type.clone_from(&placement.instance_type);
        request.subnet.clone_from(&placement.subnet);
        // EC2 answers a repeated token with the first instance, even if it is terminated.
        let attempt = steps.attempt;
        let parts = format!("{} {attempt} boot {image} {placement}", steps.run);
        request.token = client_token(&parts);
        let refusal = match launch(steps, step, image, &request, context).await? {
            Ok(id) => {
                (context.note)(&format!("instance {id} ({placement})"));
                match wait_until_running(steps, step, &id, &request, context).await? {
                    Ok(instance) => return Ok((instance, placement)),
                    Err(refusal) => refusal,
                }
            }
            Err(refusal) => refusal,
        };
        (context.note)(&search.refuse(placement, refusal));
    }
}

/// Waits until the instance is running. EC2 can notice only after its response that it has no capacity.
async fn wait_until_running(
    steps: &Steps,
    step: &Step,
    id: &InstanceId,
    request: &LaunchRequest,
    context: &StepContext<'_>,
) -> Result<Result<Instance, LaunchRefusal>> {
    let ended = Mutex::new(None);
    let what = format!("instance {id} to be running");
    let running = poll_until(steps, LIMIT, &context.cancel, &what, || {
        poll_running(steps, &step.region, id, &ended)
    })
    .await;
    let reason = ended.lock().ok().and_then(|mut reason| reason.take());
    let refusal = reason.as_deref().and_then(late_refusal);
    match (running, refusal) {
        (Ok(instance), _) => Ok(Ok(instance)),
        (Err(_), Some(refusal)) => Ok(Err(refusal)),
        // The undo of the step finds the instance by its tags. The message names it for the user.
        (Err(error), None) => Err(Error::new(
            error.kind,
            format!("instance {id} of {} did not start", request.ami),
        )
        .because(error)),
    }
}

/// Parses the reason of EC2 for the end of an instance that did not start, such as
/// `Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request`.
fn late_refusal(reason: &str) -> Option<LaunchRefusal> {
    LaunchRefusal::parse(reason.strip_prefix("Server.")?)
}

/// Launches the instance. EC2 may not know the new security group or key pair yet.
async fn launch(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    request: &LaunchRequest,
    context: &StepContext<'_>,
) -> Result<Result<InstanceId, LaunchRefusal>> {
    let new = [request.group.as_str(), request.key_name.as_str()];
    let what = format!("the launch of an instance of {}", request.ami);
    created::use_created(steps, &new, &context.cancel, &what, || async {
        let cloud = steps.cloud.change(&step.region).await?;
        let call = cloud.launch(&step.region, request);
        let launched = created::create(steps, instance_key(step, image), call, |id| id.0.clone());
        match launched.await {
            Ok(id) => Ok(Ok(id)),
            Err(error) => LaunchRefusal::of_error(&error).map(Err).ok_or(error),
        }
    })
    .await
}

/// Waits until an image that needs more time can accept logins.
async fn wait_for_boot(
    steps: &Steps,
    wait: jiff::SignedDuration,
    id: &InstanceId,
    cancel: &CancellationToken,
) -> Result<()> {
    let wait = Duration::try_from(wait).unwrap_or_default();
    if wait.is_zero() {
        return Ok(());
    }
    tokio::select! {
        () = cancel.cancelled() => {
            let text = format!("cancelled during `boot_wait` of instance {id}");
            Err(Error::new(ErrorKind::Interrupted, text))
        }
        () = steps.clock.sleep(wait) => Ok(()),
    }
}

/// Returns the address over which the runner reaches an instance.
fn require_address(instance: Instance, public: bool) -> Result<String> {
    let (address, kind) = if public {
        (instance.public_ip, "public")
    } else {
        (instance.private_ip, "private")
    };
    address.ok_or_else(|| {
        let text = format!("instance {} has no {kind} address", instance.id);
        Error::new(ErrorKind::StepFailed, text)
    })
}

/// Returns the instance when it is running. If it has ended, fails and stores the reason of EC2.
async fn poll_running(
    steps: &Steps,
    region: &Region,
    id: &InstanceId,
    ended: &Mutex<Option<String>>,
) -> Result<Option<Instance>> {
    let Some(instance) = steps.cloud.instance(region, id).await? else {
        return Ok(None);
    };
    match instance.status.as_str() {
        "running" => Ok(Some(instance)),
        "pending" => Ok(None),
        status => {
            let why = instance
                .reason
                .as_deref()
                .map_or_else(String::new, |r| format!(" ({r})"));
            if let Ok(mut ended) = ended.lock() {
                *ended = instance.reason;
            }
            Err(Error::new(
                ErrorKind::StepFailed,
                format!("the instance is {status} in {region}{why}"),
            ))
        }
    }
}

/// Termination of a test instance.
pub(in crate::steps) struct Terminate<'a> {
    pub(in crate::steps) instance: &'a StepId,
}

#[async_trait]
impl StepEffect for Terminate<'_> {
    async fn perform(
        &self,
        steps: &Steps,
        step: &Step,
        context: &StepContext<'_>,
    ) -> Result<StepOutput> {
        let Self { instance: boot } = *self;
        let (id, _) = context.outputs.instance(boot)?;
        terminate_and_wait(steps, &step.region, &id).await?;
        host_key::delete(steps, &step.scope);
        Ok(StepOutput::Terminated { terminated: id })
    }
}

/// Terminates every instance of this image and run, even if the response to its launch was lost.
pub(in crate::steps) async fn terminate_all(
    steps: &Steps,
    step: &Step,
    image: &ImageName,
    output: Option<&StepOutput>,
) -> Result<()> {
    let mut ids = created::find_created(steps, &instance_key(step, image), || async {
        let tags = steps.run_tags(image.as_str());
        let found = steps.cloud.instances_with_tags(&step.region, &tags).await?;
        Ok(found.into_iter().map(|i| i.id.0).collect())
    })
    .await?;
    if let Some(StepOutput::Instance { instance, .. }) = output {
        ids.insert(instance.0.clone());
    }
    for id in ids {
        terminate_and_wait(steps, &step.region, &InstanceId(id)).await?;
    }
    host_key::delete(steps, &step.scope);
    Ok(())
}

/// Terminates an instance and waits for its end, which releases its group and volume.
pub(in crate::steps) async fn terminate_and_wait(
    steps: &Steps,
    region: &Region,
    id: &InstanceId,
) -> Result<()> {
    let what = format!("instance {id} to terminate");
    created::delete_created(steps, id.as_str(), LIMIT, &what, || async {
        let cloud = steps.cloud.change(region).await?;
        cloud.terminate(region, id).await
    })
    .await?;
    let (never, begun) = (CancellationToken::new(), steps.clock.now());
    poll_until(steps, LIMIT, &never, &what, || async {
        let has_ended = match steps.cloud.instance(region, id).await? {
            Some(instance) => instance.status == "terminated",
            None => created::is_missing(steps, begun),
        };
        Ok(has_ended.then_some(()))
    })
    .await
}
