//! Defines the marks around a list of pending updates, and extracts the list.

use crate::update::PlatformError;

pub(crate) const BEGIN: &str = "bakeline-updates-begin";
pub(crate) const END: &str = "bakeline-updates-end";
pub(crate) const FAILED: &str = "bakeline-updates-failed";

/// Returns the list between the marks. Other output, such as a greeting of the shell, is ignored.
pub(crate) fn extract_list(out: &str) -> Result<&str, PlatformError> {
    if let Some((_, reason)) = out.split_once(FAILED) {
        return Err(PlatformError(
            reason.lines().next().unwrap_or("").trim().to_owned(),
        ));
    }
    let (_, rest) = out
        .split_once(BEGIN)
        .ok_or_else(|| PlatformError("the output is empty".to_owned()))?;
    let (list, _) = rest
        .split_once(END)
        .ok_or_else(|| PlatformError("the output is incomplete".to_owned()))?;
    Ok(list)
}
