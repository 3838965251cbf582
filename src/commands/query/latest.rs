//! Implements `bakeline latest`: prints the ID of the current AMI. Needs no checkout.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::adapters::system;
use crate::catalog::{self, Settings};
use crate::cli::{CatalogArgs, Latest};
use crate::commands::support::access::role_in_account;
use crate::commands::support::context;
use crate::diagnostic::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{
    Ami, AmiId, Arch, CatalogName, EnvName, ImageName, Region, Tags, Version, check_name,
    pointer_name, version_in_ami_name,
};
use crate::ports::{Cloud, CloudErrorKind, ImageQuery};
use crate::ui;

/// Catalog and Region of a lookup; the settings if there is a checkout.
pub(crate) struct LookupScope {
    pub(crate) catalog: CatalogName,
    pub(crate) region: Region,
    pub(crate) settings: Option<Settings>,
}

/// Returns the catalog and Region from the command line, else from bakeline.yaml. Without both, the
/// Region comes from `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile, in this order.
pub(crate) async fn resolve_location(dir: &Path, args: &CatalogArgs) -> Result<LookupScope> {
    let settings = match &args.catalog {
        Some(_) => None,
        None => Some(load_settings(dir)?),
    };
    let (catalog, home) = match (&args.catalog, &settings) {
        (Some(name), _) => (CatalogName::from(name.as_str()), None),
        (None, Some(settings)) => (settings.name.clone(), Some(settings.home().clone())),
        (None, None) => return Err(Error::new(ErrorKind::Usage, "the catalog is missing")),
    };
    check_name(catalog.as_str()).map_err(|e| {
        Error::new(
            ErrorKind::Usage,
            format!("`{catalog}` is not a catalog name"),
        )
        .because(e)
    })?;
    let variable = |name| system::variable(name).filter(|region| !region.is_empty());
    let given = args.region.as_deref().map(Region::from).or(home);
    let region = given
        .or_else(|| variable("AWS_REGION").map(Region))
        .or_else(|| variable("AWS_DEFAULT_REGION").map(Region));
    let region = match region {
        Some(region) => region,
        None => context::profile_region().await.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the Region is missing").hint(
                "use --region, or set AWS_REGION, AWS_DEFAULT_REGION or `region` in the profile",
            )
        })?,
    };
    Ok(LookupScope {
        catalog,
        region,
        settings,
    })
}

pub(super) fn load_settings(dir: &Path) -> Result<Settings> {
    let files = context::open_files(dir)?;
    match catalog::load_settings(&files) {
        (Some(settings), _) => Ok(settings),
        (None, findings) => {
            ui::say(&ui::snippet::render(
                &findings,
                &context::source_texts(&files, &findings),
                ui::stderr_has_color(),
            ));
            Err(context::invalid_catalog(&findings)
                .hint("or use --catalog, which needs no checkout"))
        }
    }
}

pub(crate) async fn run(dir: &Path, args: &Latest) -> Result<u8> {
    let location = resolve_location(dir, &args.lookup).await?;
    let env = resolve_environment(args, location.settings.as_ref())?;
    let image = ImageName::from(args.image.as_str());
    let arch = image.arch().unwrap_or(args.arch);
    check_name(image.published()).map_err(|e| {
        Error::new(
            ErrorKind::Usage,
            format!("`{}` is not an image name", args.image),
        )
        .because(e)
    })?;
    let image = ImageName::from(image.published());
    let found = find_current(&location, &image, &env, arch).await?;
    if args.json {
        ui::json(&found);
    } else {
        ui::data(found["ami"].as_str().unwrap_or_default());
    }
    Ok(0)
}

/// Reads the SSM parameter and the AMIs in parallel, to verify the parameter in one round trip.
async fn find_current(
    location: &LookupScope,
    image: &ImageName,
    env: &EnvName,
    arch: Arch,
) -> Result<Value> {
    let cloud = context::connect_cloud(&location.region).await?;
    let pointer = pointer_name(&location.catalog, image, env, arch);
    let tags = [
        (tags::CATALOG, location.catalog.as_str()),
        (tags::IMAGE, image.as_str()),
    ]
    .map(|(k, v)| (k.into(), v.into()));
    let query = ImageQuery {
        tags: Tags::from(tags),
        ..ImageQuery::default()
    };
    let (published, images) = tokio::join!(
        cloud.parameter(&location.region, &pointer),
        cloud.images(&location.region, &query)
    );
    let published = match published {
        // The tags are enough, but nothing verifies that they match the pointer.
        Err(e) if e.kind == CloudErrorKind::Denied => {
            ui::say(&format!(
                "warning: SSM parameter {pointer} could not be compared with the tags: {e}"
            ));
            None
        }
        other => other.map_err(crate::steps::first_call_error)?,
    };
    let images = images.map_err(crate::steps::first_call_error)?;
    let records = Record::read_all_published(&images, &location.catalog);
    let unknown = published
        .as_deref()
        .filter(|id| images.iter().all(|ami| ami.id.as_str() != *id));
    if let Some(id) = unknown
        && let Some((ami, version)) = find_shared(&*cloud, location, id, (image, arch)).await?
    {
        return Ok(json!({
            "ami": ami.id, "image": image, "version": version, "arch": arch, "environment": env,
            "region": location.region, "since": null, "name": ami.name, "owner": ami.owner,
        }));
    }
    let found = lookup::find_published(&records, published.as_deref(), image, env, arch);
    let defect = found.unusable.map(|why| {
        format!(
            "SSM parameter {pointer} in {} names {}, which {why}",
            location.region,
            published.unwrap_or_default()
        )
    });
    let Some(record) = found.record else {
        return Err(not_current_error(&*cloud, location, (image, arch, env), defect).await);
    };
    if let Some(defect) = defect {
        ui::say(&format!(
            "warning: {defect}; the tags name {}; run `bakeline doctor`",
            record.ami.id
        ));
    }
    let since = record.current.get(env).map(ToString::to_string);
    Ok(json!({
        "ami": record.ami.id, "image": image, "version": record.version, "arch": arch, "environment": env,
        "region": location.region, "since": since, "name": record.ami.name,
    }))
}

/// Returns the error for an image that is not current. `defect` describes a pointer that names an
/// unusable AMI.
async fn not_current_error(
    cloud: &dyn Cloud,
    location: &LookupScope,
    (image, arch, env): (&ImageName, Arch, &EnvName),
    defect: Option<String>,
) -> Error {
    let account = cloud.identity(&location.region).await;
    let account = account.map(|caller| caller.account).ok();
    let place = account.as_ref().map(|own| format!(", account {own}"));
    let text = format!(
        "no `{image}` ({arch}) is current in `{env}` of catalog `{}` in {}{}",
        location.catalog,
        location.region,
        place.unwrap_or_default()
    );
    if let Some(defect) = defect {
        return Error::new(ErrorKind::NotFound, format!("{text}: {defect}"))
            .hint("run `bakeline doctor` to see what is wrong");
    }
    let mut error = Error::new(ErrorKind::NotFound, text);
    if let Some(near) = similar_image(cloud, location, image).await {
        error = error.hint(format!("did you mean `{near}`?"));
    }
    error.hint(other_account_hint(location, env, account.as_deref()))
}

/// Returns the image with the most similar name, if no AMI of this image exists here.
async fn similar_image(
    cloud: &dyn Cloud,
    location: &LookupScope,
    image: &ImageName,
) -> Option<String> {
    let catalog = (tags::CATALOG.into(), location.catalog.to_string());
    let query = ImageQuery {
        tags: Tags::from([catalog]),
        ..ImageQuery::default()
    };
    let images = cloud.images(&location.region, &query).await.ok()?;
    let records = Record::read_all_published(&images, &location.catalog);
    let names: BTreeSet<&str> = records.iter().map(|r| r.image.as_str()).collect();
    let near = nearest(image.as_str(), names.iter().copied())?;
    (!names.contains(image.as_str())).then(|| near.to_owned())
}

/// Returns the hint for an image that is not current in the caller's account and Region: the account
/// and role of the environment, if the caller is elsewhere.
fn other_account_hint(location: &LookupScope, env: &EnvName, own: Option<&str>) -> String {
    let here = format!(
        "`bakeline list --catalog {} --region {}` shows what exists in this account",
        location.catalog, location.region
    );
    let Some(settings) = &location.settings else {
        return here;
    };
    let found = settings.environment(env);
    let accounts = found.map_or(&[][..], |env| env.accounts.as_slice());
    let is_elsewhere = own.is_some_and(|own| accounts.iter().all(|account| account != own));
    let is_listed = found.is_some_and(|env| env.regions.contains(&location.region));
    let is_shared = found.is_some_and(crate::catalog::Environment::is_shared);
    if accounts.is_empty() || is_shared || !is_elsewhere || !is_listed {
        let home = settings.account.as_deref();
        if let Some(home) = home.filter(|home| own.is_some_and(|own| own != *home)) {
            return format!("the AMIs of `{env}` belong to account {home}; {here}");
        }
        let is_lowest = settings.environments.first().map(|env| &env.name) == Some(env);
        let promote = if is_lowest || !is_listed {
            ""
        } else {
            ", and `bakeline promote` makes a version current"
        };
        return format!("`bakeline list` shows what exists{promote}");
    }
    let role = found.and_then(|env| env.read_role.as_ref().or(env.role.as_ref()));
    let role = role.map_or_else(String::new, |role| {
        let roles: Vec<String> = accounts.iter().map(|a| role_in_account(role, a)).collect();
        format!("; assume the role {}", roles.join(" or "))
    });
    let plural = if accounts.len() == 1 { "" } else { "s" };
    format!(
        "`{env}` is in account{plural} {}{role}",
        accounts.join(" and ")
    )
}

/// Returns an AMI that another account shares with this one, and its version. The tags of the owner
/// are not visible here, so its name must be that of the image. A revoked version has no launch
/// permissions, so it is not visible either.
async fn find_shared(
    cloud: &dyn Cloud,
    location: &LookupScope,
    id: &str,
    (image, arch): (&ImageName, Arch),
) -> Result<Option<(Ami, Version)>> {
    let query = ImageQuery {
        owners: vec!["*".to_owned()],
        ids: vec![AmiId::from(id)],
        ..ImageQuery::default()
    };
    let found = match cloud.images(&location.region, &query).await {
        Err(error) if error.kind == CloudErrorKind::NotFound => return Ok(None),
        found => found.map_err(crate::steps::first_call_error)?,
    };
    let Some(ami) = found.into_iter().find(|ami| ami.status == "available") else {
        return Ok(None);
    };
    let caller = cloud.identity(&location.region).await;
    let caller = caller.map_err(crate::steps::first_call_error)?;
    let subject = (&location.catalog, image, arch);
    let version = version_in_ami_name(subject, &ami.name);
    // An AMI of this account has tags, and they do not name this image.
    let version = version.filter(|_| ami.owner != caller.account);
    Ok(version.map(|version| (ami, version)))
}

fn resolve_environment(args: &Latest, settings: Option<&Settings>) -> Result<EnvName> {
    let given = args.env.clone().filter(|e| !e.is_empty()).map(EnvName);
    let env = given.or_else(|| settings.and_then(|s| s.default_environment.clone()));
    let missing = || {
        Error::new(ErrorKind::Usage, "the environment is missing")
            .hint("use --env, set BAKELINE_ENV, or set default_environment in bakeline.yaml")
    };
    let env = env.ok_or_else(missing)?;
    match settings {
        Some(settings) => {
            let known = settings.environment_names();
            context::find_environment(&known, env.as_str())
        }
        None => Ok(env),
    }
}
