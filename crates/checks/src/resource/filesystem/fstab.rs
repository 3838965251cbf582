//! The `fstab` resource: the entries of /etc/fstab.

use super::fstab_rows::{FstabEntry, load_files};
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::config::drop_in::FUNCTIONS;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
    absolute_path,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "fstab",
    "Entry of /etc/fstab. By default, it must exist.",
    Subject::new(
        "mount point",
        "Absolute path of a mount point, `none` for entries without one, or `all` for the \
         table.",
        check_mount_point,
    ),
    observe,
)
.with_properties(&[
    Property::new("configured", ValueType::Bool, "True if the entry exists.")
        .or(&["be_configured", "exists"]),
    Property::new(
        "device",
        ValueType::Setting,
        "Mounted device: a path, UUID=…, LABEL=… or a remote path.",
    )
    .or(&["device_name"]),
    Property::new("fstype", ValueType::Setting, "File system type.")
        .or(&["file_system_type", "type"]),
    Property::new(
        "options",
        ValueType::List,
        "Mount options, without those that a later option overrides.",
    )
    .or(&["mount_options"]),
    Property::new(
        "pass",
        ValueType::Setting,
        "Pass number of fsck. 0 disables the check.",
    )
    .or(&["file_system_options_pass"]),
    Property::new("mount_points", ValueType::List, "`all`: all mount points.").or(&["mount_point"]),
])
.with_defaults(&["configured"])
.with_presence("configured")
.with_collection(FUNCTIONS, requests);

fn check_mount_point(subject: &str) -> Result<(), InvalidValue> {
    if matches!(subject, "all" | "none" | "swap") {
        Ok(())
    } else {
        absolute_path(subject)
    }
}

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["mount_files".to_owned()]
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    load_files(view).observe("has no fstab", |files| match &files.rows {
        Err(why) => why.clone().into(),
        Ok(rows) if target.subject == "all" => match property {
            "mount_points" => Observation::list(rows.iter().map(|row| row.at.clone())),
            "configured" => Observation::bool(!rows.is_empty()),
            _ => Observation::Unknown(format!("`{property}` needs a mount point, not `all`")),
        },
        Ok(rows) => observe_row(
            rows.iter().filter(|row| row.at == target.subject).collect(),
            property,
        ),
    })
}

fn observe_row(rows: Vec<&FstabEntry>, property: &str) -> Observation {
    match (property, rows.as_slice()) {
        ("configured", rows) => Observation::bool(!rows.is_empty()),
        ("mount_points", _) => Observation::Unknown("`mount_points` needs `all`".to_owned()),
        (_, []) => Observation::Missing("is not in /etc/fstab".to_owned()),
        ("device", [row]) => Observation::setting(row.device.clone()),
        ("fstype", [row]) => Observation::setting(row.fstype.clone()),
        ("options", [row]) => Observation::list(row.options.iter().cloned()),
        (_, [row]) => Observation::setting(row.pass.clone()),
        _ => Observation::Unknown("/etc/fstab has more than one entry for it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::filesystem::fstab_rows::tests::encode_files;
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn one_entry_and_the_table_are_judged() {
        let text = encode_files(
            &[(
                "/etc/fstab",
                Some("UUID=1 / ext4 rw 0 1\na /x nfs\nb /x nfs\n"),
            )],
            &[],
        );
        let judge_check = |yaml: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("mount-files", "", 0, "-", &text)],
            )
            .join("")
        };
        assert_eq!(
            judge_check(
                "{fstab: /, device: UUID=1, fstype: ext4, options: {include: rw}, pass: 1}"
            ),
            "passed  fstab:/"
        );
        assert_eq!(
            judge_check("{fstab: all, mount_points: {same_set: [/, /x]}}"),
            "passed  fstab:all"
        );
        assert_eq!(
            judge_check("{fstab: /tmp, configured: false}"),
            "passed  fstab:/tmp"
        );
        assert!(
            judge_check("{fstab: /tmp, options: {not: {include: exec}}}").starts_with("failed")
        );
        assert!(judge_check("{fstab: /x, options: {not: {include: exec}}}").starts_with("error"));
        assert!(judge_check("{fstab: all, pass: 1}").starts_with("error"));
    }
}
