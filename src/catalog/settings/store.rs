//! Checks the settings of the store.

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawBucket, RawSse, RawStore, Text};
use crate::catalog::syntax::Syntax;
use crate::catalog::types::{Bucket, BucketEncryption, StoreSettings};
use crate::catalog::{codes, syntax};
use crate::model::Region;

/// Returns the location of the store. Reports an invalid location.
pub(crate) fn parse_store(
    raw: &RawStore,
    regions: &[Region],
    checker: &mut Checker<'_, '_>,
) -> Option<StoreSettings> {
    let bucket = match raw {
        RawStore::Path(path) => {
            return check_path(
                "a valid directory of the store",
                path,
                &syntax::FOLDER,
                checker,
            )
            .map(StoreSettings::path);
        }
        RawStore::S3(bucket) => &bucket.value,
    };
    let region = checker
        .check_aws_name("a valid Region", bucket.region.as_ref(), &syntax::REGION)
        .map(Region);
    let prefix = match &bucket.prefix {
        Some(prefix) => check_path("a valid key prefix", prefix, &syntax::PATH, checker)?,
        None => String::new(),
    };
    let encryption = parse_encryption(bucket, checker);
    let endpoint = bucket
        .endpoint
        .as_ref()
        .map(|text| checker.check_name(codes::STORE, "a valid endpoint", text, &syntax::ENDPOINT));
    Some(StoreSettings::S3(Bucket {
        name: checker.check_name(
            codes::STORE,
            "a valid bucket name",
            bucket.bucket.as_ref()?,
            &syntax::BUCKET,
        )?,
        prefix,
        region: region.or_else(|| regions.first().cloned())?,
        encryption,
        endpoint: endpoint.flatten(),
        checksum: bucket.checksum.is_some(),
    }))
}

/// Returns the encryption of the objects. Reports a key that would not be used.
fn parse_encryption(bucket: &RawBucket, checker: &mut Checker<'_, '_>) -> Option<BucketEncryption> {
    let key = checker.check_aws_name("a valid KMS key", bucket.kms_key.as_ref(), &syntax::KMS_KEY);
    match (bucket.sse, &bucket.kms_key) {
        (Some(RawSse::Kms), _) => Some(BucketEncryption::Kms(key)),
        (sse, Some(text)) => {
            checker
                .error(
                    codes::STORE,
                    &text.span,
                    "`kms_key` requires `sse: aws:kms`",
                )
                .help("add `sse: aws:kms`, or remove `kms_key`");
            sse.map(|_| BucketEncryption::Aes256)
        }
        (sse, None) => sse.map(|_| BucketEncryption::Aes256),
    }
}

/// Returns a path without `.` and `..`. Reports an invalid path.
fn check_path(
    what: &str,
    text: &Text,
    syntax: &Syntax,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    if text.value.split('/').any(|part| matches!(part, "." | "..")) {
        checker
            .error(
                codes::STORE,
                &text.span,
                format!(
                    "the path `{}` contains `.` or `..`",
                    quote_text(&text.value)
                ),
            )
            .help("remove these segments");
        return None;
    }
    checker.check_name(codes::STORE, what, text, syntax)
}
