//! The `mount` resource: the current mount at a path, and its configuration.

use std::collections::BTreeMap;

use super::fstab_rows::{decode_escapes, load_files};
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource::config::drop_in::FUNCTIONS;
use crate::resource::kernel::kernel_parameter::skip_reason;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType, check_absolute_path,
};

// A mount can be configured but not mounted, and the reverse. Each property reports its own absence.
pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "mount",
    "Mount at a path: the current state and the configuration. By default, it must be \
     mounted. The current state is skipped if the kernel does not belong to the target, \
     because the host decides the mounts of a container.",
    Subject::new(
        "path",
        "Absolute path of the mount point.",
        check_absolute_path,
    ),
    observe,
)
.with_properties(&[
    Property::new("mounted", ValueType::Bool, "True if it is mounted now.").or(&["be_mounted"]),
    Property::new("device", ValueType::Setting, "Device that is mounted now."),
    Property::new(
        "fstype",
        ValueType::Setting,
        "Type of the mounted file system, such as ext4.",
    )
    .or(&["type"]),
    Property::new(
        "options",
        ValueType::List,
        "Options of the current mount, such as noexec.",
    ),
    Property::new(
        "configured",
        ValueType::Bool,
        "True if it is mounted at boot: by fstab without noauto, or by a systemd mount unit \
         that another unit wants.",
    ),
    Property::new(
        "configured_options",
        ValueType::List,
        "Options in fstab or in the mount unit with its drop-ins, without those that a later \
         option overrides.",
    ),
])
.with_defaults(&["mounted"])
.with_collection(FUNCTIONS, requests);

/// Returns no calls for the current mounts: the collector always reads them.
fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let configured = asked
        .iter()
        .any(|one| one.properties.iter().any(|p| p.starts_with("configured")));
    configured
        .then(|| "mount_files".to_owned())
        .into_iter()
        .collect()
}

/// Entry of proc_pid_mounts(5).
struct MountEntry {
    device: String,
    fstype: String,
    options: Vec<String>,
}

/// Parses mounts by mount point. The last of several at one point is visible.
fn parse_mounts(text: &str) -> Result<BTreeMap<String, MountEntry>, ReadError> {
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, at, fstype, options, ..] = words.as_slice() else {
            return Err(ReadError::unknown_format("the mount table"));
        };
        let options = options.split(',').map(str::to_owned).collect();
        out.insert(
            decode_escapes(at),
            MountEntry {
                device: decode_escapes(device),
                fstype: (*fstype).to_owned(),
                options,
            },
        );
    }
    Ok(out)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let path = &target.subject;
    if property.starts_with("configured") {
        return load_files(view).observe("has no configuration", |files| {
            match (files.configured_mount(path), property) {
                (Err(why), _) => why.into(),
                (Ok(Some(planned)), "configured") => {
                    Observation::Value(Value::Bool(planned.at_boot, planned.how))
                }
                (Ok(None), "configured") => Observation::bool(false),
                (Ok(Some(planned)), _) if planned.at_boot => Observation::list(planned.options),
                (Ok(Some(planned)), _) => {
                    Observation::Missing(format!("is not mounted at boot: {}", planned.how))
                }
                (Ok(None), _) => {
                    Observation::Missing("is neither in fstab nor in a mount unit".to_owned())
                }
            }
        });
    }
    if let Some(skipped) = skip_reason(view) {
        return skipped;
    }
    view.parse_reading("mounts", "", parse_mounts)
        .observe("has no mount table", |rows| {
            match (property, rows.get(path)) {
                ("mounted", row) => Observation::bool(row.is_some()),
                (_, None) => Observation::Missing("is not mounted".to_owned()),
                ("device", Some(row)) => Observation::setting(row.device.clone()),
                ("fstype", Some(row)) => Observation::setting(row.fstype.clone()),
                (_, Some(row)) => Observation::list(row.options.iter().cloned()),
            }
        })
}

#[cfg(test)]
mod tests {
    use crate::resource::filesystem::fstab_rows::tests::encode_files;
    use crate::tests::lines;

    const OWN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n");
    const FOREIGN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=no\n");

    #[test]
    fn last_mount_at_a_path_counts() {
        let text = "/dev/vda1 / ext4 rw,relatime 0 0\ntmpfs /a\\040b tmpfs rw 0 0\n\
            tmpfs /a\\040b tmpfs ro,noexec 0 0\n";
        let judge_check =
            |yaml: &str| lines(&format!("- {yaml}"), &[OWN, ("mounts", "", 0, "-", text)]).join("");
        assert_eq!(
            judge_check("{mount: /, device: /dev/vda1, fstype: ext4}"),
            "passed  mount:/"
        );
        assert_eq!(
            judge_check("{mount: /a b, options: {superset_of: [ro, noexec]}}"),
            "passed  mount:/a b"
        );
        assert_eq!(
            judge_check("{mount: /tmp}"),
            "failed  mount:/tmp  mounted: expected true, actual false"
        );
        assert!(
            judge_check("{mount: /tmp, options: {not: {include: exec}}}").starts_with("failed")
        );
        assert!(
            judge_check("{mount: /tmp, options: {include: noexec}, if_absent: skip}")
                .starts_with("skipped")
        );
    }

    #[test]
    fn configured_mounts_need_no_own_kernel() {
        let text = encode_files(
            &[("/etc/fstab", Some("tmpfs /tmp tmpfs nosuid,noexec\n"))],
            &[],
        );
        let frames = [
            FOREIGN,
            ("mounts", "", 0, "-", "tmpfs /tmp tmpfs rw 0 0\n"),
            ("mount-files", "", 0, "-", &text),
        ];
        let judge_check = |yaml: &str| lines(&format!("- {yaml}"), &frames).join("");
        assert_eq!(
            judge_check("{mount: /tmp, configured: true, configured_options: {include: noexec}}"),
            "passed  mount:/tmp"
        );
        assert!(judge_check("{mount: /tmp, options: {include: rw}}").starts_with("skipped"));
        assert!(
            judge_check(
                "{mount: /tmp, options: {include: rw}, configured_options: {include: nodev}}"
            )
            .starts_with("failed")
        );
        assert!(
            judge_check("{mount: /x, configured_options: {not: {include: exec}}}")
                .starts_with("failed")
        );
        assert!(
            judge_check("{mount: /x, configured_options: {include: noexec}, if_absent: skip}")
                .starts_with("skipped")
        );
        let verdicts = lines(
            "- {mount: /x, configured: false}",
            &[FOREIGN, ("mount-files", "", 0, "-", "u /etc/fstab\n")],
        );
        assert!(verdicts[0].starts_with("error"), "{verdicts:?}");
    }
}
