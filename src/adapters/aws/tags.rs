//! Builds tags and filters of EC2 requests.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::model::Tags;

/// Converts tags to the type of the SDK.
pub(super) fn ec2_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// Returns the tags that a call sets on a resource that it creates.
pub(super) fn tag_specification(resource_type: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(resource_type)
        .set_tags(Some(ec2_tags(tags)))
        .build()
}

/// Returns a filter with one value.
pub(super) fn filter(name: impl Into<String>, value: impl Into<String>) -> Filter {
    Filter::builder().name(name).values(value).build()
}
