//! Reports locations that could not be read, and adjusts the exit code of commands.

use crate::error::{Error, ErrorKind, Result};
use crate::model::Inventory;
use crate::ui;

/// Prints a warning for each location that could not be read.
pub(crate) fn warn_unreachable(inventory: &Inventory) {
    for (location, why) in &inventory.unreachable {
        ui::say(&format!(
            "warning: {location} could not be read and is skipped: {why}"
        ));
    }
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
    if inventory.unreachable.is_empty() {
        return None;
    }
    let locations: Vec<String> = inventory
        .unreachable
        .iter()
        .map(|(location, why)| format!("{location} ({why})"))
        .collect();
    let text = format!("{what}; cannot read: {}", locations.join(", "));
    Some(
        Error::new(ErrorKind::StepFailed, text)
            .hint("nothing was changed there; run the command again later"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{INVENTORY_SCHEMA, Location};

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
