//! The parameter `exclude` of searches: paths to ignore, each with a reason.

use super::glob;
use crate::exclusion::Exclusion;
use crate::resource_type::{InvalidValue, Parameter, ResourceRef, ValueType, check_absolute_path};

/// Parameter with the exclusions of a check.
pub(crate) const EXCLUDE: Parameter = Parameter::new(
    "exclude",
    ValueType::Exclusions,
    "Paths to ignore, as a list of `{path: …, reason: …}`. The results show the reasons. `*` does \
     not match a slash. Everything below a path is ignored, too.",
)
.with_check(check_exclusions);

fn check_exclusions(lines: &str) -> Result<(), InvalidValue> {
    for line in lines.lines() {
        let exclusion = Exclusion::from_line(line).ok_or_else(|| {
            InvalidValue::new(
                "an exclusion needs a path and a reason",
                "write a list such as `[{path: /opt/app/test, reason: public test keys}]`",
            )
        })?;
        check_absolute_path(&exclusion.path)?;
    }
    Ok(())
}

/// Returns the exclusions of a check.
pub(crate) fn exclusions(target: &ResourceRef) -> Vec<Exclusion> {
    let lines = target.parameter("exclude", "").lines();
    lines.filter_map(Exclusion::from_line).collect()
}

/// Returns true if the exclusion is the path or one of its parent directories.
pub(crate) fn is_covered(exclusion: &Exclusion, path: &str) -> bool {
    let mut part = path;
    while !part.is_empty() {
        if exclusion.path.trim_end_matches('/') == part || glob::is_match(&exclusion.path, part) {
            return true;
        }
        part = part.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
    false
}

/// Escapes control characters so that a path fits on one line.
pub(crate) fn escape_controls(path: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    path.chars().map(escape).collect()
}

/// Returns the exclusions with their reasons and the number of ignored items.
pub(crate) fn exclusion_remark(target: &ResourceRef, paths: &[&str]) -> Option<String> {
    let each: Vec<String> = exclusions(target)
        .iter()
        .map(|exclusion| {
            let covered = paths.iter().filter(|path| is_covered(exclusion, path));
            let ignored = match covered.count() {
                0 => String::new(),
                count => format!("; {count} ignored"),
            };
            format!("{} ({}{ignored})", exclusion.path, exclusion.reason)
        })
        .collect();
    (!each.is_empty()).then(|| format!("excluded: {}", each.join(", ")))
}
