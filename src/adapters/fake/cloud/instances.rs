//! Implements the calls for instances on a fake cloud.

use async_trait::async_trait;

use super::{has_tags, not_found, or_absent};
use crate::adapters::fake::FakeCloud;
use crate::adapters::fake::state::FakeInstance;
use crate::model::{InstanceId, Region, Tags};
use crate::ports::{
    CloudErrorKind, CloudResult, ImageQuery, Instance, InstanceReader, InstanceWriter,
    LaunchRequest, TrialOutcome, TrialRequest, launch_refusal_kind,
};

#[async_trait]
impl InstanceReader for FakeCloud {
    async fn instance(&self, region: &Region, id: &InstanceId) -> CloudResult<Option<Instance>> {
        let result = self
            .call(("instance", id.as_str(), false), region, |state| {
                if state.is_hidden(id.as_str()) {
                    return Ok(None);
                }
                Ok(state.observe_instance(id))
            })
            .await;
        or_absent(result, None)
    }

    async fn instances_with_tags(
        &self,
        region: &Region,
        tags: &Tags,
    ) -> CloudResult<Vec<Instance>> {
        self.call(("instances_with_tags", "", false), region, |state| {
            let live = state
                .instances
                .iter()
                .filter(|(_, i)| i.status != "terminated" && has_tags(&i.tags, tags));
            let ids: Vec<InstanceId> = live.map(|(id, _)| id.clone()).collect();
            let ids: Vec<InstanceId> = ids
                .into_iter()
                .filter(|id| !state.is_hidden(id.as_str()))
                .collect();
            Ok(ids
                .iter()
                .filter_map(|id| state.observe_instance(id))
                .collect())
        })
        .await
    }

    async fn dry_run_launch(
        &self,
        region: &Region,
        request: &TrialRequest,
    ) -> CloudResult<TrialOutcome> {
        let ami = &request.ami;
        let query = ImageQuery {
            owners: vec!["*".to_owned()],
            ids: vec![ami.clone()],
            ..ImageQuery::default()
        };
        let shared = self.shared_amis(region, &query);
        self.call(("dry_run_launch", ami.as_str(), false), region, |state| {
            state.trials.push(request.clone());
            let own = state.images.get(ami);
            match own.or(shared.first()).map(|a| a.status.as_str()) {
                Some("available") => Ok(match &state.untested {
                    Some(reason) => TrialOutcome::Untested(reason.clone()),
                    None => TrialOutcome::Passed,
                }),
                _ => not_found(ami.as_str()),
            }
        })
        .await
    }
}

#[async_trait]
impl InstanceWriter for FakeCloud {
    async fn launch(&self, region: &Region, request: &LaunchRequest) -> CloudResult<InstanceId> {
        self.call(("launch", request.ami.as_str(), true), region, |state| {
            if let Some((id, _)) = state
                .instances
                .iter()
                .find(|(_, i)| i.token == request.token)
            {
                return Ok(id.clone());
            }
            let usable = state.images.contains_key(&request.ami)
                && state.groups.contains_key(&request.group);
            if !usable
                || state.is_hidden(&request.group)
                || !state.key_pairs.contains_key(&request.key_name)
            {
                return not_found("the AMI, the group or the key pair");
            }
            let subnet = request.subnet.as_deref();
            if let Some(refusal) = state.launch_refusal(&request.instance_type, subnet) {
                let code = refusal.split(':').next().unwrap_or_default();
                let kind = launch_refusal_kind(code).unwrap_or(CloudErrorKind::Other);
                return Err((kind, refusal));
            }
            let id = InstanceId(state.new_id("i"));
            let (group, token) = (request.group.clone(), request.token.clone());
            let instance = FakeInstance {
                ami: request.ami.clone(),
                instance_type: request.instance_type.clone(),
                subnet: request.subnet.clone(),
                status: "pending".to_owned(),
                group,
                token,
                tags: request.tags.clone(),
            };
            state.instances.insert(id.clone(), instance);
            Ok(id)
        })
        .await
    }

    async fn terminate(&self, region: &Region, id: &InstanceId) -> CloudResult<bool> {
        let result = self
            .call(("terminate", id.as_str(), true), region, |state| {
                if state.is_hidden(id.as_str()) {
                    return Ok(false);
                }
                let Some(instance) = state.instances.get_mut(id) else {
                    return Ok(false);
                };
                if instance.status != "terminated" {
                    instance.status = "shutting-down".to_owned();
                }
                Ok(true)
            })
            .await;
        or_absent(result, false)
    }
}
