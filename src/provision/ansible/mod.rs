//! Owns the `ansible` provisioner: a playbook of the catalog, played by `ansible-playbook` on the runner against the
//! instance that is built. What it is started with, and what its output means, is decided here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A playbook to play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ansible {
    /// Its repository-relative path; never in the repository's root.
    pub playbook: String,
    /// Every file below the playbook's folder, itself among them, sorted; their contents are in the catalog's files.
    pub files: Vec<String>,
    /// Variables: their values are data, never templates.
    pub vars: BTreeMap<String, String>,
}

/// The oldest ansible-core that works: Debian 12's. Older ones know no `ANSIBLE_HOME`, and would use the runner's.
pub const OLDEST: semver::Version = semver::Version::new(2, 14, 0);
/// The job's file in its folder.
pub const JOB: &str = "job.json";
/// The folder of the catalog's files in the job's.
pub const FILES: &str = "files";
const VARS: &str = "vars.yaml";
const CONFIG: &str = "ansible.cfg";
/// The inventory's file in the job's folder; written when host and port are known.
pub const INVENTORY: &str = "inventory.json";

/// What is written beside the files, for the program that Packer starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The image, also the host's name in the inventory.
    pub image: String,
    /// The playbook's repository-relative path.
    pub playbook: String,
    /// The login user; root through sudo.
    pub user: String,
    /// The configuration's path in the job's folder.
    config: String,
}

/// The files of a job's folder: the job, the variables, and those files of the catalog that belong to the playbook. The
/// playbook sees these copies alone, so that nothing outside the recipe can have a say.
#[must_use]
pub fn folder(
    ansible: &Ansible,
    image: &str,
    user: &str,
    content: &BTreeMap<String, Vec<u8>>,
) -> BTreeMap<String, Vec<u8>> {
    let beside = crate::provision::folder_of(&ansible.playbook);
    let own = format!("{beside}/{CONFIG}");
    let own = ansible
        .files
        .contains(&own)
        .then(|| format!("{FILES}/{own}"));
    let job = Job {
        image: image.to_owned(),
        playbook: ansible.playbook.clone(),
        user: user.to_owned(),
        config: own.clone().unwrap_or_else(|| CONFIG.to_owned()),
    };
    let files = ansible
        .files
        .iter()
        .filter_map(|path| Some((format!("{FILES}/{path}"), content.get(path)?.clone())));
    let mut out: BTreeMap<String, Vec<u8>> = files.collect();
    if own.is_none() {
        out.insert(CONFIG.to_owned(), Vec::new());
    }
    out.insert(VARS.to_owned(), variables(&ansible.vars).into_bytes());
    for host in RUNNER {
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

/// The variables as YAML. `!unsafe` keeps Ansible from taking a value for a template (Ansible documentation, "Unsafe or
/// raw strings"); everything but plain ASCII is escaped, since YAML readers refuse some characters.
fn variables(vars: &BTreeMap<String, String>) -> String {
    let mut out = String::from("---\n{\n");
    for (name, value) in vars {
        let _infallible = write!(out, "\"{name}\": !unsafe \"");
        for c in value.chars() {
            let _infallible = match c {
                '"' | '\\' => write!(out, "\\{c}"),
                ' '..='~' => write!(out, "{c}"),
                _ => write!(out, "\\U{:08X}", u32::from(c)),
            };
        }
        out.push_str("\",\n");
    }
    out.push_str("}\n");
    out
}

/// The names of the runner, for which Ansible adds a host that is not in the inventory.
const RUNNER: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The inventory: this one host. It does not set `ansible_become`: a variable would override the keyword `become` of a task.
#[must_use]
pub fn inventory(job: &Job, host: &str, port: u16, key: &Path) -> Vec<u8> {
    let facts = serde_json::json!({
        "ansible_host": host, "ansible_port": port, "ansible_user": job.user, "ansible_ssh_private_key_file": key,
        "ansible_become_method": "sudo",
    });
    serde_json::to_vec_pretty(&serde_json::json!({ "all": { "hosts": { &job.image: facts } } }))
        .unwrap_or_default()
}

/// The arguments of `ansible-playbook`, for a start in the job's folder. `--become` is the default of tasks without the
/// keyword; tasks that a playbook delegates to the runner never become another user, by the variables in [`folder`].
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

/// Its environment, which takes precedence over any `ansible.cfg`: nothing of the runner's own Ansible, nothing of the
/// runner's SSH, output that [`Output`] understands. `folder` is absolute; `ssh_config` is OpenSSH's configuration file.
#[must_use]
pub fn environment(job: &Job, folder: &Path, ssh_config: &str) -> Vec<(&'static str, String)> {
    // Relative paths: the path of a socket may have 108 bytes (unix(7)), and the folder is deep.
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
    let config = ssh_config.replace('\'', r"'\''");
    let ssh = ssh.iter().fold(format!("-F '{config}'"), |line, option| {
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
        // Else files for an unprivileged `become_user` go to the first of Ansible's own list.
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
        // ansible-core refuses to start in any other than a UTF-8 locale.
        ("LC_ALL", text("C.UTF-8")),
    ]
}

/// The folder of Ansible's temporary files in the instance. `ansible-prepare.sh` creates it with mode 1777 before a play,
/// `ansible.sh` removes it.
pub const REMOTE_TEMP: &str = "/var/tmp/.bakeline-ansible";
/// The longest text of a task that is repeated in an error, in characters.
const LONGEST: usize = 600;

/// What `ansible-playbook` said so far.
#[derive(Debug, Default)]
pub struct Output {
    task: String,
    failed: Option<String>,
    error: Vec<String>,
    explaining: bool,
    recap: bool,
    played: bool,
}

impl Output {
    /// Takes in one line of output or of errors.
    pub fn hear(&mut self, line: &str, job: &Job) {
        self.explaining &=
            !line.contains("be elsewhere in the file") && !line.starts_with("The offending line");
        if let Some(name) = heading(line) {
            name.clone_into(&mut self.task);
        } else if line.starts_with("fatal: [") || line.starts_with("failed: [") {
            self.failed = Some(format!("task `{}` {}", self.task, why(line)));
        } else if line.trim() == "...ignoring" {
            self.failed = None;
        } else if let Some(rest) = line
            .strip_prefix("ERROR! ")
            .or_else(|| line.strip_prefix("[ERROR]: "))
        {
            self.error.push(rest.to_owned());
            self.explaining = true;
        } else if self.explaining && !line.trim().is_empty() {
            // Ansible's own explanation of what it could not read goes over several lines.
            self.error.push(line.to_owned());
        } else if line.starts_with("PLAY RECAP") {
            self.recap = true;
        } else if let Some((host, _)) = line.split_once(" : ").filter(|_| self.recap) {
            self.played |= host.trim() == job.image;
        }
    }

    /// Whether the playbook did its work.
    ///
    /// # Errors
    /// The task that failed and why, what Ansible could not make sense of, or that no play was for this host.
    pub fn verdict(self, code: Option<i32>, job: &Job) -> Result<(), String> {
        let playbook = &job.playbook;
        match (code, self.failed) {
            (Some(0), _) if self.played => Ok(()),
            (Some(0), _) => Err(format!(
                "playbook `{playbook}` did nothing: no play in it is for the host; write `hosts: all`"
            )),
            (_, Some(failed)) => Err(format!("playbook `{playbook}`: {failed}")),
            (_, None) if !self.error.is_empty() => Err(format!(
                "playbook `{playbook}`: {}",
                shorten(&self.error.join(" "))
            )),
            (Some(code), None) => Err(format!(
                "playbook `{playbook}`: ansible-playbook exited {code}"
            )),
            (None, None) => Err(format!(
                "playbook `{playbook}`: ansible-playbook was killed"
            )),
        }
    }
}

/// The name in `TASK [role : name] ***` or `RUNNING HANDLER [name] ***`.
fn heading(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("TASK [")
        .or_else(|| line.strip_prefix("RUNNING HANDLER ["))?;
    rest.trim_end_matches('*').trim_end().strip_suffix(']')
}

/// What follows `fatal: [host]: FAILED! => `: the module's message, and what the command said where that is more.
fn why(line: &str) -> String {
    let verb = if line.contains("UNREACHABLE!") {
        "could not reach the instance"
    } else {
        "failed"
    };
    let result = line.split_once(" => ").map_or("", |(_, result)| result);
    let Ok(result) = serde_json::from_str::<serde_json::Value>(result) else {
        return format!("{verb}: {}", shorten(line));
    };
    let part = |key: &str| {
        result
            .get(key)
            .and_then(serde_json::Value::as_str)
            .map(str::trim)
            .filter(|t| !t.is_empty())
    };
    let said = ["msg", "censored", "stderr", "module_stderr"]
        .into_iter()
        .filter_map(part)
        .collect::<Vec<_>>();
    format!("{verb}: {}", shorten(&said.join(": ")))
}

/// One line of at most [`LONGEST`] characters.
fn shorten(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out: String = line.chars().take(LONGEST).collect();
    if out.len() < line.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests;
