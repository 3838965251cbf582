//! Owns starting `ansible-playbook`: finding it, its version, a clean environment, and its end when ours comes first.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::process::environment;
use crate::ports::BuilderError;

const PROGRAM: &str = "ansible-playbook";

/// The version of the `ansible-playbook` in `PATH`.
///
/// # Errors
/// There is none, it says nothing understandable, or it is older than `oldest`.
pub async fn version(oldest: &semver::Version) -> Result<semver::Version, BuilderError> {
    let hint = "install ansible-core: `apt install ansible-core` on Debian, elsewhere `pipx install ansible-core`";
    let broken = |message: String| BuilderError {
        message,
        hint: Some(hint.to_owned()),
    };
    let asked = Command::new(PROGRAM)
        .arg("--version")
        .env_clear()
        .envs(environment(&[]))
        .env("LC_ALL", "C.UTF-8")
        // Even asked for its version it makes its folders, by default in the user's home.
        .env("ANSIBLE_HOME", std::env::temp_dir())
        .env("ANSIBLE_LOCAL_TEMP", std::env::temp_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let out = asked.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => broken(format!("`{PROGRAM}` is not in PATH")),
        _ => broken(format!("`{PROGRAM}` can't be started: {e}")),
    })?;
    let text = String::from_utf8_lossy(&out.stdout);
    let Some(found) = read_version(&text) else {
        let first = text.lines().next().unwrap_or_default();
        return Err(broken(format!(
            "`{PROGRAM} --version` says nothing understandable: {first:?}"
        )));
    };
    if found < *oldest {
        return Err(broken(format!(
            "ansible-core {found} is too old: {oldest} or newer is needed"
        )));
    }
    Ok(found)
}

/// `ansible-playbook [core 2.14.18]`, or `ansible-playbook 2.9.27` before there was a core.
fn read_version(text: &str) -> Option<semver::Version> {
    let word = text
        .lines()
        .next()?
        .trim_end_matches(']')
        .rsplit(' ')
        .next()?;
    let plain: String = word
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    semver::Version::parse(&plain).ok()
}

/// OpenSSH's configuration, as the checks use it.
#[must_use]
pub fn ssh_config() -> String {
    std::env::var("BAKELINE_SSH_CONFIG").unwrap_or_else(|_| "/dev/null".to_owned())
}

/// Runs it in `folder` and hands on each line it says; its exit code. Packer kills the program that it started, so
/// there is a supervisor between: it ends the playbook when we are gone.
///
/// # Errors
/// It can't be started or waited for.
pub async fn play(
    folder: &Path,
    arguments: &[String],
    variables: &[(&str, String)],
    on_line: &mut (dyn FnMut(&str) + Send),
) -> std::io::Result<Option<i32>> {
    let mut child = Command::new(super::system::program()?)
        .args(["supervise", "--", PROGRAM])
        .args(arguments)
        .env_clear()
        .envs(environment(&["ANSIBLE_VAULT"]))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let held = child.stdin.take();
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(std::io::Error::other("its output can't be read"));
    };
    let (mut lines, mut noise) = (
        BufReader::new(out).split(b'\n'),
        BufReader::new(err).split(b'\n'),
    );
    let (mut open, mut noisy) = (true, true);
    while open || noisy {
        tokio::select! {
            line = lines.next_segment(), if open => match line? {
                Some(line) => on_line(&String::from_utf8_lossy(&line)),
                None => open = false,
            },
            line = noise.next_segment(), if noisy => match line? {
                Some(line) => on_line(&String::from_utf8_lossy(&line)),
                None => noisy = false,
            },
        }
    }
    let status = child.wait().await?;
    drop(held);
    Ok(status.code())
}

#[cfg(test)]
mod tests {
    use super::read_version;

    #[test]
    fn versions_are_read_from_every_kind_of_first_line() {
        for (line, version) in [
            (
                "ansible-playbook [core 2.14.18]\n  config file = None\n",
                "2.14.18",
            ),
            ("ansible-playbook [core 2.19.0b1]", "2.19.0"),
            ("ansible-playbook 2.9.27", "2.9.27"),
        ] {
            assert_eq!(
                read_version(line).map(|v| v.to_string()).as_deref(),
                Some(version),
                "{line}"
            );
        }
        assert_eq!(read_version("nothing"), None);
    }
}
