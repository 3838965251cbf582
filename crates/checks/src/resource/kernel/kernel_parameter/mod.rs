//! The `kernel_parameter` resource: the configured and running value of a sysctl.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex::Regex;

use crate::facts::Read;
use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::resource::config::drop_in::{DropInFiles, FUNCTIONS, FileState};
use crate::resource::filesystem::glob;
use crate::resource_type::{
    InvalidValue, Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType,
};
use crate::text::{hex, sh_quote};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "kernel_parameter",
    "Kernel parameter (sysctl): the value configured for boot, and the running value. Check \
     both: a configured value takes effect at boot, and a running value can be lost at boot.",
    Subject::new(
        "name",
        "Name, such as net.ipv4.ip_forward. Use slashes if a part contains a dot: \
         net/ipv4/conf/eth0.1/forwarding.",
        check_name,
    ),
    observe,
)
.with_properties(&[
    Property::new(
        "configured",
        ValueType::Setting,
        "Value that systemd-sysctl sets at boot from all directories of sysctl.d(5). \
         /etc/sysctl.conf counts only through the link 99-sysctl.conf, as in Debian 12. If \
         systemd-sysctl is not installed, /etc/sysctl.conf is read last, as `sysctl --system` \
         does.",
    ),
    Property::new(
        "running",
        ValueType::Setting,
        "Running value. Skipped if the kernel does not belong to the target.",
    )
    .or(&["value"]),
    Property::new(
        "file",
        ValueType::Setting,
        "File that sets the configured value.",
    ),
])
.with_collection(FUNCTIONS, requests);

/// Returns the reason why running state cannot be judged.
pub(crate) fn skip_reason(view: &View<'_>) -> Option<Observation> {
    let why = if view.identity().directory {
        "nothing runs in a directory"
    } else if view.identity().kernel_owned {
        return None;
    } else {
        "the kernel is not the target's own"
    };
    Some(Observation::Skipped(why.to_owned()))
}

fn check_name(name: &str) -> Result<(), InvalidValue> {
    let help = "write it as sysctl does: net.ipv4.ip_forward";
    if let Some(c) = name
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || "*?[]=#;".contains(*c))
    {
        return Err(InvalidValue::new(
            format!(
                "`{}` can't be in the name of a kernel parameter",
                c.escape_debug()
            ),
            help,
        ));
    }
    let path = sysctl_path(name);
    if name.starts_with(['-', '.', '/'])
        || path.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return Err(InvalidValue::new(
            format!(
                "`{}` is not the name of a kernel parameter",
                name.escape_debug()
            ),
            help,
        ));
    }
    Ok(())
}

/// Returns the path below /proc/sys.
///
/// If the first separator is a slash, slashes separate parts. Otherwise dots do (sysctl.d(5)).
fn sysctl_path(name: &str) -> String {
    let swapped = match name.find(['/', '.']) {
        Some(at) if name[at..].starts_with('.') => name
            .chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect(),
        _ => name.to_owned(),
    };
    swapped
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect::<Vec<_>>()
        .join("/")
}

/// Parameters that are always collected: common ones of profiles and incidents. Parameters that are
/// slow to read or change by themselves are not included.
pub(crate) const BASE: &str = "sysctl_running - fs/protected_fifos fs/protected_hardlinks \
    fs/protected_regular fs/protected_symlinks fs/suid_dumpable fs/file-max kernel/core_pattern \
    kernel/core_uses_pid kernel/dmesg_restrict kernel/kexec_load_disabled kernel/kptr_restrict \
    kernel/modules_disabled kernel/panic kernel/perf_event_paranoid kernel/pid_max \
    kernel/randomize_va_space kernel/sysrq kernel/unprivileged_bpf_disabled \
    kernel/unprivileged_userns_clone kernel/yama/ptrace_scope net/core/bpf_jit_harden \
    net/ipv4/conf/all/accept_redirects net/ipv4/conf/all/accept_source_route \
    net/ipv4/conf/all/arp_announce net/ipv4/conf/all/arp_ignore net/ipv4/conf/all/forwarding \
    net/ipv4/conf/all/log_martians net/ipv4/conf/all/rp_filter net/ipv4/conf/all/secure_redirects \
    net/ipv4/conf/all/send_redirects net/ipv4/conf/all/shared_media \
    net/ipv4/conf/default/accept_redirects net/ipv4/conf/default/accept_source_route \
    net/ipv4/conf/default/log_martians net/ipv4/conf/default/rp_filter \
    net/ipv4/conf/default/secure_redirects net/ipv4/conf/default/send_redirects \
    net/ipv4/conf/default/shared_media net/ipv4/icmp_echo_ignore_broadcasts \
    net/ipv4/icmp_ignore_bogus_error_responses net/ipv4/icmp_ratelimit net/ipv4/icmp_ratemask \
    net/ipv4/ip_forward net/ipv4/tcp_rfc1337 net/ipv4/tcp_syncookies net/ipv4/tcp_timestamps \
    net/ipv6/conf/all/accept_ra net/ipv6/conf/all/accept_redirects \
    net/ipv6/conf/all/accept_source_route net/ipv6/conf/all/autoconf \
    net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/all/forwarding \
    net/ipv6/conf/all/router_solicitations net/ipv6/conf/default/accept_ra \
    net/ipv6/conf/default/accept_ra_defrtr net/ipv6/conf/default/accept_ra_pinfo \
    net/ipv6/conf/default/accept_ra_rtr_pref net/ipv6/conf/default/accept_redirects \
    net/ipv6/conf/default/accept_source_route net/ipv6/conf/default/autoconf \
    net/ipv6/conf/default/dad_transmits net/ipv6/conf/default/max_addresses \
    net/ipv6/conf/default/router_solicitations vm/mmap_min_addr vm/overcommit_memory";

/// Key of the answer for parameters that are not in [`BASE`].
const ASKED: &str = "asked";

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let mut out = Vec::new();
    if asked
        .iter()
        .any(|one| one.properties.iter().any(|p| p != "running"))
    {
        out.push("sysctl_files".to_owned());
    }
    let running = asked
        .iter()
        .filter(|one| one.properties.contains("running"));
    let known: BTreeSet<&str> = BASE.split(' ').collect();
    let more: BTreeSet<String> = running
        .map(|one| sysctl_path(&one.target.subject))
        .filter(|path| !known.contains(path.as_str()))
        .collect();
    if !more.is_empty() {
        let words: Vec<String> = more.iter().map(|path| sh_quote(path)).collect();
        out.push(format!(
            "sysctl_running {} {}",
            hex(ASKED.as_bytes()),
            words.join(" ")
        ));
    }
    out
}

/// Setting of a parameter. No value excludes the parameter from patterns.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    key: String,
    value: Option<String>,
    file: String,
}

/// Settings at boot, in order.
#[derive(Default)]
struct SysctlSettings {
    /// Settings; none if a later one replaced it.
    settings: Vec<Option<Setting>>,
    by_key: HashMap<String, usize>,
    patterns: Vec<(Regex, usize)>,
}

impl SysctlSettings {
    /// Merges the files like systemd-sysctl (src/sysctl/sysctl.c).
    ///
    /// A later line for the same key replaces an earlier one. A line with the same value keeps its
    /// position.
    fn parse(text: &str) -> Result<Self, ReadError> {
        let mut texts = DropInFiles::parse(text)?;
        // The collector lists this file only if systemd-sysctl is not installed.
        let last = texts.file(CONF).cloned();
        texts.files.retain(|(path, _)| path != CONF);
        let mut out = Self::default();
        for (path, lines) in texts.effective_files(".conf")? {
            lines.iter().for_each(|line| out.add_line(line, path));
        }
        match last {
            Some(FileState::Denied) => return Err(ReadError::permission_denied(CONF)),
            Some(FileState::Lines(lines)) => lines.iter().for_each(|line| out.add_line(line, CONF)),
            _ => {}
        }
        let set = out
            .settings
            .iter()
            .enumerate()
            .filter_map(|(at, s)| Some((at, s.as_ref()?)));
        let patterns = set
            .filter(|(_, s)| s.value.is_some())
            .filter_map(|(at, s)| Some((glob::compile(&s.key)?, at)));
        out.patterns = patterns.collect();
        Ok(out)
    }

    fn add_line(&mut self, line: &str, file: &str) {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        let bare = line.strip_prefix('-');
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (
                key.strip_prefix('-').unwrap_or(key),
                Some(normalize_space(value)),
            ),
            None if bare.is_some() => (bare.unwrap_or_default(), None),
            // systemd reports an invalid assignment and continues.
            None => return,
        };
        let key = sysctl_path(key.trim());
        if let Some(known) = self
            .by_key
            .get(&key)
            .and_then(|at| self.settings.get_mut(*at))
        {
            if known.as_ref().is_some_and(|s| s.value == value) {
                return;
            }
            *known = None;
        }
        self.by_key.insert(key.clone(), self.settings.len());
        self.settings.push(Some(Setting {
            key,
            value,
            file: file.to_owned(),
        }));
    }

    /// Returns the setting of a parameter: its own line, else the last matching pattern.
    fn setting_of(&self, path: &str) -> Option<&Setting> {
        let pattern = || {
            self.patterns
                .iter()
                .rev()
                .find(|(pattern, _)| pattern.is_match(path))
                .map(|(_, at)| at)
        };
        self.settings
            .get(*self.by_key.get(path).or_else(pattern)?)?
            .as_ref()
    }
}

const CONF: &str = "/etc/sysctl.conf";

/// Normalizes white space. The kernel accepts spaces and tabs, and prints tabs.
fn normalize_space(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Running value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Running {
    Value(String),
    Absent,
    Unreadable,
}

/// Parses lines about readable parameters, then lines of `path:value`. A multi-line value has
/// several lines.
fn parse_running(text: &str) -> Result<BTreeMap<String, Running>, ReadError> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        match line.split_at_checked(2) {
            Some(("f " | "u ", path)) => drop(out.insert(path.to_owned(), Running::Unreadable)),
            Some(("- ", path)) => drop(out.insert(path.to_owned(), Running::Absent)),
            _ => {
                // A path or value can contain a colon.
                let known = line
                    .match_indices(':')
                    .find(|(at, _)| out.contains_key(&line[..*at]));
                let Some((at, _)) = known else {
                    return Err(ReadError::unknown_format("the values in /proc/sys"));
                };
                let value = normalize_space(&line[at + 1..]);
                let entry = out
                    .entry(line[..at].to_owned())
                    .or_insert(Running::Unreadable);
                *entry = Running::Value(match entry {
                    Running::Value(before) => normalize_space(&format!("{before} {value}")),
                    _ => value,
                });
            }
        }
    }
    Ok(out)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    let path = sysctl_path(&target.subject);
    if property == "running" {
        return skip_reason(view).unwrap_or_else(|| running_value(&path, view));
    }
    view.parse_reading("sysctl-files", "", SysctlSettings::parse)
        .observe("has no configuration", |merged| {
            let Some(setting) = merged.setting_of(&path) else {
                return Observation::Missing("is not set in sysctl.d".to_owned());
            };
            match (&setting.value, property) {
                (None, _) => Observation::Missing(format!(
                    "is not set in sysctl.d, and {} excludes it from patterns",
                    setting.file
                )),
                (Some(_), "file") => Observation::setting(setting.file.clone()),
                (Some(value), _) => Observation::setting(value.clone()),
            }
        })
}

fn running_value(path: &str, view: &View<'_>) -> Observation {
    for key in ["", ASKED] {
        match view.parse_reading("sysctl", key, parse_running) {
            Read::Present(all) => match all.get(path) {
                Some(Running::Value(value)) => return Observation::setting(value.clone()),
                Some(Running::Absent) => {
                    return Observation::Missing("is not a parameter of this kernel".to_owned());
                }
                Some(Running::Unreadable) => {
                    return Observation::Unknown("it could not be read".to_owned());
                }
                None => {}
            },
            Read::Unreadable(why) if view.reading("sysctl", key).is_some() => {
                return why.into();
            }
            _ => {}
        }
    }
    Observation::not_collected()
}

#[cfg(test)]
mod tests;
