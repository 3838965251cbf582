//! Computes the recipe of an image: every input that determines its content, and the digest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::{Catalog, Image, Origin, Volume};
use crate::model::{EVIDENCE_SCHEMA, ImageName, Manifest, RunId, Version};
use crate::provision::Provision;
use crate::provision::script::Script;
use crate::provision::tree::TreeEntryKind;
use crate::render::file_template::template_variables;
use crate::render::packer;

/// Input that holds the order of the provisioners.
pub const ORDER: &str = "order";

/// Inputs of a recipe with their digests or values, ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipe(pub BTreeMap<String, String>);

impl Recipe {
    /// Returns the recipe of one image. It contains repository-relative paths, but neither values
    /// of a run nor tool versions. Parent versions and source AMIs are compared separately.
    #[must_use]
    pub fn from_image(catalog: &Catalog, image: &Image) -> Self {
        Fingerprints::new(catalog).recipe(image)
    }

    /// Returns the SHA-256 digest in hex over the inputs, each prefixed with its length.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, value) in &self.0 {
            for text in [name, value] {
                hasher.update(text.len().to_be_bytes());
                hasher.update(text.as_bytes());
            }
        }
        format!("{:x}", hasher.finalize())
    }
}

/// Digests of controls by ID, and the digest of all of them.
type ControlDigests = (BTreeMap<String, String>, String);

/// Recipes and checks of a catalog. Contents that several images share are digested once.
pub struct Fingerprints<'c> {
    catalog: &'c Catalog,
    contents: RefCell<BTreeMap<&'c str, String>>,
    controls: RefCell<BTreeMap<&'c ImageName, Arc<ControlDigests>>>,
}

impl<'c> Fingerprints<'c> {
    /// Creates the fingerprints of a catalog. Digests are computed on demand.
    #[must_use]
    pub fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            contents: RefCell::default(),
            controls: RefCell::default(),
        }
    }

    /// Returns the recipe of an image; see [`Recipe::from_image`].
    #[must_use]
    pub fn recipe(&self, image: &Image) -> Recipe {
        let mut inputs = BTreeMap::from([
            ("platform".to_owned(), image.platform.name().to_owned()),
            ("arch".to_owned(), image.arch.to_string()),
            ("starts from".to_owned(), origin_label(&image.origin)),
        ]);
        inputs.extend(image.volumes.iter().map(Volume::input));
        inputs.extend(image.instance.inputs());
        inputs.extend(
            image
                .tags
                .iter()
                .map(|(key, value)| (format!("tag {key}"), value.clone())),
        );
        inputs.extend(
            image
                .variables
                .iter()
                .map(|(name, value)| (format!("variable {name}"), value.clone())),
        );
        let mut order: Vec<String> = Vec::new();
        for provision in &image.provision {
            let mut label = provisioner_label(provision);
            if order.contains(&label) {
                label = format!("{label} ({})", order.len() + 1);
            }
            self.add_provisioner(provision, &label, &mut inputs);
            inputs.extend(self.template_inputs(image, provision));
            order.push(label);
        }
        // JSON separates labels unambiguously, with any characters they contain.
        inputs.insert(
            ORDER.to_owned(),
            serde_json::to_string(&order).unwrap_or_default(),
        );
        inputs.extend(self.packer_template_inputs(image));
        for path in crate::render::template_paths(image) {
            inputs.insert(format!("template {path}"), self.content_digest(path));
        }
        Recipe(inputs)
    }

    /// Adds the inputs of one provisioner to `inputs`.
    fn add_provisioner(
        &self,
        provision: &Provision,
        label: &str,
        inputs: &mut BTreeMap<String, String>,
    ) {
        let mut put = |name: String, value: String| inputs.insert(name, value);
        match provision {
            Provision::Packages(p) => {
                for package in &p.names {
                    let (name, version) =
                        package.split_once('=').unwrap_or((package, "any version"));
                    put(format!("package {name}"), version.to_owned());
                }
            }
            Provision::Script(s) => {
                put(format!("script {}", s.path), self.content_digest(&s.path));
                inputs.extend(script_options(s, label));
            }
            Provision::File(f) => {
                put(format!("file {}", f.source), self.content_digest(&f.source));
                let template = if f.template { " as a template" } else { "" };
                put(
                    label.to_owned(),
                    format!("{} {} from {}{template}", f.owner, f.mode, f.source),
                );
            }
            Provision::Tree(t) => {
                for entry in &t.entries {
                    let value = match &entry.kind {
                        TreeEntryKind::Link(target) => format!("link to {target}"),
                        TreeEntryKind::File { .. } => {
                            format!("{} {}", t.mode_of(entry), self.content_digest(&entry.path))
                        }
                    };
                    put(format!("{label} file {}", entry.path), value);
                }
                let template = if t.template { " as templates" } else { "" };
                let mode = t.mode.as_deref().unwrap_or("own modes");
                put(
                    label.to_owned(),
                    format!("{} {mode} from {}{template}", t.owner, t.source),
                );
            }
            Provision::Ansible(a) => {
                for path in &a.files {
                    put(format!("file {path}"), self.content_digest(path));
                }
                for (path, target) in &a.links {
                    put(format!("file {path}"), format!("link to {target}"));
                }
                for (name, value) in &a.vars {
                    let text = value.as_str().map(str::to_owned);
                    put(
                        format!("{label} {name}"),
                        text.unwrap_or_else(|| value.to_string()),
                    );
                }
            }
            Provision::Puppet(p) => {
                let modules = p.modules.as_deref().unwrap_or("none");
                put(label.to_owned(), format!("modules {modules}"));
                for path in &p.files {
                    put(format!("file {path}"), self.content_digest(path));
                }
                for (name, value) in &p.facts {
                    put(format!("{label} {name}"), value.clone());
                }
            }
        }
    }

    /// Returns the variables that the templates of a file or folder use.
    fn template_inputs(&self, image: &Image, provision: &Provision) -> Vec<(String, String)> {
        let is_template = match provision {
            Provision::File(f) => f.template,
            Provision::Tree(t) => t.template,
            _ => false,
        };
        let texts = provision
            .files()
            .iter()
            .filter(|_| is_template)
            .filter_map(|path| std::str::from_utf8(self.catalog.files.get(path)?).ok());
        texts
            .flat_map(template_variables)
            .filter_map(|name| variable_input(image, &name))
            .collect()
    }

    /// Returns the variables that the image's own Packer template uses.
    fn packer_template_inputs(&self, image: &Image) -> Vec<(String, String)> {
        let path = image.template.as_ref();
        let bytes = path.and_then(|path| self.catalog.files.get(path));
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let names = packer::used_variables(text.unwrap_or_default()).into_iter();
        names
            .filter_map(|name| variable_input(image, name))
            .collect()
    }

    fn content_digest(&self, path: &str) -> String {
        let Some((path, bytes)) = self.catalog.files.get_key_value(path) else {
            return "missing".to_owned();
        };
        let mut known = self.contents.borrow_mut();
        known
            .entry(path)
            .or_insert_with(|| format!("{:x}", Sha256::digest(bytes)))
            .clone()
    }

    /// Returns the digests of all controls that an image must pass, by ID. They include those of
    /// its ancestors.
    #[must_use]
    pub fn controls(&self, image: &ImageName) -> BTreeMap<String, String> {
        self.control_digests(image)
            .map(|known| known.0.clone())
            .unwrap_or_default()
    }

    /// Returns the digest of all controls, as in the tag `bakeline:checks`.
    #[must_use]
    pub fn checks_digest(&self, image: &ImageName) -> String {
        self.control_digests(image).map_or_else(
            || crate::checks::combine_digests(&BTreeMap::new()),
            |known| known.1.clone(),
        )
    }

    /// Returns the digest of each control and the combined digest. An image without own controls
    /// shares the digests of its parent.
    fn control_digests(&self, image: &ImageName) -> Option<Arc<ControlDigests>> {
        let (name, image) = self.catalog.images.get_key_value(image)?;
        if let Some(known) = self.controls.borrow().get(name) {
            return Some(Arc::clone(known));
        }
        let parent = image.parent().and_then(|p| self.catalog.images.get(p));
        let parent_digests = parent.and_then(|p| self.control_digests(&p.name));
        // The controls of the parent come first, in its order.
        let parent_controls = parent.map(|p| p.controls.as_slice()).unwrap_or_default();
        let own_controls: Vec<&crate::checks::Control> = image
            .controls
            .iter()
            .enumerate()
            .filter(|(at, control)| {
                parent_controls
                    .get(*at)
                    .is_none_or(|known| !Arc::ptr_eq(known, control))
            })
            .map(|(_, control)| &**control)
            .collect();
        let digests = match parent_digests {
            Some(parent_digests) if own_controls.is_empty() => parent_digests,
            parent_digests => {
                let mut all = parent_digests.map(|a| a.0.clone()).unwrap_or_default();
                all.extend(crate::checks::digests(own_controls));
                let digest = crate::checks::combine_digests(&all);
                Arc::new((all, digest))
            }
        };
        self.controls
            .borrow_mut()
            .insert(name, Arc::clone(&digests));
        Some(digests)
    }
}

/// Returns the manifest of a version built from the catalog as it is now. The caller sets base,
/// parent, commit and reasons.
#[must_use]
pub fn build_manifest(catalog: &Catalog, image: &Image, version: Version, run: &RunId) -> Manifest {
    let prints = Fingerprints::new(catalog);
    let recipe = prints.recipe(image);
    Manifest {
        schema: EVIDENCE_SCHEMA,
        image: image.name.clone(),
        arch: image.arch,
        version,
        recipe: recipe.digest(),
        inputs: recipe.0,
        checks: prints.checks_digest(&image.name),
        controls: prints.controls(&image.name),
        base: None,
        parent: None,
        commit: None,
        run: run.clone(),
        reasons: Vec::new(),
    }
}

/// Returns the inputs for the options of a script. Options that are not set are not inputs.
fn script_options(script: &Script, label: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = script
        .env
        .iter()
        .map(|(name, value)| (format!("{label} env {name}"), value.clone()))
        .collect();
    let mut put = |name: &str, value: String| out.push((format!("{label} {name}"), value));
    if !script.args.is_empty() {
        put(
            "args",
            serde_json::to_string(&script.args).unwrap_or_default(),
        );
    }
    if let Some(seconds) = script.timeout {
        put("timeout", format!("{seconds} s"));
    }
    if script.reboot {
        put("reboot", "allowed".to_owned());
    }
    if let Some(user) = &script.user {
        put("user", user.clone());
    }
    out
}

/// Returns the label that identifies a provisioner in the input `order`.
fn provisioner_label(provision: &Provision) -> String {
    match provision {
        Provision::Packages(p) => format!("packages {}", p.names.join(" ")),
        Provision::Script(s) => format!("script {}", s.path),
        Provision::File(f) => format!("destination {}", f.destination),
        Provision::Tree(t) => format!("destination {}", t.destination),
        Provision::Ansible(a) => format!("playbook {}", a.playbook),
        Provision::Puppet(p) => format!("manifest {}", p.manifest),
    }
}

/// Returns the input for a variable that a template uses.
fn variable_input(image: &Image, name: &str) -> Option<(String, String)> {
    let value = image.template_variables.get(name)?;
    let text = value.as_str().map(str::to_owned);
    let text = text.unwrap_or_else(|| value.to_string());
    Some((format!("variable {name}"), text))
}

fn origin_label(origin: &Origin) -> String {
    match origin {
        Origin::Parent(name) => format!("parent {}", name.published()),
        Origin::Source(source) => source.label(),
    }
}

#[cfg(test)]
mod tests;
