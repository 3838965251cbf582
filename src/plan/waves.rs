//! Owns the order in which a plan's images can be worked on, and how long that may take by past runs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{ImageName, Inventory};
use crate::plan::step::Plan;

/// Images that can be worked on at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wave {
    /// Counts from 1.
    pub number: usize,
    /// The images, by name.
    pub images: BTreeMap<ImageName, Option<u64>>,
    /// The longest of them in minutes, rounded up; none when one of them is unknown.
    pub minutes: Option<u64>,
}

/// Each image one wave after the last that it waits for; minutes are the median of past builds.
#[must_use]
pub fn waves(plan: &Plan, inventory: &Inventory) -> Vec<Wave> {
    let mut number: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out: Vec<Wave> = Vec::new();
    let images: std::collections::BTreeSet<&str> =
        plan.decisions.iter().map(|d| d.image.as_str()).collect();
    // A scope's needs come before it: steps are listed after all they need.
    for (scope, needs) in plan.scopes() {
        let after = needs
            .iter()
            .filter_map(|n| number.get(n))
            .max()
            .copied()
            .unwrap_or(0);
        number.insert(scope, after + 1);
        // Copies to other locations are scopes of their own, but no images.
        if !images.contains(scope) {
            continue;
        }
        if out.len() <= after {
            out.push(Wave {
                number: after + 1,
                images: BTreeMap::new(),
                minutes: None,
            });
        }
        let image = ImageName::from(scope);
        let minutes = minutes(inventory, &image);
        out[after].images.insert(image, minutes);
    }
    for wave in &mut out {
        let known: Option<Vec<u64>> = wave.images.values().copied().collect();
        wave.minutes = known.and_then(|all| all.into_iter().max());
    }
    out
}

fn minutes(inventory: &Inventory, image: &ImageName) -> Option<u64> {
    let mut seconds = inventory.evidence.history.get(image)?.seconds.clone();
    seconds.sort_unstable();
    seconds.get(seconds.len() / 2).map(|s| s.div_ceil(60))
}
