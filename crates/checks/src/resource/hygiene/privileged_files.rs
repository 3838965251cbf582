//! The `privileged_files` resource: files that run with the rights of another user.

use std::collections::BTreeSet;

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::{Parsed, View};
use crate::resource::filesystem::exclude::{
    EXCLUDE, escape_controls, exclusion_remark, exclusions, is_covered,
};
use crate::resource::filesystem::walk::{WalkError, is_missing_file};
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::truncate_for_display;

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "privileged_files",
    "Files with setuid bit, setgid bit or capabilities (`security.capability`). By default, \
     packages own all of them. The search covers the file system of /, without /proc, /sys, /dev \
     and /run. Capabilities are read with getcap, Python or getfattr. Without any of them, \
     `capabilities` is an error, and so is `unpackaged` unless it has other files. A search that \
     does not end within 120 seconds is an error, and so are more than 5000 files.",
    Subject::one_of("scope", "Always `all`.", &["all"]),
    observe,
)
.with_parameters(&[EXCLUDE])
.with_properties(&[
    Property::new(
        "unpackaged",
        ValueType::List,
        "Files that no package of dpkg or rpm owns. A file at the original path of a local \
         diversion is not owned. A changed file of a package is owned.",
    ),
    Property::new("setuid", ValueType::List, "Files with the setuid bit."),
    Property::new("setgid", ValueType::List, "Files with the setgid bit."),
    Property::new("capabilities", ValueType::List, "Files with capabilities."),
])
.with_defaults(&["!unpackaged"])
.with_remark(remark)
.with_collection(
    concat!(
        include_str!("../packaging/owners.sh"),
        include_str!("privileged_files.sh")
    ),
    requests,
);

/// Maximum number of files; more are an error.
const MAX_FILES: usize = 5000;

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["privileged_files".to_owned()]
}

/// Files of a search, by path.
#[derive(Debug, Default)]
struct PrivilegedFiles {
    setuid: BTreeSet<String>,
    setgid: BTreeSet<String>,
    capabilities: BTreeSet<String>,
    packaged: BTreeSet<String>,
    /// True if a tool could read capabilities.
    has_tool: bool,
    /// True if the files of packages are known.
    has_owners: bool,
}

impl PrivilegedFiles {
    fn paths(&self) -> BTreeSet<&String> {
        let sets = [&self.setuid, &self.setgid, &self.capabilities];
        sets.into_iter().flatten().collect()
    }
}

/// Parses lines of kind and path. The marker at the end proves that the search is complete.
fn parse_files(text: &str) -> Result<PrivilegedFiles, ReadError> {
    let mut out = PrivilegedFiles::default();
    let mut is_complete = false;
    for line in text.lines() {
        match line {
            "!find 124" | "!find 137" | "!find 143" => return Err(WalkError::TimedOut.into()),
            "!name" => {
                let why = "a file name contains the control character 0x01";
                return Err(WalkError::Message(why.to_owned()).into());
            }
            "!find 0" | "!find 1" => is_complete = true,
            "!tool getcap" | "!tool python3" | "!tool getfattr" => out.has_tool = true,
            "!owner dpkg" | "!owner rpm" => out.has_owners = true,
            "!tool none" | "!owner none" | "" | "Terminated" => {}
            _ if is_missing_file(line) => {}
            _ => {
                let mut add = || {
                    let (kind, path) = line.split_at_checked(1)?;
                    let set = match kind {
                        "u" => &mut out.setuid,
                        "g" => &mut out.setgid,
                        "c" => &mut out.capabilities,
                        "o" => &mut out.packaged,
                        _ => return None,
                    };
                    let path = path.strip_prefix('.').filter(|p| p.starts_with('/'))?;
                    set.insert(escape_controls(&path.replace('\u{1}', "\n")));
                    Some(())
                };
                add().ok_or_else(|| WalkError::Message(truncate_for_display(line.as_bytes())))?;
            }
        }
    }
    if !is_complete {
        let why = "the search ended before it was complete";
        return Err(WalkError::Message(why.to_owned()).into());
    }
    if out.paths().len() > MAX_FILES {
        let why = format!("more than {MAX_FILES} files were found, which is too many");
        return Err(WalkError::Message(why).into());
    }
    Ok(out)
}

fn load(view: &View<'_>) -> Parsed<PrivilegedFiles> {
    view.parse_reading("privileged_files", "", parse_files)
}

const NO_TOOL: &str =
    "capabilities cannot be read: none of getcap, python3 and getfattr is installed";

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let exclusions = exclusions(target);
    let is_kept = |path: &&String| !exclusions.iter().any(|e| is_covered(e, path));
    let list = |paths: &BTreeSet<String>| Observation::list(paths.iter().filter(is_kept).cloned());
    load(view).observe("was not collected", |all| match property {
        "setuid" => list(&all.setuid),
        "setgid" => list(&all.setgid),
        "capabilities" if !all.has_tool => Observation::Unknown(NO_TOOL.to_owned()),
        "capabilities" => list(&all.capabilities),
        _ if !all.has_owners => Observation::Unknown(
            "the files of packages are unknown: the target has no database of dpkg or rpm"
                .to_owned(),
        ),
        _ => {
            let unowned = all
                .paths()
                .into_iter()
                .filter(|p| !all.packaged.contains(*p));
            let found: Vec<String> = unowned.filter(is_kept).cloned().collect();
            if found.is_empty() && !all.has_tool {
                return Observation::Unknown(NO_TOOL.to_owned());
            }
            Observation::list(found)
        }
    })
}

fn remark(target: &ResourceRef, view: &View<'_>) -> Option<String> {
    let Read::Present(all) = load(view) else {
        return None;
    };
    let paths: Vec<&str> = all.paths().into_iter().map(String::as_str).collect();
    exclusion_remark(target, &paths)
}

#[cfg(test)]
mod tests {
    use crate::tests::{IDENTITY, lines};

    const FOUND: &str = "!tool getcap\n!owner dpkg\nu./usr/bin/su\ng./usr/bin/wall\n\
        u./var/lib/x y\u{1}z\nc./opt/ping\nfind: './proc/1': No such file or directory\n\
        !find 1\no./usr/bin/su\no./usr/bin/wall\n";

    fn judge_check(yaml: &str, text: &str) -> String {
        let frames = [IDENTITY, ("privileged_files", "", 0, "-", text)];
        lines(&format!("- {{privileged_files: all{yaml}}}"), &frames).join("")
    }

    #[test]
    fn privileged_files_are_listed_by_kind() {
        for yaml in [
            ", setuid: {same_set: [/usr/bin/su, \"/var/lib/x y\\\\nz\"]}",
            ", setgid: {same_set: [/usr/bin/wall]}",
            ", capabilities: {same_set: [/opt/ping]}",
            ", unpackaged: {count: 2, include: /opt/ping}",
            ", exclude: [{path: /opt, reason: a}, {path: \"/var/lib/x*\", reason: b}]",
        ] {
            let line = judge_check(yaml, FOUND);
            assert!(line.starts_with("passed"), "{yaml}: {line}");
        }
        assert!(judge_check("", FOUND).contains("/opt/ping"));
        let line = judge_check(", exclude: [{path: /opt, reason: a}]", FOUND);
        assert!(line.starts_with("failed") && line.contains("/opt (a; 1 ignored)"));
    }

    #[test]
    fn missing_tool_or_database_is_no_pass() {
        for (from, to, part) in [
            ("!tool getcap", "!tool none", "capabilities cannot be read"),
            ("!owner dpkg", "!owner none", "no database"),
            ("!find 1", "!find 124", "timed out"),
            ("!find 1", "", "before it was complete"),
            (
                "!find 1",
                "find: './root': Permission denied",
                "Permission denied",
            ),
            ("!find 1", "!name", "0x01"),
        ] {
            let text = FOUND.replace(from, to).replace("/opt/ping", "/usr/bin/su");
            let line = judge_check(", exclude: [{path: /var, reason: a}]", &text);
            assert!(line.starts_with("error") && line.contains(part), "{line}");
        }
    }
}
