//! Implements `bakeline list`: lists the versions of images in all locations of the catalog.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::latest;
use crate::catalog::Settings;
use crate::cli::{CatalogArgs, List};
use crate::commands::support::access::AccessMode;
use crate::commands::support::gather::{self, ListedImages};
use crate::commands::support::{context, unreachable};
use crate::diagnostic::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, locations, tags};
use crate::model::{Arch, CatalogName, EnvName, ImageName, Location, Region, State, Tags};
use crate::ports::ImageQuery;
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &List) -> Result<u8> {
    let (catalog, listed) = list_amis(dir, args).await?;
    let mut records = Record::read_all_published(&listed.images, &catalog);
    let known: BTreeSet<String> = records.iter().map(|r| r.image.to_string()).collect();
    let env = args.env.as_deref().map(EnvName::from);
    records.retain(|record| {
        let is_current = env.as_ref().is_none_or(|e| record.current.contains_key(e));
        is_current && (args.images.is_empty() || args.images.iter().any(|n| is_named(record, n)))
    });
    let place = |record: &Record<'_>| locations::ami_location(record.ami, &listed.account);
    // Locations in the order of the account and Region within one version.
    records.sort_by_cached_key(|record| {
        let version = std::cmp::Reverse(record.version);
        (
            record.image.clone(),
            record.arch,
            version,
            place(record).account,
            record.ami.region.clone(),
        )
    });
    let is_missing = records.is_empty() && !(args.images.is_empty() && env.is_none());
    if args.json {
        ui::json(&records.iter().map(record_json).collect::<Vec<_>>());
    } else if !is_missing {
        ui::table(&record_table(&records, &listed.account));
    }
    unreachable::warn_unread_locations(&listed.unread);
    let ended = if is_missing {
        Err(not_found(args, &catalog, &known))
    } else {
        Ok(0)
    };
    unreachable::require_read(&listed.unread, ended)
}

/// Returns the name of the catalog and its AMIs: those of all locations, or without a checkout those
/// of one Region in the caller's account.
async fn list_amis(dir: &Path, args: &List) -> Result<(CatalogName, ListedImages)> {
    if args.catalog.is_none() {
        let settings = latest::load_settings(dir)?;
        let listed = list_locations(&settings, args).await?;
        return Ok((settings.name, listed));
    }
    let lookup = CatalogArgs {
        catalog: args.catalog.clone(),
        region: args.region.clone(),
    };
    let scope = latest::resolve_location(dir, &lookup).await?;
    let cloud = context::connect_cloud(&scope.region).await?;
    let tags = Tags::from([(tags::CATALOG.to_owned(), scope.catalog.to_string())]);
    let query = ImageQuery {
        tags,
        ..ImageQuery::default()
    };
    let found = cloud.images(&scope.region, &query).await;
    let images = found.map_err(crate::steps::first_call_error)?;
    let account = images.first().map(|ami| ami.owner.clone());
    let listed = ListedImages {
        account: account.unwrap_or_default(),
        images,
        unread: Vec::new(),
    };
    Ok((scope.catalog, listed))
}

/// Lists the AMIs at the locations that the arguments select.
async fn list_locations(settings: &Settings, args: &List) -> Result<ListedImages> {
    let env = match &args.env {
        Some(name) => {
            let known = settings.environment_names();
            let found = context::find_environment(&known, name)?;
            settings.environment(&found)
        }
        None => None,
    };
    let region = args.region.as_deref().map(Region::from);
    if let Some(region) = &region {
        let mut regions = settings.environments.iter().flat_map(|env| &env.regions);
        if region != settings.home() && !regions.any(|known| known == region) {
            let text = format!(
                "catalog `{}` does not use the Region {region}",
                settings.name
            );
            return Err(Error::new(ErrorKind::NotFound, text));
        }
    }
    let clouds = context::connect_clouds(settings, AccessMode::Read("list")).await?;
    let is_wanted = |own: &str, location: &Location| {
        let in_env = |e| locations::in_environment(settings, e, own).contains(location);
        env.is_none_or(in_env) && region.as_ref().is_none_or(|r| *r == location.region)
    };
    gather::list_images(settings, &clouds, &is_wanted).await
}

/// Returns the error for an empty list. It suggests the most similar name of `known` images.
fn not_found(args: &List, catalog: &CatalogName, known: &BTreeSet<String>) -> Error {
    let names: Vec<String> = args.images.iter().map(|name| format!("`{name}`")).collect();
    let what = match names.is_empty() {
        true => "AMI".to_owned(),
        false => format!("AMI of {}", names.join(", ")),
    };
    let env = args.env.as_ref().map(|env| format!(" current in `{env}`"));
    let region = args.region.as_ref().map(|region| format!(" in {region}"));
    let text = format!(
        "catalog `{catalog}` has no {what}{}{}",
        env.unwrap_or_default(),
        region.unwrap_or_default()
    );
    let missing = args.images.iter().filter(|name| !known.contains(*name));
    let near = missing.filter_map(|name| nearest(name, known.iter().map(String::as_str)));
    near.fold(Error::new(ErrorKind::NotFound, text), |error, near| {
        error.hint(format!("did you mean `{near}`?"))
    })
}

/// Returns whether a name such as `jdk` or `jdk.arm64` means the image of an AMI.
fn is_named(record: &Record<'_>, name: &str) -> bool {
    let name = ImageName::from(name);
    record.image.as_str() == name.published() && name.arch().is_none_or(|arch| arch == record.arch)
}

/// Returns a table with one row for each AMI. Columns that are equal everywhere by default are left
/// out.
fn record_table(records: &[Record<'_>], own: &str) -> Table {
    let has_arch = records.iter().any(|record| record.arch != Arch::default());
    let mut header = vec!["IMAGE", "VERSION"];
    header.extend(has_arch.then_some("ARCH"));
    header.extend(["AMI", "LOCATION"]);
    let mut table = Table::with_text(&header, "STATE");
    for record in records {
        let mut values = vec![record.image.to_string(), record.version.to_string()];
        values.extend(has_arch.then(|| record.arch.to_string()));
        values.push(record.ami.id.to_string());
        values.push(locations::ami_location(record.ami, own).to_string());
        table.push_text(values, vec![state_text(record)]);
    }
    table
}

/// Describes the state of a version, the state of its AMI in EC2 unless it is available, and the
/// environments in which it is current. A current version is released unless another state is shown.
fn state_text(record: &Record<'_>) -> String {
    let state = record.state.as_str();
    let text = match record.ami.status.as_str() {
        "available" => state.to_owned(),
        status => format!("{state} ({status})"),
    };
    let current: Vec<&str> = record.current.keys().map(EnvName::as_str).collect();
    if current.is_empty() {
        return text;
    }
    let current = format!("current in {}", current.join(", "));
    if text == State::Released.as_str() {
        return current;
    }
    format!("{text}, {current}")
}

fn record_json(record: &Record<'_>) -> serde_json::Value {
    let parent = record.parent.as_ref().map(|(i, v)| format!("{i}@{v}"));
    json!({
        "image": record.image, "version": record.version, "arch": record.arch, "state": record.state, "status": record.ami.status,
        "current": record.current, "ami": record.ami.id, "region": record.ami.region, "account": record.ami.owner,
        "name": record.ami.name, "created": record.ami.created, "parent": parent, "base": record.tag(tags::BASE),
        "run": record.tag(tags::RUN),
    })
}
