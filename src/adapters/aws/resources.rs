//! Implements the calls for EC2 resources of any type: tags, temporary resources and their deletion.

use async_trait::async_trait;

use super::Aws;
use super::clients::Clients;
use super::errors::{cloud_error, exists};
use super::tags::ec2_tags;
use super::temporaries;
use crate::model::{Region, Tags, TemporaryResource};
use crate::ports::{CloudResult, ResourceReader, ResourceWriter, TemporaryQuery};

#[async_trait]
impl ResourceReader for Aws {
    async fn temporaries(
        &self,
        region: &Region,
        query: &TemporaryQuery,
    ) -> CloudResult<Vec<TemporaryResource>> {
        temporaries::list_temporaries(&self.clients(region), query).await
    }
}

#[async_trait]
impl ResourceWriter for Aws {
    async fn tag(&self, region: &Region, ids: &[String], tags: &Tags) -> CloudResult<()> {
        let call = self
            .clients(region)
            .ec2
            .create_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(ec2_tags(tags)));
        call.send()
            .await
            .map_err(|e| cloud_error("CreateTags", region, &e))?;
        Ok(())
    }

    async fn untag(&self, region: &Region, ids: &[String], keys: &[String]) -> CloudResult<()> {
        let tags = keys
            .iter()
            .map(|key| aws_sdk_ec2::types::Tag::builder().key(key).build())
            .collect();
        let call = self
            .clients(region)
            .ec2
            .delete_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(tags));
        call.send()
            .await
            .map_err(|e| cloud_error("DeleteTags", region, &e))?;
        Ok(())
    }

    async fn delete_snapshot(&self, region: &Region, id: &str) -> CloudResult<bool> {
        delete_snapshot(&self.clients(region), id).await
    }

    async fn delete_volume(&self, region: &Region, id: &str) -> CloudResult<bool> {
        delete_volume(&self.clients(region), id).await
    }
}

async fn delete_snapshot(clients: &Clients, id: &str) -> CloudResult<bool> {
    let answer = clients.ec2.delete_snapshot().snapshot_id(id).send().await;
    exists(answer.map_err(|e| cloud_error("DeleteSnapshot", &clients.region, &e)))
}

async fn delete_volume(clients: &Clients, id: &str) -> CloudResult<bool> {
    let answer = clients.ec2.delete_volume().volume_id(id).send().await;
    exists(answer.map_err(|e| cloud_error("DeleteVolume", &clients.region, &e)))
}
