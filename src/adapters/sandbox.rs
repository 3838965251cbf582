//! Owns starting the local EC2: unpacking its Python package, making its virtual environment on first use, running it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::{assets, system};
use crate::error::{Error, Kind, Result};

/// Where the package and its virtual environment live: the user's cache, one folder for each content.
fn home() -> PathBuf {
    let cache = system::variable("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(system::variable("HOME").unwrap_or_else(|| "/tmp".to_owned())).join(".cache");
    cache.unwrap_or_else(home).join("bakeline").join("sandbox")
}

/// Runs the sandbox's own command line with `arguments` and returns its exit code.
///
/// # Errors
/// Python or its venv module is missing, or the packages can't be installed.
pub fn run(arguments: &[OsString], say: &dyn Fn(&str)) -> Result<u8> {
    let package =
        unpack().map_err(|e| Error::new(Kind::StepFailed, "the sandbox's package can't be unpacked").because(e))?;
    let python = environment(&package, say)?;
    let status = Command::new(&python)
        .arg("-m")
        .arg("bakeline_sandbox")
        .args(arguments)
        .env("PYTHONPATH", &package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status();
    let status = status
        .map_err(|e| Error::new(Kind::StepFailed, format!("{} can't be started", python.display())).because(e))?;
    Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(130))
}

/// Writes the embedded package below the cache, once for each content.
fn unpack() -> io::Result<PathBuf> {
    let files = assets::sandbox_files();
    let mut hasher = Sha256::new();
    for (path, content) in &files {
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(content);
    }
    let digest: String = format!("{:x}", hasher.finalize()).chars().take(12).collect();
    let target = home().join(format!("package-{digest}"));
    if !target.join("complete").exists() {
        for (path, content) in &files {
            system::write_atomically(&target.join(path), content, 0o644)?;
        }
        system::write_atomically(&target.join("complete"), b"", 0o644)?;
    }
    Ok(target)
}

/// The virtual environment's Python, made on first use and again when the pinned packages change.
fn environment(package: &Path, say: &dyn Fn(&str)) -> Result<PathBuf> {
    let pins = std::fs::read(package.join("requirements.txt")).unwrap_or_default();
    let digest: String = format!("{:x}", Sha256::digest(&pins)).chars().take(12).collect();
    let venv = home().join(format!("venv-{digest}"));
    let python = venv.join("bin").join("python");
    if venv.join("complete").exists() {
        return Ok(python);
    }
    say("making the sandbox's virtual environment (first use; about a minute)");
    let _old = std::fs::remove_dir_all(&venv);
    let made = quietly(Command::new("python3").arg("-m").arg("venv").arg(&venv));
    made.map_err(|why| failure("a virtual environment can't be made", &why, "apt install python3-venv"))?;
    let list = package.join("requirements.txt");
    let pip = quietly(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(list));
    pip.map_err(|why| {
        failure("the sandbox's Python packages can't be installed", &why, "check that pip reaches its package index")
    })?;
    let done = system::write_atomically(&venv.join("complete"), b"", 0o644);
    done.map_err(|e| Error::new(Kind::StepFailed, "the virtual environment can't be finished").because(e))?;
    Ok(python)
}

fn failure(what: &str, why: &str, hint: &str) -> Error {
    Error::new(Kind::StepFailed, format!("{what}: {why}")).hint(hint)
}

/// Runs a command; what it said last is the error.
fn quietly(command: &mut Command) -> std::result::Result<(), String> {
    let out = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stderr, out.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    Err(said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("no word").to_owned())
}
