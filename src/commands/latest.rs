//! Owns `bakeline latest`: one id on stdout and nothing else; one SSM read, tags as fallback, no checkout needed.

use std::path::Path;

use serde_json::json;

use super::context;
use crate::adapters::system;
use crate::catalog::{self, Settings};
use crate::cli::{Latest, Where};
use crate::error::{Error, Kind, Result};
use crate::lifecycle::{Record, lookup, tags};
use crate::model::{CatalogName, EnvName, ImageName, Region, Tags, check_name, pointer_name};
use crate::ports::{CloudErrorKind, ImageQuery};
use crate::ui;

/// Which catalog, in which Region; the settings where a checkout was read.
pub(super) struct Place {
    pub(super) catalog: CatalogName,
    pub(super) region: Region,
    pub(super) settings: Option<Settings>,
}

/// From the command line, else from bakeline.yaml, else (the Region) from the environment.
pub(super) fn place(dir: &Path, args: &Where) -> Result<Place> {
    let settings = match &args.catalog {
        Some(_) => None,
        None => Some(settings(dir)?),
    };
    let (catalog, home) = match (&args.catalog, &settings) {
        (Some(name), _) => (CatalogName::from(name.as_str()), None),
        (None, Some(settings)) => (settings.name.clone(), Some(settings.home().clone())),
        (None, None) => return Err(Error::new(Kind::Usage, "no catalog is named")),
    };
    check_name(catalog.as_str())
        .map_err(|e| Error::new(Kind::Usage, format!("`{catalog}` is not a catalog name")).because(e))?;
    let environment = || system::variable("AWS_REGION").or_else(|| system::variable("AWS_DEFAULT_REGION"));
    let region = args.region.as_deref().map(Region::from).or(home).or_else(|| environment().map(Region));
    let region =
        region.ok_or_else(|| Error::new(Kind::Usage, "no Region is given").hint("use --region, or set AWS_REGION"))?;
    Ok(Place { catalog, region, settings })
}

fn settings(dir: &Path) -> Result<Settings> {
    let files = context::open(dir)?;
    match catalog::load_settings(&files) {
        (Some(settings), _) => Ok(settings),
        (None, findings) => {
            ui::say(&ui::snippet::render(&findings, &context::texts(&files, &findings), ui::fancy()));
            Err(context::invalid(&findings).hint("or name the catalog with --catalog, which needs no checkout"))
        }
    }
}

pub(super) async fn run(dir: &Path, args: &Latest) -> Result<u8> {
    let place = place(dir, &args.place)?;
    let env = environment(args, place.settings.as_ref())?;
    let image = ImageName::from(args.image.as_str());
    check_name(&args.image)
        .map_err(|e| Error::new(Kind::Usage, format!("`{}` is not an image name", args.image)).because(e))?;
    let cloud = context::cloud(&place.region).await?;
    let pointer = pointer_name(&place.catalog, &image, &env, args.arch);
    let published = match cloud.parameter(&place.region, &pointer).await {
        Ok(value) => value,
        Err(e) if e.kind == CloudErrorKind::Denied => None,
        Err(e) => return Err(super::gather::unreachable(e)),
    };
    if let (Some(id), false) = (&published, args.json) {
        ui::data(id);
        return Ok(0);
    }
    let wanted = Tags::from([
        (tags::CATALOG.to_owned(), place.catalog.to_string()),
        (tags::IMAGE.to_owned(), image.to_string()),
    ]);
    let found = cloud.images(&place.region, &ImageQuery { tags: wanted, ..ImageQuery::default() }).await?;
    let records = Record::all(&found, &place.catalog);
    let current = match &published {
        Some(id) => records.iter().find(|r| r.ami.id.as_str() == id),
        None => lookup::current(&records, &image, &env, args.arch),
    };
    let Some(record) = current else {
        let text = format!(
            "no `{image}` ({}) is current in `{env}` of catalog `{}` in {}",
            args.arch, place.catalog, place.region
        );
        return Err(Error::new(Kind::NotFound, text).hint("`bakeline list` shows what exists"));
    };
    if args.json {
        let since = record.current.get(&env).map(ToString::to_string);
        ui::json(&json!({
            "ami": record.ami.id, "image": image, "version": record.version, "arch": args.arch, "environment": env,
            "region": place.region, "since": since, "name": record.ami.name,
        }));
    } else {
        ui::data(record.ami.id.as_str());
    }
    Ok(0)
}

fn environment(args: &Latest, settings: Option<&Settings>) -> Result<EnvName> {
    let given = args.env.clone().filter(|e| !e.is_empty()).map(EnvName);
    let env = given.or_else(|| settings.and_then(|s| s.default_environment.clone()));
    let missing = || {
        Error::new(Kind::Usage, "no environment is given: Test and Prod are not the same thing")
            .hint("use --env, set BAKELINE_ENV, or set default_environment in bakeline.yaml")
    };
    let env = env.ok_or_else(missing)?;
    match settings {
        Some(settings) => {
            let known: Vec<EnvName> = settings.environments.iter().map(|e| e.name.clone()).collect();
            context::environment(&known, env.as_str())
        }
        None => Ok(env),
    }
}
