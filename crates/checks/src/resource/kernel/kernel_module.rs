//! The `kernel_module` resource: the modprobe configuration and the loaded state of a module.

use super::kernel_parameter::skip_reason;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource::config::drop_in::{DropInFiles, FUNCTIONS, FileState, join_continuations};
use crate::resource::filesystem::glob;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "kernel_module",
    "Kernel module. By default, it must be disabled.",
    Subject::new(
        "name",
        "Name of the module. `-` and `_` are equal.",
        check_name,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "disabled",
        ValueType::Bool,
        "True if modprobe.d(5) replaces loading with a command that does nothing: `install \
         NAME /bin/true` or /bin/false.",
    )
    .or(&["be_disabled"]),
    Property::new(
        "blacklisted",
        ValueType::Bool,
        "True if a file in modprobe.d has `blacklist NAME`. The kernel then does not load it \
         for a device, but it can still be loaded by name.",
    )
    .or(&["be_blacklisted"]),
    Property::new(
        "loaded",
        ValueType::Bool,
        "True if it is loaded. Skipped if the kernel does not belong to the target.",
    )
    .or(&["be_loaded"]),
    Property::new(
        "builtin",
        ValueType::Bool,
        "True if an installed kernel has it built in, so that it cannot be disabled. No value \
         if no kernel is installed.",
    ),
])
.with_defaults(&["disabled"])
.with_collection(FUNCTIONS, requests);

fn check_name(name: &str) -> Result<(), InvalidValue> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err(InvalidValue::new(
            format!("`{}` is not the name of a module", name.escape_debug()),
            "write it as lsmod does: usb_storage",
        ));
    }
    Ok(())
}

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let any = |names: &[&str]| {
        asked
            .iter()
            .any(|one| names.iter().any(|n| one.properties.contains(*n)))
    };
    let calls: [(&[&str], &str); 3] = [
        (&["disabled", "blacklisted"], "modprobe_files"),
        (&["loaded"], "modules_loaded"),
        (&["builtin"], "modules_builtin"),
    ];
    calls
        .iter()
        .filter(|(names, _)| any(names))
        .map(|(_, call)| (*call).to_owned())
        .collect()
}

fn normalize_name(name: &str) -> String {
    name.replace('-', "_")
}

/// Rules of modprobe.d(5) in order.
#[derive(Default)]
struct Rules {
    /// Module name or pattern, the command that replaces loading, and the file.
    installs: Vec<(String, String, String)>,
    blacklist: Vec<(String, String)>,
}

impl Rules {
    fn parse(text: &str) -> Result<Self, ReadError> {
        let texts = DropInFiles::parse(text)?;
        let mut out = Self::default();
        for (path, lines) in texts.effective_files(".conf")? {
            for line in join_continuations(lines) {
                let mut words = line.split_ascii_whitespace();
                match (words.next(), words.next()) {
                    (Some("install"), Some(name)) => {
                        let command = words.collect::<Vec<_>>().join(" ");
                        out.installs
                            .push((normalize_name(name), command, path.to_owned()));
                    }
                    (Some("blacklist"), Some(name)) => {
                        out.blacklist.push((normalize_name(name), path.to_owned()))
                    }
                    _ => {}
                }
            }
        }
        Ok(out)
    }

    /// Returns true if the module is disabled, and the reason. The first of several commands counts
    /// (kmod, kmod_module_get_install_commands).
    fn is_disabled(&self, name: &str) -> (bool, String) {
        let found = self
            .installs
            .iter()
            .find(|(known, ..)| known == name || glob::is_match(known, name));
        let Some((_, command, file)) = found else {
            return (false, "no install line".to_owned());
        };
        let idle = [
            "/bin/true",
            "/bin/false",
            "/usr/bin/true",
            "/usr/bin/false",
            "true",
            "false",
            ":",
        ];
        (
            idle.contains(&command.as_str()),
            format!("install {command} in {file}"),
        )
    }
}

/// Parses the built-in modules of each kernel.
fn parse_builtin_modules(text: &str) -> Result<Vec<(String, Vec<String>)>, ReadError> {
    let name = |line: &String| {
        let file = line.rsplit('/').next().unwrap_or_default();
        normalize_name(file.split(".ko").next().unwrap_or_default())
    };
    let mut out = Vec::new();
    for (path, text) in DropInFiles::parse(text)?.files {
        let kernel = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        match text {
            FileState::Lines(lines) => out.push((kernel, lines.iter().map(name).collect())),
            FileState::Denied => return Err(ReadError::permission_denied(&path)),
            _ => out.push((kernel, Vec::new())),
        }
    }
    Ok(out)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let name = normalize_name(&target.subject);
    match property {
        "loaded" => skip_reason(view).unwrap_or_else(|| {
            view.parse_reading("modules", "", |text| {
                Ok(text.lines().map(normalize_name).collect::<Vec<_>>())
            })
            .observe("has no list of loaded modules", |all| {
                Observation::bool(all.contains(&name))
            })
        }),
        "builtin" => view
            .parse_reading("modules-builtin", "", parse_builtin_modules)
            .observe("has no kernel", |kernels| {
                if kernels.is_empty() {
                    return Observation::Missing("has no installed kernel".to_owned());
                }
                match kernels.iter().find(|(_, modules)| modules.contains(&name)) {
                    Some((kernel, _)) => Observation::Value(Value::Bool(true, kernel.clone())),
                    None => Observation::bool(false),
                }
            }),
        _ => view
            .parse_reading("modprobe-files", "", Rules::parse)
            .observe("has no configuration", |rules| {
                let (yes, how) = if property == "disabled" {
                    rules.is_disabled(&name)
                } else {
                    let found = rules.blacklist.iter().find(|(known, _)| *known == name);
                    (
                        found.is_some(),
                        found.map(|(_, file)| file.clone()).unwrap_or_default(),
                    )
                };
                Observation::Value(Value::Bool(yes, how))
            }),
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::filesystem::fstab_rows::tests::encode_files;
    use crate::tests::lines;

    const OWN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n");
    const FOREIGN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=no\n");

    fn judge_check(yaml: &str, files: &[(&str, Option<&str>)]) -> String {
        let text = encode_files(files, &[]);
        lines(
            &format!("- {yaml}"),
            &[FOREIGN, ("modprobe-files", "", 0, "-", &text)],
        )
        .join("")
    }

    #[test]
    fn noop_install_command_disables_a_module() {
        let own = "/etc/modprobe.d/a.conf";
        type File<'a> = (&'a str, Option<&'a str>);
        let table: &[(&[File<'_>], &str)] = &[
            (&[(own, Some("install usb-storage /bin/true"))], "passed"),
            (
                &[(own, Some("install usb_storage /usr/bin/false\n"))],
                "passed",
            ),
            (
                &[(own, Some("install \\\n usb-storage /bin/false\n"))],
                "passed",
            ),
            (&[(own, Some("install usb-* /bin/false\n"))], "passed"),
            (&[(own, Some("#install usb-storage /bin/true"))], "failed"),
            (&[(own, Some("blacklist usb-storage"))], "failed"),
            (
                &[(
                    own,
                    Some("install usb-storage /bin/true; modprobe -i usb-storage"),
                )],
                "failed",
            ),
            (
                &[(
                    own,
                    Some("install usb-storage /sbin/x\ninstall usb-storage /bin/true"),
                )],
                "failed",
            ),
            (&[(own, Some("install usb /bin/true"))], "failed"),
            (
                &[
                    (own, None),
                    (
                        "/usr/lib/modprobe.d/a.conf",
                        Some("install usb-storage /bin/true"),
                    ),
                ],
                "failed",
            ),
            (&[], "failed"),
        ];
        for (files, outcome) in table {
            assert!(
                judge_check("{kernel_module: usb-storage}", files).starts_with(outcome),
                "{files:?}"
            );
        }
        let files = [(own, Some("blacklist cramfs"))];
        assert!(
            judge_check("{kernel_module: cramfs, blacklisted: true}", &files).starts_with("passed")
        );
        assert!(
            judge_check("{kernel_module: cram, blacklisted: true}", &files).starts_with("failed")
        );
        let denied = lines(
            "- {kernel_module: x, disabled: false}",
            &[
                FOREIGN,
                ("modprobe-files", "", 0, "-", "u /etc/modprobe.d/a.conf\n"),
            ],
        );
        assert!(denied[0].starts_with("error"), "{denied:?}");
    }

    #[test]
    fn loaded_state_needs_own_kernel() {
        let modules = ("modules", "", 0, "-", "nf_tables\next4");
        assert!(
            lines(
                "- {kernel_module: nf-tables, loaded: true}",
                &[OWN, modules]
            )[0]
            .starts_with("passed")
        );
        assert!(
            lines("- {kernel_module: cramfs, loaded: true}", &[OWN, modules])[0]
                .starts_with("failed")
        );
        assert!(
            lines(
                "- {kernel_module: nf-tables, loaded: true}",
                &[FOREIGN, modules]
            )[0]
            .starts_with("skipped")
        );
        assert!(lines("- {kernel_module: x, loaded: false}", &[OWN])[0].starts_with("error"));
    }

    #[test]
    fn builtin_modules_come_from_each_kernel() {
        let text = encode_files(
            &[(
                "/lib/modules/6.1-a/modules.builtin",
                Some("kernel/fs/ext4/ext4.ko\nkernel/x/usb-common.ko.xz"),
            )],
            &[],
        );
        let judge_check = |yaml: &str, text: &str| {
            lines(
                &format!("- {yaml}"),
                &[FOREIGN, ("modules-builtin", "", 0, "-", text)],
            )
            .join("")
        };
        assert!(
            judge_check("{kernel_module: usb_common, builtin: true}", &text).starts_with("passed")
        );
        assert!(
            judge_check("{kernel_module: cramfs, builtin: false}", &text).starts_with("passed")
        );
        assert!(judge_check("{kernel_module: cramfs, builtin: false}", "").starts_with("failed"));
    }
}
