//! Catalogs, inventories and AMIs for the tests of this folder.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::lifecycle::tags;
use crate::model::{Ami, INVENTORY_SCHEMA, Inventory, Location, Pointer, Timestamp};

/// Account of the builder.
pub(super) const OWN: &str = "123456789012";

/// Loads a catalog with the images `jdk` and `app` and these additional settings.
pub(super) fn catalog(settings: &str) -> Catalog {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            format!("name: acme\nregions: [eu-west-1, us-east-1]\n{settings}").into_bytes(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            b"source: {owner: amazon, name: x-*}\n".to_vec(),
        ),
        ("images/app.yaml".to_owned(), b"parent: jdk\n".to_vec()),
    ]);
    let (catalog, findings) = crate::catalog::load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Returns an inventory with these AMIs and pointers at home.
pub(super) fn inventory(images: Vec<Ami>, parameters: &[(&str, &str)]) -> Inventory {
    let location = Location {
        account: None,
        region: "eu-west-1".into(),
    };
    let pointer = |(name, value): &(&str, &str)| Pointer {
        location: location.clone(),
        name: format!("/bakeline/acme/{name}/x86_64"),
        value: (*value).to_owned(),
    };
    Inventory {
        schema: INVENTORY_SCHEMA,
        captured_at: now(),
        account: OWN.to_owned(),
        caller: "me".to_owned(),
        commit: None,
        images,
        sources: BTreeMap::new(),
        skipped: BTreeMap::new(),
        references: Vec::new(),
        parameters: parameters.iter().map(pointer).collect(),
        unreachable: Vec::new(),
        unread_references: Vec::new(),
        evidence: crate::model::Evidence::default(),
    }
}

/// Time of the inventory.
pub(super) fn now() -> Timestamp {
    "2026-11-10T00:00:00Z".parse().expect("time")
}

/// Returns a copy of an AMI in the second Region.
pub(super) fn copy(original: &Ami) -> Ami {
    let mut copy = original.clone();
    copy.id = format!("{}-copy", original.id).as_str().into();
    copy.region = "us-east-1".into();
    copy.tags.insert(tags::SELF.to_owned(), copy.id.to_string());
    copy
}
