//! Owns starting the local EC2: unpacking its Python package, creating its virtual environment on first use, running it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::{assets, once, system};
use crate::error::{Error, Kind, Result};

/// Where the package and its virtual environment live: the user's cache, one folder for each content.
fn home() -> PathBuf {
    let cache = system::variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || {
        PathBuf::from(system::variable("HOME").unwrap_or_else(|| "/tmp".to_owned())).join(".cache")
    };
    cache.unwrap_or_else(home).join("bakeline").join("sandbox")
}

/// Runs the sandbox's own command line with `arguments` and returns its exit code.
///
/// # Errors
/// Python or its venv module is missing, or the packages can't be installed.
pub fn run(arguments: &[OsString], say: &dyn Fn(&str)) -> Result<u8> {
    let package = package(say)?;
    let python = environment(&package, say)?;
    let status = Command::new(&python)
        .arg("-m")
        .arg("bakeline_sandbox")
        .args(arguments)
        .env("PYTHONPATH", &package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status();
    let status = status.map_err(|e| {
        Error::new(
            Kind::StepFailed,
            format!("{} can't be started", python.display()),
        )
        .because(e)
    })?;
    Ok(status
        .code()
        .and_then(|c| u8::try_from(c).ok())
        .unwrap_or(130))
}

/// Writes the embedded package below the cache, once for each content, and returns its directory.
fn package(say: &dyn Fn(&str)) -> Result<PathBuf> {
    let files = assets::sandbox_files();
    let mut hasher = Sha256::new();
    for (path, content) in &files {
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(content);
    }
    let target = home().join(format!("package-{}", short(&hasher.finalize())));
    once::create(&target, "the sandbox's package", say, |part| {
        files.iter().try_for_each(|(path, content)| {
            system::write_atomically(&part.join(path), content, 0o644).map_err(|e| {
                Error::new(Kind::StepFailed, "the sandbox's package can't be unpacked").because(e)
            })
        })
    })?;
    Ok(target)
}

/// Returns the virtual environment's Python. The environment is created on first use and when the pinned packages change.
fn environment(package: &Path, say: &dyn Fn(&str)) -> Result<PathBuf> {
    let list = package.join("requirements.txt");
    let pins = std::fs::read(&list).unwrap_or_default();
    let venv = home().join(format!("venv-{}", short(&Sha256::digest(&pins))));
    once::create(&venv, "the sandbox's virtual environment", say, |part| {
        say("creating the sandbox's virtual environment (first use; about a minute)");
        quietly(Command::new("python3").arg("-m").arg("venv").arg(part))
            .map_err(|said| no_venv(&said))?;
        // Only `bin/python` is used: scripts beside it name the directory as it was before it was put into location.
        let mut pip = Command::new(part.join("bin").join("python"));
        quietly(
            pip.args(["-m", "pip", "install", "--quiet", "--requirement"])
                .arg(&list),
        )
        .map_err(|said| {
            Error::new(
                Kind::StepFailed,
                "the sandbox's Python packages can't be installed",
            )
            .because(last_lines(&said))
            .hint("check that pip reaches its package index")
        })
    })?;
    Ok(venv.join("bin").join("python"))
}

/// The first characters of a digest, enough to tell contents apart.
fn short(digest: &[u8]) -> String {
    digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Explains why there is no virtual environment. Python itself says when its modules for that are not installed.
fn no_venv(said: &str) -> Error {
    let error = Error::new(
        Kind::StepFailed,
        "the sandbox's virtual environment can't be created",
    );
    let words = said
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
            .because(format!("Python says: {text}"))
            .hint("apt install python3-venv"),
        None => error.because(last_lines(said)),
    }
}

/// Returns the last lines of what a program said; the cause is among them.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return "it failed without a message".to_owned();
    }
    lines[lines.len().saturating_sub(4)..].join("\n    ")
}

/// Runs a command; what it said is the error.
fn quietly(command: &mut Command) -> std::result::Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program} can't be started: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    // Python's own messages are on standard output, tracebacks on standard error.
    Err(String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}
