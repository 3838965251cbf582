//! The `mount` resource: what is mounted at a path now.

use std::collections::BTreeMap;

use crate::checks::Phase;
use crate::checks::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::checks::observed::Observed;
use crate::checks::view::View;

pub(crate) static KIND: Kind = Kind {
    name: "mount",
    doc: "What is mounted at a path now; with nothing else: something is. Judged in phase boot unless `phase` says more.",
    subject: Subject { name: "path", doc: "The absolute path of the mount point.", words: &[], check: absolute },
    parameters: &[],
    properties: &[
        Property::new("mounted", Of::Bool, "Whether anything is.").or(&["be_mounted"]),
        Property::new("device", Of::Setting, "What is mounted."),
        Property::new("fstype", Of::Setting, "The kind of file system, such as ext4.").or(&["type"]),
        Property::new("options", Of::List, "The options that are in force, such as noexec."),
    ],
    open: None,
    by_default: &["mounted"],
    implied: &[],
    presence: Some("mounted"),
    phases: &[Phase::Boot],
    not_in_directory: Some("nothing is mounted in a directory"),
    shell: "mounts() {\n  if rows=$(cat /proc/self/mounts 2>/dev/null); then put mounts - 0 \"$rows\"; else put mounts - 3 'there is no /proc/self/mounts'; fi\n}\n\n",
    requests,
    observe,
};

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["mounts".to_owned()]
}

/// What proc_pid_mounts(5) says of one mount.
struct Row {
    device: String,
    fstype: String,
    options: Vec<String>,
}

/// By mount point; of several at one point the last is the one that shows.
fn rows(text: &str) -> Result<BTreeMap<String, Row>, String> {
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, at, fstype, options, ..] = words.as_slice() else {
            return Err("the table of mounts has an unknown form".to_owned());
        };
        let options = options.split(',').map(str::to_owned).collect();
        out.insert(plain(at), Row { device: plain(device), fstype: (*fstype).to_owned(), options });
    }
    Ok(out)
}

/// Space, tab, line feed and backslash are written in octal.
fn plain(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    view.parsed("mounts", "", rows).observe("has no table of mounts", |rows| {
        match (property, rows.get(&target.subject)) {
            ("mounted", row) => Observed::bool(row.is_some()),
            (_, None) => Observed::Missing("is not mounted".to_owned()),
            ("device", Some(row)) => Observed::setting(row.device.clone()),
            ("fstype", Some(row)) => Observed::setting(row.fstype.clone()),
            (_, Some(row)) => Observed::list(row.options.iter().cloned()),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{IDENTITY, lines};

    #[test]
    fn mounts_are_judged_by_the_last_at_their_point() {
        let text =
            "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /a\\040b tmpfs rw 0 0\ntmpfs /a\\040b tmpfs ro,noexec 0 0\n";
        let told = |yaml: &str| lines(&format!("- {yaml}"), &[IDENTITY, ("mounts", "", 0, "-", text)]).join("");
        assert_eq!(told("{mount: /, device: /dev/vda1, fstype: ext4}"), "passed  mount:/");
        assert_eq!(told("{mount: /a b, options: {superset_of: [ro, noexec]}}"), "passed  mount:/a b");
        assert_eq!(told("{mount: /tmp}"), "failed  mount:/tmp  mounted: expected true, actual false");
        assert!(told("{mount: /tmp, options: {not: {include: exec}}}").starts_with("failed"));
        assert!(told("{mount: /tmp, options: {include: noexec}, if_absent: skip}").starts_with("skipped"));
    }
}
