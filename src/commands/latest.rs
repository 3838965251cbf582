//! Implements `bakeline latest`: prints one AMI ID on stdout and nothing else. No checkout is needed.

use std::path::Path;

use serde_json::{Value, json};

use super::context;
use crate::adapters::system;
use crate::catalog::{self, Settings};
use crate::cli::{Latest, Where};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{Arch, CatalogName, EnvName, ImageName, Region, Tags, check_name, pointer_name};
use crate::ports::{CloudErrorKind, ImageQuery};
use crate::ui;

/// Which catalog, in which Region; the settings where a checkout was read.
pub(super) struct Location {
    pub(super) catalog: CatalogName,
    pub(super) region: Region,
    pub(super) settings: Option<Settings>,
}

/// From the command line, else from bakeline.yaml, else (the Region) from the environment.
pub(super) fn location(dir: &Path, args: &Where) -> Result<Location> {
    let settings = match &args.catalog {
        Some(_) => None,
        None => Some(settings(dir)?),
    };
    let (catalog, home) = match (&args.catalog, &settings) {
        (Some(name), _) => (CatalogName::from(name.as_str()), None),
        (None, Some(settings)) => (settings.name.clone(), Some(settings.home().clone())),
        (None, None) => return Err(Error::new(Kind::Usage, "no catalog is named")),
    };
    check_name(catalog.as_str()).map_err(|e| {
        Error::new(Kind::Usage, format!("`{catalog}` is not a catalog name")).because(e)
    })?;
    let environment =
        || system::variable("AWS_REGION").or_else(|| system::variable("AWS_DEFAULT_REGION"));
    let region = args
        .region
        .as_deref()
        .map(Region::from)
        .or(home)
        .or_else(|| environment().map(Region));
    let region = region.ok_or_else(|| {
        Error::new(Kind::Usage, "no Region is given").hint("use --region, or set AWS_REGION")
    })?;
    Ok(Location {
        catalog,
        region,
        settings,
    })
}

fn settings(dir: &Path) -> Result<Settings> {
    let files = context::open(dir)?;
    match catalog::load_settings(&files) {
        (Some(settings), _) => Ok(settings),
        (None, findings) => {
            ui::say(&ui::snippet::render(
                &findings,
                &context::texts(&files, &findings),
                ui::fancy(),
            ));
            Err(context::invalid(&findings)
                .hint("or name the catalog with --catalog, which needs no checkout"))
        }
    }
}

pub(super) async fn run(dir: &Path, args: &Latest) -> Result<u8> {
    let location = location(dir, &args.place)?;
    let env = environment(args, location.settings.as_ref())?;
    let image = ImageName::from(args.image.as_str());
    check_name(&args.image).map_err(|e| {
        Error::new(
            Kind::Usage,
            format!("`{}` is not an image name", args.image),
        )
        .because(e)
    })?;
    let found = find(&location, &image, &env, args.arch).await?;
    if args.json {
        ui::json(&found);
    } else {
        ui::data(found["ami"].as_str().unwrap_or_default());
    }
    Ok(0)
}

/// Reads the parameter and the AMIs at the same time, so that the verification costs no second round trip.
async fn find(location: &Location, image: &ImageName, env: &EnvName, arch: Arch) -> Result<Value> {
    let cloud = context::cloud(&location.region).await?;
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
        Err(e) if e.kind == CloudErrorKind::Denied => None,
        other => other.map_err(super::gather::unreachable)?,
    };
    let images = images.map_err(super::gather::unreachable)?;
    let records = Record::read_all(&images, &location.catalog);
    let found = lookup::find_published(&records, published.as_deref(), image, env, arch);
    let defect = found.unusable.map(|why| {
        format!(
            "SSM parameter {pointer} in {} names {}, which {why}",
            location.region,
            published.unwrap_or_default()
        )
    });
    let Some(record) = found.record else {
        let text = format!(
            "no `{image}` ({arch}) is current in `{env}` of catalog `{}` in {}",
            location.catalog, location.region
        );
        return Err(match defect {
            Some(defect) => Error::new(Kind::NotFound, format!("{text}: {defect}"))
                .hint("run `bakeline doctor` to see what is wrong"),
            None => Error::new(Kind::NotFound, text).hint("`bakeline list` shows what exists"),
        });
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

fn environment(args: &Latest, settings: Option<&Settings>) -> Result<EnvName> {
    let given = args.env.clone().filter(|e| !e.is_empty()).map(EnvName);
    let env = given.or_else(|| settings.and_then(|s| s.default_environment.clone()));
    let missing = || {
        Error::new(
            Kind::Usage,
            "no environment is given: Test and Prod are not the same thing",
        )
        .hint("use --env, set BAKELINE_ENV, or set default_environment in bakeline.yaml")
    };
    let env = env.ok_or_else(missing)?;
    match settings {
        Some(settings) => {
            let known: Vec<EnvName> = settings
                .environments
                .iter()
                .map(|e| e.name.clone())
                .collect();
            context::environment(&known, env.as_str())
        }
        None => Ok(env),
    }
}
