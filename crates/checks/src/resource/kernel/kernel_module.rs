//! The `kernel_module` resource: whether a module is kept from being loaded, and whether it is loaded.

use super::kernel_parameter::foreign;
use crate::facts::observed::Observed;
use crate::facts::view::View;
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::matcher::value::Value;
use crate::phase::Phase;
use crate::resource::config::drop_in::{FUNCTIONS, Text, Texts, joined};
use crate::resource::filesystem::glob;

pub(crate) static KIND: Kind = Kind {
    name: "kernel_module",
    doc: "A kernel module; with nothing else: it is disabled.",
    subject: Subject { name: "name", doc: "Its name; `-` and `_` are the same.", words: &[], check },
    parameters: &[],
    properties: &[
        Property::new(
            "disabled",
            Of::Bool,
            "Whether modprobe.d(5) makes loading it a command that does nothing: `install NAME /bin/true` or /bin/false.",
        )
        .or(&["be_disabled"]),
        Property::new(
            "blacklisted",
            Of::Bool,
            "Whether a file of modprobe.d says `blacklist NAME`: it is then not loaded for a device, but still by its name.",
        )
        .or(&["be_blacklisted"]),
        Property::new(
            "loaded",
            Of::Bool,
            "Whether it is loaded now; skipped where the kernel is not the target's own.",
        )
        .or(&["be_loaded"]),
        Property::new(
            "builtin",
            Of::Bool,
            "Whether an installed kernel has it built in, so that nothing can disable it; nothing where no kernel is installed.",
        ),
    ],
    open: None,
    by_default: &["disabled"],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

fn check(name: &str) -> Result<(), (String, &'static str)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err((
            format!("`{}` is not the name of a module", name.escape_debug()),
            "write it as lsmod does: usb_storage",
        ));
    }
    Ok(())
}

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
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

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// What modprobe.d(5) says, in its order.
#[derive(Default)]
struct Rules {
    /// A module or a pattern, the command that is run instead of loading it, and the file.
    installs: Vec<(String, String, String)>,
    blacklist: Vec<(String, String)>,
}

impl Rules {
    fn read(text: &str) -> Result<Self, String> {
        let texts = Texts::read(text)?;
        let mut out = Self::default();
        for (path, lines) in texts.merged(".conf")? {
            for line in joined(lines) {
                let mut words = line.split_ascii_whitespace();
                match (words.next(), words.next()) {
                    (Some("install"), Some(name)) => {
                        let command = words.collect::<Vec<_>>().join(" ");
                        out.installs.push((plain(name), command, path.to_owned()));
                    }
                    (Some("blacklist"), Some(name)) => {
                        out.blacklist.push((plain(name), path.to_owned()))
                    }
                    _ => {}
                }
            }
        }
        Ok(out)
    }

    /// Of several commands the first counts (kmod, kmod_module_get_install_commands).
    fn disabled(&self, name: &str) -> (bool, String) {
        let found = self
            .installs
            .iter()
            .find(|(known, ..)| known == name || glob::fits(known, name));
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

/// The modules that a kernel has built in, by kernel.
fn builtin(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let name = |line: &String| {
        let file = line.rsplit('/').next().unwrap_or_default();
        plain(file.split(".ko").next().unwrap_or_default())
    };
    let mut out = Vec::new();
    for (path, text) in Texts::read(text)?.files {
        let kernel = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        match text {
            Text::Lines(lines) => out.push((kernel, lines.iter().map(name).collect())),
            Text::Denied => return Err(format!("{path}: permission denied")),
            _ => out.push((kernel, Vec::new())),
        }
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let name = plain(&target.subject);
    match property {
        "loaded" => foreign(view).unwrap_or_else(|| {
            view.parsed("modules", "", |text| {
                Ok(text.lines().map(plain).collect::<Vec<_>>())
            })
            .observe("has no modules", |all| Observed::bool(all.contains(&name)))
        }),
        "builtin" => {
            view.parsed("modules-builtin", "", builtin)
                .observe("has no kernel", |kernels| {
                    if kernels.is_empty() {
                        return Observed::Missing("has no kernel that is installed".to_owned());
                    }
                    match kernels.iter().find(|(_, modules)| modules.contains(&name)) {
                        Some((kernel, _)) => Observed::Value(Value::Bool(true, kernel.clone())),
                        None => Observed::bool(false),
                    }
                })
        }
        _ => view.parsed("modprobe-files", "", Rules::read).observe(
            "has no configuration",
            |rules| {
                let (yes, how) = if property == "disabled" {
                    rules.disabled(&name)
                } else {
                    let found = rules.blacklist.iter().find(|(known, _)| *known == name);
                    (
                        found.is_some(),
                        found.map(|(_, file)| file.clone()).unwrap_or_default(),
                    )
                };
                Observed::Value(Value::Bool(yes, how))
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::resource::filesystem::fstab_rows::tests::sent;
    use crate::tests::lines;

    const OWN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=yes\n");
    const FOREIGN: (&str, &str, i32, &str, &str) =
        ("identity", "", 0, "-", "uid=0\nkernel_owned=no\n");

    fn told(yaml: &str, files: &[(&str, Option<&str>)]) -> String {
        let text = sent(files, &[]);
        lines(
            &format!("- {yaml}"),
            &[FOREIGN, ("modprobe-files", "", 0, "-", &text)],
        )
        .join("")
    }

    #[test]
    fn modules_are_disabled_by_a_command_that_does_nothing() {
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
                told("{kernel_module: usb-storage}", files).starts_with(outcome),
                "{files:?}"
            );
        }
        let files = [(own, Some("blacklist cramfs"))];
        assert!(told("{kernel_module: cramfs, blacklisted: true}", &files).starts_with("passed"));
        assert!(told("{kernel_module: cram, blacklisted: true}", &files).starts_with("failed"));
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
    fn loaded_is_the_kernels_own_business() {
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
    fn what_is_built_in_is_told_by_each_kernel() {
        let text = sent(
            &[(
                "/lib/modules/6.1-a/modules.builtin",
                Some("kernel/fs/ext4/ext4.ko\nkernel/x/usb-common.ko.xz"),
            )],
            &[],
        );
        let told = |yaml: &str, text: &str| {
            lines(
                &format!("- {yaml}"),
                &[FOREIGN, ("modules-builtin", "", 0, "-", text)],
            )
            .join("")
        };
        assert!(told("{kernel_module: usb_common, builtin: true}", &text).starts_with("passed"));
        assert!(told("{kernel_module: cramfs, builtin: false}", &text).starts_with("passed"));
        assert!(told("{kernel_module: cramfs, builtin: false}", "").starts_with("failed"));
    }
}
