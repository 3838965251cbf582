"""Translates API calls into the requests that policies decide: action, resource, condition keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from ..api_call import ApiCall
from .policy_documents import Request
from .s3_requests import name_s3_request

CREATED_TYPES = {
    "RunInstances": ("instance", "volume", "network-interface"),
    "CreateImage": ("image", "snapshot"),
    "CopyImage": ("image", "snapshot"),
    "RegisterImage": ("image",),
    "CreateSecurityGroup": ("security-group",),
    "CreateKeyPair": ("key-pair",),
    "ImportKeyPair": ("key-pair",),
    "CreateSnapshot": ("snapshot",),
    "CopySnapshot": ("snapshot",),
    "CreateVolume": ("volume",),
    "CreateLaunchTemplate": ("launch-template",),
}
_TYPES_WITHOUT_ACCOUNT = ("image", "snapshot")  # in their ARNs
_ID_TYPES = {
    "InstanceId": "instance",
    "ImageId": "image",
    "SourceImageId": "image",
    "SnapshotId": "snapshot",
    "SourceSnapshotId": "snapshot",
    "VolumeId": "volume",
    "GroupId": "security-group",
    "SecurityGroupId": "security-group",
    "SubnetId": "subnet",
    "VpcId": "vpc",
    "KeyName": "key-pair",
    "LaunchTemplateId": "launch-template",
    "ResourceId": "",  # any type
}
_ID_PARAMETER = re.compile(rf"(?:NetworkInterface\.\d+\.)?({'|'.join(_ID_TYPES)})(?:\.\d+)?")
_TAG_TYPE = re.compile(r"TagSpecification\.(\d+)\.ResourceType")
_TAG_KEY = re.compile(r"Tag\.(\d+)\.Key")
_REFERENCE_TYPE = re.compile(r"ResourceTypes?\.\d+\.ResourceType")
# Permissions of the caller with which DescribeImageReferences searches each type, as in the policy
# AmazonEC2ImageReferencesAccessPolicy.
_REFERENCE_READS = {
    "ec2:Instance": ("ec2:DescribeInstances",),
    "ec2:LaunchTemplate": (
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeLaunchTemplateVersions",
    ),
    "ssm:Parameter": ("ssm:DescribeParameters", "ssm:GetParameters"),
    "imagebuilder:ImageRecipe": ("imagebuilder:ListImageRecipes",),
    "imagebuilder:ContainerRecipe": (
        "imagebuilder:ListContainerRecipes",
        "imagebuilder:GetContainerRecipe",
    ),
}
_IAM_NAMES = {
    "RoleName": "role",
    "UserName": "user",
    "InstanceProfileName": "instance-profile",
    "PolicyName": "policy",
}
Keys = Mapping[str, tuple[str, ...]]
SSM_PREFIX = "resolve:ssm:"


@dataclass
class Caller:
    """Principal of a call: the ARN of its session, and that of the role or user of the session."""

    arn: str
    role_arn: str

    @property
    def account(self) -> str:
        """Account of the caller."""
        return self.arn.split(":")[4]

    @property
    def partition(self) -> str:
        """Partition of the caller, such as aws."""
        return self.arn.split(":")[1]


@dataclass
class RequestBuilder:
    """Lists the requests of one call."""

    call: ApiCall
    caller: Caller
    keys: dict[str, tuple[str, ...]] = field(init=False)

    def __post_init__(self) -> None:
        region = (self.call.region,)
        self.keys = {
            "aws:requestedregion": region,
            "aws:principalarn": (self.caller.role_arn,),
            "aws:principalaccount": (self.caller.account,),
        }
        if self.call.service == "ec2":
            self.keys["ec2:region"] = region
        if self.call.via:
            self.keys["kms:viaservice"] = (self.call.via,)

    def list_requests(self) -> list[Request]:
        """Returns the requests of the call, and those that AWS makes with the same permissions."""
        build = {
            "ec2": self._list_ec2,
            "s3": self._list_s3,
            "ssm": self._list_ssm,
            "kms": self._list_kms,
            "iam": self._list_iam,
            "sts": self._list_sts,
        }.get(self.call.service)
        return list(build()) if build else [self._request()]

    def _request(self, resource: str = "*", action: str = "", keys: Keys | None = None) -> Request:
        action = action or f"{self.call.service}:{self.call.action}"
        return Request(action, resource, {**self.keys, **(keys or {})})

    def _arn(self, service: str, resource: str, region: str = "", account: str = "") -> str:
        return f"arn:{self.caller.partition}:{service}:{region}:{account}:{resource}"

    def _ec2_arn(self, resource_type: str, name: str) -> str:
        account = "" if resource_type in _TYPES_WITHOUT_ACCOUNT else self.caller.account
        return self._arn("ec2", f"{resource_type}/{name}", self.call.region, account)

    def _list_ec2(self) -> Iterator[Request]:
        action, form = self.call.action, self.call.parameters
        is_launch, created = action == "RunInstances", CREATED_TYPES.get(action, ())
        launch = read_launch(self.call, self.caller.account) if is_launch else {}
        tags = read_tags(form) | {
            name: {**values, **read_tags(form).get(name, {})}
            for name, values in launch.get("tags", {}).items()
        }
        requests = []
        for resource_type in created:
            name = form.get("KeyName", "*") if resource_type == "key-pair" else "*"
            keys = _tag_keys(tags.get(resource_type, {}))
            if resource_type == "instance":
                keys |= launch["keys"]
            request = self._request(self._ec2_arn(resource_type, name), keys=keys)
            requests.append(replace(request, is_new=True))
        if not action.startswith("Describe"):
            own_tags = _tag_keys(tags.get("", {}))
            requests += [
                self._request(arn, keys=self._resource_tags(resource_id) | own_tags)
                for arn, resource_id in self._named_resources(launch.get("subnet", ""))
                if "key-pair" not in created or ":key-pair/" not in arn
            ]
        yield from requests or [self._request()]
        for resource_type, values in tags.items():
            if resource_type and values:
                keys = {**_tag_keys(values), "ec2:createaction": (action,)}
                yield self._request(self._ec2_arn(resource_type, "*"), "ec2:CreateTags", keys)
        if is_launch:
            yield from self._list_launch(launch)
        if action == "DescribeImageReferences":
            yield from self._list_reference_reads()

    def _named_resources(self, subnet: str) -> Iterator[tuple[str, str]]:
        """Yields ARN and ID of the existing resources that an EC2 call names."""
        named = dict.fromkeys(
            (found[1], str(value))
            for name, value in self.call.parameters.items()
            if (found := _ID_PARAMETER.fullmatch(name)) and value
        )
        if subnet:
            named["SubnetId", subnet] = None
        for name, value in named:
            if value.startswith(SSM_PREFIX):
                continue
            resource_type = _ID_TYPES[name] or EC2_PREFIX_TO_RESOURCE.get(get_prefix(value), "*")
            yield self._ec2_arn(resource_type, value), value

    def _list_reference_reads(self) -> Iterator[Request]:
        """Yields the reads of the resource types in which references are searched."""
        form = self.call.parameters
        names = [str(form[name]) for name in form if _REFERENCE_TYPE.fullmatch(name)]
        if str(form.get("IncludeAllResourceTypes")).lower() == "true":
            names = list(_REFERENCE_READS)
        for action in (action for name in names for action in _REFERENCE_READS.get(name, ())):
            is_parameter = action == "ssm:GetParameters"
            yield self._request(self._parameter_arn("*") if is_parameter else "*", action)

    def _resource_tags(self, resource_id: str) -> dict[str, tuple[str, ...]]:
        region = self.call.parameters.get("SourceRegion") or self.call.region
        ec2 = ec2_backends[self.caller.account][region]
        key_pair = ec2.key_pairs.get(resource_id)
        tags = ec2.tags.get(key_pair.id if key_pair else resource_id, {})
        prefixes = ("aws:resourcetag/", "ec2:resourcetag/")
        return {
            f"{prefix}{key.lower()}": (value,) for key, value in tags.items() for prefix in prefixes
        }

    def _list_launch(self, launch: dict[str, Any]) -> Iterator[Request]:
        """Yields further requests of a launch: to pass a role, and to read an SSM parameter."""
        form = self.call.parameters
        name = form.get("IamInstanceProfile.Name") or form.get("IamInstanceProfile.Arn", "")
        iam = iam_backends[self.caller.account][self.caller.partition]
        for profile in iam.get_instance_profiles():
            if name and name in (profile.name, profile.arn):
                for role in profile.roles:
                    service = {"iam:passedtoservice": ("ec2.amazonaws.com",)}
                    yield self._request(role.arn, "iam:PassRole", service)
        image = form.get("ImageId", "")
        if image.startswith(SSM_PREFIX):
            yield self._request(
                self._parameter_arn(image.removeprefix(SSM_PREFIX).partition(":")[0]),
                "ssm:GetParameters",
            )

    def _list_s3(self) -> Iterator[Request]:
        call = self.call
        action, resource = name_s3_request(call.method, call.path, call.query)
        keys = {"s3:prefix": (call.query["prefix"],)} if "prefix" in call.query else {}
        headers = {name: value for name, value in call.headers.items() if name.startswith("x-amz-")}
        keys |= {f"s3:{name}": (value,) for name, value in headers.items()}
        # DeleteObjects needs the permission for each object.
        for name in call.parameters.get("Keys") or [""]:
            yield self._request(f"{resource}/{name}" if name else resource, action, keys)

    def _parameter_arn(self, name: str) -> str:
        if name.startswith("arn:"):
            return name
        account = "" if name.startswith("/aws/") else self.caller.account
        return self._arn("ssm", f"parameter/{name.lstrip('/')}", self.call.region, account)

    def _list_ssm(self) -> Iterator[Request]:
        document = self.call.parameters
        if self.call.action == "StartSession":
            target, name = str(document.get("Target")), document.get("DocumentName")
            yield self._request(self._ec2_arn("instance", target), keys=self._resource_tags(target))
            yield self._request(self._arn("ssm", f"document/{name}", self.call.region))
            return
        names = [*(document.get("Names") or [])]
        if document.get("ResourceType", "Parameter") == "Parameter":
            names += [
                document[member] for member in ("Name", "Path", "ResourceId") if member in document
            ]
        tags = {str(tag.get("Key")): str(tag.get("Value")) for tag in document.get("Tags") or []}
        arns = [self._parameter_arn(str(name)) for name in names] or ["*"]
        for arn in arns:
            is_new = self.call.action == "PutParameter"
            yield replace(self._request(arn, keys=_tag_keys(tags)), is_new=is_new)
            if self.call.action == "PutParameter" and tags:
                yield self._request(arn, "ssm:AddTagsToResource", _tag_keys(tags))
        if self.call.action == "PutParameter" and document.get("DataType") == "aws:ec2:image":
            yield self._request(action="ec2:DescribeImages")

    def _list_kms(self) -> Iterator[Request]:
        key_id = str(self.call.parameters.get("KeyId") or "")
        if not key_id:
            yield self._request()
            return
        account = key_id.split(":")[4] if key_id.startswith("arn:") else self.caller.account
        keys = {"kms:calleraccount": (self.caller.account,)}
        try:
            key = kms_backends[account][self.call.region].describe_key(key_id)
            yield self._request(key.arn, keys=keys)
        except Exception:  # unknown key: moto answers NotFound if the caller may call this at all
            arn = self._arn("kms", f"key/{key_id}", self.call.region, account)
            yield self._request(arn if not key_id.startswith("arn:") else key_id, keys=keys)

    def _list_iam(self) -> Iterator[Request]:
        form = self.call.parameters
        if arn := form.get("PolicyArn"):
            yield self._request(str(arn))
            return
        for member, kind in _IAM_NAMES.items():
            if name := form.get(member):
                arn = self._arn("iam", f"{kind}/{name}", account=self.caller.account)
                yield self._request(arn)
                return
        yield self._request()

    def _list_sts(self) -> Iterator[Request]:
        form = self.call.parameters
        names = {"sts:externalid": "ExternalId", "sts:rolesessionname": "RoleSessionName"}
        keys = {key: (form[name],) for key, name in names.items() if form.get(name)}
        yield self._request(str(form.get("RoleArn") or "*"), keys=keys)


def _tag_keys(tags: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Returns the condition keys of the tags in a request."""
    if not tags:
        return {}
    keys = {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
    return {**keys, "aws:tagkeys": tuple(tags)}


def read_tags(form: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Returns the tags of an EC2 call by resource type; those of CreateTags have the type ""."""
    tags: dict[str, dict[str, str]] = {}
    for name, resource_type in form.items():
        if found := _TAG_TYPE.fullmatch(name):
            prefix = f"TagSpecification.{found[1]}."
            values = _read_tag_list(form, prefix)
            tags.setdefault(str(resource_type), {}).update(values)
    if own := _read_tag_list(form, ""):
        tags[""] = own
    return tags


def _read_tag_list(form: dict[str, Any], prefix: str) -> dict[str, str]:
    found = {}
    for name, key in form.items():
        if name.startswith(prefix) and _TAG_KEY.fullmatch(name.removeprefix(prefix)):
            found[str(key)] = str(form.get(f"{name.removesuffix('Key')}Value") or "")
    return found


def read_launch(call: ApiCall, account: str) -> dict[str, Any]:
    """Returns condition keys, tags and subnet of RunInstances, also from its launch template."""
    form = call.parameters
    template = {
        member: form[f"LaunchTemplate.{member}"]
        for member in ("LaunchTemplateId", "LaunchTemplateName", "Version")
        if f"LaunchTemplate.{member}" in form
    }
    data: dict[str, Any] = {}
    if template:
        try:
            data = ec2_backends[account][call.region]._get_template_from_args(template).data
        except Exception:  # EC2 answers that the template does not exist
            data = {}
    interfaces = data.get("NetworkInterfaces") or [{}]
    instance_type = form.get("InstanceType") or data.get("InstanceType") or "m1.small"
    tokens = form.get("MetadataOptions.HttpTokens") or (data.get("MetadataOptions") or {}).get(
        "HttpTokens"
    )
    keys = {"ec2:instancetype": (str(instance_type),)}
    if tokens:
        keys["ec2:metadatahttptokens"] = (str(tokens),)
    tags = {
        str(entry.get("ResourceType")): {
            str(tag["Key"]): str(tag.get("Value") or "") for tag in entry.get("Tags") or []
        }
        for entry in data.get("TagSpecifications") or []
    }
    return {"keys": keys, "tags": tags, "subnet": str(interfaces[0].get("SubnetId") or "")}
