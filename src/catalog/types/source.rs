//! Defines the selection of a vendor AMI.

use std::collections::BTreeMap;

/// Selection of a vendor AMI: the newest available one that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// AMIs by owner, name and further conditions.
    Filter(SourceFilter),
    /// SSM parameter with an AMI ID.
    Parameter {
        /// Path, such as `/aws/service/debian/release/12/latest/amd64`.
        path: String,
        /// True if a deprecated AMI may be used.
        deprecated: bool,
    },
}

/// Conditions on the AMIs of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// Owner: `136693071363`, `amazon`, `self`, …
    pub owner: String,
    /// Name pattern, such as `debian-12-amd64-*`.
    pub name: String,
    /// Name patterns of AMIs that are skipped.
    pub exclude: Vec<String>,
    /// Further filters of DescribeImages, with their values.
    pub filters: BTreeMap<String, Vec<String>>,
    /// True if a deprecated AMI may be used.
    pub deprecated: bool,
}

impl Source {
    /// Returns true if a deprecated AMI may be used.
    #[must_use]
    pub fn allows_deprecated(&self) -> bool {
        match self {
            Self::Filter(filter) => filter.deprecated,
            Self::Parameter { deprecated, .. } => *deprecated,
        }
    }

    /// Returns true if `exclude` skips an AMI with this name.
    #[must_use]
    pub fn is_excluded(&self, name: &str) -> bool {
        match self {
            Self::Filter(filter) => filter.exclude.iter().any(|p| matches_ami_name(p, name)),
            Self::Parameter { .. } => false,
        }
    }

    /// Returns the value of the recipe input `starts from`. Omits settings that have default
    /// values.
    #[must_use]
    pub fn label(&self) -> String {
        let mut out = match self {
            Self::Filter(SourceFilter { owner, name, .. }) => format!("source {owner} {name}"),
            Self::Parameter { path, .. } => format!("source {path}"),
        };
        if let Self::Filter(filter) = self {
            for pattern in &filter.exclude {
                out.push_str(&format!(" exclude {pattern}"));
            }
            for (name, values) in &filter.filters {
                out.push_str(&format!(" filter {name}={}", values.join(",")));
            }
        }
        if self.allows_deprecated() {
            out.push_str(" deprecated");
        }
        out
    }
}

/// Compares an AMI name with a pattern as the filters of EC2 do: `*` matches any characters, and `?`
/// at most one (EC2 User Guide, "Filter by values"). Upper and lower case differ.
#[must_use]
pub fn matches_ami_name(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // `reached[n]` is true if the pattern so far matches the first `n` characters.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for expected in pattern.chars() {
        let before = reached.clone();
        for end in 0..=name.len() {
            let after_one = end > 0 && before[end - 1];
            reached[end] = match expected {
                '*' => before[end] || end > 0 && reached[end - 1],
                '?' => before[end] || after_one,
                c => after_one && name[end - 1] == c,
            };
        }
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::matches_ami_name;

    #[test]
    fn patterns_match_as_in_ec2() {
        for (pattern, name, expected) in [
            ("debian-12-*", "debian-12-amd64-20261101", true),
            ("debian-12-*", "debian-12-", true),
            ("debian-12-*", "debian-13-amd64", false),
            ("*-minimal-*", "al2023-ami-minimal-2023.6", true),
            ("*-minimal-*", "al2023-ami-2023.6", false),
            ("*beta*", "Rocky-9-beta", true),
            ("*beta*", "Rocky-9-BETA", false),
            ("RHEL-9.?", "RHEL-9.4", true),
            ("RHEL-9.?", "RHEL-9.", true),
            ("RHEL-9.?", "RHEL-9.10", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("[a]", "[a]", true),
            ("[a]", "a", false),
            ("", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(
                matches_ami_name(pattern, name),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
