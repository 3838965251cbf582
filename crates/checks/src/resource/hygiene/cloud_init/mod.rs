//! The `cloud_init` resource: the state of cloud-init and its data of earlier instances.

use serde_json::Value as Json;

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk::{self, Entry};
use crate::resource::systemd::units::{self, Enablement, unit_enablement};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "cloud_init",
    "cloud-init. By default, it must be installed and enabled. On an instance, `state` \
     contains the data of this instance. seal.sh removes the data of the build after the \
     build checks. To check a clean image, use `state` in a directory and `earlier` at boot. \
     `status` shows at boot that cloud-init works.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "installed",
        ValueType::Bool,
        "True if the program is installed.",
    )
    .or(&["exists"]),
    Property::new(
        "enabled",
        ValueType::Bool,
        "True if cloud-init.target wants the units, they are not masked, and \
         /etc/cloud/cloud-init.disabled does not exist.",
    ),
    Property::new(
        "state",
        ValueType::List,
        "Content of /var/lib/cloud that `cloud-init clean` removes: instances, data, \
         semaphores. Seeds do not count.",
    ),
    Property::new(
        "earlier",
        ValueType::List,
        "Data of other instances, such as the build instance.",
    ),
    Property::new(
        "status",
        ValueType::Setting,
        "Result of the run at this boot: done, error, running, disabled (by the generator: no \
         data source), not run.",
    ),
])
.with_defaults(&["installed", "enabled"])
.with_presence("installed")
.with_collection(include_str!("../cloud_init.sh"), requests);

/// Units of the stages: cloud-init.service up to 24.2, cloud-init-main.service and
/// cloud-init-network.service since 24.3.
const UNITS: &[&str] = &[
    "cloud-init.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init-local.service",
    "cloud-config.service",
    "cloud-final.service",
];

/// Number of leading units that can contain the first stage.
const FIRST: usize = 3;

const STATE: &str = "/var/lib/cloud";

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec![format!("cloud_init '{}'", units::DIRECTORIES)]
}

fn is_installed(found: &[Entry]) -> bool {
    found
        .iter()
        .any(|e| e.path.ends_with("/bin/cloud-init") && matches!(e.stat.kind, "file" | "link"))
}

fn find_enablement(found: &[Entry]) -> (bool, String) {
    if found
        .iter()
        .any(|entry| entry.path == "/etc/cloud/cloud-init.disabled")
    {
        return (false, "/etc/cloud/cloud-init.disabled exists".to_owned());
    }
    let states: Vec<(&str, Enablement)> = UNITS
        .iter()
        .map(|unit| (*unit, unit_enablement(found, unit)))
        .collect();
    if let Some((unit, state)) = states
        .iter()
        .find(|(_, state)| *state == Enablement::Masked)
    {
        return (false, format!("{unit} is {}", state.as_str()));
    }
    // The leading units search for a data source. Their set differs between versions.
    let first = || {
        states
            .iter()
            .take(FIRST)
            .filter(|(_, state)| *state != Enablement::Absent)
    };
    match first()
        .find(|(_, state)| *state == Enablement::Enabled)
        .or(first().next())
    {
        Some((_, Enablement::Enabled)) => (true, String::new()),
        Some((unit, state)) => (false, format!("{unit} is {}", state.as_str())),
        None => (false, "cloud-init has no unit".to_owned()),
    }
}

/// Returns the directory that the link `instance` points to.
fn current_instance(found: &[Entry]) -> Option<&str> {
    let link = found
        .iter()
        .find(|entry| entry.path == "/var/lib/cloud/instance")?
        .link
        .as_deref()?;
    link.trim_end_matches('/').rsplit('/').next()
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "status" {
        return observe_status(view);
    }
    walk::load_entries(view, "cloud_init").observe("was not collected", |found| {
        let list = |keep: &dyn Fn(&Entry) -> bool| {
            Observation::list(
                found
                    .iter()
                    .filter(|entry| keep(entry))
                    .map(|entry| entry.path.clone()),
            )
        };
        match property {
            "installed" => Observation::bool(is_installed(&found)),
            "enabled" if !is_installed(&found) => {
                Observation::Value(Value::Bool(false, "cloud-init is not installed".to_owned()))
            }
            "enabled" => {
                let (yes, how) = find_enablement(&found);
                Observation::Value(Value::Bool(yes, how))
            }
            "state" => list(&|entry| {
                // Directories of the package do not count as data.
                let inside = entry
                    .path
                    .strip_prefix(STATE)
                    .unwrap_or_default()
                    .trim_start_matches('/');
                entry.is_within(STATE)
                    && !inside.is_empty()
                    && !inside.starts_with("seed")
                    && (inside.contains('/') || entry.stat.kind != "directory")
                    && !entry.is_within("/var/lib/cloud/scripts")
            }),
            _ => {
                let own = current_instance(&found);
                list(&|entry| {
                    let of = entry.path.strip_prefix("/var/lib/cloud/instances/");
                    of.is_some_and(|id| !id.contains('/') && Some(id) != own)
                })
            }
        }
    })
}

fn observe_status(view: &View<'_>) -> Observation {
    let identity = view.identity();
    if identity.directory {
        return Observation::Skipped("nothing runs in a directory".to_owned());
    }
    if !identity.service_manager {
        return Observation::Skipped("no service manager is running".to_owned());
    }
    view.parse_reading("cloud_status", "", |text| Ok(parse_status(text)?))
        .observe("has no status", |word| {
            Observation::setting((*word).clone())
        })
}

/// Reason why status.json is unusable.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error("status.json cannot be parsed: {0}")]
    Json(#[from] serde_json::Error),
    #[error("status.json has an unknown format")]
    UnknownFormat,
}

impl From<StatusError> for ReadError {
    fn from(error: StatusError) -> Self {
        Self::invalid(error)
    }
}

/// Returns the status as `cloud-init status` derives it from status.json: a stage that is running,
/// errors of any stage, a result.
fn parse_status(text: &str) -> Result<String, StatusError> {
    let Some((going, json)) = text.split_once('\n') else {
        return Ok(text.to_owned());
    };
    let json: Json = serde_json::from_str(json)?;
    let stages = json
        .get("v1")
        .and_then(Json::as_object)
        .ok_or(StatusError::UnknownFormat)?;
    let failed = stages
        .values()
        .filter_map(|stage| stage.get("errors")?.as_array())
        .any(|errors| !errors.is_empty());
    let under_way = stages.get("stage").is_some_and(|stage| !stage.is_null());
    let word = match (failed, under_way || going == "running") {
        (true, _) => "error",
        (false, true) => "running",
        (false, false) => "done",
    };
    Ok(word.to_owned())
}

#[cfg(test)]
mod tests;
