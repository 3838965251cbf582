//! Implements the retirement port on a fake cloud. Disabling removes launch permissions, as in EC2.

use async_trait::async_trait;

use super::not_found;
use crate::adapters::fake::FakeCloud;
use crate::model::{AmiId, Region, Timestamp};
use crate::ports::{CloudErrorKind, CloudResult, Retirement};

#[async_trait]
impl Retirement for FakeCloud {
    async fn deprecate(&self, region: &Region, ami: &AmiId, at: Timestamp) -> CloudResult<()> {
        self.call(("deprecate", ami.as_str(), true), region, |state| {
            if !state.images.contains_key(ami) {
                return not_found(ami.as_str());
            }
            state.deprecations.insert(ami.clone(), at);
            Ok(())
        })
        .await
    }

    async fn cancel_deprecation(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.call(
            ("cancel_deprecation", ami.as_str(), true),
            region,
            |state| {
                state.deprecations.remove(ami);
                Ok(())
            },
        )
        .await
    }

    async fn disable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.call(("disable", ami.as_str(), true), region, |state| {
            let Some(image) = state.images.get_mut(ami) else {
                return not_found(ami.as_str());
            };
            "disabled".clone_into(&mut image.status);
            image.public = false;
            state.permissions.remove(ami);
            Ok(())
        })
        .await
    }

    async fn enable(&self, region: &Region, ami: &AmiId) -> CloudResult<()> {
        self.call(("enable", ami.as_str(), true), region, |state| {
            let Some(image) = state.images.get_mut(ami) else {
                return not_found(ami.as_str());
            };
            "available".clone_into(&mut image.status);
            Ok(())
        })
        .await
    }

    async fn permit(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        self.call(("permit", ami.as_str(), true), region, |state| {
            let Some(image) = state.images.get_mut(ami) else {
                return not_found(ami.as_str());
            };
            if image.status == "disabled" {
                return Err((
                    CloudErrorKind::Other,
                    format!("{ami} is disabled and can't be shared"),
                ));
            }
            image.public |= who.iter().any(|w| w == "all");
            state
                .permissions
                .entry(ami.clone())
                .or_default()
                .extend(who.iter().cloned());
            Ok(())
        })
        .await
    }

    async fn forbid(&self, region: &Region, ami: &AmiId, who: &[String]) -> CloudResult<()> {
        self.call(("forbid", ami.as_str(), true), region, |state| {
            let Some(image) = state.images.get_mut(ami) else {
                return not_found(ami.as_str());
            };
            image.public &= !who.iter().any(|w| w == "all");
            if let Some(permitted) = state.permissions.get_mut(ami) {
                permitted.retain(|one| !who.contains(one));
            }
            state.permissions.retain(|_, who| !who.is_empty());
            Ok(())
        })
        .await
    }
}
