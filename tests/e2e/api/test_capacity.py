"""Test instances use the next instance type and subnet if EC2 refuses a launch."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.inventory import list_cloud
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

FIRST, SECOND = "t3.small", "t3a.small"


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> SeededAmis:
    """Returns a catalog with two instance types and two subnets, and a released base image."""
    sandbox.reset()
    found = sandbox.client("ec2").describe_subnets()["Subnets"]
    subnets = sorted(subnet["SubnetId"] for subnet in found)[:2]
    builder = {"instance_types": [FIRST, "t4g.small", SECOND], "subnets": subnets}
    catalog = Catalog(sandbox, tmp_path / "capacity", "capacity", builder=builder)
    catalog.image("base", source=VENDOR)
    seeded = SeededAmis(sandbox, catalog)
    seeded.add("base", 20, {"bakeline:current": HERE})
    return seeded


def launches(sandbox: Sandbox, mark: int) -> list[tuple[str, str, str]]:
    """Returns instance type, subnet and error of each launch."""
    calls = [call for call in sandbox.api(mark) if call["action"] == "RunInstances"]
    named = [(call["resources"], call["error"]) for call in calls]
    return [(by["InstanceType"], by["NetworkInterface.1.SubnetId"], error) for by, error in named]


def test_probe_tries_all_types_and_subnets_once(seeded: SeededAmis) -> None:
    sandbox = seeded.sandbox
    sandbox.control("capacity", {"refuse": [{}]})
    before, mark = list_cloud(sandbox), sandbox.mark()
    done = seeded.catalog.bakeline("probe", "base", want=4)
    found = launches(sandbox, mark)
    subnets = [subnet for _, subnet, _ in found]
    assert [name for name, _, _ in found] == [FIRST, FIRST, SECOND, SECOND], done
    assert subnets[:2] == subnets[2:] and len(set(subnets)) == 2
    assert {error for _, _, error in found} == {"InsufficientInstanceCapacity"}
    assert f"EC2 cannot launch an instance: {FIRST} in {subnets[0]} (InsufficientInstanceCapacity)" in done.err
    assert "add `instance_types` or `subnets` to `builder`" in done.err, done
    assert list_cloud(sandbox) == before


def test_probe_skips_subnets_after_quota_error(seeded: SeededAmis) -> None:
    sandbox = seeded.sandbox
    sandbox.control("capacity", {"vcpu_limit": 1})
    mark = sandbox.mark()
    done = seeded.catalog.bakeline("probe", "base", want=4)
    found = launches(sandbox, mark)
    assert [(name, error) for name, _, error in found] == [
        (FIRST, "VcpuLimitExceeded"),
        (SECOND, "VcpuLimitExceeded"),
    ], done
    assert "Service Quotas" in done.err, done
