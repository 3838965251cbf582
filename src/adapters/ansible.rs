//! Runs `ansible-playbook` with a clean environment and stops it when bakeline ends.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::process::child_environment;
use crate::ports::BuilderError;

const PROGRAM: &str = "ansible-playbook";

/// Returns the version of the `ansible-playbook` in `PATH`.
///
/// # Errors
/// Fails if it is missing, if its output is not understood, or if it is older than `oldest`.
pub async fn version(oldest: &semver::Version) -> Result<semver::Version, BuilderError> {
    let hint = "install ansible-core: `apt install ansible-core` on Debian, \
                `pipx install ansible-core` on other systems";
    let failed = |message: String| BuilderError {
        message,
        hint: Some(hint.to_owned()),
    };
    let output = Command::new(PROGRAM)
        .arg("--version")
        .env_clear()
        .envs(child_environment(&[]))
        .env("LC_ALL", "C.UTF-8")
        // Even `--version` creates directories, by default in the user's home.
        .env("ANSIBLE_HOME", std::env::temp_dir())
        .env("ANSIBLE_LOCAL_TEMP", std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => failed(format!("`{PROGRAM}` is not in PATH")),
        _ => failed(format!("cannot start `{PROGRAM}`: {e}")),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(found) = parse_version(&text) else {
        let first = text.lines().next().unwrap_or_default();
        return Err(failed(format!(
            "cannot read the version in the output of `{PROGRAM} --version`: {first:?}"
        )));
    };
    if found < *oldest {
        return Err(failed(format!(
            "ansible-core {found} is too old: {oldest} or newer is required"
        )));
    }
    Ok(found)
}

/// Creates a relative symbolic link below `root`. `path` and `target` are relative to `root`.
///
/// # Errors
/// Fails if the link or its directory cannot be created.
pub fn create_link(root: &Path, path: &str, target: &str) -> std::io::Result<()> {
    let link = root.join(path);
    if let Some(parent) = link.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let up = "../".repeat(path.matches('/').count());
    std::os::unix::fs::symlink(format!("{up}{target}"), link)
}

/// Parses `ansible-playbook [core 2.14.18]`, or `ansible-playbook 2.9.27` of old versions.
fn parse_version(text: &str) -> Option<semver::Version> {
    let word = text
        .lines()
        .next()?
        .trim_end_matches(']')
        .rsplit(' ')
        .next()?;
    let digits: String = word
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    semver::Version::parse(&digits).ok()
}

/// Returns the path of the OpenSSH configuration for Ansible, which the checks use as well.
#[must_use]
pub fn ssh_config() -> String {
    std::env::var("BAKELINE_SSH_CONFIG").unwrap_or_else(|_| "/dev/null".to_owned())
}

/// Runs a playbook in `dir`, passes each line of output to `on_line` and returns the exit code.
/// If this process ends, a supervisor stops the playbook.
///
/// # Errors
/// Fails if `ansible-playbook` cannot be started or waited for.
pub async fn run_playbook(
    dir: &Path,
    arguments: &[String],
    variables: &[(&str, String)],
    on_line: &mut (dyn FnMut(&str) + Send),
) -> std::io::Result<Option<i32>> {
    let mut child = Command::new(super::system::current_program()?)
        .args(["supervise", "--", PROGRAM])
        .args(arguments)
        .env_clear()
        .envs(child_environment(&["ANSIBLE_VAULT"]))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let supervisor_pipe = child.stdin.take();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(std::io::Error::other("cannot read the output"));
    };
    let mut stdout = BufReader::new(stdout).split(b'\n');
    let mut stderr = BufReader::new(stderr).split(b'\n');
    let (mut stdout_open, mut stderr_open) = (true, true);
    while stdout_open || stderr_open {
        tokio::select! {
            line = stdout.next_segment(), if stdout_open => match line? {
                Some(line) => on_line(&String::from_utf8_lossy(&line)),
                None => stdout_open = false,
            },
            line = stderr.next_segment(), if stderr_open => match line? {
                Some(line) => on_line(&String::from_utf8_lossy(&line)),
                None => stderr_open = false,
            },
        }
    }
    let status = child.wait().await?;
    drop(supervisor_pipe);
    Ok(status.code())
}

#[cfg(test)]
mod tests {
    use super::{create_link, parse_version};

    #[test]
    fn link_is_relative_to_its_directory() {
        let root = tempfile::tempdir().expect("directory");
        let (path, target) = ("ansible/roles/web/tests/roles/web", "ansible/roles/web");
        create_link(root.path(), path, target).expect("link");
        let link = root.path().join(path);
        assert_eq!(
            std::fs::canonicalize(&link).expect("target"),
            std::fs::canonicalize(root.path().join(target)).expect("directory")
        );
        assert!(
            std::fs::read_link(&link).expect("link").is_relative(),
            "the directory of a run can be moved"
        );
    }

    #[test]
    fn version_is_parsed_from_old_and_new_formats() {
        for (line, version) in [
            (
                "ansible-playbook [core 2.14.18]\n  config file = None\n",
                "2.14.18",
            ),
            ("ansible-playbook [core 2.19.0b1]", "2.19.0"),
            ("ansible-playbook 2.9.27", "2.9.27"),
        ] {
            assert_eq!(
                parse_version(line).map(|v| v.to_string()).as_deref(),
                Some(version),
                "{line}"
            );
        }
        assert_eq!(parse_version("nothing"), None);
    }
}
