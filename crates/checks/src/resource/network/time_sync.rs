//! The `time_sync` resource: time synchronization services and the state of the clock.

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::truncate_for_display;

use crate::resource::filesystem::walk::{self, Entry};
use crate::resource::systemd::units::{self, Enablement, unit_enablement};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "time_sync",
    "Time synchronization. By default, a service must be enabled. `synchronised` is evaluated \
     only if the kernel belongs to the target. Synchronization can take a minute after a boot.",
    Subject::one_of("name", "Always `this`.", &["this"]),
    observe,
)
.with_properties(&[
    Property::new(
        "enabled",
        ValueType::Bool,
        "True if a time synchronization service is enabled.",
    ),
    Property::new(
        "services",
        ValueType::List,
        "Enabled services: chrony, systemd-timesyncd, ntpsec, ntp, openntpd.",
    ),
    Property::new(
        "servers",
        ValueType::List,
        "Servers and pools in the configuration of these services. Built-in servers are not \
         included.",
    ),
    Property::new(
        "synchronised",
        ValueType::Bool,
        "True if the clock is synchronized.",
    )
    .or(&["synchronized"]),
])
.with_defaults(&["enabled"])
.with_collection(include_str!("time_sync.sh"), requests);

/// Services: name, units and configuration files.
const SERVICES: &[(&str, &[&str], &[&str])] = &[
    (
        "chrony",
        &["chrony.service", "chronyd.service"],
        &["/etc/chrony"],
    ),
    (
        "systemd-timesyncd",
        &["systemd-timesyncd.service"],
        &[
            "/etc/systemd/timesyncd.conf",
            "/usr/lib/systemd/timesyncd.conf",
        ],
    ),
    ("ntpsec", &["ntpsec.service"], &["/etc/ntpsec"]),
    ("ntp", &["ntp.service", "ntpd.service"], &["/etc/ntp.conf"]),
    ("openntpd", &["openntpd.service"], &["/etc/openntpd"]),
];

fn requests(_: &[RequestedResource<'_>]) -> Vec<String> {
    vec![format!("time_sync '{}'", units::DIRECTORIES)]
}

fn enabled_services(found: &[Entry]) -> Vec<&'static str> {
    let on = |units: &[&str]| {
        units
            .iter()
            .any(|unit| unit_enablement(found, unit) == Enablement::Enabled)
    };
    SERVICES
        .iter()
        .filter(|(_, units, _)| on(units))
        .map(|(name, ..)| *name)
        .collect()
}

/// Parses `path<TAB>line` of configuration files. chrony.conf(5) and ntp.conf(5) have one server on
/// a line, timesyncd.conf(5) several.
fn parse_servers(text: &str, services: &[&str]) -> Result<Vec<String>, ReadError> {
    let places: Vec<&str> = SERVICES
        .iter()
        .filter(|(name, ..)| services.contains(name))
        .flat_map(|(.., places)| places.iter().copied())
        .collect();
    let mut out = Vec::new();
    for line in text.lines() {
        let Some((path, setting)) = line.split_once('\t') else {
            if walk::parse_entries(line).is_err() {
                return Err(ReadError::target_message(line.as_bytes()));
            }
            continue;
        };
        let path = path.trim_start_matches('.');
        if !places.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        match setting.split_once('=') {
            Some((key, values)) if key.trim().to_ascii_lowercase().ends_with("ntp") => {
                out.extend(values.split_whitespace().map(str::to_owned));
            }
            _ => out.extend(setting.split_whitespace().nth(1).map(str::to_owned)),
        }
    }
    out.sort();
    out.dedup();
    Ok(out)
}

fn observe(_: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    if property == "synchronised" {
        return observe_synchronised(view);
    }
    walk::load_entries(view, "time_units").observe("was not collected", |found| {
        let services = enabled_services(&found);
        match property {
            "enabled" => Observation::Value(Value::Bool(!services.is_empty(), services.join(", "))),
            "services" => Observation::list(services.into_iter().map(str::to_owned)),
            _ => view
                .parse_reading("time_servers", "", |text| parse_servers(text, &services))
                .observe("was not collected", |servers| {
                    Observation::list(servers.iter().cloned())
                }),
        }
    })
}

fn observe_synchronised(view: &View<'_>) -> Observation {
    if view.identity().directory {
        return Observation::Skipped("a directory has no clock".to_owned());
    }
    if !view.identity().kernel_owned {
        return Observation::Skipped("the kernel is not the target's own".to_owned());
    }
    view.parse_reading("time_synchronised", "", |text| Ok(text.to_owned()))
        .observe("was not collected", |said| match said.rsplit_once(": ") {
            Some((_, "yes")) => Observation::Value(Value::Bool(true, (*said).clone())),
            Some((_, "no")) => Observation::Value(Value::Bool(false, (*said).clone())),
            _ => Observation::Unknown(format!(
                "unknown format: {}",
                truncate_for_display(said.as_bytes())
            )),
        })
}

#[cfg(test)]
mod tests {
    use crate::tests::lines;

    const UNITS: &str = "-rw-r--r-- 1 0 0 9 Jan  1 12:00 ./usr/lib/systemd/system/chrony.service\n\
        -rw-r--r-- 1 0 0 9 Jan  1 12:00 ./usr/lib/systemd/system/systemd-timesyncd.service\n\
        lrwxrwxrwx 1 0 0 9 Jan  1 12:00 \
        ./etc/systemd/system/multi-user.target.wants/chrony.service -> \
        /usr/lib/systemd/system/chrony.service\n";
    const SERVERS: &str = "./etc/chrony/chrony.conf\tpool 2.debian.pool.ntp.org iburst\n\
        ./etc/chrony/sources.d/a.sources\tserver 169.254.169.123 prefer\n\
        ./etc/systemd/timesyncd.conf\tNTP=a b\nfind: './etc/ntp.conf': No such file or directory\n\
        !1\n";

    fn judge_check(yaml: &str, identity: &str, units: &str, said: &str) -> String {
        let frames = [
            ("identity", "", 0, "-", identity),
            ("time_units", "", 0, "-", units),
            ("time_servers", "", 0, "-", SERVERS),
            ("time_synchronised", "", 0, "-", said),
        ];
        lines(&format!("- {{time_sync: this{yaml}}}"), &frames).join("")
    }

    #[test]
    fn only_enabled_services_count() {
        let own = "uid=0\nkernel_owned=yes\n";
        assert_eq!(judge_check("", own, UNITS, ""), "passed  time_sync:this");
        let yaml = ", services: {same_set: [chrony]}, servers: {same_set: [2.debian.pool.ntp.org, \
            169.254.169.123]}";
        assert_eq!(judge_check(yaml, own, UNITS, ""), "passed  time_sync:this");
        let timesyncd = UNITS.replace("wants/chrony", "wants/systemd-timesyncd");
        assert_eq!(
            judge_check(
                ", services: {same_set: [systemd-timesyncd]}, servers: {same_set: [a, b]}",
                own,
                &timesyncd,
                ""
            ),
            "passed  time_sync:this"
        );
        let off = judge_check("", own, &UNITS.replace(".wants", ".not"), "");
        assert!(off.starts_with("failed"), "{off}");
        assert!(
            judge_check("", own, "find: './etc/systemd': Permission denied\n", "")
                .starts_with("error")
        );
    }

    #[test]
    fn clock_is_judged_only_with_own_kernel() {
        let own = "uid=0\nkernel_owned=yes\n";
        assert!(
            judge_check(", synchronised: true", own, UNITS, "chrony: yes").starts_with("passed")
        );
        assert!(
            judge_check(", synchronised: true", own, UNITS, "timedatectl: no")
                .starts_with("failed")
        );
        assert!(judge_check(", synchronised: true", own, UNITS, "what").starts_with("error"));
        assert!(
            judge_check(", synchronised: true", "uid=0\n", UNITS, "chrony: yes")
                .starts_with("skipped")
        );
        assert!(
            judge_check(", synchronised: true", "uid=0\ndirectory=yes\n", UNITS, "")
                .starts_with("skipped")
        );
    }
}
