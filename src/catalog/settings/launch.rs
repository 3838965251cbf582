//! Checks the trial launch of an environment.

use super::builder::{parse_instance_types, parse_subnets, type_names};
use crate::catalog::checker::Checker;
use crate::catalog::raw::RawLaunch;
use crate::catalog::types::TrialLaunch;

/// Returns the trial launch, or `None` if it is disabled.
pub(super) fn parse_launch(
    raw: Option<&RawLaunch>,
    environment_key: &str,
    checker: &mut Checker<'_, '_>,
) -> Option<TrialLaunch> {
    let raw = match raw {
        None | Some(RawLaunch::Enabled(true)) => return Some(TrialLaunch::default()),
        Some(RawLaunch::Enabled(false)) => return None,
        Some(RawLaunch::Settings(raw)) => raw,
    };
    let types = parse_instance_types(raw.instance_type.as_ref(), &raw.instance_types, checker);
    Some(TrialLaunch {
        subnets: parse_subnets(raw.subnet.as_ref(), &raw.subnets, checker),
        instance_types: types
            .into_iter()
            .map(|(arch, texts)| (arch, type_names(texts)))
            .collect(),
        tags: checker.check_tags(&raw.tags, environment_key),
    })
}
