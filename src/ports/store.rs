//! Defines the port to the store, which keeps evidence, locks and copies of journals as objects.

use async_trait::async_trait;

/// Kind of a failed store call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// The store cannot be reached, or the credentials do not allow the call.
    Unreachable,
    /// The store can be read but not written.
    Unwritable,
    /// A newer bakeline wrote the store in an unknown format.
    Newer,
    /// Any other error.
    Other,
}

/// A failed store call with its operation, its key and the message of the store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("store: {action} `{key}`: {message}")]
pub struct StoreError {
    /// Kind of the error.
    pub kind: StoreErrorKind,
    /// Operation: `read`, `write`, `create`, `list`, `delete`.
    pub action: &'static str,
    /// Key or prefix.
    pub key: String,
    /// Message of the store.
    pub message: String,
}

/// Result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// Objects by key (`a/b/c.json`, no leading slash). A read returns the latest write, as in S3
/// since 2020 ("Strong read-after-write consistency").
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns the content of an object, if it exists.
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>>;
    /// Writes an object and replaces an existing one.
    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()>;
    /// Writes an object only if none exists, and returns true if it was written. Of two
    /// concurrent calls exactly one returns true.
    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool>;
    /// Lists the keys below `prefix/`, sorted.
    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>>;
    /// Deletes an object. Succeeds if it does not exist.
    async fn delete(&self, key: &str) -> StoreResult<()>;
    /// Checks without a change that objects can be written. Returns false if only a write could tell.
    async fn check_write(&self) -> StoreResult<bool> {
        Ok(false)
    }
    /// Returns true if the store outlives this machine. A directory on a CI runner does not.
    fn is_durable(&self) -> bool;
    /// Returns the location for messages: a path or `s3://bucket/prefix`.
    fn location(&self) -> String;
}
