//! Defines the parts of an evaluation that matchers and conditions share.

use std::cmp::Ordering;

use bakeline_platform::{debian, rpm};

use crate::matcher::pattern::Patterns;

/// Order of package versions on a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum VersionOrder {
    /// Order of dpkg (Debian Policy 5.6.12). Also used if the package manager is unknown.
    #[default]
    Dpkg,
    /// Order of rpm (rpm-version(7)).
    Rpm,
}

impl VersionOrder {
    /// Compares two versions.
    pub(crate) fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Dpkg => debian::compare_versions(a, b),
            Self::Rpm => rpm::compare_versions(a, b),
        }
    }
}

/// Cache of patterns and order of versions of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct MatchContext {
    /// Compiled patterns.
    pub(crate) patterns: Patterns,
    /// Order of the versions on the target.
    pub(crate) versions: VersionOrder,
}
