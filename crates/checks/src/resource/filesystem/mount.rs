//! The `mount` resource: what is mounted at a path now, and what is configured to be at boot.

use std::collections::BTreeMap;

use super::fstab_rows::{files, plain};
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource::config::drop_in::FUNCTIONS;
use crate::resource::kernel::kernel_parameter::foreign;

pub(crate) static KIND: Kind = Kind {
    name: "mount",
    doc: "What is mounted at a path now, and what is configured to be; with nothing else: something is. What is mounted now is skipped where the kernel is not the target's own: a container's mounts are its host's business.",
    subject: Subject {
        name: "path",
        doc: "The absolute path of the mount point.",
        words: &[],
        check: absolute,
    },
    parameters: &[],
    properties: &[
        Property::new("mounted", Of::Bool, "Whether anything is mounted now.").or(&["be_mounted"]),
        Property::new("device", Of::Setting, "What is mounted now."),
        Property::new(
            "fstype",
            Of::Setting,
            "The kind of file system, such as ext4.",
        )
        .or(&["type"]),
        Property::new(
            "options",
            Of::List,
            "The options that are in force, such as noexec.",
        ),
        Property::new(
            "configured",
            Of::Bool,
            "Whether it is mounted at boot: by fstab without noauto, or by a systemd mount unit that another unit wants.",
        ),
        Property::new(
            "configured_options",
            Of::List,
            "The options in fstab or in the unit with its drop-ins, without those that a later one takes back.",
        ),
    ],
    open: None,
    by_default: &["mounted"],
    implied: &[],
    // What is configured may be there while nothing is mounted, and the other way round: each property says what it misses.
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

/// What is mounted now is in the base set.
fn requests(asked: &[Asked<'_>]) -> Vec<String> {
    let configured = asked
        .iter()
        .any(|one| one.properties.iter().any(|p| p.starts_with("configured")));
    configured
        .then(|| "mount_files".to_owned())
        .into_iter()
        .collect()
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
        out.insert(
            plain(at),
            Row {
                device: plain(device),
                fstype: (*fstype).to_owned(),
                options,
            },
        );
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = &target.subject;
    if property.starts_with("configured") {
        return files(view).observe("has no configuration", |files| {
            match (files.planned(path), property) {
                (Err(why), _) => Observed::Unknown(why),
                (Ok(Some(planned)), "configured") => {
                    Observed::Value(Value::Bool(planned.at_boot, planned.how))
                }
                (Ok(None), "configured") => Observed::bool(false),
                (Ok(Some(planned)), _) if planned.at_boot => Observed::list(planned.options),
                (Ok(Some(planned)), _) => {
                    Observed::Missing(format!("is not mounted at boot: {}", planned.how))
                }
                (Ok(None), _) => {
                    Observed::Missing("is neither in fstab nor in a mount unit".to_owned())
                }
            }
        });
    }
    if let Some(skipped) = foreign(view) {
        return skipped;
    }
    view.parsed("mounts", "", rows)
        .observe("has no table of mounts", |rows| {
            match (property, rows.get(path)) {
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
    use crate::resource::filesystem::fstab_rows::tests::sent;
    use crate::tests::lines;

    const OWN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n");
    const FOREIGN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=no\n");

    #[test]
    fn mounts_are_judged_by_the_last_at_their_point() {
        let text = "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /a\\040b tmpfs rw 0 0\ntmpfs /a\\040b tmpfs ro,noexec 0 0\n";
        let told =
            |yaml: &str| lines(&format!("- {yaml}"), &[OWN, ("mounts", "", 0, "-", text)]).join("");
        assert_eq!(
            told("{mount: /, device: /dev/vda1, fstype: ext4}"),
            "passed  mount:/"
        );
        assert_eq!(
            told("{mount: /a b, options: {superset_of: [ro, noexec]}}"),
            "passed  mount:/a b"
        );
        assert_eq!(
            told("{mount: /tmp}"),
            "failed  mount:/tmp  mounted: expected true, actual false"
        );
        assert!(told("{mount: /tmp, options: {not: {include: exec}}}").starts_with("failed"));
        assert!(
            told("{mount: /tmp, options: {include: noexec}, if_absent: skip}")
                .starts_with("skipped")
        );
    }

    #[test]
    fn what_is_configured_is_judged_whosever_kernel_it_is() {
        let text = sent(
            &[("/etc/fstab", Some("tmpfs /tmp tmpfs nosuid,noexec\n"))],
            &[],
        );
        let frames = [
            FOREIGN,
            ("mounts", "", 0, "-", "tmpfs /tmp tmpfs rw 0 0\n"),
            ("mount-files", "", 0, "-", &text),
        ];
        let told = |yaml: &str| lines(&format!("- {yaml}"), &frames).join("");
        assert_eq!(
            told("{mount: /tmp, configured: true, configured_options: {include: noexec}}"),
            "passed  mount:/tmp"
        );
        assert!(told("{mount: /tmp, options: {include: rw}}").starts_with("skipped"));
        assert!(
            told("{mount: /tmp, options: {include: rw}, configured_options: {include: nodev}}")
                .starts_with("failed")
        );
        assert!(
            told("{mount: /x, configured_options: {not: {include: exec}}}").starts_with("failed")
        );
        assert!(
            told("{mount: /x, configured_options: {include: noexec}, if_absent: skip}")
                .starts_with("skipped")
        );
        let told = lines(
            "- {mount: /x, configured: false}",
            &[FOREIGN, ("mount-files", "", 0, "-", "u /etc/fstab\n")],
        );
        assert!(told[0].starts_with("error"), "{told:?}");
    }
}
