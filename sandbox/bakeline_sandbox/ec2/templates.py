"""Lists of launch templates and their versions in EC2's pages; moto shows the first 15 and drops the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from .paging import page
from .world import on

MOST = 200  # EC2: MaxResults of both calls is 1 to 200
NO_LIMIT = 1 << 30  # in moto's backend, which cuts before there are pages


@dataclass(frozen=True)
class _Version:
    """One version of a template, with a place in the order of all versions."""

    template: Any
    version: Any

    @property
    def id(self) -> str:
        return f"{self.template.id}/{self.version.number:09}"

    @property
    def create_time(self) -> datetime:
        moment: datetime = self.version.create_time
        return moment


@on(EC2Response)
def describe_launch_templates(self: Any) -> ActionResult:
    """DescribeLaunchTemplates: in pages, with the tags that the templates have now."""
    names, ids = self._get_param("LaunchTemplateNames", []), self._get_param("LaunchTemplateIds", [])
    filters = self._filters_from_querystring()
    self.error_on_dryrun()
    found = self.ec2_backend.describe_launch_templates(template_names=names, template_ids=ids, filters=filters)
    shown, token = page(self, found, "create_time", 1, False, MOST, MOST)
    listed = [
        {
            "CreateTime": template.create_time,
            "CreatedBy": _creator(self),
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.get_tags(),
        }
        for template in shown
    ]
    return ActionResult({"LaunchTemplates": listed, "NextToken": token})


@on(EC2Response)
def describe_launch_template_versions(self: Any) -> ActionResult:
    """DescribeLaunchTemplateVersions: in pages."""
    self.error_on_dryrun()
    found = self.ec2_backend.describe_launch_template_versions(
        template_name=self._get_param("LaunchTemplateName"),
        template_id=self._get_param("LaunchTemplateId"),
        versions=self._get_param("Versions", []),
        min_version=self._get_int_param("MinVersion"),
        max_version=self._get_int_param("MaxVersion"),
        max_results=NO_LIMIT,
    )
    # `$Latest` and `$Default` may name the same version.
    entries = dict.fromkeys(_Version(template, version) for template, version in found)
    shown, token = page(self, list(entries), "create_time", 1, False, MOST, MOST)
    listed = [
        {
            "CreateTime": entry.version.create_time,
            "CreatedBy": _creator(self),
            "DefaultVersion": entry.template.is_default(entry.version),
            "LaunchTemplateData": entry.version.data,
            "LaunchTemplateId": entry.template.id,
            "LaunchTemplateName": entry.template.name,
            "VersionDescription": entry.version.description,
            "VersionNumber": entry.version.number,
        }
        for entry in shown
    ]
    return ActionResult({"LaunchTemplateVersions": listed, "NextToken": token})


def _creator(self: Any) -> str:
    return f"arn:{self.partition}:iam::{self.current_account}:root"
