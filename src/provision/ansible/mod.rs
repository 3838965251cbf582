//! Defines the `ansible` provisioner: `ansible-playbook` runs on the runner against the build
//! instance.
//!
//! This module builds its arguments and environment. [`Output`] interprets its output.

mod advice;
mod job;
mod output;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value as Json;

use super::path::folder_of;

pub use job::Job;
pub use output::{AnsibleFailure, Output, PlaybookError, TaskFailure};

/// A playbook to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ansible {
    /// Path relative to the repository. Never in its root.
    pub playbook: String,
    /// All files below the directory of the playbook, sorted. The catalog has their contents.
    pub files: Vec<String>,
    /// Links to directories below the directory of the playbook, by path, with their targets. Both are
    /// relative to the repository.
    pub links: BTreeMap<String, String>,
    /// Variables of any type. Texts are data, never templates.
    pub vars: BTreeMap<String, Json>,
}

/// Oldest supported version of ansible-core: that of Debian 12. Older versions ignore
/// `ANSIBLE_HOME`.
pub const MIN_VERSION: semver::Version = semver::Version::new(2, 14, 0);
/// File name of the job in its directory.
pub const JOB: &str = "job.json";
/// Directory for the files of the catalog in the directory of the job.
pub const FILES: &str = "files";
const VARS: &str = "vars.yaml";
const CONFIG: &str = "ansible.cfg";
/// File name of the inventory in the directory of the job. It is written when host and port are
/// known.
pub const INVENTORY: &str = "inventory.json";

/// Returns the files of the directory of a job: the job, the variables, and the files of the
/// playbook.
///
/// The playbook uses these copies only, so files outside the recipe have no effect.
#[must_use]
pub fn folder(
    ansible: &Ansible,
    image: &str,
    user: &str,
    content: &BTreeMap<String, Vec<u8>>,
) -> BTreeMap<String, Vec<u8>> {
    let folder = folder_of(&ansible.playbook);
    let own_config = format!("{folder}/{CONFIG}");
    let own_config = ansible
        .files
        .contains(&own_config)
        .then(|| format!("{FILES}/{own_config}"));
    let job = Job {
        image: image.to_owned(),
        playbook: ansible.playbook.clone(),
        user: user.to_owned(),
        links: ansible.links.clone(),
        config: own_config.clone().unwrap_or_else(|| CONFIG.to_owned()),
    };
    let files = ansible
        .files
        .iter()
        .filter_map(|path| Some((format!("{FILES}/{path}"), content.get(path)?.clone())));
    let mut out: BTreeMap<String, Vec<u8>> = files.collect();
    if own_config.is_none() {
        out.insert(CONFIG.to_owned(), Vec::new());
    }
    out.insert(
        VARS.to_owned(),
        render_variables(&ansible.vars).into_bytes(),
    );
    for host in RUNNER_HOSTS {
        out.insert(
            format!("host_vars/{host}.json"),
            br#"{"ansible_become": false}"#.to_vec(),
        );
    }
    out.insert(
        JOB.to_owned(),
        serde_json::to_vec_pretty(&job).unwrap_or_default(),
    );
    out
}

/// Renders the variables as YAML in flow style, with the types of their values.
///
/// `!unsafe` prevents Ansible from expanding templates in a text (Ansible documentation, "Unsafe or
/// raw strings").
fn render_variables(vars: &BTreeMap<String, Json>) -> String {
    let mut out = String::from("---\n{\n");
    for (name, value) in vars {
        write_text(name, &mut out);
        out.push_str(": ");
        write_value(value, &mut out);
        out.push_str(",\n");
    }
    out.push_str("}\n");
    out
}

/// Writes a value in flow style.
fn write_value(value: &Json, out: &mut String) {
    match value {
        Json::String(text) => {
            out.push_str("!unsafe ");
            write_text(text, out);
        }
        // YAML 1.1 reads `1e300` as text.
        Json::Number(number) if number.is_f64() => {
            let _infallible = write!(out, "!!float \"{number}\"");
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {
            let _infallible = write!(out, "{value}");
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                write_value(item, out);
                out.push_str(", ");
            }
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (key, item) in map {
                write_text(key, out);
                out.push_str(": ");
                write_value(item, out);
                out.push_str(", ");
            }
            out.push('}');
        }
    }
}

/// Writes a text in double quotes. Non-ASCII characters are escaped, because YAML readers reject
/// some of them.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        let _infallible = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            ' '..='~' => write!(out, "{c}"),
            _ => write!(out, "\\U{:08X}", u32::from(c)),
        };
    }
    out.push('"');
}

/// Names of the runner. Ansible adds hosts with these names to the inventory implicitly.
const RUNNER_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Returns the inventory with the one host. It does not set `ansible_become`, because a variable
/// would override the keyword `become` of a task.
#[must_use]
pub fn inventory(job: &Job, host: &str, port: u16, key: &Path) -> Vec<u8> {
    let facts = serde_json::json!({
        "ansible_host": host, "ansible_port": port, "ansible_user": job.user, "ansible_ssh_private_key_file": key,
        "ansible_become_method": "sudo",
    });
    serde_json::to_vec_pretty(&serde_json::json!({ "all": { "hosts": { &job.image: facts } } }))
        .unwrap_or_default()
}

/// Returns the arguments of `ansible-playbook` for a start in the directory of the job.
///
/// `--become` is the default for tasks without the keyword. The variables of [`folder`] prevent it
/// for tasks on the runner.
#[must_use]
pub fn arguments(job: &Job) -> Vec<String> {
    let playbook = format!("{FILES}/{}", job.playbook);
    [
        "-i",
        INVENTORY,
        "--become",
        "-e",
        &format!("@{VARS}"),
        &playbook,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Returns the environment of `ansible-playbook`. It takes precedence over `ansible.cfg`.
///
/// The environment excludes the Ansible and SSH configuration of the runner, and selects output
/// that [`Output`] understands. `folder` is absolute. `ssh_config` is the configuration file of
/// OpenSSH.
#[must_use]
pub fn environment(job: &Job, folder: &Path, ssh_config: &str) -> Vec<(&'static str, String)> {
    // The path of a socket has at most 108 bytes (unix(7)), so these paths are relative.
    let ssh = [
        "ControlMaster=auto",
        "ControlPersist=10s",
        "ControlPath=%C",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "StrictHostKeyChecking=accept-new",
        "UserKnownHostsFile=known_hosts",
        "GlobalKnownHostsFile=/dev/null",
        "ServerAliveInterval=10",
        "LogLevel=ERROR",
    ];
    let config = crate::platform::sh_quote(ssh_config);
    let ssh = ssh.iter().fold(format!("-F {config}"), |line, option| {
        format!("{line} -o {option}")
    });
    let text = str::to_owned;
    vec![
        (
            "ANSIBLE_HOME",
            folder.join(".ansible").display().to_string(),
        ),
        (
            "ANSIBLE_CONFIG",
            folder.join(&job.config).display().to_string(),
        ),
        ("ANSIBLE_REMOTE_TEMP", text(REMOTE_TEMP)),
        // Otherwise files for an unprivileged `become_user` go to the default directories of
        // Ansible.
        ("ANSIBLE_SYSTEM_TMPDIRS", text(REMOTE_TEMP)),
        ("ANSIBLE_SSH_ARGS", ssh),
        ("ANSIBLE_HOST_KEY_CHECKING", text("True")),
        ("ANSIBLE_PIPELINING", text("True")),
        ("ANSIBLE_PYTHON_INTERPRETER", text("auto_silent")),
        ("ANSIBLE_STDOUT_CALLBACK", text("default")),
        ("ANSIBLE_CALLBACK_RESULT_FORMAT", text("json")),
        ("ANSIBLE_NOCOLOR", text("1")),
        ("ANSIBLE_NOCOWS", text("1")),
        ("PYTHONUNBUFFERED", text("1")),
        // ansible-core starts in a UTF-8 locale only.
        ("LC_ALL", text("C.UTF-8")),
    ]
}

/// Directory of temporary files of Ansible on the instance. `ansible-prepare.sh` creates it with
/// mode 1777, and `ansible.sh` removes it.
pub const REMOTE_TEMP: &str = "/var/tmp/.bakeline-ansible";

#[cfg(test)]
mod tests;
