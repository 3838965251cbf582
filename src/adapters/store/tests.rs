//! Tests the contract of the store for memory and directory. An acceptance test covers the bucket.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Objects;
use super::versioned::Versioned;
use crate::adapters::fake::MemoryStore;
use crate::ports::{Store, StoreErrorKind};

/// Asserts the behavior that callers rely on.
async fn assert_contract(store: &dyn Store) {
    assert_eq!(store.get("acme/none.json").await.expect("get"), None);
    assert_eq!(
        store.list("acme/locks").await.expect("list"),
        Vec::<String>::new()
    );
    store
        .delete("acme/none.json")
        .await
        .expect("delete of a missing object");
    store.put("acme/a/x.json", b"one").await.expect("put");
    store.put("acme/a/x.json", b"two").await.expect("overwrite");
    assert_eq!(
        store.get("acme/a/x.json").await.expect("get").as_deref(),
        Some(&b"two"[..])
    );
    assert!(
        !store
            .create("acme/a/x.json", b"three")
            .await
            .expect("create"),
        "the object exists"
    );
    assert!(
        store.create("acme/a/b/y.json", b"").await.expect("create"),
        "an empty object counts"
    );
    assert!(!store.create("acme/a/b/y.json", b"x").await.expect("create"));
    assert_eq!(
        store.get("acme/a/x.json").await.expect("get").as_deref(),
        Some(&b"two"[..])
    );
    store.put("acme/ab/z.json", b"z").await.expect("put");
    assert_eq!(
        store.list("acme/a").await.expect("list"),
        ["acme/a/b/y.json", "acme/a/x.json"],
        "sorted, and not `ab`"
    );
    store.delete("acme/a/x.json").await.expect("delete");
    assert_eq!(
        store.list("acme/a").await.expect("list"),
        ["acme/a/b/y.json"]
    );
    assert!(
        store
            .create("acme/a/x.json", b"four")
            .await
            .expect("create"),
        "the object was deleted"
    );
}

/// Asserts that exactly one of many concurrent `create` calls succeeds.
async fn assert_one_creator(store: Arc<dyn Store>) {
    for round in 0..20 {
        let key = format!("acme/race/{round}.json");
        let tries = (0..8).map(|n| {
            let (store, key) = (Arc::clone(&store), key.clone());
            tokio::spawn(async move {
                store
                    .create(&key, format!("{n}").as_bytes())
                    .await
                    .expect("create")
                    .then_some(n)
            })
        });
        let mut winners = Vec::new();
        for task in tries.collect::<Vec<_>>() {
            winners.extend(task.await.expect("no panic"));
        }
        let [winner] = winners[..] else {
            panic!("{winners:?}")
        };
        assert_eq!(
            store.get(&key).await.expect("get"),
            Some(winner.to_string().into_bytes())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_directory_meet_the_contract() {
    let folder = tempfile::tempdir().expect("directory");
    let root = folder.path().join("not/yet/there");
    let stores: [Arc<dyn Store>; 3] = [
        Arc::new(MemoryStore::default()),
        Arc::new(Objects::local(&root, "store")),
        Arc::new(Versioned::new(
            Objects::local(&root.join("again"), "store"),
            "acme/schema.json".to_owned(),
        )),
    ];
    for store in stores {
        assert_contract(&*store).await;
        assert_one_creator(store).await;
    }
}

#[tokio::test]
async fn first_write_creates_directory_and_format() {
    let folder = tempfile::tempdir().expect("directory");
    let root = folder.path().join("store");
    let store = Versioned::new(
        Objects::local(&root, "store"),
        "acme/schema.json".to_owned(),
    );
    assert_eq!(
        store.list("acme").await.expect("list"),
        Vec::<String>::new()
    );
    assert!(!root.exists(), "a plan writes nothing");
    store.put("acme/x.json", b"x").await.expect("put");
    assert_eq!(
        std::fs::read_to_string(root.join("acme/schema.json")).expect("schema.json"),
        "{\"schema\": 1}\n"
    );
    assert_eq!(
        std::fs::read(root.join("acme/x.json")).expect("object"),
        b"x"
    );
}

#[tokio::test]
async fn store_of_newer_format_is_refused() {
    let memory = MemoryStore::default();
    memory
        .put("acme/schema.json", b"{\"schema\": 2, \"more\": true}")
        .await
        .expect("put");
    memory.put("acme/x.json", b"x").await.expect("put");
    let store = Versioned::new(memory, "acme/schema.json".to_owned());
    let refused = store.get("acme/x.json").await.expect_err("newer");
    assert_eq!(refused.kind, StoreErrorKind::Newer);
    assert!(
        refused.to_string().contains("memory/acme/schema.json"),
        "{refused}"
    );
    assert!(refused.to_string().contains("schema 2"), "{refused}");
    for error in [
        store.put("acme/x.json", b"y").await.expect_err("newer"),
        store
            .create("acme/y.json", b"y")
            .await
            .map(drop)
            .expect_err("newer"),
        store.delete("acme/x.json").await.expect_err("newer"),
        store.list("acme").await.map(drop).expect_err("newer"),
    ] {
        assert_eq!(error.kind, StoreErrorKind::Newer);
    }
    assert_eq!(
        store.inner.objects.lock().expect("no panic")["acme/x.json"],
        b"x"
    );
    let error = crate::error::Error::from(refused);
    assert_eq!(error.kind.exit_code(), 1);
    assert!(
        error.hints()[0].contains("newer version of bakeline"),
        "{:?}",
        error.hints()
    );
}

#[tokio::test]
async fn invalid_format_and_read_only_store_are_errors() {
    let memory = MemoryStore::default();
    memory
        .put("acme/schema.json", b"schema 1")
        .await
        .expect("put");
    let store = Versioned::new(memory, "acme/schema.json".to_owned());
    assert!(
        store
            .get("x")
            .await
            .expect_err("invalid format")
            .to_string()
            .contains("does not contain the schema of the store")
    );
    let memory = MemoryStore::default();
    memory.read_only.store(true, Ordering::SeqCst);
    let store = Versioned::new(memory, "acme/schema.json".to_owned());
    assert_eq!(
        store.put("acme/x", b"").await.expect_err("read only").kind,
        StoreErrorKind::Unwritable
    );
    assert_eq!(store.get("acme/x").await.expect("get"), None);
}

#[tokio::test]
async fn directory_that_cannot_be_created_is_named() {
    let folder = tempfile::tempdir().expect("directory");
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").expect("file");
    let store = Objects::local(
        &file.join("store"),
        &file.join("store").display().to_string(),
    );
    let error = store
        .put("acme/x.json", b"x")
        .await
        .expect_err("below a file");
    assert_eq!(error.kind, StoreErrorKind::Unwritable);
    assert!(
        error.to_string().contains(&file.display().to_string()),
        "{error}"
    );
    assert!(
        !store.is_durable(),
        "a directory may be deleted with the machine"
    );
    let outside = Objects::local(Path::new("store"), "store")
        .get("acme/../../x")
        .await
        .expect_err("path with ..");
    assert_eq!(outside.kind, StoreErrorKind::Other);
}

#[cfg(not(feature = "live"))]
#[tokio::test]
async fn bucket_requires_live_feature() {
    let files: std::collections::BTreeMap<String, Vec<u8>> = std::collections::BTreeMap::from([(
        "bakeline.yaml".to_owned(),
        b"name: acme\nregions: [eu-west-1]\nstore: {s3: {bucket: evidence}}\n".to_vec(),
    )]);
    let (catalog, findings) = crate::catalog::load(&files);
    let settings = catalog.unwrap_or_else(|| panic!("{findings:?}")).settings;
    let error = super::open(&settings).await.err().expect("no S3 here");
    assert_eq!(error.kind.exit_code(), 2, "{}", error.one_line());
}
