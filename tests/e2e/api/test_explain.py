"""The facts and the API calls of `explain` among 5,000 AMIs. boto3 creates the references."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.catalog import VENDOR, Catalog
from support.sandbox import Sandbox
from support.seeded_history import SECOND, create_catalog
from support.state import OTHER, OWN, CloudObserver, Location

IMAGES, VERSIONS, MOST_CALLS = 50, 25, 15


class ManyAmis:
    """50 images with 25 versions in two Regions of two accounts."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog) -> None:
        self.sandbox, self.catalog, self.observer = sandbox, catalog, CloudObserver(sandbox, catalog.name)
        self.places: list[Location] = [
            (account, region) for account in (OWN, OTHER) for region in (sandbox.region, SECOND)
        ]
        amis = []
        for image in range(IMAGES):
            catalog.image(f"im{image:02}", source=VENDOR, scripts=["scripts/mark.sh"])
            for place in self.places:
                amis += [self.ami(place, image, version) for version in range(1, VERSIONS + 1)]
        sandbox.control("images", amis)  # type: ignore[arg-type]

    def ident(self, place: Location, image: int, version: int) -> str:
        return f"ami-{self.places.index(place):01x}{image:08x}{version:08x}"

    def ami(self, place: Location, image: int, version: int) -> dict[str, object]:
        ident, newest = self.ident(place, image, version), version == VERSIONS
        its = {"schema": "1", "catalog": self.catalog.name, "self": ident, "image": f"im{image:02}", "arch": "x86_64"}
        its |= {"version": f"202601{version:02}.1", "state": "released", "run": "r"}
        its |= {"current": "Test=2026-01-31T00:00:00Z Prod=2026-01-31T00:00:00Z"} if newest else {}
        all_tags = {f"bakeline:{key}": value for key, value in its.items()} | {"Environment": "Prod"}
        account, region = place
        name = f"{self.catalog.name}/im{image:02}/x86_64/202601{version:02}.1-r"
        created = f"2026-01-{version:02}T00:00:00Z"
        return {"id": ident, "name": name, "account": account, "region": region, "created": created, "tags": all_tags}


@pytest.fixture(scope="module")
def many(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyAmis]:
    sandbox.reset()
    retention = {"keep": 2, "reserve": 1}
    yield ManyAmis(sandbox, create_catalog(sandbox, tmp_path_factory.mktemp("explain"), "explain", retention=retention))
    sandbox.reset()


def explain(many: ManyAmis, *what: str) -> tuple[dict[str, dict[str, object]], list[str]]:
    """Returns the AMIs of a version by ID, and the API calls of the command."""
    mark = many.sandbox.mark()
    told = json.loads(many.catalog.bakeline("explain", *what, "--json", want=0).out)
    calls = [str(call["action"]) for call in many.sandbox.api(mark)]
    return {ami["ami"]: ami for ami in told["amis"]}, calls


def test_explain_of_an_image_needs_few_calls(many: ManyAmis) -> None:
    place = (OTHER, SECOND)
    current = many.ident(place, 1, VERSIONS)
    template = {"ImageId": current}
    ec2 = many.observer.client("ec2", place)
    made = ec2.create_launch_template(LaunchTemplateName="users", LaunchTemplateData=template)["LaunchTemplate"]
    scaling = many.observer.client("autoscaling", place)
    scaling.create_launch_configuration(LaunchConfigurationName="group", ImageId=current, InstanceType="t3.small")
    amis, calls = explain(many, "im01")
    assert set(amis) == {many.ident(place, 1, VERSIONS) for place in many.places}
    used = amis[current]["used_by"]
    assert used == ["launch-configuration group", f"launch-template {made['LaunchTemplateId']}"], used
    assert all("current in" in str(ami["because"]) for ami in amis.values()), amis
    assert len(calls) <= MOST_CALLS, calls


def test_explain_of_an_unused_version_reads_every_reference(many: ManyAmis) -> None:
    old, place = 3, (OWN, SECOND)
    ssm = many.observer.client("ssm", (OWN, many.sandbox.region))
    amis, calls = explain(many, f"im02@202601{old:02}.1")
    assert all(str(ami["prune"]).startswith("deprecate on") for ami in amis.values()), amis
    reported = calls.count("DescribeImageReferences")
    assert reported == 2 * len(many.places), "only for the AMIs of the version, before and after the other references"
    value = json.dumps({place[1]: many.ident(place, 2, old)})
    ssm.put_parameter(Name="/central/amis", Value=value, Type="String")
    amis, _ = explain(many, "im02", f"202601{old:02}.1")
    kept = {ident for ident, ami in amis.items() if ami["prune"] == "keep"}
    assert kept == {many.ident(place, 2, old)}, amis
    assert "parameter /central/amis" in str(amis[many.ident(place, 2, old)]["used_by"])
    twice = many.catalog.bakeline("explain", "im02@20260103.1", "20260104.1", want=2)
    assert "already names a version" in twice.err, twice
