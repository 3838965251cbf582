//! Orders the images of a plan into waves, and estimates their duration from past runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{ImageName, Inventory};
use crate::plan::{Plan, Scope};

/// Images that can be processed at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wave {
    /// Number of the wave, counted from 1.
    pub number: usize,
    /// Images by name, with their expected minutes.
    pub images: BTreeMap<ImageName, Option<u64>>,
    /// Minutes of the slowest image, rounded up; none if one of them is unknown.
    pub minutes: Option<u64>,
}

/// Returns the waves of a plan: each image is one wave after the last image that it waits for. The
/// minutes are the median of past builds.
#[must_use]
pub fn waves(plan: &Plan, inventory: &Inventory) -> Vec<Wave> {
    let mut number: BTreeMap<&Scope, usize> = BTreeMap::new();
    let mut out: Vec<Wave> = Vec::new();
    let images: BTreeSet<&ImageName> = plan.decisions.iter().map(|d| &d.image).collect();
    // Steps are listed after the steps that they need, so the scopes are in order too.
    for (scope, needs) in plan.scopes() {
        let after = needs
            .iter()
            .filter_map(|n| number.get(n))
            .max()
            .copied()
            .unwrap_or(0);
        number.insert(scope, after + 1);
        // Copies to other locations have scopes of their own, but are not images.
        let Some(image) = images.iter().copied().find(|image| scope.is_home_of(image)) else {
            continue;
        };
        if out.len() <= after {
            out.push(Wave {
                number: after + 1,
                images: BTreeMap::new(),
                minutes: None,
            });
        }
        let minutes = median_minutes(inventory, image);
        out[after].images.insert(image.clone(), minutes);
    }
    for wave in &mut out {
        let known: Option<Vec<u64>> = wave.images.values().copied().collect();
        wave.minutes = known.and_then(|all| all.into_iter().max());
    }
    out
}

/// Returns the expected minutes of the images of a plan, by their scope at home.
#[must_use]
pub fn expected_minutes(plan: &Plan, inventory: &Inventory) -> BTreeMap<Scope, u64> {
    let waves = waves(plan, inventory).into_iter();
    let images = waves.flat_map(|wave| wave.images);
    let known = images.filter_map(|(image, minutes)| Some((Scope::of_image(&image), minutes?)));
    known.collect()
}

fn median_minutes(inventory: &Inventory, image: &ImageName) -> Option<u64> {
    let mut seconds = inventory.evidence.history.get(image)?.seconds.clone();
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).map(|s| s.div_ceil(60))
}
