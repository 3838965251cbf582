//! The `command` resource: the result of a shell command inside the image.

use std::collections::BTreeMap;

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    InvalidValue, Parameter, Property, RequestedResource, ResourceRef, ResourceType, Subject,
    ValueType,
};
use crate::text::{hex, last_lines, sh_quote};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "command",
    "Shell command that runs on the target: the build instance, the booted instance or, for \
     the target `local`, this machine. By default, it must exit with status 0, unless \
     `exit_status` is set.",
    Subject::new("command", "Command line for sh.", check_command),
    observe,
)
.with_parameters(&[Parameter::new(
    "timeout",
    ValueType::Number,
    "Timeout in seconds, from 1 to 600. The default is 10.",
)
.with_check(check_timeout)])
.with_properties(&[
    Property::new(
        "succeeds",
        ValueType::Bool,
        "True if the exit status is 0. This is the default expectation.",
    ),
    Property::new("exit_status", ValueType::Number, "Exit status."),
    Property::new("stdout", ValueType::Text, "Standard output."),
    Property::new("stderr", ValueType::Text, "Standard error."),
])
.with_implied(&[("succeeds", &["succeeds", "exit_status"])])
.with_details(details)
.without_directories("commands can't be run in a directory")
.with_collection(include_str!("../command.sh"), requests);

const DEFAULT_TIMEOUT: &str = "10";

fn check_command(text: &str) -> Result<(), InvalidValue> {
    if text.trim().is_empty() {
        return Err(InvalidValue::new(
            "the command is empty",
            "write a command line for sh",
        ));
    }
    if text.contains('\0') {
        return Err(InvalidValue::new(
            "a command cannot contain a NUL character",
            "remove it",
        ));
    }
    Ok(())
}

fn check_timeout(text: &str) -> Result<(), InvalidValue> {
    match text.parse::<u32>() {
        Ok(1..=600) => Ok(()),
        _ => Err(InvalidValue::new(
            "it must be 1 to 600 seconds",
            "use a whole number from 1 to 600",
        )),
    }
}

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
    for one in asked {
        let seconds = wanted.entry(&one.target.subject).or_default();
        *seconds = (*seconds).max(
            one.target
                .parameter("timeout", DEFAULT_TIMEOUT)
                .parse()
                .unwrap_or(10),
        );
    }
    let line = |(run, seconds): (&str, u32)| {
        format!(
            "command_ {} {seconds} {}",
            hex(run.as_bytes()),
            sh_quote(run)
        )
    };
    wanted.into_iter().map(line).collect()
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let run = &target.subject;
    let Some(exit) = view.reading("exit", run) else {
        return Observation::not_collected();
    };
    match exit.flags.as_str() {
        "" => {}
        "T" => {
            return Observation::Unknown(format!(
                "the command timed out after {} s",
                target.parameter("timeout", DEFAULT_TIMEOUT)
            ));
        }
        _ => return Observation::Unknown("the command was killed by a signal".to_owned()),
    }
    let blob = match property {
        "exit_status" => return Observation::Value(Value::Number(i64::from(exit.rc))),
        "succeeds" => {
            return Observation::Value(Value::Bool(
                exit.rc == 0,
                format!("exit status {}", exit.rc),
            ));
        }
        "stdout" => view.reading("out", run),
        _ => view.reading("err", run),
    };
    blob.map_or_else(Observation::not_collected, |reading| {
        Observation::blob(&reading.body)
    })
}

/// Returns the last lines of stderr and stdout of a command that ended with another status.
fn details(target: &ResourceRef, property: &str, view: &View<'_>) -> Option<String> {
    if !matches!(property, "succeeds" | "exit_status") {
        return None;
    }
    let shown = |name: &str, kind: &str| {
        let reading = view.reading(kind, &target.subject)?;
        if reading.body.is_secret() {
            return None;
        }
        let lines = last_lines(reading.body.bytes())?;
        Some(format!("{name}: {lines}"))
    };
    let parts: Vec<String> = [("stderr", "err"), ("stdout", "out")]
        .into_iter()
        .filter_map(|(name, kind)| shown(name, kind))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests;
