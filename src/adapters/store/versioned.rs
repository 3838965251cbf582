//! Records the format of a store with the first write, and refuses stores of a newer bakeline.

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};

/// Newest format that this bakeline reads and writes.
const SCHEMA: u64 = 1;

/// Content of `schema.json`.
#[derive(Deserialize)]
struct StoreFormat {
    schema: u64,
}

/// Wrapper of a store that checks its format before the first call.
pub(super) struct Versioned<S> {
    pub(super) inner: S,
    key: String,
    read: OnceCell<()>,
    written: OnceCell<()>,
}

impl<S: Store> Versioned<S> {
    pub(super) fn new(inner: S, key: String) -> Self {
        Self {
            inner,
            key,
            read: OnceCell::new(),
            written: OnceCell::new(),
        }
    }

    async fn check_once(&self) -> StoreResult<&S> {
        self.read.get_or_try_init(|| self.check_format()).await?;
        Ok(&self.inner)
    }

    async fn check_format(&self) -> StoreResult<()> {
        let Some(bytes) = self.inner.get(&self.key).await? else {
            return Ok(());
        };
        let error = |kind, message: String| StoreError {
            kind,
            action: "read",
            key: format!("{}/{}", self.inner.location(), self.key),
            message,
        };
        match serde_json::from_slice::<StoreFormat>(&bytes) {
            Ok(format) if format.schema <= SCHEMA => Ok(()),
            Ok(format) => {
                let text = format!(
                    "the store has schema {}, but this bakeline supports up to {SCHEMA}",
                    format.schema
                );
                Err(error(StoreErrorKind::Newer, text))
            }
            Err(e) => Err(error(
                StoreErrorKind::Other,
                format!("the file does not contain the schema of the store: {e}"),
            )),
        }
    }

    async fn record_once(&self) -> StoreResult<&S> {
        self.check_once().await?;
        let record_format = || async { self.create_format().await.map(drop) };
        self.written.get_or_try_init(record_format).await?;
        Ok(&self.inner)
    }

    /// Writes the format unless the store has one.
    async fn create_format(&self) -> StoreResult<bool> {
        let text = format!("{{\"schema\": {SCHEMA}}}\n");
        self.inner.create(&self.key, text.as_bytes()).await
    }
}

#[async_trait]
impl<S: Store> Store for Versioned<S> {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.check_once().await?.get(key).await
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.record_once().await?.put(key, content).await
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        self.record_once().await?.create(key, content).await
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.check_once().await?.list(prefix).await
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        self.record_once().await?.delete(key).await
    }

    async fn check_write(&self) -> StoreResult<bool> {
        let inner = self.check_once().await?;
        if inner.check_write().await? {
            return Ok(true);
        }
        // S3 has no dry run. But a conditional write of an object that exists changes nothing, and S3
        // refuses it for another reason if the caller may not write.
        if inner.get(&self.key).await?.is_none() {
            return Ok(false);
        }
        self.create_format().await.map(|_written| true)
    }

    fn is_durable(&self) -> bool {
        self.inner.is_durable()
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}
