//! The `fstab` resource: the rows of /etc/fstab.

use super::fstab_rows::{Row, files};
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target, absolute};
use crate::phase::Phase;
use crate::resource::config::drop_in::FUNCTIONS;

pub(crate) static KIND: Kind = Kind {
    name: "fstab",
    doc: "A row of /etc/fstab; with nothing else: there is one.",
    subject: Subject {
        name: "mount point",
        doc: "The absolute path of a mount point, `none` for what has none, or `all` for the table.",
        words: &[],
        check,
    },
    parameters: &[],
    properties: &[
        Property::new("configured", Of::Bool, "Whether there is such a row.")
            .or(&["be_configured", "exists"]),
        Property::new(
            "device",
            Of::Setting,
            "What is mounted: a device, UUID=…, LABEL=… or a server's path.",
        )
        .or(&["device_name"]),
        Property::new("fstype", Of::Setting, "The kind of file system.")
            .or(&["file_system_type", "type"]),
        Property::new(
            "options",
            Of::List,
            "The options, without those that a later one takes back.",
        )
        .or(&["mount_options"]),
        Property::new(
            "pass",
            Of::Setting,
            "In which pass fsck checks it; 0: not at all.",
        )
        .or(&["file_system_options_pass"]),
        Property::new("mount_points", Of::List, "Of `all`: every mount point.")
            .or(&["mount_point"]),
    ],
    open: None,
    by_default: &["configured"],
    implied: &[],
    presence: Some("configured"),
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

fn check(subject: &str) -> Result<(), (String, &'static str)> {
    if matches!(subject, "all" | "none" | "swap") {
        Ok(())
    } else {
        absolute(subject)
    }
}

fn requests(_: &[Asked<'_>]) -> Vec<String> {
    vec!["mount_files".to_owned()]
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    files(view).observe("has no fstab", |files| match &files.rows {
        Err(why) => Observed::Unknown(why.clone()),
        Ok(rows) if target.subject == "all" => match property {
            "mount_points" => Observed::list(rows.iter().map(|row| row.at.clone())),
            "configured" => Observed::bool(!rows.is_empty()),
            _ => Observed::Unknown(format!("`{property}` is of one mount point, not of `all`")),
        },
        Ok(rows) => row(
            rows.iter().filter(|row| row.at == target.subject).collect(),
            property,
        ),
    })
}

fn row(rows: Vec<&Row>, property: &str) -> Observed {
    match (property, rows.as_slice()) {
        ("configured", rows) => Observed::bool(!rows.is_empty()),
        ("mount_points", _) => Observed::Unknown("`mount_points` is of `all`".to_owned()),
        (_, []) => Observed::Missing("is not in /etc/fstab".to_owned()),
        ("device", [row]) => Observed::setting(row.device.clone()),
        ("fstype", [row]) => Observed::setting(row.fstype.clone()),
        ("options", [row]) => Observed::list(row.options.iter().cloned()),
        (_, [row]) => Observed::setting(row.pass.clone()),
        _ => Observed::Unknown("it stands in /etc/fstab more than once".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::filesystem::fstab_rows::tests::sent;
    use crate::tests::{IDENTITY, lines};

    #[test]
    fn rows_are_judged_one_by_one_and_together() {
        let text = sent(
            &[(
                "/etc/fstab",
                Some("UUID=1 / ext4 rw 0 1\na /x nfs\nb /x nfs\n"),
            )],
            &[],
        );
        let told = |yaml: &str| {
            lines(
                &format!("- {yaml}"),
                &[IDENTITY, ("mount-files", "", 0, "-", &text)],
            )
            .join("")
        };
        assert_eq!(
            told("{fstab: /, device: UUID=1, fstype: ext4, options: {include: rw}, pass: 1}"),
            "passed  fstab:/"
        );
        assert_eq!(
            told("{fstab: all, mount_points: {same_set: [/, /x]}}"),
            "passed  fstab:all"
        );
        assert_eq!(
            told("{fstab: /tmp, configured: false}"),
            "passed  fstab:/tmp"
        );
        assert!(told("{fstab: /tmp, options: {not: {include: exec}}}").starts_with("failed"));
        assert!(told("{fstab: /x, options: {not: {include: exec}}}").starts_with("error"));
        assert!(told("{fstab: all, pass: 1}").starts_with("error"));
    }
}
