//! Reports deprecated vendor AMIs of a base image.

use super::planner::ReleasePlanner;
use crate::catalog::Image;
use crate::model::Ami;

impl ReleasePlanner<'_> {
    /// Returns a note about deprecated AMIs: that the selected one is deprecated, or that a newer
    /// one was skipped.
    pub(super) fn deprecation_note(&self, image: &Image) -> Option<String> {
        let selected = self.inventory.sources.get(&image.name)?.as_ref();
        if let Some((ami, since)) = selected.and_then(|a| Some((a, self.deprecation_date(a)?))) {
            return Some(format!(
                "the source AMI {} ({}) is deprecated since {since}; `deprecated: true` allows it",
                ami.name, ami.id
            ));
        }
        let skipped = self.inventory.skipped.get(&image.name)?;
        let newest = skipped.newest_deprecated.as_ref()?;
        let since = self.deprecation_date(newest).unwrap_or_default();
        match selected {
            Some(used) if used.created >= newest.created => None,
            Some(_) => Some(format!(
                "skipped a newer source AMI: {} ({}) is deprecated since {since}",
                newest.name, newest.id
            )),
            None => Some(format!(
                "only deprecated AMIs match the source: {} ({}) is deprecated since {since}",
                newest.name, newest.id
            )),
        }
    }

    /// Returns the date of the deprecation if the AMI was deprecated when the facts were collected.
    pub(super) fn deprecation_date(&self, ami: &Ami) -> Option<String> {
        let time = ami.deprecation(self.inventory.captured_at)?;
        Some(time.strftime("%Y-%m-%d").to_string())
    }
}
