//! Explains a failed build by the output of Packer.

use super::login_failure::{connect_failure, login_failure, rights_failure};
use super::packer::{Build, FAILED};
use super::script_failure::{failed_script, script_failure};
use crate::catalog::Image;
use crate::checks::Phase;
use crate::error::{Error, ErrorKind};
use crate::model::{Region, explain_encoded_details, omit_encoded_details};
use crate::ports::{BuildJob, BuildOutcome};
use crate::steps::access::placement::LaunchRefusal;
use crate::steps::context::Steps;

/// Returns the error of a failed build. The results of its own checks come first, because Packer's
/// error then only repeats them.
pub(super) fn failure_error(
    steps: &Steps,
    build: &Build<'_>,
    outcome: &BuildOutcome,
    job: &BuildJob,
) -> Error {
    let log = job.log_hint();
    if let Some(failed) = crate::steps::check::controls::failure(steps, build.image, Phase::Build) {
        return failed.hint(log);
    }
    if let Some(why) = steps
        .workspace
        .read(&format!("{}/packer/{FAILED}", build.image))
    {
        return Error::new(
            ErrorKind::StepFailed,
            String::from_utf8_lossy(&why).into_owned(),
        )
        .hint(log);
    }
    let lines = informative_lines(&outcome.errors);
    if let Some(failed) = script_failure(steps, build.image, &lines) {
        return failed.hint(log);
    }
    let image = steps.catalog.images.get(build.image);
    let of_login = |one: &Image| {
        login_failure(&steps.catalog, one, &lines)
            .or_else(|| rights_failure(one, &lines))
            .or_else(|| connect_failure(&one.builder(&steps.catalog.settings), &lines))
    };
    if let Some(failed) = image.and_then(of_login) {
        return failed.hint(log);
    }
    let messages = lines
        .iter()
        .rev()
        .take(3)
        .rev()
        .copied()
        .collect::<Vec<_>>()
        .join(" | ");
    let status = match (outcome.code, outcome.artifacts.is_empty()) {
        (Some(0), _) => "Packer succeeded but reported no AMI".to_owned(),
        (Some(code), _) => match failed_script(steps, build.image) {
            Some(script) => format!("Packer exited {code} in `{script}`"),
            None => format!("Packer exited {code}"),
        },
        (None, _) => "Packer was killed".to_owned(),
    };
    let text = if messages.is_empty() {
        status
    } else {
        format!("{status}: {messages}")
    };
    // The log contains the encoded details.
    let error = Error::new(ErrorKind::StepFailed, omit_encoded_details(&text));
    packages_hint(steps, build)
        .into_iter()
        .fold(error, Error::hint)
        .hint(log)
}

/// Returns the hint about the list of packages, if their installation failed.
fn packages_hint(steps: &Steps, build: &Build<'_>) -> Option<String> {
    let has_failed = failed_script(steps, build.image).as_deref() == Some("packages.sh");
    let image = steps.catalog.images.get(build.image)?;
    has_failed.then(|| format!("the packages are in `packages` of {}", image.file))
}

/// Replaces the encoded details of denials in the errors of Packer by explanations, if the caller may
/// decode them.
pub(super) async fn explain_denials(steps: &Steps, region: &Region, errors: &mut [String]) {
    for line in errors {
        let explained = explain_encoded_details(line, |details| async move {
            let reason = steps.cloud.explain_denial(region, &details).await?;
            Some(format!("({reason})"))
        });
        *line = explained.await;
    }
}

/// Returns the error lines without Packer's own summary and cleanup, or all lines if nothing else
/// remains. The last lines of a script are more useful than the summary.
pub(super) fn informative_lines(errors: &[String]) -> Vec<&str> {
    let is_summary = |text: &&str| {
        // With `-on-error=abort`, Packer reports each step (packer-plugin-sdk, `multistep_runner.go`).
        let is_abort = text.starts_with("aborted: skipping cleanup of step")
            || text.starts_with("Step \"") && text.ends_with("failed, aborting...");
        is_abort
            || [
                "Script exited with non-zero exit status",
                "Some builds didn't complete",
                "Build 'amazon-ebs.",
                "Provisioning step had errors",
                // Removal of the AMI after another error (packer-plugin-amazon, `step_create_ami.go`).
                "Error deregistering existing AMI",
                "Error deleting existing snapshot",
            ]
            .iter()
            .any(|words| text.contains(words))
    };
    let all: Vec<&str> = errors
        .iter()
        .map(|e| strip_prefix(e))
        .filter(|e| !e.is_empty())
        .collect();
    let specific: Vec<&str> = all
        .iter()
        .copied()
        .filter(|text| !is_summary(text))
        .collect();
    if specific.is_empty() { all } else { specific }
}

fn strip_prefix(text: &str) -> &str {
    let text = text.trim().trim_start_matches("==> ");
    match text.split_once(':') {
        Some((name, rest)) if name.starts_with("amazon-ebs.") => rest.trim_start(),
        _ => text,
    }
}

/// Texts of Packer before the reason why the build instance does not start (packer-plugin-amazon,
/// `step_run_source_instance.go`). The second one precedes what EC2 notices after its response.
const LAUNCH_ERRORS: [&str; 2] = [
    "Error launching source instance: ",
    "Instance state change details: ",
];

/// Returns the refusal of the build instance, if another instance type or subnet can avoid it. Then
/// Packer has built nothing.
pub(super) fn launch_refusal(errors: &[String]) -> Option<LaunchRefusal> {
    let lines = errors.iter().map(|line| strip_prefix(line));
    lines.filter_map(parse_refusal).next()
}

fn parse_refusal(line: &str) -> Option<LaunchRefusal> {
    let mut found = LAUNCH_ERRORS
        .iter()
        .filter_map(|text| line.strip_prefix(text));
    let reason = found.next()?;
    // Plugins with the AWS SDK v2 and the reasons of instances have a text before the code.
    let code_at = ["api error ", ": Server."].iter().find_map(|text| {
        let at = reason.find(text)?;
        Some(at + text.len())
    });
    LaunchRefusal::parse(&reason[code_at.unwrap_or(0)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_of_a_script_precedes_the_summary_of_packer() {
        let errors = [
            "==> amazon-ebs.web: E: package `nginy` is unknown, aborting...",
            "==> amazon-ebs.web: Step \"StepProvision\" failed, aborting...",
            "==> amazon-ebs.web: aborted: skipping cleanup of step \"StepConnect\"",
            "==> amazon-ebs.web: aborted: skipping cleanup of step \"StepNetworkInfo\"",
            "Build 'amazon-ebs.web' errored after 9 seconds: Script exited with non-zero exit status: 1",
        ]
        .map(str::to_owned);
        assert_eq!(
            informative_lines(&errors),
            ["E: package `nginy` is unknown, aborting..."]
        );
        assert_eq!(
            informative_lines(&errors[2..4]),
            [
                "aborted: skipping cleanup of step \"StepConnect\"",
                "aborted: skipping cleanup of step \"StepNetworkInfo\""
            ],
            "nothing more specific"
        );
    }

    #[test]
    fn cause_of_a_build_precedes_errors_of_its_cleanup() {
        let errors = [
            "==> amazon-ebs.web: Error modify AMI attributes: UnauthorizedOperation: denied",
            "==> amazon-ebs.web: Error deregistering existing AMI: UnauthorizedOperation: denied",
            "Build 'amazon-ebs.web' errored: Error deregistering existing AMI: UnauthorizedOperation",
        ]
        .map(str::to_owned);
        assert_eq!(
            informative_lines(&errors),
            ["Error modify AMI attributes: UnauthorizedOperation: denied"]
        );
    }

    #[test]
    fn refused_build_instance_is_recognized() {
        let found = |line: &str| launch_refusal(&["other".to_owned(), line.to_owned()]);
        for line in [
            "==> amazon-ebs.web: Error launching source instance: InsufficientInstanceCapacity: We \
             currently do not have sufficient t3.small capacity status code: 500",
            "Error launching source instance: Unsupported: Your requested instance type",
            "Error launching source instance: VcpuLimitExceeded: You have requested more",
            "Error launching source instance: operation error EC2: RunInstances, https response error \
             StatusCode: 500, RequestID: 1, api error InsufficientInstanceCapacity: We currently",
            "Instance state change details: Server.InternalError: Server.InsufficientInstanceCapacity: \
             Insufficient capacity to satisfy instance request",
        ] {
            assert!(found(line).is_some(), "{line}");
        }
        for line in [
            "Error launching source instance: UnauthorizedOperation: no Insufficient rights",
            "Error launching source instance: InvalidParameterValue: Unsupported: x",
            "a script says: Error launching source instance: Unsupported: x",
            "Instance state change details: : Client.UserInitiatedShutdown: Insufficient",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }
}
