"""A source selects the newest AMI that its conditions allow. The plan reports deprecated AMIs. boto3 judges the choice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import Catalog
from support.run import REPO
from support.sandbox import Sandbox

OWNER = "136693071363"
NAME = "os-9-*"
SOURCE: dict[str, Any] = {"owner": OWNER, "name": NAME}
PAST, FUTURE = "2026-02-01T00:00:00Z", "2199-01-01T00:00:00Z"
PARAMETER = "/images/os-9/latest"
# Image files of examples/bases, with the start of the names of their AMIs in the local EC2.
BASES = {
    "debian-12": "debian-12-amd64-",
    "debian-13": "debian-13-amd64-",
    "ubuntu-24-04": "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-",
    "rhel-9": "RHEL-9.4.0_HVM-",
}


class VendorAmis:
    """Public AMIs of a vendor, created by day of January 2026."""

    def __init__(self, sandbox: Sandbox, catalog: Catalog) -> None:
        self.sandbox, self.catalog = sandbox, catalog

    def add(self, name: str, day: int, **facts: Any) -> str:
        ami = f"ami-{day:017x}"
        created = f"2026-01-{day:02}T06:00:00Z"
        entry = {"id": ami, "name": name, "account": OWNER, "region": self.sandbox.region, "created": created}
        self.add_all([{**entry, "shared": ["all"], **facts}])
        return ami

    def add_all(self, entries: Any) -> None:
        self.sandbox.control("images", entries)

    def names(self) -> list[str]:
        """Returns the names of the AMIs, as the vendor's customers see them with deprecated AMIs included."""
        filters = [{"Name": "name", "Values": [NAME]}]
        found = self.sandbox.client("ec2").describe_images(Owners=[OWNER], Filters=filters, IncludeDeprecated=True)
        return sorted(image["Name"] for image in found["Images"])

    def plan(self, want: int = 0, **more: Any) -> dict[str, Any]:
        """Returns the decision of a plan about a base image with more conditions."""
        self.catalog.image("base", source={**SOURCE, **more})
        return self.decision(want)

    def decision(self, want: int = 0) -> dict[str, Any]:
        plan = json.loads(self.catalog.bakeline("plan", "--json", want=want).out)
        [decision] = plan["decisions"]
        return dict(decision)


@pytest.fixture
def vendor(sandbox: Sandbox, tmp_path: Path) -> Iterator[VendorAmis]:
    sandbox.reset()
    yield VendorAmis(sandbox, Catalog(sandbox, tmp_path / "sources", "sources"))


def test_newest_ami_is_selected_from_all_pages(vendor: VendorAmis) -> None:
    """The newest AMI is not on the first page of DescribeImages."""
    made = [
        {
            "id": f"ami-{0x1000 + n:017x}",
            "name": f"os-9-{n:04}",
            "account": OWNER,
            "region": vendor.sandbox.region,
            "created": f"2026-01-01T{n // 60 % 24:02}:{n % 60:02}:00Z",
            "shared": ["all"],
        }
        for n in range(1200)
    ]
    vendor.add_all(made)
    assert len(vendor.names()) == 1200
    assert f"os-9-1199 ({made[-1]['id']})" in vendor.plan()["base"]


def test_excluded_names_are_skipped(vendor: VendorAmis) -> None:
    kept = vendor.add("os-9-full", 1)
    minimal, beta = vendor.add("os-9-minimal-x", 2), vendor.add("os-9-beta", 3)
    assert beta in vendor.plan()["base"]
    assert minimal in vendor.plan(exclude=["*beta*"])["base"]
    assert kept in vendor.plan(exclude=["*beta*", "*-minimal-*"])["base"]
    blocked = vendor.plan(1, exclude=["*beta*", "*-minimal-*", "*full"])
    assert blocked["verdict"] == "blocked" and "`exclude` skips all available AMIs" in blocked["reasons"][0]


def test_filters_reach_describe_images(vendor: VendorAmis) -> None:
    plain = vendor.add("os-9-a", 1, description="stable release")
    daily = vendor.add("os-9-b", 2, description="daily build")
    assert daily in vendor.plan()["base"]
    assert plain in vendor.plan(filters={"description": ["stable*", "long-term*"]})["base"]
    assert daily in vendor.plan(filters={"root-device-type": ["ebs"]})["base"]
    missing = vendor.plan(1, filters={"root-device-type": ["instance-store"]})
    assert missing["verdict"] == "blocked" and "source not found" in missing["reasons"][0]


def test_deprecated_ami_is_skipped_and_reported(vendor: VendorAmis) -> None:
    current, old = vendor.add("os-9-a", 1, deprecated=FUTURE), vendor.add("os-9-b", 2, deprecated=PAST)
    assert vendor.names() == ["os-9-a", "os-9-b"]
    decision = vendor.plan()
    assert current in decision["base"]
    note = f"skipped a newer source AMI: os-9-b ({old}) is deprecated since 2026-02-01"
    assert note in decision["reasons"]
    assert note in " ".join(vendor.catalog.bakeline("plan", want=0).out.split())
    allowed = vendor.plan(deprecated=True)
    assert old in allowed["base"] and any("deprecated since 2026-02-01" in reason for reason in allowed["reasons"])


def test_only_deprecated_amis_are_an_error(vendor: VendorAmis) -> None:
    old = vendor.add("os-9-b", 2, deprecated=PAST)
    decision = vendor.plan(1)
    assert decision["verdict"] == "blocked"
    ran = vendor.catalog.bakeline("release", want=1)
    for text in (decision["reasons"][0], " ".join(ran.err.split())):
        for word in (old, "2026-02-01", "`deprecated: true`", "images/base.yaml"):
            assert word in text, text
    assert old in vendor.plan(deprecated=True)["base"]


def test_parameter_is_resolved_by_the_plan(vendor: VendorAmis) -> None:
    first, second = vendor.add("os-9-a", 1), vendor.add("os-9-b", 2, deprecated=PAST)
    ssm = vendor.sandbox.client("ssm")
    vendor.catalog.image("base", source={"ssm": PARAMETER})
    for ami, code in ((first, 0), (second, 1)):
        ssm.put_parameter(Name=PARAMETER, Value=ami, Type="String", Overwrite=True)
        decision = vendor.decision(code)
        assert ami in (decision["base"] or decision["reasons"][0])
    ssm.put_parameter(Name=PARAMETER, Value='{"image_id": "ami-1"}', Type="String", Overwrite=True)
    ran = vendor.catalog.bakeline("plan", want=1)
    assert PARAMETER in ran.err and "not an AMI ID" in ran.err


def test_example_bases_select_vendor_amis(vendor: VendorAmis) -> None:
    """The local EC2 has AMIs with the names of four of the systems."""
    for name in BASES:
        vendor.catalog.file(f"images/{name}.yaml", (REPO / f"examples/bases/images/{name}.yaml").read_text())
    plan = json.loads(vendor.catalog.bakeline("plan", "--json", want=0).out)
    bases = {decision["image"]: decision["base"] for decision in plan["decisions"]}
    assert bases.keys() == BASES.keys()
    assert all(bases[name].startswith(start) for name, start in BASES.items()), bases


def test_other_architecture_is_named(vendor: VendorAmis) -> None:
    vendor.add("os-9-a", 1, architecture="arm64")
    vendor.catalog.image("base", source=SOURCE, arch="x86_64")
    [reason] = vendor.decision(1)["reasons"]
    assert "only AMIs of architecture arm64 match" in reason and "`arch`" in reason


def test_plan_has_each_combination_of_matrix_and_architecture(vendor: VendorAmis) -> None:
    """JDK 17 and 21 on two bases of two architectures: each base selects the newest AMI of its architecture."""
    vendor.add("os-9-a", 1)
    vendor.add("os-9-b", 2, architecture="arm64")
    matrix = {"jdk": [17, 21], "base": ["one", "two"]}
    base = {"matrix": {"n": ["one", "two"]}, "name": "base-${n}", "arch": ["x86_64", "arm64"], "source": SOURCE}
    jdk = {"matrix": matrix, "name": "jdk-${jdk}-${base}", "parent": "base-${base}", "packages": ["openjdk-${jdk}-jdk"]}
    for name, file in (("base", base), ("jdk", jdk)):
        vendor.catalog.file(f"images/{name}.yaml", json.dumps(file))
    plan = json.loads(vendor.catalog.bakeline("plan", "--json", want=0).out)
    bases = {decision["image"]: decision["base"] for decision in plan["decisions"] if decision["verdict"] == "build"}
    assert len(bases) == 12
    for arch, name in (("x86_64", "os-9-a"), ("arm64", "os-9-b")):
        for base in matrix["base"]:
            assert bases[f"base-{base}.{arch}"].startswith(name), bases
            for jdk in matrix["jdk"]:
                assert bases[f"jdk-{jdk}-{base}.{arch}"].startswith(f"base-{base}.{arch} "), bases
    one = json.loads(vendor.catalog.bakeline("plan", "jdk-17-one", "--json", want=0).out)
    assert {"jdk-17-one.x86_64", "jdk-17-one.arm64"} <= {decision["image"] for decision in one["decisions"]}
    assert not any(decision["image"].startswith("jdk-21") for decision in one["decisions"])
