"""Names the IAM action and resource of a request to S3."""

from __future__ import annotations

from collections.abc import Mapping

# Subresource in the query: suffix of the action. All other requests are in `_PLAIN`.
_BUCKET_SUBRESOURCES = {
    "acl": "BucketAcl",
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "logging": "BucketLogging",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
_OBJECT_SUBRESOURCES = {
    "acl": "ObjectAcl",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
}
_BUCKET_ACTIONS = {
    ("GET", ""): "ListBucket",
    ("HEAD", ""): "ListBucket",
    ("PUT", ""): "CreateBucket",
    ("DELETE", ""): "DeleteBucket",
    ("POST", "delete"): "DeleteObject",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploads"): "ListBucketMultipartUploads",
    ("GET", "versions"): "ListBucketVersions",
}
_OBJECT_ACTIONS = {
    ("GET", ""): "GetObject",
    ("HEAD", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("POST", "uploads"): "PutObject",
    ("PUT", "uploadId"): "PutObject",
    ("POST", "uploadId"): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("GET", "uploadId"): "ListMultipartUploadParts",
    ("GET", "attributes"): "GetObjectAttributes",
}
_VERBS = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Put"}


def name_s3_request(method: str, path: str, query: Mapping[str, str]) -> tuple[str, str]:
    """Returns action and ARN; an unknown request has an action that only wildcards match."""
    bucket, _, key = path.lstrip("/").partition("/")
    if not bucket:
        return "s3:ListAllMyBuckets", "*"
    actions, subresources = (
        (_OBJECT_ACTIONS, _OBJECT_SUBRESOURCES) if key else (_BUCKET_ACTIONS, _BUCKET_SUBRESOURCES)
    )
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    for name in query:
        if (method, name) in actions:
            return f"s3:{actions[method, name]}", resource
        if name in subresources:
            return f"s3:{_VERBS.get(method, method)}{subresources[name]}", resource
    action = actions.get((method, ""), f"Unknown{method}")
    return f"s3:{action}", resource
