//! Checks before a run that its pointers can be written.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};

use super::context::Clouds;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Location;
use crate::plan::{Action, Plan, Step};
use crate::steps::preflight::{Check, Group};

/// Maximum number of parallel reads.
const MAX_CONCURRENT: usize = 16;

/// Location, name and type of a pointer that cannot be written.
type WrongPointer = (Location, String, String);

/// Checks that no SSM parameter of a plan exists with another type. AWS would refuse the write, but
/// only after the build or the copies. A parameter that cannot be read decides nothing.
pub(super) async fn check_pointer_types(clouds: &Clouds, plan: &Plan) -> Option<Check> {
    let pointers: BTreeSet<(Location, String)> =
        plan.steps.iter().flat_map(written_pointers).collect();
    if pointers.is_empty() {
        return None;
    }
    let object = format!("types of {} SSM parameters", pointers.len());
    let reads = pointers.into_iter().map(|(location, name)| {
        let cloud = clouds.shared(&location);
        async move {
            let read = cloud?.other_parameter_type(&location.region, &name).await;
            let kind = read.map_err(Error::from)?;
            Ok(kind.map(|kind| (location, name, kind)))
        }
    });
    let answers: Vec<Result<Option<WrongPointer>>> = stream::iter(reads)
        .buffer_unordered(MAX_CONCURRENT)
        .collect()
        .await;
    let (mut wrong, mut unread) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(found) => wrong.extend(found),
            Err(error) => unread = unread.or(Some(error)),
        }
    }
    wrong.sort();
    let Some((location, name, kind)) = wrong.first() else {
        return Some(match unread {
            None => Check::ok(Group::Store, object),
            Some(error) => Check::unknown(Group::Store, object, error.with_advice()),
        });
    };
    let text = format!(
        "SSM parameter {name} in {location} has another type ({kind}), which cannot be changed to `aws:ec2:image`"
    );
    let mut error = Error::new(ErrorKind::Refused, text);
    for (location, name, _) in &wrong {
        error = error.hint(format!(
            "delete it in {location} and run the command again: aws ssm delete-parameter --region {} --name {name}",
            location.region
        ));
    }
    Some(Check::missing(Group::Store, object, error))
}

/// Returns the SSM parameters that a step writes.
fn written_pointers(step: &Step) -> Vec<(Location, String)> {
    let names: Vec<&String> = match &step.action {
        Action::MoveCurrent { moves } => moves.iter().map(|m| &m.pointer).collect(),
        Action::Publish { pointer, .. } => vec![pointer],
        _ => Vec::new(),
    };
    let location = Location {
        account: step.account.clone(),
        region: step.region.clone(),
    };
    names
        .into_iter()
        .map(|name| (location.clone(), name.clone()))
        .collect()
}
