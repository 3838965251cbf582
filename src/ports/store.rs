//! Owns the contract with the store: small objects under keys, where evidence, manifests, locks and mirrors are kept.

use async_trait::async_trait;

/// What kind of answer a failed store call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// It can't be reached, or the credentials don't allow it.
    Unreachable,
    /// It can be read but not written.
    Unwritable,
    /// A newer bakeline wrote it in a shape that this one does not know.
    Newer,
    /// Anything else.
    Other,
}

/// A failed store call: names the operation, the key and what the store said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("store: {action} `{key}`: {message}")]
pub struct StoreError {
    /// What kind of answer it is.
    pub kind: StoreErrorKind,
    /// The operation: `read`, `write`, `create`, `list`, `delete`.
    pub action: &'static str,
    /// The key or prefix.
    pub key: String,
    /// What the store said.
    pub message: String,
}

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// Objects by key (`a/b/c.json`, no leading slash). Reads see what was written before (S3 does so since 2020).
#[async_trait]
pub trait Store: Send + Sync {
    /// An object's content, or none.
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>>;
    /// Writes an object, replacing what was there.
    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()>;
    /// Writes an object only if there is none; false when there was. Of two at once exactly one hears true.
    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool>;
    /// Every key below `prefix/`, sorted.
    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>>;
    /// Removes an object; one that does not exist is fine.
    async fn delete(&self, key: &str) -> StoreResult<()>;
    /// Whether it outlives this machine; a local directory on a CI runner does not.
    fn durable(&self) -> bool;
    /// Where it is, for people: a path or `s3://bucket/prefix`.
    fn location(&self) -> String;
}
