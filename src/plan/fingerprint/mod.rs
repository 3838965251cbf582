//! Owns the recipe: everything that determines an image's content, input by input, and its digest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::{Catalog, Image, Origin, Source};
use crate::model::{EVIDENCE_SCHEMA, ImageName, Manifest, RunId, Version};
use crate::provision::Provision;

/// The input that says in which order things happen; the others say what.
pub const ORDER: &str = "order";

/// Each input of a recipe with its digest or value; ordered, so that it reads the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recipe(pub BTreeMap<String, String>);

impl Recipe {
    /// The recipe of one image: repository-relative names only, no run values, no parent or source (these are compared
    /// beside it), no tool versions.
    #[must_use]
    pub fn of(catalog: &Catalog, image: &Image) -> Self {
        Fingerprints::new(catalog).recipe(image)
    }

    /// The digest: sha256 in hex over the inputs, each length-prefixed.
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

/// Controls by id with their digests, and the digest of all.
type Judged = (BTreeMap<String, String>, String);

/// The recipes and checks of a whole catalog: what many images share is digested once.
pub struct Fingerprints<'c> {
    catalog: &'c Catalog,
    contents: RefCell<BTreeMap<&'c str, String>>,
    controls: RefCell<BTreeMap<&'c ImageName, Arc<Judged>>>,
}

impl<'c> Fingerprints<'c> {
    /// Nothing is digested before it is asked for.
    #[must_use]
    pub fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            contents: RefCell::default(),
            controls: RefCell::default(),
        }
    }

    /// See [`Recipe::of`].
    #[must_use]
    pub fn recipe(&self, image: &Image) -> Recipe {
        let mut inputs = BTreeMap::from([
            ("platform".to_owned(), image.platform.folder().to_owned()),
            ("arch".to_owned(), image.arch.to_string()),
            ("starts from".to_owned(), origin(&image.origin)),
        ]);
        if let Some(gib) = image.disk_gib {
            inputs.insert("disk_gib".to_owned(), gib.to_string());
        }
        inputs.extend(
            image
                .tags
                .iter()
                .map(|(key, value)| (format!("tag {key}"), value.clone())),
        );
        let mut order: Vec<String> = Vec::new();
        for provision in &image.provision {
            let mut label = label(provision);
            if order.contains(&label) {
                label = format!("{label} ({})", order.len() + 1);
            }
            self.provision(provision, &label, &mut inputs);
            order.push(label);
        }
        // JSON, so that no name can pass for two.
        inputs.insert(
            ORDER.to_owned(),
            serde_json::to_string(&order).unwrap_or_default(),
        );
        for path in crate::render::template_paths(image) {
            inputs.insert(format!("template {path}"), self.content(path));
        }
        Recipe(inputs)
    }

    /// Puts what one provisioner brings into `inputs`.
    fn provision(&self, provision: &Provision, label: &str, inputs: &mut BTreeMap<String, String>) {
        let mut put = |name: String, value: String| inputs.insert(name, value);
        match provision {
            Provision::Packages(p) => {
                for package in &p.names {
                    let (name, version) =
                        package.split_once('=').unwrap_or((package, "any version"));
                    put(format!("package {name}"), version.to_owned());
                }
            }
            Provision::Script(s) => drop(put(format!("script {}", s.path), self.content(&s.path))),
            Provision::File(f) => {
                put(format!("file {}", f.source), self.content(&f.source));
                put(
                    label.to_owned(),
                    format!("{} {} from {}", f.owner, f.mode, f.source),
                );
            }
            Provision::Ansible(_) | Provision::Puppet(_) => {
                if let Provision::Puppet(p) = provision {
                    put(
                        label.to_owned(),
                        format!("modules {}", p.modules.as_deref().unwrap_or("none")),
                    );
                }
                for path in provision.files() {
                    put(format!("file {path}"), self.content(path));
                }
                for (name, value) in provision.values().into_iter().flatten() {
                    put(format!("{label} {name}"), value.clone());
                }
            }
        }
    }

    fn content(&self, path: &str) -> String {
        let Some((path, bytes)) = self.catalog.files.get_key_value(path) else {
            return "missing".to_owned();
        };
        let mut known = self.contents.borrow_mut();
        known
            .entry(path)
            .or_insert_with(|| format!("{:x}", Sha256::digest(bytes)))
            .clone()
    }

    /// Every control an image must pass, its ancestors' too, by id with its digest.
    #[must_use]
    pub fn controls(&self, image: &ImageName) -> BTreeMap<String, String> {
        self.judged(image)
            .map(|known| known.0.clone())
            .unwrap_or_default()
    }

    /// The digest of all of them, as in the tag `bakeline:checks`.
    #[must_use]
    pub fn checks(&self, image: &ImageName) -> String {
        self.judged(image).map_or_else(
            || crate::checks::combine_digests(&BTreeMap::new()),
            |known| known.1.clone(),
        )
    }

    /// Both; an image with just its parent's controls shares them, and only those that differ are digested.
    fn judged(&self, image: &ImageName) -> Option<Arc<Judged>> {
        let (name, image) = self.catalog.images.get_key_value(image)?;
        if let Some(known) = self.controls.borrow().get(name) {
            return Some(Arc::clone(known));
        }
        let parent = image.parent().and_then(|p| self.catalog.images.get(p));
        let above = parent.and_then(|p| self.judged(&p.name));
        // A parent's controls come first, in its order.
        let theirs = parent.map(|p| p.controls.as_slice()).unwrap_or_default();
        let news: Vec<&crate::checks::Control> = image
            .controls
            .iter()
            .enumerate()
            .filter(|(at, control)| {
                theirs
                    .get(*at)
                    .is_none_or(|known| !Arc::ptr_eq(known, control))
            })
            .map(|(_, control)| &**control)
            .collect();
        let made = match above {
            Some(above) if news.is_empty() => above,
            above => {
                let mut all = above.map(|a| a.0.clone()).unwrap_or_default();
                all.extend(crate::checks::digests(news));
                let digest = crate::checks::combine_digests(&all);
                Arc::new((all, digest))
            }
        };
        self.controls.borrow_mut().insert(name, Arc::clone(&made));
        Some(made)
    }
}

/// The manifest of a version that is made from the catalog as it is now; base, parent, commit and reasons are the caller's.
#[must_use]
pub fn manifest(catalog: &Catalog, image: &Image, version: Version, run: &RunId) -> Manifest {
    let prints = Fingerprints::new(catalog);
    let recipe = prints.recipe(image);
    Manifest {
        schema: EVIDENCE_SCHEMA,
        image: image.name.clone(),
        arch: image.arch,
        version,
        recipe: recipe.digest(),
        inputs: recipe.0,
        checks: prints.checks(&image.name),
        controls: prints.controls(&image.name),
        base: None,
        parent: None,
        commit: None,
        run: run.clone(),
        reasons: Vec::new(),
    }
}

/// What a provisioner is called in the order.
fn label(provision: &Provision) -> String {
    match provision {
        Provision::Packages(p) => format!("packages {}", p.names.join(" ")),
        Provision::Script(s) => format!("script {}", s.path),
        Provision::File(f) => format!("destination {}", f.destination),
        Provision::Ansible(a) => format!("playbook {}", a.playbook),
        Provision::Puppet(p) => format!("manifest {}", p.manifest),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Parent(name) => format!("parent {name}"),
        Origin::Source(Source::Filter { owner, name }) => format!("source {owner} {name}"),
        Origin::Source(Source::Parameter(path)) => format!("source {path}"),
    }
}

#[cfg(test)]
mod tests;
