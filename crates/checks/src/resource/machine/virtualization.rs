//! The `virtualization` resource: the virtualization and the owner of the kernel.

use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource_type::{Property, ResourceRef, ResourceType, Subject, ValueType};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "virtualization",
    "Virtualization of the system. Usually used in `when`, as `virtualization.container`.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "system",
        ValueType::Setting,
        "Name by systemd-detect-virt: amazon, kvm, docker, systemd-nspawn, chroot, none.",
    ),
    Property::new(
        "container",
        ValueType::Bool,
        "True for a container or a chroot.",
    ),
    Property::new(
        "kernel_owned",
        ValueType::Bool,
        "True if the kernel belongs to the system, so that its running state can be judged.",
    ),
])
.without_directories("a directory has no virtualization");

/// Kinds of systemd-detect-virt(1) that are not containers.
const MACHINES: &[&str] = &[
    "none",
    "qemu",
    "kvm",
    "amazon",
    "zvm",
    "vmware",
    "microsoft",
    "oracle",
    "powervm",
    "xen",
    "bochs",
    "uml",
    "parallels",
    "bhyve",
    "qnx",
    "acrn",
    "apple",
    "sre",
    "google",
];

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let identity = view.identity();
    match property {
        "kernel_owned" => Observation::bool(identity.kernel_owned),
        _ if identity.virtualization.is_empty() => {
            Observation::Unknown("systemd-detect-virt printed nothing".to_owned())
        }
        "system" => Observation::setting(identity.virtualization.clone()),
        _ => Observation::bool(!MACHINES.contains(&identity.virtualization.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    #[test]
    fn container_is_not_a_virtual_machine() {
        for (system, container) in [
            ("amazon", false),
            ("systemd-nspawn", true),
            ("chroot", true),
            ("none", false),
        ] {
            let text = format!(
                "uid=0\nvirtualization={system}\nkernel_owned={}\n",
                if container { "no" } else { "yes" }
            );
            let yaml = format!(
                "- {{virtualization: this, system: {system}, container: {container}, kernel_owned: \
                    {}}}",
                !container
            );
            assert_eq!(
                lines(&yaml, &[("identity", "", 0, "-", &text)]),
                ["passed  virtualization:this"],
                "{system}"
            );
        }
        let verdicts = lines(
            "- {virtualization: this, container: false}",
            &[("identity", "", 0, "-", "uid=0\n")],
        );
        assert!(verdicts[0].starts_with("error"), "{verdicts:?}");
    }
}
