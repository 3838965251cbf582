//! The `selinux` resource: the mode of SELinux in the configuration and in the kernel.

use std::collections::BTreeMap;

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::filesystem::walk;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "selinux",
    "SELinux. `configured` and `policy` are configuration. `running` is judged only if the kernel \
     belongs to the target. A system without /etc/selinux/config has no values.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "configured",
        ValueType::Setting,
        "Mode after the next boot (enforcing, permissive, disabled): SELINUX in /etc/selinux/config, or a boot loader setting \
         (selinux=0, enforcing=0).",
    ),
    Property::new(
        "policy",
        ValueType::Setting,
        "SELINUXTYPE in /etc/selinux/config, such as targeted.",
    ),
    Property::new("running", ValueType::Setting, "Mode of the kernel."),
])
.with_collection(include_str!("selinux.sh"), requests);

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec!["selinux".to_owned()]
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    match property {
        "configured" => observe_configured(view),
        "policy" => observe_setting(view, "SELINUXTYPE"),
        _ if view.identity().directory => {
            Observation::Skipped("a directory has no kernel".to_owned())
        }
        _ if !view.identity().kernel_owned => {
            Observation::Skipped("the kernel is not the target's own".to_owned())
        }
        _ => view
            .parse_reading("selinux_mode", "", |text| Ok(text.to_owned()))
            .observe("was not collected", |mode| mode_value(&mode)),
    }
}

fn mode_value(mode: &str) -> Observation {
    Observation::setting(mode.to_ascii_lowercase())
}

fn observe_configured(view: &View<'_>) -> Observation {
    let forced = view.parse_reading("selinux_boot", "", find_boot_mode);
    match forced {
        Read::Unreadable(why) => why.into(),
        Read::Present(mode) if mode.is_some() => mode_value(mode.as_deref().unwrap_or_default()),
        Read::Present(_) | Read::Absent => match observe_setting(view, "SELINUX") {
            Observation::Value(value) => mode_value(&String::from_utf8_lossy(&value.bytes())),
            other => other,
        },
    }
}

fn observe_setting(view: &View<'_>, name: &str) -> Observation {
    view.parse_reading("selinux_config", "", parse_config)
        .observe("was not collected", |settings| match settings.get(name) {
            Some(value) => Observation::setting(value.clone()),
            None if settings.is_empty() => {
                Observation::Missing("has no settings in /etc/selinux/config".to_owned())
            }
            None => Observation::Missing(format!("has no {name} in /etc/selinux/config")),
        })
}

/// Parses lines of `NAME=value`. Other lines are messages of find.
fn parse_config(text: &str) -> Result<BTreeMap<String, String>, ReadError> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        match line.split_once('=') {
            Some((name, value)) => {
                out.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            None => drop(walk::parse_entries(line)?),
        }
    }
    Ok(out)
}

/// Returns the mode that a boot loader setting forces.
fn find_boot_mode(text: &str) -> Result<Option<String>, ReadError> {
    let mut mode = None;
    for line in text.lines() {
        let mut words = line.split(|c: char| c.is_whitespace() || "\"'".contains(c));
        if words.clone().any(|word| word.ends_with("selinux=0")) {
            return Ok(Some("disabled".to_owned()));
        }
        if words.any(|word| word.ends_with("enforcing=0")) {
            mode = Some("permissive".to_owned());
        } else {
            walk::parse_entries(line)?;
        }
    }
    Ok(mode)
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    const NONE: &str = "find: './etc/default/grub': No such file or directory\n!1\n";

    fn judge_check(yaml: &str, identity: &str, config: &str, boot: &str) -> String {
        let frames = [
            ("identity", "", 0, "-", identity),
            ("selinux_config", "", 0, "-", config),
            ("selinux_boot", "", 0, "-", boot),
            ("selinux_mode", "", 0, "-", "permissive"),
        ];
        lines(&format!("- {{selinux: this, {yaml}}}"), &frames).join("")
    }

    #[test]
    fn boot_loader_setting_overrides_configuration() {
        let own = "uid=0\nkernel_owned=yes\n";
        let config = "SELINUX=enforcing\nSELINUXTYPE=targeted\n";
        for (config, boot, mode) in [
            (config, NONE, "enforcing"),
            ("SELINUX = Permissive\n", "", "permissive"),
            (config, "options root=/dev/xvda1 ro selinux=0\n", "disabled"),
            (config, "GRUB_CMDLINE_LINUX=\"enforcing=0\"\n", "permissive"),
        ] {
            let yaml = format!("configured: {mode}");
            assert_eq!(
                judge_check(&yaml, own, config, boot),
                "passed  selinux:this"
            );
        }
        assert_eq!(
            judge_check("policy: targeted, running: permissive", own, config, NONE),
            "passed  selinux:this"
        );
        assert_eq!(
            judge_check("configured: enforcing", own, "", NONE),
            "failed  selinux:this  configured: expected \"enforcing\", but it has no settings in \
             /etc/selinux/config"
        );
        for message in [
            "find: './etc/selinux/config': Permission denied\n",
            "find: './boot/loader/entries': Permission denied\n",
        ] {
            let (config, boot) = if message.contains("boot") {
                (config, message)
            } else {
                (message, NONE)
            };
            let line = judge_check("configured: enforcing", own, config, boot);
            assert!(line.starts_with("error"), "{line}");
        }
    }

    #[test]
    fn running_mode_needs_own_kernel() {
        for identity in ["uid=0\n", "uid=0\ndirectory=yes\n"] {
            let line = judge_check("running: enforcing", identity, "", NONE);
            assert!(line.starts_with("skipped"), "{line}");
        }
    }
}
