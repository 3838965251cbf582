//! Describes the resources that `--keep-failed` keeps: the instance or candidate, how to log in,
//! and the expiry.

use crate::catalog::Access;
use crate::error::Result;
use crate::lifecycle::tags;
use crate::model::State;
use crate::plan::Scope;
use crate::ports::ImageQuery;
use crate::steps::context::Steps;

pub(in crate::steps) async fn describe_kept(steps: &Steps, scope: &Scope) -> Result<Vec<String>> {
    let images = &steps.catalog.images;
    let image = images.iter().find(|(name, _)| scope.is_home_of(name));
    let Some((_, image)) = image else {
        return Ok(Vec::new());
    };
    let (settings, mine) = (&steps.catalog.settings, steps.run_tags(scope));
    let (home, user) = (settings.home(), image.login_user());
    let key = steps
        .workspace
        .root()
        .join(crate::steps::access::credentials::key_file(scope));
    let mut out = Vec::new();
    for instance in steps.cloud.instances_with_tags(home, &mine).await? {
        let address = if image.builder(settings).public_address {
            instance.public_ip
        } else {
            instance.private_ip
        };
        let login = match (&settings.builder.access, address) {
            (Access::Ssm, _) => format!(
                "aws ssm start-session --region {home} --target {}",
                instance.id
            ),
            (_, Some(ip)) => format!("ssh -i {} -o IdentitiesOnly=yes {user}@{ip}", key.display()),
            (_, None) => "no address".to_owned(),
        };
        out.push(format!(
            "kept: instance {} in {home} until {}: {login}",
            instance.id, steps.expires
        ));
    }
    let candidate = (tags::STATE.to_owned(), State::Candidate.as_str().to_owned());
    // A candidate has the tags of its image, not those of the temporary resources.
    let published = [
        (tags::IMAGE, image.name.published().to_owned()),
        (tags::ARCH, image.arch.to_string()),
    ];
    let published = published.map(|(key, value)| (key.to_owned(), value));
    let query = ImageQuery {
        tags: mine
            .into_iter()
            .chain(published)
            .chain([candidate])
            .collect(),
        ..ImageQuery::default()
    };
    for ami in steps.cloud.images(home, &query).await? {
        out.push(format!(
            "kept: candidate {} in {home} until {}; no lookup returns it",
            ami.id, steps.expires
        ));
    }
    if !out.is_empty() {
        out.push("after that time, `bakeline sweep --apply` removes it".to_owned());
    }
    Ok(out)
}
