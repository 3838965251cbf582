//! The `kernel_parameter` resource: what a sysctl is configured to be, and what it is now.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex::Regex;

use crate::facts::observed::Observed;
use crate::facts::view::{Seen, View};
use crate::kind::{Asked, Kind, Of, Property, Subject, Target};
use crate::phase::Phase;
use crate::resource::config::drop_in::{FUNCTIONS, Text, Texts};
use crate::resource::filesystem::glob;
use crate::text::{hex, sh_quote};

pub(crate) static KIND: Kind = Kind {
    name: "kernel_parameter",
    doc: "A kernel parameter (sysctl): what it is configured to be at boot, and what it is now. Expect both: a configured value is not in force before a boot, and what is in force may be gone after one.",
    subject: Subject {
        name: "name",
        doc: "Its name, such as net.ipv4.ip_forward; with slashes where a part of it has a dot: net/ipv4/conf/eth0.1/forwarding.",
        words: &[],
        check,
    },
    parameters: &[],
    properties: &[
        Property::new(
            "configured",
            Of::Setting,
            "The value that systemd-sysctl sets at boot: sysctl.d(5) merged over its directories; of /etc/sysctl.conf only through the link 99-sysctl.conf, as Debian 12 has it. Where that tool is not installed /etc/sysctl.conf is read last, as by `sysctl --system`.",
        ),
        Property::new(
            "running",
            Of::Setting,
            "The value now; skipped where the kernel is not the target's own.",
        )
        .or(&["value"]),
        Property::new(
            "file",
            Of::Setting,
            "The file that the configured value comes from.",
        ),
    ],
    open: None,
    by_default: &[],
    implied: &[],
    presence: None,
    phases: &[Phase::Build, Phase::Boot],
    not_in_directory: None,
    shell: FUNCTIONS,
    requests,
    observe,
};

/// Why what is running can't be judged.
pub(crate) fn foreign(view: &View<'_>) -> Option<Observed> {
    let why = if view.identity().directory {
        "nothing runs in a directory"
    } else if view.identity().kernel_owned {
        return None;
    } else {
        "the kernel is not the target's own"
    };
    Some(Observed::Skipped(why.to_owned()))
}

fn check(name: &str) -> Result<(), (String, &'static str)> {
    let help = "write it as sysctl does: net.ipv4.ip_forward";
    if let Some(c) = name
        .chars()
        .find(|c| c.is_whitespace() || c.is_control() || "*?[]=#;".contains(*c))
    {
        return Err((
            format!(
                "`{}` can't be in the name of a kernel parameter",
                c.escape_debug()
            ),
            help,
        ));
    }
    let path = normalized(name);
    if name.starts_with(['-', '.', '/'])
        || path.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return Err((
            format!(
                "`{}` is not the name of a kernel parameter",
                name.escape_debug()
            ),
            help,
        ));
    }
    Ok(())
}

/// The path below /proc/sys. sysctl.d(5): where a slash comes first, slashes separate and dots are dots; else the other way
/// round.
fn normalized(name: &str) -> String {
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

/// What of the kernel's state is always collected: what profiles and incidents ask about most, and nothing that is slow to
/// read or changes by itself.
pub(crate) const BASE: &str = "sysctl_running - fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks \
fs/suid_dumpable fs/file-max kernel/core_pattern kernel/core_uses_pid kernel/dmesg_restrict kernel/kexec_load_disabled \
kernel/kptr_restrict kernel/modules_disabled kernel/panic kernel/perf_event_paranoid kernel/pid_max kernel/randomize_va_space \
kernel/sysrq kernel/unprivileged_bpf_disabled kernel/unprivileged_userns_clone kernel/yama/ptrace_scope \
net/core/bpf_jit_harden net/ipv4/conf/all/accept_redirects net/ipv4/conf/all/accept_source_route \
net/ipv4/conf/all/arp_announce net/ipv4/conf/all/arp_ignore net/ipv4/conf/all/forwarding net/ipv4/conf/all/log_martians \
net/ipv4/conf/all/rp_filter net/ipv4/conf/all/secure_redirects net/ipv4/conf/all/send_redirects \
net/ipv4/conf/all/shared_media net/ipv4/conf/default/accept_redirects net/ipv4/conf/default/accept_source_route \
net/ipv4/conf/default/log_martians net/ipv4/conf/default/rp_filter net/ipv4/conf/default/secure_redirects \
net/ipv4/conf/default/send_redirects net/ipv4/conf/default/shared_media net/ipv4/icmp_echo_ignore_broadcasts \
net/ipv4/icmp_ignore_bogus_error_responses net/ipv4/icmp_ratelimit net/ipv4/icmp_ratemask net/ipv4/ip_forward \
net/ipv4/tcp_rfc1337 net/ipv4/tcp_syncookies net/ipv4/tcp_timestamps net/ipv6/conf/all/accept_ra \
net/ipv6/conf/all/accept_redirects net/ipv6/conf/all/accept_source_route net/ipv6/conf/all/autoconf \
net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/all/forwarding net/ipv6/conf/all/router_solicitations \
net/ipv6/conf/default/accept_ra net/ipv6/conf/default/accept_ra_defrtr net/ipv6/conf/default/accept_ra_pinfo \
net/ipv6/conf/default/accept_ra_rtr_pref net/ipv6/conf/default/accept_redirects net/ipv6/conf/default/accept_source_route \
net/ipv6/conf/default/autoconf net/ipv6/conf/default/dad_transmits net/ipv6/conf/default/max_addresses \
net/ipv6/conf/default/router_solicitations vm/mmap_min_addr vm/overcommit_memory";

/// The key of the answer about parameters that are not in [`BASE`].
const ASKED: &str = "asked";

fn requests(asked: &[Asked<'_>]) -> Vec<String> {
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
        .map(|one| normalized(&one.target.subject))
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

/// One setting: none of a value is an exclusion from patterns.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    key: String,
    value: Option<String>,
    file: String,
}

/// What is set at boot, in the order in which it is.
#[derive(Default)]
struct Merged {
    /// None: a later one took its place.
    settings: Vec<Option<Setting>>,
    by_key: HashMap<String, usize>,
    patterns: Vec<(Regex, usize)>,
}

impl Merged {
    /// As systemd-sysctl reads it (src/sysctl/sysctl.c): a later line for the same key takes the place of an earlier one,
    /// unless it says the same, which then keeps its place.
    fn read(text: &str) -> Result<Self, String> {
        let mut texts = Texts::read(text)?;
        // Only listed where systemd's tool is not installed.
        let last = texts.file(CONF).cloned();
        texts.files.retain(|(path, _)| path != CONF);
        let mut out = Self::default();
        for (path, lines) in texts.merged(".conf")? {
            lines.iter().for_each(|line| out.add(line, path));
        }
        match last {
            Some(Text::Denied) => return Err(format!("{CONF}: permission denied")),
            Some(Text::Lines(lines)) => lines.iter().for_each(|line| out.add(line, CONF)),
            _ => {}
        }
        let set = out
            .settings
            .iter()
            .enumerate()
            .filter_map(|(at, s)| Some((at, s.as_ref()?)));
        let patterns = set
            .filter(|(_, s)| s.value.is_some())
            .filter_map(|(at, s)| Some((glob::compiled(&s.key)?, at)));
        out.patterns = patterns.collect();
        Ok(out)
    }

    fn add(&mut self, line: &str, file: &str) {
        let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        let bare = line.strip_prefix('-');
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key.strip_prefix('-').unwrap_or(key), Some(words(value))),
            None if bare.is_some() => (bare.unwrap_or_default(), None),
            // systemd says that it is not an assignment, and goes on.
            None => return,
        };
        let key = normalized(key.trim());
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

    /// What a parameter is set to: by its own line wherever that stands, else by the last pattern that fits.
    fn of(&self, path: &str) -> Option<&Setting> {
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

/// The kernel takes blanks and tabs alike, and answers with tabs.
fn words(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// How one parameter could be read from the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Running {
    Value(String),
    Absent,
    Unreadable,
}

/// Lines that say which can be read, then `path:value`, for a value of several lines several times.
fn running(text: &str) -> Result<BTreeMap<String, Running>, String> {
    let mut out = BTreeMap::new();
    for line in text.lines() {
        match line.split_at_checked(2) {
            Some(("f " | "u ", path)) => drop(out.insert(path.to_owned(), Running::Unreadable)),
            Some(("- ", path)) => drop(out.insert(path.to_owned(), Running::Absent)),
            _ => {
                // A path may have a colon, and so may a value.
                let known = line
                    .match_indices(':')
                    .find(|(at, _)| out.contains_key(&line[..*at]));
                let Some((at, _)) = known else {
                    return Err("/proc/sys was read in an unknown form".to_owned());
                };
                let value = words(&line[at + 1..]);
                let entry = out
                    .entry(line[..at].to_owned())
                    .or_insert(Running::Unreadable);
                *entry = Running::Value(match entry {
                    Running::Value(before) => words(&format!("{before} {value}")),
                    _ => value,
                });
            }
        }
    }
    Ok(out)
}

fn observe(target: &Target, property: &str, view: &View<'_>) -> Observed {
    let path = normalized(&target.subject);
    if property == "running" {
        return foreign(view).unwrap_or_else(|| now(&path, view));
    }
    view.parsed("sysctl-files", "", Merged::read)
        .observe("has no configuration", |merged| {
            let Some(setting) = merged.of(&path) else {
                return Observed::Missing("is set by no file of sysctl.d".to_owned());
            };
            match (&setting.value, property) {
                (None, _) => Observed::Missing(format!(
                    "is set by no file of sysctl.d, and {} keeps patterns from it",
                    setting.file
                )),
                (Some(_), "file") => Observed::setting(setting.file.clone()),
                (Some(value), _) => Observed::setting(value.clone()),
            }
        })
}

fn now(path: &str, view: &View<'_>) -> Observed {
    for key in ["", ASKED] {
        match view.parsed("sysctl", key, running) {
            Seen::Present(all) => match all.get(path) {
                Some(Running::Value(value)) => return Observed::setting(value.clone()),
                Some(Running::Absent) => {
                    return Observed::Missing("is no parameter of this kernel".to_owned());
                }
                Some(Running::Unreadable) => {
                    return Observed::Unknown("it could not be read".to_owned());
                }
                None => {}
            },
            Seen::Unknown(why) if view.raw("sysctl", key).is_some() => {
                return Observed::Unknown(why);
            }
            _ => {}
        }
    }
    Observed::uncollected()
}

#[cfg(test)]
#[path = "kernel_parameter_tests.rs"]
mod tests;
