//! Implements the store in memory. Tests can make it read-only.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};

/// A store in memory.
#[derive(Default)]
pub struct MemoryStore {
    /// Objects by key.
    pub objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Writes are refused.
    pub read_only: AtomicBool,
    /// Refuses deletions.
    pub undeletable: AtomicBool,
    /// Number of GET and LIST requests.
    reads: AtomicUsize,
}

/// Keys that one LIST request of S3 returns.
const KEYS_PER_LIST: usize = 1_000;

impl MemoryStore {
    /// Returns the number of GET and LIST requests so far. A long list needs several, as in S3.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn check_writable(&self, action: &'static str, key: &str) -> StoreResult<()> {
        let is_deletion = action == "delete" && self.undeletable.load(Ordering::SeqCst);
        if !self.read_only.load(Ordering::SeqCst) && !is_deletion {
            return Ok(());
        }
        let (key, message) = (key.to_owned(), "read only".to_owned());
        Err(StoreError {
            kind: StoreErrorKind::Unwritable,
            action,
            key,
            message,
        })
    }

    fn objects<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> T {
        act(&mut self.objects.lock().expect("no panic"))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(self.objects(|o| o.get(key).cloned()))
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.check_writable("write", key)?;
        self.objects(|o| o.insert(key.to_owned(), content.to_vec()));
        Ok(())
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        self.check_writable("create", key)?;
        Ok(self.objects(|o| {
            let new = !o.contains_key(key);
            o.entry(key.to_owned()).or_insert_with(|| content.to_vec());
            new
        }))
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let below = format!("{prefix}/");
        let found: Vec<String> = self.objects(|o| {
            let keys = o.keys().filter(|k| k.starts_with(&below));
            keys.cloned().collect()
        });
        let requests = found.len().div_ceil(KEYS_PER_LIST).max(1);
        self.reads.fetch_add(requests, Ordering::SeqCst);
        Ok(found)
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        self.check_writable("delete", key)?;
        self.objects(|o| o.remove(key));
        Ok(())
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}
