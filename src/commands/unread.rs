//! Owns what commands say and end with when places could not be read: what is not seen is not what is not there.

use crate::error::{Error, Kind, Result};
use crate::model::World;
use crate::ui;

/// Says each place that could not be read, before anything is decided without it.
pub(super) fn warn(world: &World) {
    for (place, why) in &world.unread {
        ui::say(&format!(
            "warning: {place} could not be read, so nothing is decided about it: {why}"
        ));
    }
}

/// That something was not found, which only a world without gaps can say.
pub(super) fn missing(world: &World, not_found: Error) -> Error {
    gaps(world, not_found.to_string()).unwrap_or(not_found)
}

/// How a command ended that did what it could at the places that answered: worse things are said first.
pub(super) fn ended(world: &World, ended: Result<u8>) -> Result<u8> {
    match gaps(world, "not everything was looked at".to_owned()) {
        Some(error) => ended.and(Err(error)),
        None => ended,
    }
}

fn gaps(world: &World, what: String) -> Option<Error> {
    if world.unread.is_empty() {
        return None;
    }
    let places: Vec<String> = world
        .unread
        .iter()
        .map(|(place, why)| format!("{place} ({why})"))
        .collect();
    let text = format!("{what}, but could not be read: {}", places.join(", "));
    Some(
        Error::new(Kind::StepFailed, text)
            .hint("nothing was changed there; run again when it answers"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Place, WORLD_SCHEMA};

    fn world(unread: bool) -> World {
        let text = format!(
            r#"{{"schema": {WORLD_SCHEMA}, "taken": "2026-11-22T12:00:00Z", "account": "1", "caller": "me", "images": []}}"#
        );
        let mut world: World = serde_json::from_str(&text).expect("a world");
        let place = Place {
            account: Some("222222222222".to_owned()),
            region: "us-east-1".into(),
        };
        world
            .unread
            .extend(unread.then(|| (place, "no answer".to_owned())));
        world
    }

    #[test]
    fn not_found_and_done_are_said_only_of_a_world_without_gaps() {
        let missing = |unread| missing(&world(unread), Error::new(Kind::NotFound, "no AMI ami-1"));
        assert_eq!(missing(false).kind, Kind::NotFound);
        let error = missing(true);
        assert_eq!(error.kind, Kind::StepFailed);
        assert_eq!(
            error.to_string(),
            "no AMI ami-1, but could not be read: 222222222222.us-east-1 (no answer)"
        );
        assert_eq!(ended(&world(false), Ok(0)).ok(), Some(0));
        assert_eq!(
            ended(&world(true), Ok(0)).err().map(|e| e.kind),
            Some(Kind::StepFailed)
        );
        let stuck = Err(Error::new(Kind::Stuck, "left"));
        assert_eq!(
            ended(&world(true), stuck).err().map(|e| e.kind),
            Some(Kind::Stuck),
            "the worse is said"
        );
    }
}
