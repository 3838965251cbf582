//! Catalogs of the tests, each loaded once.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use crate::adapters::assets;
use crate::catalog::{Catalog, load};

/// Image files. Lineage: base <- a <- b and base <- z.
pub(super) const IMAGES: [(&str, &str); 4] = [
    (
        "base",
        "source: {owner: \"136693071363\", name: debian-12-*}\nchecks:\n  - {file: /etc/passwd}\n",
    ),
    ("a", "parent: base\npackages: [curl]\n"),
    ("b", "parent: a\nchecks:\n  - {file: /etc/group}\n"),
    ("z", "parent: base\n"),
];

/// Returns a catalog with the image files above; `changed` adds or replaces files.
pub(super) fn catalog(changed: &[(&str, &str)]) -> Arc<Catalog> {
    // One prune runs all retirement stages. Other tests cover the waiting times.
    let without_waits = "retention: {keep: 3, disable_after: 0s, deregister_after: 0s}";
    catalog_with(
        &format!("name: acme\nregions: [eu-west-1]\n{without_waits}\n"),
        changed,
    )
}

/// Content of files, by path.
type Files = BTreeMap<String, Vec<u8>>;

/// Catalogs that tests have loaded, by their settings and images.
static CATALOGS: LazyLock<Mutex<BTreeMap<Files, Arc<Catalog>>>> = LazyLock::new(Mutex::default);

/// Returns a catalog with these settings and image files.
pub(super) fn catalog_with(settings: &str, changed: &[(&str, &str)]) -> Arc<Catalog> {
    let mut own = BTreeMap::from([("bakeline.yaml".to_owned(), settings.as_bytes().to_vec())]);
    for (name, text) in IMAGES.iter().chain(changed) {
        own.insert(format!("images/{name}.yaml"), text.as_bytes().to_vec());
    }
    if let Some(catalog) = CATALOGS.lock().expect("no panic").get(&own) {
        return Arc::clone(catalog);
    }
    let shipped = assets::shipped_paths().into_iter();
    let mut files: Files = shipped
        .filter_map(|p| Some((p.clone(), assets::shipped_file(&p)?.into_owned())))
        .collect();
    files.extend(own.clone());
    let (catalog, findings) = load(&files);
    assert!(findings.is_empty(), "{findings:?}");
    let catalog = Arc::new(catalog.expect("a sound catalog"));
    let mut catalogs = CATALOGS.lock().expect("no panic");
    catalogs.insert(own, Arc::clone(&catalog));
    catalog
}
