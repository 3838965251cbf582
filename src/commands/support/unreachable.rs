//! Reports locations that could not be read, and adjusts the exit code of commands.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Inventory, Location};
use crate::ui;

/// Prints a warning for each location that could not be read.
pub(crate) fn warn_unreachable(inventory: &Inventory) {
    warn_unread_locations(&inventory.unreachable);
    for (location, why) in &inventory.unread_references {
        ui::say(&format!(
            "warning: the references to the AMIs in {} could not be read, so these AMIs are kept: {why}",
            account_and_region(inventory, location)
        ));
    }
}

/// Prints a warning for each of these locations, which could not be read.
pub(crate) fn warn_unread_locations(unread: &[(Location, String)]) {
    for (location, why) in unread {
        ui::say(&format!(
            "warning: {location} could not be read and is skipped: {why}"
        ));
    }
}

/// Returns the result of a list, or an error if it succeeded but a location could not be read. The
/// warnings contain the causes.
pub(crate) fn require_read(unread: &[(Location, String)], result: Result<u8>) -> Result<u8> {
    if unread.is_empty() {
        return result;
    }
    let names: Vec<String> = unread.iter().map(|(at, _)| at.to_string()).collect();
    let text = format!("the list is incomplete without {}", names.join(", "));
    Err(Error::new(ErrorKind::StepFailed, text)
        .hint("remove the cause in the warnings above, or select a Region with --region"))
}

/// Returns `not_found`, or another error if a location could not be read and may contain the
/// object.
pub(crate) fn not_found_or_incomplete(inventory: &Inventory, not_found: Error) -> Error {
    incomplete_error(inventory, not_found.to_string()).unwrap_or(not_found)
}

/// Returns the result of a command, or an error if it succeeded but a location could not be read.
pub(crate) fn exit_code(inventory: &Inventory, result: Result<u8>) -> Result<u8> {
    match incomplete_error(inventory, "not all locations were processed".to_owned()) {
        Some(error) => result.and(Err(error)),
        None => result,
    }
}

fn incomplete_error(inventory: &Inventory, what: String) -> Option<Error> {
    let locations = inventory
        .unreachable
        .iter()
        .map(|(location, why)| format!("{location} ({why})"));
    let references = inventory.unread_references.iter().map(|(location, why)| {
        let place = account_and_region(inventory, location);
        format!("the references to the AMIs in {place} ({why})")
    });
    let unread: Vec<String> = locations.chain(references).collect();
    if unread.is_empty() {
        return None;
    }
    let text = format!("{what}; cannot read: {}", unread.join(", "));
    Some(
        Error::new(ErrorKind::StepFailed, text)
            .hint("nothing was changed there; run the command again when it can be read"),
    )
}

/// Returns the account and the Region of a location for messages.
fn account_and_region(inventory: &Inventory, location: &Location) -> String {
    let account = location.account.as_ref().unwrap_or(&inventory.account);
    format!("account {account}, {}", location.region)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::INVENTORY_SCHEMA;

    fn inventory(unread: bool) -> Inventory {
        let text = format!(
            r#"{{"schema": {INVENTORY_SCHEMA}, "taken": "2026-11-22T12:00:00Z", "account": "1", "caller": "me", "images": []}}"#
        );
        let mut inventory: Inventory = serde_json::from_str(&text).expect("an inventory");
        let location = Location {
            account: Some("222222222222".to_owned()),
            region: "us-east-1".into(),
        };
        inventory
            .unreachable
            .extend(unread.then(|| (location, "no answer".to_owned())));
        inventory
    }

    #[test]
    fn unreadable_location_changes_not_found_and_success() {
        let not_found = |unread| {
            not_found_or_incomplete(
                &inventory(unread),
                Error::new(ErrorKind::NotFound, "no AMI ami-1"),
            )
        };
        assert_eq!(not_found(false).kind, ErrorKind::NotFound);
        let error = not_found(true);
        assert_eq!(error.kind, ErrorKind::StepFailed);
        assert_eq!(
            error.to_string(),
            "no AMI ami-1; cannot read: 222222222222.us-east-1 (no answer)"
        );
        assert_eq!(exit_code(&inventory(false), Ok(0)).ok(), Some(0));
        assert_eq!(
            exit_code(&inventory(true), Ok(0)).err().map(|e| e.kind),
            Some(ErrorKind::StepFailed)
        );
        let stuck = Err(Error::new(ErrorKind::Stuck, "left"));
        assert_eq!(
            exit_code(&inventory(true), stuck).err().map(|e| e.kind),
            Some(ErrorKind::Stuck),
            "the more severe error wins"
        );
    }
}
