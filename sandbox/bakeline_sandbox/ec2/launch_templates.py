"""Implements lists of launch templates in pages; moto returns only the first 15."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses import EC2Response

from .paging import paginate
from .state import patch

MAX_RESULTS = 200  # EC2: MaxResults of both calls is 1 to 200
NO_LIMIT = 1 << 30  # for moto's backend, which cuts the list before it is divided into pages


@dataclass(frozen=True)
class _Version:
    """Version of a launch template, sortable among the versions of all templates."""

    template: Any
    version: Any

    @property
    def id(self) -> str:
        """Sort key among versions with the same time."""
        return f"{self.template.id}/{self.version.number:09}"

    @property
    def create_time(self) -> datetime:
        """Creation time of the version."""
        moment: datetime = self.version.create_time
        return moment


@patch(EC2Response)
def describe_launch_templates(self: Any) -> ActionResult:
    """Implements DescribeLaunchTemplates, with the current tags of the templates."""
    filters = self._filters_from_querystring()
    self.error_on_dryrun()
    templates = self.ec2_backend.describe_launch_templates(
        template_names=self._get_param("LaunchTemplateNames", []),
        template_ids=self._get_param("LaunchTemplateIds", []),
        filters=filters,
    )
    page, token = _paginate(self, templates)
    entries = [
        {
            "CreateTime": template.create_time,
            "CreatedBy": _creator_arn(self),
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.get_tags(),
        }
        for template in page
    ]
    return ActionResult({"LaunchTemplates": entries, "NextToken": token})


@patch(EC2Response)
def describe_launch_template_versions(self: Any) -> ActionResult:
    """Implements DescribeLaunchTemplateVersions."""
    self.error_on_dryrun()
    versions = self.ec2_backend.describe_launch_template_versions(
        template_name=self._get_param("LaunchTemplateName"),
        template_id=self._get_param("LaunchTemplateId"),
        versions=self._get_param("Versions", []),
        min_version=self._get_int_param("MinVersion"),
        max_version=self._get_int_param("MaxVersion"),
        max_results=NO_LIMIT,
    )
    # `$Latest` and `$Default` can name the same version.
    unique = dict.fromkeys(_Version(template, version) for template, version in versions)
    page, token = _paginate(self, list(unique))
    entries = [
        {
            "CreateTime": entry.version.create_time,
            "CreatedBy": _creator_arn(self),
            "DefaultVersion": entry.template.is_default(entry.version),
            "LaunchTemplateData": entry.version.data,
            "LaunchTemplateId": entry.template.id,
            "LaunchTemplateName": entry.template.name,
            "VersionDescription": entry.version.description,
            "VersionNumber": entry.version.number,
        }
        for entry in page
    ]
    return ActionResult({"LaunchTemplateVersions": entries, "NextToken": token})


def _paginate(response: Any, items: list[Any]) -> tuple[list[Any], str | None]:
    return paginate(response, items, "create_time", 1, False, MAX_RESULTS, MAX_RESULTS)


def _creator_arn(response: Any) -> str:
    return f"arn:{response.partition}:iam::{response.current_account}:root"
