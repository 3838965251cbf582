//! Owns the scripts that run inside a build: which there are for a platform, in which order, and with which values.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Language, RenderError, render};
use crate::catalog::{Catalog, Image};
use crate::platform::Platform;
use crate::provision::puppet::Puppet;
use crate::provision::{Provision, ansible};

/// The scripts of a platform.
struct Scripts {
    apt: &'static str,
    prepare: &'static str,
    packages: &'static str,
    file: &'static str,
    ansible_prepare: &'static str,
    ansible: &'static str,
    puppet: &'static str,
    harden: &'static [&'static str],
    cleanup: &'static str,
    seal: &'static str,
}

fn scripts(platform: Platform) -> Scripts {
    match platform {
        Platform::Debian => Scripts {
            apt: "templates/provision/debian/apt.sh",
            prepare: "templates/provision/debian/prepare.sh",
            packages: "templates/provision/debian/packages.sh",
            file: "templates/provision/debian/file.sh",
            ansible_prepare: "templates/provision/debian/ansible-prepare.sh",
            ansible: "templates/provision/debian/ansible.sh",
            puppet: "templates/provision/debian/puppet.sh",
            harden: &[
                "templates/provision/debian/harden.sh",
                "templates/provision/debian/harden-audit.sh",
                "templates/provision/debian/harden-kernel.sh",
                "templates/provision/debian/harden-login.sh",
                "templates/provision/debian/harden-files.sh",
                "templates/provision/debian/harden-ssh.sh",
                "templates/provision/debian/harden-apply.sh",
            ],
            cleanup: "templates/provision/debian/cleanup.sh",
            seal: "templates/provision/debian/seal.sh",
        },
    }
}

/// Those of them that this image's build uses: what it does not use can't change it.
pub(super) fn templates(image: &Image) -> Vec<&'static str> {
    let Scripts {
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
    } = scripts(image.platform);
    let uses = |wanted: fn(&Provision) -> bool| image.provision.iter().any(wanted);
    let mut out = vec![apt, prepare, cleanup, seal];
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

/// What happens at one place of a build, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Run this script as root with this interpreter; its name in the build folder and its text.
    Script {
        name: String,
        text: Vec<u8>,
        interpreter: String,
    },
    /// Upload this content to a place in the image; its name in the build folder.
    Upload {
        name: String,
        content: Vec<u8>,
        to: String,
    },
    /// Upload these files with their folders into a folder of the image; its name in the build folder.
    Folder {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
        to: String,
    },
    /// Play a playbook from the runner; its job's folder in the build folder, and what is in it.
    Playbook {
        name: String,
        files: BTreeMap<String, Vec<u8>>,
    },
    /// Collect facts and judge the build-phase controls.
    Check,
}

/// The run's values that every script gets as environment.
#[derive(Debug, Clone, Serialize)]
pub struct ScriptValues<'v> {
    /// The image's name.
    pub image: &'v str,
    /// The rendered `apt.sh`, with the function `apt_get` for scripts that install or remove packages.
    pub apt: &'v str,
    /// Whether it is a base image.
    pub is_base: bool,
    /// Packages to install; used by `packages.sh`.
    pub packages: &'v [String],
    /// Where a file was uploaded; used by `file.sh`.
    pub uploaded: &'v str,
    /// Where it belongs; used by `file.sh`.
    pub destination: &'v str,
    /// Its owner as `install -o` takes it; used by `file.sh`.
    pub owner: &'v str,
    /// Its group; used by `file.sh`.
    pub group: &'v str,
    /// Its mode; used by `file.sh`.
    pub mode: &'v str,
    /// The login user.
    pub login_user: &'v str,
    /// Ansible's temporary folder in the image; used by `ansible-prepare.sh` and `ansible.sh`.
    pub remote_temp: &'v str,
    /// The Puppet manifest below `uploaded`; used by `puppet.sh`, as are those that follow.
    pub manifest: &'v str,
    /// Its modules' folder, or empty.
    pub modules: &'v str,
    /// Its Hiera configuration, or empty.
    pub hiera: &'v str,
    /// The facts that the user gives.
    pub facts: Vec<Fact<'v>>,
}

/// A fact for Puppet.
#[derive(Debug, Clone, Serialize)]
pub struct Fact<'v> {
    name: &'v str,
    value: &'v str,
}

/// Everything that happens inside one image's build. Keys go last (`seal.sh`), after the checks: once the host keys and
/// the run's own key are gone, nobody can log in to check anything.
///
/// # Errors
/// A template or a file is missing or wrong.
pub fn blocks(catalog: &Catalog, image: &Image) -> Result<Vec<Block>, RenderError> {
    let Scripts {
        apt,
        prepare,
        harden,
        cleanup,
        seal,
        ..
    } = scripts(image.platform);
    let apt = render(
        catalog,
        apt,
        Language::Shell,
        &BTreeMap::<String, String>::new(),
    )?;
    let base = ScriptValues {
        image: image.name.as_str(),
        apt: &apt,
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
    let mut build = Build {
        catalog,
        image,
        base: base.clone(),
        out: Vec::new(),
    };
    build.script(prepare, &base)?;
    for provision in &image.provision {
        build.lower(provision)?;
    }
    if image.parent().is_none() {
        for path in harden {
            build.script(path, &base)?;
        }
    }
    build.script(cleanup, &base)?;
    build.out.push(Block::Check);
    build.script(seal, &base)?;
    Ok(build.out)
}

/// The blocks so far, and what the next are made of.
struct Build<'c> {
    catalog: &'c Catalog,
    image: &'c Image,
    base: ScriptValues<'c>,
    out: Vec<Block>,
}

impl Build<'_> {
    /// The next block's name, in order.
    fn named(&self, what: &str) -> String {
        format!("{:02}-{what}", self.out.len())
    }

    fn script(&mut self, path: &str, values: &ScriptValues<'_>) -> Result<(), RenderError> {
        let text = render(self.catalog, path, Language::Shell, values)?.into_bytes();
        let name = self.named(path.rsplit('/').next().unwrap_or(path));
        self.out.push(Block::Script {
            name,
            text,
            interpreter: "/bin/sh".to_owned(),
        });
        Ok(())
    }

    /// One provisioner as blocks: each kind has its own way.
    fn lower(&mut self, provision: &Provision) -> Result<(), RenderError> {
        let scripts = scripts(self.image.platform);
        let base = self.base.clone();
        match provision {
            Provision::Packages(p) => self.script(
                scripts.packages,
                &ScriptValues {
                    packages: &p.names,
                    ..base
                },
            ),
            Provision::Script(s) => {
                let name = self.named("script.sh");
                let text = content(self.catalog, &s.path)?;
                let interpreter = interpreter(&s.path, &text)?;
                self.out.push(Block::Script {
                    name,
                    text,
                    interpreter,
                });
                Ok(())
            }
            Provision::File(f) => {
                let uploaded = format!("/tmp/bakeline-upload-{}", self.out.len());
                let name = self.named("upload");
                self.out.push(Block::Upload {
                    name,
                    content: content(self.catalog, &f.source)?,
                    to: uploaded.clone(),
                });
                let (owner, group) = f.owner.split_once(':').unwrap_or((&f.owner, "root"));
                let (uploaded, destination, mode) = (&uploaded, &f.destination, &f.mode);
                self.script(
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
                self.script(scripts.ansible_prepare, &base)?;
                let name = self.named("ansible");
                let files = ansible::folder(a, base.image, base.login_user, &self.catalog.files);
                self.out.push(Block::Playbook { name, files });
                self.script(scripts.ansible, &base)
            }
            Provision::Puppet(p) => self.puppet(p, scripts.puppet, base),
        }
    }

    fn puppet(
        &mut self,
        p: &Puppet,
        path: &str,
        base: ScriptValues<'_>,
    ) -> Result<(), RenderError> {
        let name = self.named("puppet");
        let uploaded = format!("/tmp/bakeline-{name}");
        let files: Result<_, _> = p
            .files
            .iter()
            .map(|path| Ok((path.clone(), content(self.catalog, path)?)))
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
        self.script(path, &values)
    }
}

fn content(catalog: &Catalog, path: &str) -> Result<Vec<u8>, RenderError> {
    let missing = || RenderError {
        at: None,
        template: path.to_owned(),
        message: "the file does not exist".to_owned(),
    };
    catalog.files.get(path).cloned().ok_or_else(missing)
}

/// The interpreter named in a script's first line, `/bin/sh` where there is none. The line becomes part of a command, so
/// only plain words pass. Scripts are handed to the interpreter instead of being executed: /tmp may be mounted noexec.
fn interpreter(path: &str, text: &[u8]) -> Result<String, RenderError> {
    let first = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(line) = first.strip_prefix(b"#!") else {
        return Ok("/bin/sh".to_owned());
    };
    let line = String::from_utf8_lossy(line).trim().to_owned();
    let plain = line.starts_with('/')
        && line
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/._-= ".contains(c));
    let wrong = || RenderError {
        at: None,
        template: path.to_owned(),
        message: format!("its first line names no plain interpreter: {line:?}"),
    };
    plain.then(|| line.clone()).ok_or_else(wrong)
}
