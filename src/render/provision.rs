//! Renders the scripts and uploads of a build, in order.

use std::collections::BTreeMap;

use serde::Serialize;

use super::platform::{self, PlatformScripts, platform_scripts};
use super::{Language, RenderError, render};
use crate::catalog::{Catalog, Image};
use crate::provision::puppet::Puppet;
use crate::provision::{Provision, ansible};

/// Returns the scripts that the build of an image uses. Other scripts are not part of its recipe.
pub(super) fn templates(image: &Image) -> Vec<&'static str> {
    let PlatformScripts {
        apt,
        prepare,
        packages,
        file,
        ansible_prepare,
        ansible,
        puppet,
        harden,
        cleanup,
        seal,
    } = platform_scripts(image.platform);
    let uses = |predicate: fn(&Provision) -> bool| image.provision.iter().any(predicate);
    let mut out = vec![
        platform::CHECK,
        apt,
        prepare,
        cleanup,
        platform::SEAL_ACCOUNTS,
        seal,
    ];
    out.extend(uses(|p| matches!(p, Provision::Packages(_))).then_some(packages));
    out.extend(uses(|p| matches!(p, Provision::File(_))).then_some(file));
    if uses(|p| matches!(p, Provision::Ansible(_))) {
        out.extend([ansible_prepare, ansible]);
    }
    out.extend(uses(|p| matches!(p, Provision::Puppet(_))).then_some(puppet));
    if image.parent().is_none() {
        out.extend(harden);
    }
    out
}

/// Part of a build, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Runs a script as root with an interpreter. `name` is its file in the build directory.
    Script {
        name: String,
        text: Vec<u8>,
        interpreter: String,
    },
    /// Uploads content to a path in the image. `name` is its file in the build directory.
    Upload {
        name: String,
        content: Vec<u8>,
        to: String,
    },
    /// Uploads files with their directories. `name` is their directory in the build directory.
    Folder {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
        to: String,
    },
    /// Runs a playbook from the runner. `name` is the directory of the job in the build directory.
    Playbook {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
    },
    /// Collects facts and runs the build-phase checks.
    Check,
}

/// Variables of the scripts.
#[derive(Debug, Clone, Serialize)]
pub struct ScriptValues<'v> {
    /// Name of the image.
    pub image: &'v str,
    /// Rendered `apt.sh` with the function `apt_get`, or `dnf.sh` with the function `run_dnf`, for
    /// scripts that install or remove packages.
    pub apt: &'v str,
    /// Name of the platform, for scripts that several platforms share.
    pub platform: &'v str,
    /// Further options of dnf.
    pub release_options: &'v str,
    /// True for a base image.
    pub is_base: bool,
    /// Packages to install; used by `packages.sh`.
    pub packages: &'v [String],
    /// Path of the uploaded file, for `file.sh`.
    pub uploaded: &'v str,
    /// Destination of the file, for `file.sh`.
    pub destination: &'v str,
    /// Owner for `install -o`, for `file.sh`.
    pub owner: &'v str,
    /// Group of the file, for `file.sh`.
    pub group: &'v str,
    /// Mode of the file, for `file.sh`.
    pub mode: &'v str,
    /// Login user.
    pub login_user: &'v str,
    /// TemporaryResource directory of Ansible on the instance, for `ansible-prepare.sh` and `ansible.sh`.
    pub remote_temp: &'v str,
    /// Puppet manifest below `uploaded`. For `puppet.sh`, as the following variables.
    pub manifest: &'v str,
    /// Directory of the modules, or empty.
    pub modules: &'v str,
    /// Hiera configuration, or empty.
    pub hiera: &'v str,
    /// Facts of the user.
    pub facts: Vec<Fact<'v>>,
}

/// A fact for Puppet.
#[derive(Debug, Clone, Serialize)]
pub struct Fact<'v> {
    name: &'v str,
    value: &'v str,
}

/// Returns the blocks of the build of an image.
///
/// Keys are removed last (`seal.sh`), after the checks. Without the host keys and the key of the
/// run, no check could log in.
///
/// # Errors
/// Fails if a template or file is missing or invalid.
pub fn blocks(catalog: &Catalog, image: &Image) -> Result<Vec<Block>, RenderError> {
    let PlatformScripts {
        apt,
        prepare,
        harden,
        cleanup,
        seal,
        ..
    } = platform_scripts(image.platform);
    let apt = render(
        catalog,
        apt,
        Language::Shell,
        &BTreeMap::<String, String>::new(),
    )?;
    let base = ScriptValues {
        image: image.name.as_str(),
        apt: &apt,
        platform: image.platform.name(),
        release_options: image.platform.release_options(),
        is_base: image.parent().is_none(),
        packages: &[],
        uploaded: "",
        destination: "",
        owner: "",
        group: "",
        mode: "",
        login_user: image.platform.login_user(),
        remote_temp: ansible::REMOTE_TEMP,
        manifest: "",
        modules: "",
        hiera: "",
        facts: Vec::new(),
    };
    let mut build = BlockBuilder {
        catalog,
        image,
        base: base.clone(),
        out: Vec::new(),
    };
    let values = platform::check_values(catalog, image);
    let check = render(catalog, platform::CHECK, Language::Shell, &values)?;
    build.add_script_after(&check, prepare, &base)?;
    for provision in &image.provision {
        build.add_provisioner(provision)?;
    }
    if image.parent().is_none() {
        for path in harden {
            build.add_script(path, &base)?;
        }
    }
    build.add_script(cleanup, &base)?;
    build.out.push(Block::Check);
    let accounts = render(catalog, platform::SEAL_ACCOUNTS, Language::Shell, &base)?;
    build.add_script_after(&accounts, seal, &base)?;
    Ok(build.out)
}

/// Builder of the blocks.
struct BlockBuilder<'c> {
    catalog: &'c Catalog,
    image: &'c Image,
    base: ScriptValues<'c>,
    out: Vec<Block>,
}

impl BlockBuilder<'_> {
    /// Returns the name of the next block.
    fn next_name(&self, what: &str) -> String {
        format!("{:02}-{what}", self.out.len())
    }

    fn add_script(&mut self, path: &str, values: &ScriptValues<'_>) -> Result<(), RenderError> {
        self.add_script_after("", path, values)
    }

    /// Adds a script with `first` before its text.
    fn add_script_after(
        &mut self,
        first: &str,
        path: &str,
        values: &ScriptValues<'_>,
    ) -> Result<(), RenderError> {
        let text = render(self.catalog, path, Language::Shell, values)?;
        let text = format!("{first}{text}").into_bytes();
        let name = self.next_name(path.rsplit('/').next().unwrap_or(path));
        self.out.push(Block::Script {
            name,
            text,
            interpreter: "/bin/sh".to_owned(),
        });
        Ok(())
    }

    /// Adds the blocks of a provisioner.
    fn add_provisioner(&mut self, provision: &Provision) -> Result<(), RenderError> {
        let scripts = platform_scripts(self.image.platform);
        let base = self.base.clone();
        match provision {
            Provision::Packages(p) => self.add_script(
                scripts.packages,
                &ScriptValues {
                    packages: &p.names,
                    ..base
                },
            ),
            Provision::Script(s) => {
                let name = self.next_name("script.sh");
                let text = read_content(self.catalog, &s.path)?;
                let interpreter = parse_interpreter(&s.path, &text)?;
                self.out.push(Block::Script {
                    name,
                    text,
                    interpreter,
                });
                Ok(())
            }
            Provision::File(f) => {
                let uploaded = format!("/tmp/bakeline-upload-{}", self.out.len());
                let name = self.next_name("upload");
                self.out.push(Block::Upload {
                    name,
                    content: read_content(self.catalog, &f.source)?,
                    to: uploaded.clone(),
                });
                let (owner, group) = f.owner.split_once(':').unwrap_or((&f.owner, "root"));
                let (uploaded, destination, mode) = (&uploaded, &f.destination, &f.mode);
                self.add_script(
                    scripts.file,
                    &ScriptValues {
                        uploaded,
                        destination,
                        owner,
                        group,
                        mode,
                        ..base
                    },
                )
            }
            Provision::Ansible(a) => {
                self.add_script(scripts.ansible_prepare, &base)?;
                let name = self.next_name("ansible");
                let files = ansible::folder(a, base.image, base.login_user, &self.catalog.files);
                self.out.push(Block::Playbook { name, files });
                self.add_script(scripts.ansible, &base)
            }
            Provision::Puppet(p) => self.add_puppet(p, scripts.puppet, base),
        }
    }

    fn add_puppet(
        &mut self,
        p: &Puppet,
        path: &str,
        base: ScriptValues<'_>,
    ) -> Result<(), RenderError> {
        let name = self.next_name("puppet");
        let uploaded = format!("/tmp/bakeline-{name}");
        let files: Result<_, _> = p
            .files
            .iter()
            .map(|path| Ok((path.clone(), read_content(self.catalog, path)?)))
            .collect();
        self.out.push(Block::Folder {
            name,
            files: files?,
            to: uploaded.clone(),
        });
        let hiera = p.hiera().unwrap_or_default();
        let values = ScriptValues {
            uploaded: &uploaded,
            manifest: &p.manifest,
            modules: p.modules.as_deref().unwrap_or_default(),
            hiera: &hiera,
            facts: p
                .facts
                .iter()
                .map(|(name, value)| Fact { name, value })
                .collect(),
            ..base
        };
        self.add_script(path, &values)
    }
}

fn read_content(catalog: &Catalog, path: &str) -> Result<Vec<u8>, RenderError> {
    let missing = || RenderError {
        at: None,
        template: path.to_owned(),
        message: "the file does not exist".to_owned(),
    };
    catalog.files.get(path).cloned().ok_or_else(missing)
}

/// Returns the interpreter in the first line of a script, or `/bin/sh`.
///
/// The line becomes part of a command, so it may contain only letters, digits and a few other
/// characters. Scripts are passed to the interpreter, because /tmp can be mounted noexec.
fn parse_interpreter(path: &str, text: &[u8]) -> Result<String, RenderError> {
    let first = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(line) = first.strip_prefix(b"#!") else {
        return Ok("/bin/sh".to_owned());
    };
    let line = String::from_utf8_lossy(line).trim().to_owned();
    let is_valid = line.starts_with('/')
        && line
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-= ".contains(c));
    let error = || RenderError {
        at: None,
        template: path.to_owned(),
        message: format!("the first line has no valid interpreter: {line:?}"),
    };
    is_valid.then(|| line.clone()).ok_or_else(error)
}
