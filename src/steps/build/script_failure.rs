//! Finds the script of the catalog that failed in a build.

use crate::error::{Error, ErrorKind};
use crate::model::ImageName;
use crate::provision::script::{lost_connection, reported_failure};
use crate::render::provision::{Block, Connection, blocks};
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
    let log = String::from_utf8_lossy(&log);
    let started = log.lines().rev().find_map(|l| l.split_once(STARTED))?.1;
    let catalog = &steps.catalog;
    let blocks = blocks(catalog, catalog.images.get(image)?).ok()?;
    let (path, connection) = blocks.iter().find_map(|block| match block {
        Block::Script {
            name,
            source: Some(source),
            connection,
            ..
        } if name == started.trim() => Some((source, *connection)),
        _ => None,
    })?;
    if log.lines().rev().take(20).any(|l| l.contains(EXITED)) {
        return None;
    }
    let error = Error::new(
        ErrorKind::StepFailed,
        lost_connection(path, connection != Connection::Stable),
    );
    Some(match connection {
        Connection::Stable => error.hint("set `reboot: true` if the script reboots the instance"),
        _ => error,
    })
}
