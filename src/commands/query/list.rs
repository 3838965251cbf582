//! Implements `bakeline list`: lists the versions of images and their environments.

use std::path::Path;

use serde_json::json;

use super::latest;
use crate::cli::List;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::lifecycle::{Record, tags};
use crate::model::{ImageName, Tags};
use crate::ports::ImageQuery;
use crate::ui;

pub(crate) async fn run(dir: &Path, args: &List) -> Result<u8> {
    let location = latest::resolve_location(dir, &args.lookup)?;
    let cloud = context::connect_cloud(&location.region).await?;
    let wanted = Tags::from([(tags::CATALOG.to_owned(), location.catalog.to_string())]);
    let found = cloud
        .images(
            &location.region,
            &ImageQuery {
                tags: wanted,
                ..ImageQuery::default()
            },
        )
        .await;
    let found = found.map_err(crate::steps::first_call_error)?;
    let mut records = Record::read_all_published(&found, &location.catalog);
    records.retain(|r| args.images.is_empty() || args.images.iter().any(|name| is_named(r, name)));
    if args.json {
        ui::json(&records.iter().map(|r| record_json(r)).collect::<Vec<_>>());
    } else {
        let rows: Vec<Vec<String>> = records.iter().map(record_row).collect();
        ui::data(&ui::table::columns(
            &[
                "IMAGE",
                "VERSION",
                "ARCH",
                "STATE",
                "CURRENT IN",
                "AMI",
                "REGION",
                "PARENT",
            ],
            &rows,
        ));
    }
    if records.is_empty() && !args.images.is_empty() {
        let text = format!(
            "catalog `{}` has no {} in {}",
            location.catalog,
            args.images.join(", "),
            location.region
        );
        return Err(Error::new(ErrorKind::NotFound, text));
    }
    Ok(0)
}

/// Returns whether a name such as `jdk` or `jdk.arm64` means the image of an AMI.
fn is_named(record: &Record<'_>, name: &str) -> bool {
    let name = ImageName::from(name);
    record.image.as_str() == name.published() && name.arch().is_none_or(|arch| arch == record.arch)
}

fn record_row(record: &Record<'_>) -> Vec<String> {
    let current: Vec<&str> = record.current.keys().map(|e| e.as_str()).collect();
    vec![
        record.image.to_string(),
        record.version.to_string(),
        record.arch.to_string(),
        state_cell(record),
        if current.is_empty() {
            "-".to_owned()
        } else {
            current.join(",")
        },
        record.ami.id.to_string(),
        record.ami.region.to_string(),
        record
            .parent
            .as_ref()
            .map_or_else(|| "-".to_owned(), |(i, v)| format!("{i}@{v}")),
    ]
}

/// Returns the state of a version, and the state of its AMI in EC2 unless it is available.
fn state_cell(record: &Record<'_>) -> String {
    let state = record.state.as_str();
    match record.ami.status.as_str() {
        "available" => state.to_owned(),
        status => format!("{state} ({status})"),
    }
}

fn record_json(record: &Record<'_>) -> serde_json::Value {
    let parent = record.parent.as_ref().map(|(i, v)| format!("{i}@{v}"));
    json!({
        "image": record.image, "version": record.version, "arch": record.arch, "state": record.state, "status": record.ami.status,
        "current": record.current, "ami": record.ami.id, "region": record.ami.region, "name": record.ami.name,
        "created": record.ami.created, "parent": parent, "base": record.tag(tags::BASE), "run": record.tag(tags::RUN),
    })
}
