//! Owns the store's shape: says it with the first write, and refuses a store that a newer bakeline wrote.

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};

/// The shape this bakeline writes and reads.
const SCHEMA: u64 = 1;

/// `schema.json`.
#[derive(Deserialize)]
struct Shape {
    schema: u64,
}

/// A store whose shape is looked at before anything else.
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

    async fn for_reading(&self) -> StoreResult<&S> {
        self.read.get_or_try_init(|| self.look()).await?;
        Ok(&self.inner)
    }

    async fn look(&self) -> StoreResult<()> {
        let Some(bytes) = self.inner.get(&self.key).await? else {
            return Ok(());
        };
        let error = |kind, message: String| StoreError {
            kind,
            action: "read",
            key: format!("{}/{}", self.inner.location(), self.key),
            message,
        };
        match serde_json::from_slice::<Shape>(&bytes) {
            Ok(shape) if shape.schema <= SCHEMA => Ok(()),
            Ok(shape) => {
                let text = format!(
                    "the store has schema {}, this bakeline knows up to {SCHEMA}",
                    shape.schema
                );
                Err(error(StoreErrorKind::Newer, text))
            }
            Err(e) => Err(error(
                StoreErrorKind::Other,
                format!("it does not say the store's schema: {e}"),
            )),
        }
    }

    async fn for_writing(&self) -> StoreResult<&S> {
        self.for_reading().await?;
        let say = || async {
            let text = format!("{{\"schema\": {SCHEMA}}}\n");
            self.inner
                .create(&self.key, text.as_bytes())
                .await
                .map(drop)
        };
        self.written.get_or_try_init(say).await?;
        Ok(&self.inner)
    }
}

#[async_trait]
impl<S: Store> Store for Versioned<S> {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        self.for_reading().await?.get(key).await
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.for_writing().await?.put(key, content).await
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        self.for_writing().await?.create(key, content).await
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        self.for_reading().await?.list(prefix).await
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        self.for_writing().await?.delete(key).await
    }

    fn durable(&self) -> bool {
        self.inner.durable()
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}
