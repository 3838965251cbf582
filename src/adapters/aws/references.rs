//! Owns finding what refers to AMIs: instances, launch templates and launch configurations (and through them Auto Scaling
//! groups), SSM parameters.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};

use super::{Clients, failed};
use crate::model::{AmiId, Reference};
use crate::ports::CloudResult;

/// Values per filter (EC2: 200).
const CHUNK: usize = 200;

pub(super) async fn find(clients: &Clients, amis: &[AmiId]) -> CloudResult<Vec<Reference>> {
    let mut out = BTreeSet::new();
    if amis.is_empty() {
        return Ok(Vec::new());
    }
    for chunk in amis.chunks(CHUNK) {
        instances(clients, chunk, &mut out).await?;
    }
    let wanted: BTreeSet<&str> = amis.iter().map(AmiId::as_str).collect();
    launch_templates(clients, &wanted, &mut out).await?;
    super::scaling::find(clients, &wanted, &mut out).await?;
    parameters(clients, &wanted, &mut out).await?;
    Ok(out.into_iter().collect())
}

async fn instances(clients: &Clients, amis: &[AmiId], out: &mut BTreeSet<Reference>) -> CloudResult<()> {
    let by_image = Filter::builder().name("image-id").set_values(Some(amis.iter().map(ToString::to_string).collect()));
    let alive = ["pending", "running", "stopping", "stopped", "shutting-down"].map(str::to_owned).to_vec();
    let by_state = Filter::builder().name("instance-state-name").set_values(Some(alive));
    let call = clients.ec2.describe_instances().filters(by_image.build()).filters(by_state.build());
    let mut pages = call.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeInstances", &clients.region, &e))?;
        for instance in page.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default())
        {
            if let (Some(ami), Some(by)) = (instance.image_id, instance.instance_id) {
                out.insert(Reference { ami: AmiId(ami), kind: "instance".to_owned(), by });
            }
        }
    }
    Ok(())
}

async fn launch_templates(
    clients: &Clients,
    wanted: &BTreeSet<&str>,
    out: &mut BTreeSet<Reference>,
) -> CloudResult<()> {
    let mut pages = clients.ec2.describe_launch_templates().into_paginator().send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeLaunchTemplates", &clients.region, &e))?;
        ids.extend(page.launch_templates.unwrap_or_default().into_iter().filter_map(|t| t.launch_template_id));
    }
    for id in ids {
        let mut versions =
            clients.ec2.describe_launch_template_versions().launch_template_id(&id).into_paginator().send();
        while let Some(page) = versions.next().await {
            let page = page.map_err(|e| failed("DescribeLaunchTemplateVersions", &clients.region, &e))?;
            for version in page.launch_template_versions.unwrap_or_default() {
                let ami = version.launch_template_data.and_then(|d| d.image_id);
                if let Some(ami) = ami.filter(|a| wanted.contains(a.as_str())) {
                    let by = id.clone();
                    out.insert(Reference { ami: AmiId(ami), kind: "launch-template".to_owned(), by });
                }
            }
        }
    }
    Ok(())
}

/// Parameters of strings that name one of the ids, alone, in a list or within a text such as JSON: bakeline's own pointers
/// and everybody else's.
async fn parameters(clients: &Clients, wanted: &BTreeSet<&str>, out: &mut BTreeSet<Reference>) -> CloudResult<()> {
    let types = [ParameterType::String, ParameterType::StringList].map(|t| t.as_str().to_owned()).to_vec();
    let strings = ParameterStringFilter::builder().key("Type").option("Equals").set_values(Some(types)).build();
    let Ok(strings) = strings else { return Ok(()) };
    let mut pages = clients.ssm.describe_parameters().parameter_filters(strings).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| failed("DescribeParameters", &clients.region, &e))?;
        names.extend(page.parameters.unwrap_or_default().into_iter().filter_map(|p| p.name));
    }
    // GetParameters takes ten names (SSM API Reference).
    for chunk in names.chunks(10) {
        let answer = clients.ssm.get_parameters().set_names(Some(chunk.to_vec())).send().await;
        let answer = answer.map_err(|e| failed("GetParameters", &clients.region, &e))?;
        for parameter in answer.parameters.unwrap_or_default() {
            let (Some(value), Some(by)) = (parameter.value, parameter.name) else { continue };
            for ami in named(&value).filter(|id| wanted.contains(id)) {
                out.insert(Reference { ami: AmiId::from(ami), kind: "parameter".to_owned(), by: by.clone() });
            }
        }
    }
    Ok(())
}

/// The words of a text that may be ids of AMIs.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| word.starts_with("ami-"))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn an_ami_is_found_alone_in_a_list_and_within_json() {
        let found = |text: &str| named(text).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found("ami-0a"), ["ami-0a"]);
        assert_eq!(found("ami-0a,ami-0b"), ["ami-0a", "ami-0b"]);
        assert_eq!(found(r#"{"eu-west-1": {"web":"ami-0a"}, "n": 1}"#), ["ami-0a"]);
        assert_eq!(found("resolve:ssm:/x/y, xami-0a"), Vec::<String>::new());
    }
}
