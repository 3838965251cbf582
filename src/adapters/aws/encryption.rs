//! Reads EBS encryption by default, the keys of snapshots, and the manager of KMS keys.

use async_trait::async_trait;
use aws_sdk_kms::types::KeyManagerType;

use super::Aws;
use super::errors::{cloud_error, require_field};
use crate::model::{Region, SnapshotId};
use crate::ports::{CloudResult, EncryptionReader};

/// Snapshots in one call. Each ID takes about 40 characters of the request.
const BATCH: usize = 200;

#[async_trait]
impl EncryptionReader for Aws {
    async fn default_key(&self, region: &Region) -> CloudResult<Option<String>> {
        let clients = self.clients(region);
        let answer = clients.ec2.get_ebs_encryption_by_default().send().await;
        let answer = answer.map_err(|e| cloud_error("GetEbsEncryptionByDefault", region, &e))?;
        let (is_on, action) = (
            answer.ebs_encryption_by_default,
            "GetEbsEncryptionByDefault",
        );
        if !require_field(is_on, "ebsEncryptionByDefault", action, region)? {
            return Ok(None);
        }
        let answer = clients.ec2.get_ebs_default_kms_key_id().send().await;
        let answer = answer.map_err(|e| cloud_error("GetEbsDefaultKmsKeyId", region, &e))?;
        require_field(
            answer.kms_key_id,
            "kmsKeyId",
            "GetEbsDefaultKmsKeyId",
            region,
        )
        .map(Some)
    }

    async fn snapshot_keys(
        &self,
        region: &Region,
        snapshots: &[SnapshotId],
    ) -> CloudResult<Vec<(SnapshotId, String)>> {
        let clients = self.clients(region);
        let mut out = Vec::new();
        for batch in snapshots.chunks(BATCH) {
            let ids = batch.iter().map(ToString::to_string).collect();
            let call = clients.ec2.describe_snapshots().set_snapshot_ids(Some(ids));
            let answer = call.send().await;
            let answer = answer.map_err(|e| cloud_error("DescribeSnapshots", region, &e))?;
            let found = answer.snapshots.unwrap_or_default().into_iter();
            out.extend(found.filter_map(|s| Some((SnapshotId(s.snapshot_id?), s.kms_key_id?))));
        }
        Ok(out)
    }

    async fn is_aws_managed(&self, region: &Region, key: &str) -> CloudResult<bool> {
        let clients = self.clients(region);
        let answer = clients.kms.describe_key().key_id(key).send().await;
        let answer = answer.map_err(|e| cloud_error("DescribeKey", region, &e))?;
        let data = require_field(answer.key_metadata, "KeyMetadata", "DescribeKey", region)?;
        Ok(data.key_manager == Some(KeyManagerType::Aws))
    }
}
