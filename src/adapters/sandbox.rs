//! Runs the local EC2. Unpacks its Python package and creates its virtual environment on first use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::cache_directory::create_once;
use super::{assets, system};
use crate::error::{Error, ErrorKind, Result};

/// Returns the directory of packages and virtual environments in the user's cache.
fn cache_root() -> PathBuf {
    let cache = system::variable("XDG_CACHE_HOME").map(PathBuf::from);
    let default = || {
        PathBuf::from(system::variable("HOME").unwrap_or_else(|| "/tmp".to_owned())).join(".cache")
    };
    cache
        .unwrap_or_else(default)
        .join("bakeline")
        .join("sandbox")
}

/// Runs the command line of the sandbox with `arguments` and returns its exit code.
///
/// # Errors
/// Fails if Python or its venv module is missing, or if packages cannot be installed.
pub fn run(arguments: &[OsString], say: &dyn Fn(&str)) -> Result<u8> {
    let package = unpack_package(say)?;
    let python = create_venv(&package, say)?;
    let status = Command::new(&python)
        .arg("-m")
        .arg("bakeline_sandbox")
        .args(arguments)
        .env("PYTHONPATH", &package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status();
    let status = status.map_err(|e| {
        Error::new(
            ErrorKind::StepFailed,
            format!("cannot start {}", python.display()),
        )
        .because(e)
    })?;
    Ok(status
        .code()
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(130))
}

/// Writes the embedded package to the cache, once per content, and returns its directory.
fn unpack_package(say: &dyn Fn(&str)) -> Result<PathBuf> {
    let files = assets::sandbox_files();
    let mut hasher = Sha256::new();
    for (path, content) in &files {
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(content);
    }
    let target = cache_root().join(format!("package-{}", short_hex(&hasher.finalize())));
    create_once(&target, "the sandbox's package", say, |part| {
        files.iter().try_for_each(|(path, content)| {
            system::write_atomically(&part.join(path), content, 0o644).map_err(|e| {
                Error::new(ErrorKind::StepFailed, "cannot unpack the sandbox's package").because(e)
            })
        })
    })?;
    Ok(target)
}

/// Returns the Python of the virtual environment. Creates the environment on first use and when
/// the pinned packages change.
fn create_venv(package: &Path, say: &dyn Fn(&str)) -> Result<PathBuf> {
    let list = package.join("requirements.txt");
    let pins = std::fs::read(&list).unwrap_or_default();
    let venv = cache_root().join(format!("venv-{}", short_hex(&Sha256::digest(&pins))));
    create_once(&venv, "the sandbox's virtual environment", say, |part| {
        let started = Instant::now();
        let packages = count_packages(&pins);
        say(&format!(
            "first use: creating a Python environment with {packages} packages (1 to 3 minutes, 140 MB)"
        ));
        run_quietly(Command::new("python3").arg("-m").arg("venv").arg(part))
            .map_err(|e| venv_error(&e.to_string()))?;
        say(&format!(
            "{}  environment created; downloading and installing the packages",
            elapsed(started)
        ));
        // Only `bin/python` is used. Other scripts contain the path of the partial directory.
        let mut pip = Command::new(part.join("bin").join("python"));
        run_quietly(
            pip.args(["-m", "pip", "install", "--quiet", "--requirement"])
                .arg(&list),
        )
        .map_err(|e| {
            Error::new(
                ErrorKind::StepFailed,
                "cannot install the sandbox's Python packages",
            )
            .because(last_lines(&e.to_string()))
            .hint("check that pip can reach its package index")
        })?;
        say(&format!("{}  packages installed", elapsed(started)));
        Ok(())
    })?;
    Ok(venv.join("bin").join("python"))
}

/// Returns the number of pinned packages in a list of requirements.
fn count_packages(pins: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pins);
    text.lines().filter(|line| line.contains("==")).count()
}

/// Returns the time since the start of the preparation, in the form of the sandbox's progress.
fn elapsed(started: Instant) -> String {
    format!("{:6.1}s", started.elapsed().as_secs_f64())
}

/// Returns the first characters of a digest, which identify a content.
fn short_hex(digest: &[u8]) -> String {
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns the error for a virtual environment that could not be created.
fn venv_error(output: &str) -> Error {
    let error = Error::new(
        ErrorKind::StepFailed,
        "cannot create the sandbox's virtual environment",
    );
    let words = output
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('\'', "");
    let missing = [
        "ensurepip is not available",
        "No module named venv",
        "No module named ensurepip",
    ];
    match missing.iter().find(|text| words.contains(*text)) {
        Some(text) => error
            .because(format!("Python reports: {text}"))
            .hint("apt install python3-venv"),
        None => error.because(last_lines(output)),
    }
}

/// Returns the last lines of output, which usually contain the cause.
fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return "failed without a message".to_owned();
    }
    lines[lines.len().saturating_sub(4)..].join("\n    ")
}

/// Failed preparation command of the sandbox.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// Program that cannot be started.
    #[error("cannot start {program}: {cause}")]
    NotStarted {
        /// Name of the program.
        program: String,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// Program that ended with an error status.
    #[error("{output}")]
    Failed {
        /// Standard output and standard error.
        output: String,
    },
}

/// Runs a command without showing its output.
///
/// # Errors
/// The command cannot be started or fails. The error contains its output.
fn run_quietly(command: &mut Command) -> std::result::Result<(), CommandError> {
    let out = command.stdin(Stdio::null()).output();
    let out = out.map_err(|cause| CommandError::NotStarted {
        program: command.get_program().to_string_lossy().into_owned(),
        cause,
    })?;
    if out.status.success() {
        return Ok(());
    }
    // Python writes messages to standard output and tracebacks to standard error.
    let output = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    Err(CommandError::Failed { output })
}
