//! Finds the script of the catalog that failed in a build.

use crate::error::{Error, ErrorKind};
use crate::model::ImageName;
use crate::provision::script::{lost_connection, reported_failure};
use crate::render::block::{Block, Connection};
use crate::render::provision::blocks;
use crate::render::visible;
use crate::steps::context::Steps;

/// Text of Packer before the name of the script that it starts.
const STARTED: &str = "Provisioning with shell script: ";
/// Text of Packer after a script that ended by itself.
const EXITED: &str = "Script exited with non-zero exit status";

/// Returns the error of a failed script of the catalog. `lines` are the errors of the build.
pub(super) fn script_failure(steps: &Steps, image: &ImageName, lines: &[&str]) -> Option<Error> {
    if let Some(reported) = reported_failure(lines.iter().copied()) {
        let text = visible::line(reported).into_owned();
        return Some(Error::new(ErrorKind::StepFailed, text));
    }
    let log = steps.workspace.read(&format!("{image}/packer.log"))?;
    let catalog = &steps.catalog;
    let blocks = blocks(catalog, catalog.images.get(image)?).ok()?;
    let (path, connection) = lost_script(&String::from_utf8_lossy(&log), &blocks)?;
    let error = Error::new(
        ErrorKind::StepFailed,
        lost_connection(path, connection != Connection::Stable),
    );
    Some(match connection {
        Connection::Stable => error.hint("set `reboot: true` if the script reboots the instance"),
        _ => error,
    })
}

/// Returns the name of the script that started last, if it ended with an error.
pub(super) fn failed_script(steps: &Steps, image: &ImageName) -> Option<String> {
    let log = steps.workspace.read(&format!("{image}/packer.log"))?;
    find_failed_script(&String::from_utf8_lossy(&log)).map(str::to_owned)
}

fn find_failed_script(log: &str) -> Option<&str> {
    let started = log.lines().rev().find_map(|l| l.split_once(STARTED))?.1;
    let ended = log.lines().any(|line| line.contains(EXITED));
    // The name starts with the number of the block.
    let name = started.trim().split_once('-').map(|(_, name)| name);
    name.filter(|_| ended)
}

/// Returns the script of the catalog that started last and did not end by itself.
fn lost_script<'b>(log: &str, blocks: &'b [Block]) -> Option<(&'b str, Connection)> {
    let started = log.lines().rev().find_map(|l| l.split_once(STARTED))?.1;
    if log.lines().any(|line| line.contains(EXITED)) {
        return None;
    }
    blocks.iter().find_map(|block| match block {
        Block::Script {
            name,
            source: Some(source),
            connection,
            ..
        } if name == started.trim() => Some((source.as_str(), *connection)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, Connection, find_failed_script, lost_script};

    #[test]
    fn last_script_that_ended_with_an_error_is_named() {
        let log = "==> amazon-ebs.x: Provisioning with shell script: 00-prepare.sh\n\
                   ==> amazon-ebs.x: Provisioning with shell script: 13-seal-accounts.sh\n\
                   Build 'amazon-ebs.x' errored: Script exited with non-zero exit status: 1.\n";
        assert_eq!(find_failed_script(log), Some("seal-accounts.sh"));
        assert_eq!(
            find_failed_script(&log.replace("exited", "disconnected")),
            None
        );
        assert_eq!(
            find_failed_script("Script exited with non-zero exit status: 1."),
            None
        );
    }

    #[test]
    fn script_that_lost_its_connection_is_found() {
        let block = |name: &str, source: Option<&str>, connection| Block::Script {
            name: name.to_owned(),
            text: Vec::new(),
            source: source.map(str::to_owned),
            connection,
        };
        let blocks = [
            block("00-prepare.sh", None, Connection::Stable),
            block("02-script.sh", Some("a.sh"), Connection::Stable),
            block("04-script.sh", Some("b.sh"), Connection::MayReboot),
            block("05-reboot.sh", Some("b.sh"), Connection::AfterReboot),
        ];
        let log = |name: &str, end: &str| {
            format!(
                "==> amazon-ebs.x: Provisioning with shell script: 00-prepare.sh\n\
                 ==> amazon-ebs.x: Provisioning with shell script: {name}\n\
                 Build 'amazon-ebs.x' errored: {end}\n"
            )
        };
        for (name, expected) in [
            ("02-script.sh", Some(("a.sh", Connection::Stable))),
            ("04-script.sh", Some(("b.sh", Connection::MayReboot))),
            ("05-reboot.sh", Some(("b.sh", Connection::AfterReboot))),
            ("00-prepare.sh", None),
            ("09-seal.sh", None),
        ] {
            let lost = log(name, "Script disconnected unexpectedly.");
            assert_eq!(lost_script(&lost, &blocks), expected, "{name}");
            let exited = log(name, "Script exited with non-zero exit status: 1.");
            assert_eq!(lost_script(&exited, &blocks), None, "{name}");
        }
    }
}
