//! The `apparmor` resource: the configured and running state of AppArmor.

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

use crate::resource::filesystem::walk;
use crate::resource::machine::os;
use crate::resource::systemd::units::{self, Enablement, unit_enablement};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "apparmor",
    "AppArmor. Skipped on Red Hat systems, which have SELinux. By default, it must be enabled. `enabled` and `profiles_on_disk` are \
     configuration. `running`, `enforced` and `complaining` are judged only if the kernel \
     belongs to the target.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "enabled",
        ValueType::Bool,
        "True if the unit is enabled and no boot loader configuration disables AppArmor \
         (apparmor=0, or another security=).",
    ),
    Property::new(
        "running",
        ValueType::Bool,
        "True if AppArmor is active in the kernel.",
    ),
    Property::new(
        "enforced",
        ValueType::List,
        "Loaded profiles in enforce mode.",
    ),
    Property::new(
        "complaining",
        ValueType::List,
        "Loaded profiles in complain mode.",
    ),
    Property::new(
        "profiles_on_disk",
        ValueType::List,
        "Profile files directly in /etc/apparmor.d. Profiles with a link in its `disable` \
         directory do not count.",
    ),
])
.with_defaults(&["enabled"])
.with_collection(include_str!("apparmor.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec![format!("apparmor '{}'", units::DIRECTORIES)]
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if os::is_red_hat(view) {
        return Observation::Skipped(
            "Red Hat systems have SELinux instead of AppArmor: use `selinux`".to_owned(),
        );
    }
    match property {
        "enabled" => observe_enabled(view),
        "profiles_on_disk" => profiles_on_disk(view),
        _ if view.identity().directory => {
            Observation::Skipped("a directory has no kernel".to_owned())
        }
        _ if !view.identity().kernel_owned => {
            Observation::Skipped("the kernel is not the target's own".to_owned())
        }
        "running" => view
            .parse_reading("apparmor_kernel", "", |text| Ok(text.trim().to_owned()))
            .observe("was not collected", |state| {
                Observation::Value(Value::Bool(
                    *state == "Y",
                    format!("the kernel reports {state}"),
                ))
            }),
        _ => loaded_profiles(
            if property == "enforced" {
                "enforce"
            } else {
                "complain"
            },
            view,
        ),
    }
}

fn observe_enabled(view: &View<'_>) -> Observation {
    walk::load_entries(view, "apparmor_files").observe("was not collected", |found| {
        let state = unit_enablement(&found, "apparmor.service");
        if state != Enablement::Enabled {
            return Observation::Value(Value::Bool(
                false,
                format!("apparmor.service is {}", state.as_str()),
            ));
        }
        view.parse_reading("kernel_command_line", "", find_disabling_setting)
            .observe("was not collected", |off| {
                let how = off.as_ref().clone().unwrap_or_default();
                Observation::Value(Value::Bool(off.is_none(), how))
            })
    })
}

/// Returns the boot loader setting that disables AppArmor.
fn find_disabling_setting(text: &str) -> Result<Option<String>, ReadError> {
    for line in text.lines() {
        let words = line
            .split(|c: char| c.is_whitespace() || "\"'=".contains(c))
            .collect::<Vec<_>>();
        let pairs = words.windows(2).find(|pair| match pair {
            ["apparmor", value] => *value == "0",
            ["security", value] => *value != "apparmor",
            ["lsm", value] => !value.split(',').any(|lsm| lsm == "apparmor"),
            _ => false,
        });
        if let Some([name, value]) = pairs {
            return Ok(Some(format!("{name}={value}")));
        }
        let setting = ["apparmor=", "security=", "lsm="]
            .iter()
            .any(|name| line.contains(name));
        if !setting {
            walk::parse_entries(line)?;
        }
    }
    Ok(None)
}

fn profiles_on_disk(view: &View<'_>) -> Observation {
    walk::load_entries(view, "apparmor_files").observe("was not collected", |found| {
        let disabled: Vec<&str> = found
            .iter()
            .filter(|e| e.is_within("/etc/apparmor.d/disable"))
            .map(walk::Entry::file_name)
            .collect();
        let profile = |entry: &&walk::Entry| {
            let name = entry.path.strip_prefix("/etc/apparmor.d/").unwrap_or("/");
            // Backup files that the parser skips (apparmor.d(5)).
            let spare = [".dpkg-", ".rpmnew", ".rpmsave", ".orig", ".rej", "~"]
                .iter()
                .any(|end| name.contains(end));
            !name.contains('/')
                && !name.starts_with('.')
                && !spare
                && name != "README"
                && !disabled.contains(&name)
        };
        Observation::list(
            found
                .iter()
                .filter(profile)
                .map(|entry| entry.file_name().to_owned()),
        )
    })
}

/// Returns the profiles of a mode, from lines such as `/usr/sbin/chronyd (enforce)`.
fn loaded_profiles(mode: &str, view: &View<'_>) -> Observation {
    view.parse_reading("apparmor_profiles", "", |text| Ok(text.to_owned()))
        .observe("is not active in the kernel", |text| {
            let profile = |line: &str| {
                line.strip_suffix(')')?
                    .rsplit_once(" (")
                    .filter(|(_, m)| *m == mode)
                    .map(|(name, _)| name.to_owned())
            };
            Observation::list(text.lines().filter_map(profile))
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    const FILES: &str = "-rw-r--r-- 1 0 0 9 Jan  1 12:00 \
        ./usr/lib/systemd/system/apparmor.service\n\
        lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./etc/systemd/system/sysinit.target.wants/apparmor.service \
        -> /usr/lib/systemd/system/apparmor.service\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/apparmor.d/usr.sbin.chronyd\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/apparmor.d/nvidia\n\
        lrwxrwxrwx 1 0 0 9 Jan  1 12:00 ./etc/apparmor.d/disable/nvidia -> /etc/apparmor.d/nvidia\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./etc/apparmor.d/local/x\n";

    fn judge_check(yaml: &str, identity: &str, files: &str, command_line: &str) -> String {
        let frames = [
            ("identity", "", 0, "-", identity),
            ("apparmor_files", "", 0, "-", files),
            ("kernel_command_line", "", 0, "-", command_line),
            ("apparmor_kernel", "", 0, "-", "Y\n"),
            (
                "apparmor_profiles",
                "",
                0,
                "-",
                "/usr/sbin/chronyd (enforce)\nman_filter (complain)\n",
            ),
        ];
        lines(&format!("- {{apparmor: this{yaml}}}"), &frames).join("")
    }

    #[test]
    fn boot_loader_setting_disables_apparmor() {
        let own = "uid=0\nkernel_owned=yes\n";
        let none = "find: './etc/default/grub': No such file or directory\n!1\n";
        assert_eq!(judge_check("", own, FILES, none), "passed  apparmor:this");
        assert!(
            judge_check(
                "",
                own,
                FILES,
                "GRUB_CMDLINE_LINUX=\"apparmor=1 security=apparmor\"\n"
            )
            .starts_with("passed")
        );
        for line in [
            "GRUB_CMDLINE_LINUX=\"quiet apparmor=0\"\n",
            "GRUB_CMDLINE_LINUX_DEFAULT=security=selinux\n",
            "GRUB_CMDLINE_LINUX=\"lsm=lockdown,yama\"\n",
        ] {
            assert!(
                judge_check("", own, FILES, line).starts_with("failed"),
                "{line}"
            );
        }
        assert!(
            judge_check("", own, &FILES.replace(".wants", ".not"), none)
                .contains("apparmor.service is disabled")
        );
        assert!(
            judge_check("", own, FILES, "find: './etc/default': Permission denied\n")
                .starts_with("error")
        );
        assert!(
            judge_check(
                ", profiles_on_disk: {same_set: [usr.sbin.chronyd]}",
                own,
                FILES,
                none
            )
            .starts_with("passed")
        );
    }

    #[test]
    fn running_state_needs_own_kernel() {
        let yaml = ", running: true, enforced: {same_set: [/usr/sbin/chronyd]}, complaining: \
            {same_set: [man_filter]}";
        assert_eq!(
            judge_check(yaml, "uid=0\nkernel_owned=yes\n", FILES, ""),
            "passed  apparmor:this"
        );
        assert!(judge_check(yaml, "uid=0\n", FILES, "").starts_with("skipped"));
    }

    #[test]
    fn red_hat_systems_are_skipped() {
        let release = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        let frames = [
            ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n"),
            ("os-release", "", 0, "-", release),
            ("apparmor_files", "", 0, "-", ""),
        ];
        assert_eq!(
            lines("- {apparmor: this}", &frames),
            [
                "skipped apparmor:this  enabled: Red Hat systems have SELinux instead of AppArmor: \
                 use `selinux`"
            ]
        );
    }
}
