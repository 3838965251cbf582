//! Implements the store with object_store, in a local directory or an S3 bucket.

#[cfg(feature = "live")]
mod s3;
#[cfg(test)]
mod tests;
mod versioned;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    Error as Failure, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};

use super::state_directory::create_directory;
use crate::catalog::{Bucket, Settings, StoreSettings};
use crate::error::{Result, causes};
use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};
use versioned::Versioned;

/// Returns the store of a catalog. Does not read or write it yet. The first call refuses a store of
/// a newer format. The first write creates the directory and records the format.
///
/// # Errors
/// Fails if no S3 client can be created, or in a build without S3.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    let schema = crate::evidence::keys::schema(&settings.name);
    Ok(match &settings.store {
        StoreSettings::Path { name, directory } => {
            Arc::new(Versioned::new(Objects::local(directory, name), schema))
        }
        StoreSettings::S3(bucket) => Arc::new(Versioned::new(open_bucket(bucket).await?, schema)),
    })
}

#[cfg(feature = "live")]
async fn open_bucket(bucket: &Bucket) -> Result<Objects> {
    Ok(Objects {
        base: Base::Remote(s3::create_client(bucket).await?),
        prefix: bucket.prefix.clone(),
        location: format!("s3://{}/{}", bucket.name, bucket.prefix),
    })
}

#[cfg(not(feature = "live"))]
async fn open_bucket(_: &Bucket) -> Result<Objects> {
    Err(super::offline::offline_error())
}

/// Storage of the objects.
enum Base {
    /// A directory that the first write creates.
    Local {
        root: PathBuf,
        open: OnceLock<Arc<LocalFileSystem>>,
    },
    /// A bucket.
    #[cfg_attr(
        not(feature = "live"),
        expect(dead_code, reason = "a bucket needs the feature `live`")
    )]
    Remote(Arc<dyn ObjectStore>),
}

/// Objects below a prefix.
struct Objects {
    base: Base,
    prefix: String,
    location: String,
}

impl Objects {
    fn local(root: &Path, name: &str) -> Self {
        Self {
            base: Base::Local {
                root: root.to_owned(),
                open: OnceLock::new(),
            },
            prefix: String::new(),
            location: name.to_owned(),
        }
    }

    /// Opens the objects for reading. Returns `None` if the directory does not exist yet.
    fn open_for_reading(&self, call: &Call<'_>) -> StoreResult<Option<Arc<dyn ObjectStore>>> {
        match &self.base {
            Base::Remote(remote) => Ok(Some(Arc::clone(remote))),
            Base::Local { open, .. } if open.get().is_some() => {
                Ok(open.get().map(|o| Arc::clone(o) as _))
            }
            Base::Local { root, .. } if !root.exists() => Ok(None),
            Base::Local { root, open } => open_directory(root, open, call).map(Some),
        }
    }

    /// Opens the objects for writing and creates the directory.
    fn open_for_writing(&self, call: &Call<'_>) -> StoreResult<Arc<dyn ObjectStore>> {
        match &self.base {
            Base::Remote(remote) => Ok(Arc::clone(remote)),
            Base::Local { root, open } => {
                create_directory(root)
                    .map_err(|e| call.error(StoreErrorKind::Unwritable, e.to_string()))?;
                open_directory(root, open, call)
            }
        }
    }

    fn full_key(&self, call: &Call<'_>) -> StoreResult<Key> {
        let full = if self.prefix.is_empty() {
            call.key.to_owned()
        } else {
            format!("{}/{}", self.prefix, call.key)
        };
        Key::parse(&full).map_err(|e| call.error(StoreErrorKind::Other, e.to_string()))
    }

    async fn put_object(&self, call: Call<'_>, content: &[u8], mode: PutMode) -> StoreResult<bool> {
        let key = self.full_key(&call)?;
        let objects = self.open_for_writing(&call)?;
        let payload = PutPayload::from(content.to_vec());
        match objects
            .put_opts(
                &key,
                payload,
                PutOptions {
                    mode,
                    ..PutOptions::default()
                },
            )
            .await
        {
            Ok(_) => Ok(true),
            Err(Failure::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(call.convert(&e)),
        }
    }
}

/// Opens the directory. A write returns after the file and its directory are on disk.
fn open_directory(
    root: &Path,
    open: &OnceLock<Arc<LocalFileSystem>>,
    call: &Call<'_>,
) -> StoreResult<Arc<dyn ObjectStore>> {
    if let Some(opened) = open.get() {
        return Ok(Arc::clone(opened) as _);
    }
    let opened = LocalFileSystem::new_with_prefix(root)
        .map_err(|e| call.convert(&e))?
        .with_fsync(true);
    Ok(Arc::clone(open.get_or_init(|| Arc::new(opened))) as _)
}

/// Description of a call for its errors.
struct Call<'c> {
    action: &'static str,
    key: &'c str,
    store: &'c Objects,
}

impl Call<'_> {
    fn error(&self, kind: StoreErrorKind, message: String) -> StoreError {
        StoreError {
            kind,
            action: self.action,
            key: format!("{}/{}", self.store.location, self.key),
            message,
        }
    }

    fn convert(&self, failure: &Failure) -> StoreError {
        let writes = matches!(self.action, "write" | "create" | "delete");
        let local = matches!(self.store.base, Base::Local { .. });
        let kind = match failure {
            Failure::PermissionDenied { .. } if writes => StoreErrorKind::Unwritable,
            _ if local && writes => StoreErrorKind::Unwritable,
            Failure::PermissionDenied { .. }
            | Failure::Unauthenticated { .. }
            | Failure::NotFound { .. }
            | Failure::Generic { .. } => StoreErrorKind::Unreachable,
            _ => StoreErrorKind::Other,
        };
        let cause = root_cause(failure);
        if cause.contains("NoSuchBucket") {
            // Instead of the XML of the answer.
            return self.error(kind, "the bucket does not exist: create it".to_owned());
        }
        self.error(kind, cause)
    }
}

/// Returns the message of the innermost error on one line. The outer messages only state that a
/// call failed.
fn root_cause(failure: &Failure) -> String {
    causes(failure)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[async_trait]
impl Store for Objects {
    async fn get(&self, key: &str) -> StoreResult<Option<Vec<u8>>> {
        let call = Call {
            action: "read",
            key,
            store: self,
        };
        let full_key = self.full_key(&call)?;
        let Some(objects) = self.open_for_reading(&call)? else {
            return Ok(None);
        };
        let found = match objects.get(&full_key).await {
            Ok(found) => found,
            Err(e @ Failure::NotFound { .. }) if !e.to_string().contains("NoSuchBucket") => {
                return Ok(None);
            }
            Err(e) => return Err(call.convert(&e)),
        };
        found
            .bytes()
            .await
            .map(|bytes| Some(bytes.to_vec()))
            .map_err(|e| call.convert(&e))
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.put_object(
            Call {
                action: "write",
                key,
                store: self,
            },
            content,
            PutMode::Overwrite,
        )
        .await
        .map(drop)
    }

    async fn create(&self, key: &str, content: &[u8]) -> StoreResult<bool> {
        self.put_object(
            Call {
                action: "create",
                key,
                store: self,
            },
            content,
            PutMode::Create,
        )
        .await
    }

    async fn list(&self, prefix: &str) -> StoreResult<Vec<String>> {
        let call = Call {
            action: "list",
            key: prefix,
            store: self,
        };
        let below = self.full_key(&call)?;
        let Some(objects) = self.open_for_reading(&call)? else {
            return Ok(Vec::new());
        };
        let found: Vec<_> = objects
            .list(Some(&below))
            .try_collect()
            .await
            .map_err(|e| call.convert(&e))?;
        let prefix_length = if self.prefix.is_empty() {
            0
        } else {
            self.prefix.len() + 1
        };
        let mut keys: Vec<String> = found
            .iter()
            .filter_map(|o| o.location.as_ref().get(prefix_length..).map(str::to_owned))
            .collect();
        keys.sort();
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> StoreResult<()> {
        let call = Call {
            action: "delete",
            key,
            store: self,
        };
        let full_key = self.full_key(&call)?;
        let Some(objects) = self.open_for_reading(&call)? else {
            return Ok(());
        };
        match objects.delete(&full_key).await {
            Ok(()) | Err(Failure::NotFound { .. }) => Ok(()),
            Err(e) => Err(call.convert(&e)),
        }
    }

    async fn check_write(&self) -> StoreResult<bool> {
        let Base::Local { root, .. } = &self.base else {
            return Ok(false);
        };
        let call = Call {
            action: "write",
            key: "",
            store: self,
        };
        // The first write creates the directory and its parents.
        let absolute = std::path::absolute(root)
            .map_err(|e| call.error(StoreErrorKind::Unwritable, e.to_string()))?;
        let existing = absolute.ancestors().find(|path| path.exists());
        let writes = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        match existing.map(|path| (path, rustix::fs::access(path, writes))) {
            Some((path, Ok(()))) if path.is_dir() => Ok(true),
            Some((path, Ok(()))) => {
                let text = format!("{} is not a directory", path.display());
                Err(call.error(StoreErrorKind::Unwritable, text))
            }
            Some((path, Err(error))) => {
                let text = format!("{}: {error}", path.display());
                Err(call.error(StoreErrorKind::Unwritable, text))
            }
            None => Ok(false),
        }
    }

    fn is_durable(&self) -> bool {
        matches!(self.base, Base::Remote(_))
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
