//! Defines the location of the store.

use std::path::{Path, PathBuf};

use crate::model::Region;

/// Location of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// A directory.
    Path {
        /// Path in bakeline.yaml, for messages.
        name: String,
        /// Absolute path, or the path relative to the directory of the catalog until it is known.
        directory: PathBuf,
    },
    /// An S3 bucket.
    S3(Bucket),
}

impl StoreSettings {
    /// Returns the store in a directory, absolute or relative to the directory of the catalog.
    #[must_use]
    pub fn path(name: String) -> Self {
        let directory = PathBuf::from(&name);
        Self::Path { name, directory }
    }

    /// Returns the store with the absolute path of its directory.
    #[must_use]
    pub fn resolve(self, catalog_dir: &Path) -> Self {
        match self {
            Self::Path { name, directory } => Self::Path {
                name,
                directory: catalog_dir.join(directory),
            },
            bucket @ Self::S3(_) => bucket,
        }
    }
}

/// An S3 bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Name.
    pub name: String,
    /// Prefix of all keys. May be empty.
    pub prefix: String,
    /// Region.
    pub region: Region,
    /// Encryption that each request asks for. `None` leaves it to the bucket.
    pub encryption: Option<BucketEncryption>,
    /// Endpoint of another S3 implementation, or of AWS in a VPC.
    pub endpoint: Option<String>,
    /// True if each request has a SHA-256 checksum, as Object Lock requires.
    pub checksum: bool,
}

/// Server-side encryption of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketEncryption {
    /// Keys that S3 manages.
    Aes256,
    /// A KMS key. `None` for that of the bucket, or the AWS-managed key.
    Kms(Option<String>),
}
