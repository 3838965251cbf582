//! Renders the scripts and uploads of a build, in order.

use std::collections::BTreeMap;

use super::block::{Block, Connection};
use super::file_template::render_file_template;
use super::platform_check;
use super::provision_scripts::{
    ANSIBLE, ANSIBLE_PREPARE, BOOT, CHECK, CLEANUP, FILE, HARDEN, KERNEL, PACKAGES, PREPARE,
    PUPPET, REBOOT, SCRIPT, SEAL, SEAL_ACCOUNTS, SUDO, TREE, platform_scripts,
};
use super::script_values::{Fact, ScriptValues, ScriptWords, TreePath};
use super::{Language, RenderError, render};
use crate::catalog::{Catalog, Image};
use crate::provision::file::{File, user_and_group};
use crate::provision::puppet::Puppet;
use crate::provision::script::Script;
use crate::provision::tree::{Tree, TreeEntryKind};
use crate::provision::{Provision, ansible};

/// Longest time of a build after a reboot in hours, as that of a new instance.
const BUILD_HOURS: i64 = 12;

/// Returns the blocks of the build of an image.
///
/// Keys are removed last (`seal.sh`), after the checks. Without the host keys and the key of the
/// run, no check could log in.
///
/// # Errors
/// Fails if a template or file is missing or invalid.
pub fn blocks(catalog: &Catalog, image: &Image) -> Result<Vec<Block>, RenderError> {
    let scripts = platform_scripts(image.platform);
    let none = BTreeMap::<String, String>::new();
    let package_manager = [scripts.package_manager, scripts.functions]
        .map(|path| render(catalog, path, Language::Shell, &none))
        .into_iter()
        .collect::<Result<String, _>>()?;
    let boot = render(catalog, BOOT, Language::Shell, &none)?;
    let sudo = render(catalog, SUDO, Language::Shell, &none)?;
    let deadline = image.platform.deadline(BUILD_HOURS);
    let base = ScriptValues {
        image: image.name.published(),
        platform: image.platform.name(),
        package_manager: &package_manager,
        release_options: image.platform.release_options(),
        sudo: &sudo,
        boot: &boot,
        deadline: &deadline,
        is_base: image.parent().is_none(),
        packages: &[],
        uploaded: "",
        destination: "",
        owner: "",
        group: "",
        mode: "",
        login_user: image.login_user(),
        remote_temp: ansible::REMOTE_TEMP,
        manifest: "",
        modules: "",
        hiera: "",
        facts: Vec::new(),
        script: None,
        folders: Vec::new(),
        files: Vec::new(),
        links: Vec::new(),
    };
    let mut build = BlockBuilder {
        catalog,
        image,
        base: base.clone(),
        out: Vec::new(),
    };
    let values = platform_check::check_values(catalog, image);
    let check = render(catalog, CHECK, Language::Shell, &values)?;
    build.add_prepare(&check, &base)?;
    for provision in &image.provision {
        build.add_provisioner(provision)?;
    }
    if image.parent().is_none() {
        for path in std::iter::once(scripts.harden).chain(HARDEN) {
            build.add_script(path, &base)?;
        }
    }
    build.add_script(CLEANUP, &base)?;
    build.out.push(Block::Check);
    let accounts = render(catalog, SEAL_ACCOUNTS, Language::Shell, &base)?;
    build.add_script_after(&accounts, SEAL, &base)?;
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
        self.push_script(path, format!("{first}{text}"), None, Connection::Stable);
        Ok(())
    }

    /// Adds the update of the packages. A base image is rebooted if the update installs a kernel.
    fn add_prepare(&mut self, first: &str, values: &ScriptValues<'_>) -> Result<(), RenderError> {
        if !values.is_base {
            return self.add_script_after(first, PREPARE, values);
        }
        let script = |path: &str| render(self.catalog, path, Language::Shell, values);
        let [before, after, wait] = KERNEL.map(script);
        let prepare = format!("{first}{}{}{}", before?, script(PREPARE)?, after?);
        let wait = format!("{}{}", wait?, script(REBOOT)?);
        self.push_script(PREPARE, prepare, None, Connection::MayReboot);
        self.push_script(REBOOT, wait, None, Connection::AfterUpdate);
        Ok(())
    }

    /// Adds a script that runs or waits for a script of the catalog.
    fn add_script_of(
        &mut self,
        path: &str,
        values: &ScriptValues<'_>,
        source: &str,
        connection: Connection,
    ) -> Result<(), RenderError> {
        let text = render(self.catalog, path, Language::Shell, values)?;
        self.push_script(path, text, Some(source), connection);
        Ok(())
    }

    fn push_script(
        &mut self,
        path: &str,
        text: String,
        source: Option<&str>,
        connection: Connection,
    ) {
        self.out.push(Block::Script {
            name: self.next_name(path.rsplit('/').next().unwrap_or(path)),
            text: text.into_bytes(),
            source: source.map(str::to_owned),
            connection,
        });
    }

    /// Adds an upload of one file, and returns its path on the instance.
    fn add_upload(&mut self, content: Vec<u8>) -> String {
        let to = format!("/tmp/bakeline-upload-{}", self.out.len());
        let name = self.next_name("upload");
        self.out.push(Block::Upload {
            name,
            content,
            to: to.clone(),
        });
        to
    }

    /// Adds the blocks of a provisioner.
    fn add_provisioner(&mut self, provision: &Provision) -> Result<(), RenderError> {
        let base = self.base.clone();
        match provision {
            Provision::Packages(p) => self.add_script(
                PACKAGES,
                &ScriptValues {
                    packages: &p.names,
                    ..base
                },
            ),
            Provision::Script(s) => self.add_catalog_script(s, base),
            Provision::File(f) => self.add_file(f, base),
            Provision::Tree(t) => self.add_tree(t, base),
            Provision::Ansible(a) => {
                self.add_script(ANSIBLE_PREPARE, &base)?;
                let name = self.next_name("ansible");
                let files = ansible::folder(a, base.image, base.login_user, &self.catalog.files);
                self.out.push(Block::Playbook { name, files });
                self.add_script(ANSIBLE, &base)
            }
            Provision::Puppet(p) => self.add_puppet(p, base),
        }
    }

    fn add_catalog_script(
        &mut self,
        s: &Script,
        base: ScriptValues<'_>,
    ) -> Result<(), RenderError> {
        let text = read_content(self.catalog, &s.path)?;
        let words = ScriptWords {
            path: &s.path,
            interpreter: parse_interpreter(&s.path, &text)?,
            env: s.env.iter().map(|(k, v)| format!("{k}={v}")).collect(),
            args: &s.args,
            timeout: s.timeout.unwrap_or(0),
            user: s.user.as_deref().unwrap_or_default(),
            may_reboot: if s.reboot { "yes" } else { "" },
        };
        let uploaded = self.add_upload(with_unix_lines(text));
        let connection = if s.reboot {
            Connection::MayReboot
        } else {
            Connection::Stable
        };
        let values = ScriptValues {
            uploaded: &uploaded,
            script: Some(words),
            ..base.clone()
        };
        self.add_script_of(SCRIPT, &values, &s.path, connection)?;
        if s.reboot {
            self.add_script_of(REBOOT, &base, &s.path, Connection::AfterReboot)?;
        }
        Ok(())
    }

    fn add_file(&mut self, f: &File, base: ScriptValues<'_>) -> Result<(), RenderError> {
        let content = self.file_content(&f.source, f.template)?;
        let uploaded = self.add_upload(content);
        let (owner, group) = user_and_group(&f.owner);
        let values = ScriptValues {
            uploaded: &uploaded,
            destination: &f.destination,
            owner,
            group,
            mode: &f.mode,
            ..base
        };
        self.add_script(FILE, &values)
    }

    /// Adds the blocks for a folder. Its files are uploaded under numbers, so that any name is
    /// possible.
    fn add_tree(&mut self, t: &Tree, base: ScriptValues<'_>) -> Result<(), RenderError> {
        let mut contents = BTreeMap::new();
        let (mut files, mut links) = (Vec::new(), Vec::new());
        for (at, entry) in t.entries.iter().enumerate() {
            let mut path = TreePath {
                name: format!("{at:04}"),
                path: t.target(entry),
                mode: t.mode_of(entry).to_owned(),
            };
            match &entry.kind {
                TreeEntryKind::File { .. } => {
                    let content = self.file_content(&entry.path, t.template)?;
                    contents.insert(path.name.clone(), content);
                    files.push(path);
                }
                TreeEntryKind::Link(target) => {
                    path.name.clone_from(target);
                    links.push(path);
                }
            }
        }
        let folders = t.folders().into_iter().map(|(path, mode)| TreePath {
            name: String::new(),
            path,
            mode,
        });
        let name = self.next_name("tree");
        let uploaded = format!("/tmp/bakeline-{name}");
        self.out.push(Block::Folder {
            name,
            files: contents,
            to: uploaded.clone(),
        });
        let (owner, group) = user_and_group(&t.owner);
        let values = ScriptValues {
            uploaded: &uploaded,
            destination: &t.destination,
            owner,
            group,
            folders: folders.collect(),
            files,
            links,
            ..base
        };
        self.add_script(TREE, &values)
    }

    /// Returns the content of a file to copy, rendered if it is a template.
    fn file_content(&self, path: &str, template: bool) -> Result<Vec<u8>, RenderError> {
        let content = read_content(self.catalog, path)?;
        if !template {
            return Ok(content);
        }
        let text = String::from_utf8(content).map_err(|_| RenderError {
            at: None,
            template: path.to_owned(),
            message: "the file is not UTF-8, so it cannot be a template".to_owned(),
        })?;
        render_file_template(path, &text, &self.image.template_variables).map(String::into_bytes)
    }

    fn add_puppet(&mut self, p: &Puppet, base: ScriptValues<'_>) -> Result<(), RenderError> {
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
        self.add_script(PUPPET, &values)
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

/// Converts line endings of Windows, which the interpreters of Unix do not accept.
fn with_unix_lines(text: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        if *byte != b'\r' || text.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}
