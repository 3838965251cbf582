//! Owns what commands say and end with when locations could not be read: what is not seen is not what is not there.

use crate::error::{Error, Kind, Result};
use crate::model::Inventory;
use crate::ui;

/// Says each location that could not be read, before anything is decided without it.
pub(super) fn warn(inventory: &Inventory) {
    for (location, why) in &inventory.unreachable {
        ui::say(&format!(
            "warning: {location} could not be read, so nothing is decided about it: {why}"
        ));
    }
}

/// That something was not found, which only a inventory without gaps can say.
pub(super) fn missing(inventory: &Inventory, not_found: Error) -> Error {
    gaps(inventory, not_found.to_string()).unwrap_or(not_found)
}

/// How a command ended that did what it could at the locations that answered: worse things are said first.
pub(super) fn ended(inventory: &Inventory, ended: Result<u8>) -> Result<u8> {
    match gaps(inventory, "not everything was looked at".to_owned()) {
        Some(error) => ended.and(Err(error)),
        None => ended,
    }
}

fn gaps(inventory: &Inventory, what: String) -> Option<Error> {
    if inventory.unreachable.is_empty() {
        return None;
    }
    let locations: Vec<String> = inventory
        .unreachable
        .iter()
        .map(|(location, why)| format!("{location} ({why})"))
        .collect();
    let text = format!("{what}, but could not be read: {}", locations.join(", "));
    Some(
        Error::new(Kind::StepFailed, text)
            .hint("nothing was changed there; run again when it answers"),
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
        let mut inventory: Inventory = serde_json::from_str(&text).expect("a world");
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
    fn not_found_and_done_are_said_only_of_a_world_without_gaps() {
        let missing = |unread| {
            missing(
                &inventory(unread),
                Error::new(Kind::NotFound, "no AMI ami-1"),
            )
        };
        assert_eq!(missing(false).kind, Kind::NotFound);
        let error = missing(true);
        assert_eq!(error.kind, Kind::StepFailed);
        assert_eq!(
            error.to_string(),
            "no AMI ami-1, but could not be read: 222222222222.us-east-1 (no answer)"
        );
        assert_eq!(ended(&inventory(false), Ok(0)).ok(), Some(0));
        assert_eq!(
            ended(&inventory(true), Ok(0)).err().map(|e| e.kind),
            Some(Kind::StepFailed)
        );
        let stuck = Err(Error::new(Kind::Stuck, "left"));
        assert_eq!(
            ended(&inventory(true), stuck).err().map(|e| e.kind),
            Some(Kind::Stuck),
            "the worse is said"
        );
    }
}
