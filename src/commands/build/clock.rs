//! Warns about versions whose date is in the future: a clock was wrong.

use std::collections::BTreeMap;

use crate::catalog::Settings;
use crate::lifecycle::Record;
use crate::model::{ImageName, Inventory, Version};
use crate::ui;

/// Prints a warning for each image whose newest version has a date more than one day ahead.
pub(super) fn warn_future_versions(settings: &Settings, inventory: &Inventory) {
    for warning in future_versions(settings, inventory) {
        ui::say(&format!("warning: {warning}"));
    }
}

fn future_versions(settings: &Settings, inventory: &Inventory) -> Vec<String> {
    let mut newest: BTreeMap<ImageName, Version> = BTreeMap::new();
    for record in Record::read_all(&inventory.images, settings) {
        let version = newest.entry(record.image).or_insert(record.version);
        *version = record.version.max(*version);
    }
    let warning = |(image, version): (ImageName, Version)| {
        let days = version.days_ahead(inventory.captured_at)?;
        let days = ui::count(usize::try_from(days).unwrap_or(0), "day");
        Some(format!(
            "the newest version of `{image}` is {version}, {days} ahead of the clock; new versions keep this date until that day. Check the clocks of this machine and of the machine that built the version"
        ))
    };
    newest.into_iter().filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_more_than_one_day_ahead_are_in_the_future() {
        let now = "2026-11-22T23:00:00Z".parse().expect("time");
        for (version, ahead) in [
            ("20261122.1", None),
            ("20261123.1", None),
            ("20261124.1", Some(2)),
            ("20271227.1", Some(400)),
            ("20250101.1", None),
            ("99999999.1", None),
        ] {
            let parsed: Version = version.parse().expect("a version");
            assert_eq!(parsed.days_ahead(now), ahead, "{version}");
        }
    }
}
