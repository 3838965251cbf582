//! Owns the store on object_store: a local folder or an S3 bucket, opened as the catalog's settings say.

#[cfg(feature = "live")]
mod s3;
#[cfg(test)]
mod tests;
mod versioned;

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    Error as Failure, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};

use crate::catalog::{Settings, StoreSettings};
use crate::error::Result;
use crate::ports::{Store, StoreError, StoreErrorKind, StoreResult};
use versioned::Versioned;

/// The store that a catalog's settings name. Nothing is asked or made before the first call; that call refuses a store of
/// a newer shape, and the first write makes the folder and says the shape.
///
/// # Errors
/// S3 settings that make no client, or a build without S3.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    let schema = crate::evidence::keys::schema(&settings.name);
    Ok(match &settings.store {
        StoreSettings::Path(path) => {
            Arc::new(Versioned::new(Objects::local(Path::new(path)), schema))
        }
        StoreSettings::S3 {
            bucket,
            prefix,
            region,
        } => Arc::new(Versioned::new(
            bucket_of(bucket, prefix, region).await?,
            schema,
        )),
    })
}

#[cfg(feature = "live")]
async fn bucket_of(bucket: &str, prefix: &str, region: &crate::model::Region) -> Result<Objects> {
    let (remote, location) = (
        s3::client(bucket, region).await?,
        format!("s3://{bucket}/{prefix}"),
    );
    Ok(Objects {
        base: Base::Remote(remote),
        prefix: prefix.to_owned(),
        location,
    })
}

#[cfg(not(feature = "live"))]
async fn bucket_of(_: &str, _: &str, _: &crate::model::Region) -> Result<Objects> {
    Err(super::offline::unavailable())
}

/// Where objects are.
enum Base {
    /// A folder, made by the first write.
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
    fn local(root: &Path) -> Self {
        let location = root.display().to_string();
        Self {
            base: Base::Local {
                root: root.to_owned(),
                open: OnceLock::new(),
            },
            prefix: String::new(),
            location,
        }
    }

    /// The objects for reading; none where there is no folder yet.
    fn reading(&self, call: &Call<'_>) -> StoreResult<Option<Arc<dyn ObjectStore>>> {
        match &self.base {
            Base::Remote(remote) => Ok(Some(Arc::clone(remote))),
            Base::Local { open, .. } if open.get().is_some() => {
                Ok(open.get().map(|o| Arc::clone(o) as _))
            }
            Base::Local { root, .. } if !root.exists() => Ok(None),
            Base::Local { root, open } => enter(root, open, call).map(Some),
        }
    }

    /// The objects for writing.
    fn writing(&self, call: &Call<'_>) -> StoreResult<Arc<dyn ObjectStore>> {
        match &self.base {
            Base::Remote(remote) => Ok(Arc::clone(remote)),
            Base::Local { root, open } => {
                std::fs::create_dir_all(root)
                    .map_err(|e| call.failed(StoreErrorKind::Unwritable, e.to_string()))?;
                enter(root, open, call)
            }
        }
    }

    fn key(&self, call: &Call<'_>) -> StoreResult<Key> {
        let full = if self.prefix.is_empty() {
            call.key.to_owned()
        } else {
            format!("{}/{}", self.prefix, call.key)
        };
        Key::parse(&full).map_err(|e| call.failed(StoreErrorKind::Other, e.to_string()))
    }

    async fn write(&self, call: Call<'_>, content: &[u8], mode: PutMode) -> StoreResult<bool> {
        let key = self.key(&call)?;
        let objects = self.writing(&call)?;
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
            Err(e) => Err(call.because(&e)),
        }
    }
}

/// Opens the folder; each file and its folder are on disk before a write is answered.
fn enter(
    root: &Path,
    open: &OnceLock<Arc<LocalFileSystem>>,
    call: &Call<'_>,
) -> StoreResult<Arc<dyn ObjectStore>> {
    if let Some(known) = open.get() {
        return Ok(Arc::clone(known) as _);
    }
    let made = LocalFileSystem::new_with_prefix(root)
        .map_err(|e| call.because(&e))?
        .with_fsync(true);
    Ok(Arc::clone(open.get_or_init(|| Arc::new(made))) as _)
}

/// What is asked of which store, for its errors.
struct Call<'c> {
    action: &'static str,
    key: &'c str,
    store: &'c Objects,
}

impl Call<'_> {
    fn failed(&self, kind: StoreErrorKind, message: String) -> StoreError {
        StoreError {
            kind,
            action: self.action,
            key: format!("{}/{}", self.store.location, self.key),
            message,
        }
    }

    fn because(&self, failure: &Failure) -> StoreError {
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
        self.failed(kind, innermost(failure))
    }
}

/// The innermost cause says most: the outer ones only say that a call failed.
fn innermost(failure: &Failure) -> String {
    let mut cause: &(dyn StdError + 'static) = failure;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
        .to_string()
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
        let at = self.key(&call)?;
        let Some(objects) = self.reading(&call)? else {
            return Ok(None);
        };
        let found = match objects.get(&at).await {
            Ok(found) => found,
            Err(e @ Failure::NotFound { .. }) if !e.to_string().contains("NoSuchBucket") => {
                return Ok(None);
            }
            Err(e) => return Err(call.because(&e)),
        };
        found
            .bytes()
            .await
            .map(|bytes| Some(bytes.to_vec()))
            .map_err(|e| call.because(&e))
    }

    async fn put(&self, key: &str, content: &[u8]) -> StoreResult<()> {
        self.write(
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
        self.write(
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
        let below = self.key(&call)?;
        let Some(objects) = self.reading(&call)? else {
            return Ok(Vec::new());
        };
        let found: Vec<_> = objects
            .list(Some(&below))
            .try_collect()
            .await
            .map_err(|e| call.because(&e))?;
        let start = if self.prefix.is_empty() {
            0
        } else {
            self.prefix.len() + 1
        };
        let mut keys: Vec<String> = found
            .iter()
            .filter_map(|o| o.location.as_ref().get(start..).map(str::to_owned))
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
        let at = self.key(&call)?;
        let Some(objects) = self.reading(&call)? else {
            return Ok(());
        };
        match objects.delete(&at).await {
            Ok(()) | Err(Failure::NotFound { .. }) => Ok(()),
            Err(e) => Err(call.because(&e)),
        }
    }

    fn durable(&self) -> bool {
        matches!(self.base, Base::Remote(_))
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
