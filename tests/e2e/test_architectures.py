"""One base image for two architectures, with its own Packer template, whose update installs a kernel.

The arm64 AMI of the source has the same content as the other one: the local EC2 runs both. boto3 judges tags, names and SSM
parameters. The boots of the build are judged by the boot IDs that a unit of the image writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, current, literal, tags
from support.instance import running_instance
from support.run import REPO
from support.running_release import packer_log
from support.sandbox import Sandbox

ARCHITECTURES = ("x86_64", "arm64")
TEXT = 'it\'s "quoted" ${HOME} $(id) %{ if }'
TEMPLATE = "templates/packer/own.pkr.json"
# Installs version 1 of a package with a kernel, and adds a repository with version 2.
SEED = """\
set -eu
mkdir -p /opt/repo && cd /opt/repo
for version in 1 2; do
    root=/tmp/kernel-$version
    mkdir -p "$root/DEBIAN" "$root/boot"
    echo "$version" > "$root/boot/vmlinuz-0.0.1-test"
    printf 'Package: test-kernel\\nVersion: %s\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' "$version" > "$root/DEBIAN/control"
    dpkg-deb --build "$root" "test-kernel_$version.deb" > /dev/null
    rm -r "$root"
done
dpkg -i test-kernel_1.deb
sum=$(sha256sum test-kernel_2.deb | cut -d' ' -f1)
dpkg-deb -f test-kernel_2.deb > Packages
printf 'Filename: ./test-kernel_2.deb\\nSize: %s\\nSHA256: %s\\n' "$(stat -c %s test-kernel_2.deb)" "$sum" >> Packages
echo 'deb [trusted=yes] file:/opt/repo ./' > /etc/apt/sources.list.d/test-kernel.list
systemctl enable boots.service
"""
UNIT = """\
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >> /srv/boots'
[Install]
WantedBy=sysinit.target
"""
AFTER = 'set -eu\ncat /proc/sys/kernel/random/boot_id > /srv/boot-of-scripts\nprintf %s "$1" > /srv/arch\n'


@dataclass
class Released:
    catalog: Catalog
    results: dict[str, dict[str, Any]]
    amis: dict[str, dict[str, Any]]


def register_sources(catalog: Catalog, seed: str) -> None:
    """Registers an AMI for each architecture with the content of an AMI."""
    ec2 = catalog.sandbox.client("ec2")
    [ami] = ec2.describe_images(ImageIds=[seed])["Images"]
    [device] = ami["BlockDeviceMappings"]
    for arch in ARCHITECTURES:
        ec2.register_image(
            Name=f"source-{arch}",
            Architecture=arch,
            RootDeviceName=ami["RootDeviceName"],
            VirtualizationType="hvm",
            BlockDeviceMappings=[
                {"DeviceName": device["DeviceName"], "Ebs": {"SnapshotId": device["Ebs"]["SnapshotId"]}}
            ],
        )


def write_own_template(catalog: Catalog) -> None:
    text = (REPO / "templates/packer/amazon-ebs.pkr.json").read_text()
    own = text.replace('"ami_description": @{ description }@', '"ami_description": @{ variables.text }@')
    assert own != text
    catalog.file(TEMPLATE, own)


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot does not boot")
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("architectures"), "architectures", quick=False)
    catalog.file("scripts/seed.sh", SEED)
    catalog.file("files/boots.service", UNIT)
    catalog.file("scripts/after.sh", AFTER)
    unit = {"source": "files/boots.service", "destination": "/etc/systemd/system/boots.service"}
    catalog.image("seed", source=VENDOR, files=[unit], scripts=["scripts/seed.sh"])
    assert catalog.release("seed")["seed"]["status"] == "released"
    assert "the instance has rebooted" not in packer_log(catalog.run, "seed")
    register_sources(catalog, catalog.latest("seed"))
    write_own_template(catalog)
    catalog.image(
        "app",
        arch=list(ARCHITECTURES),
        source={"owner": "self", "name": "source-*"},
        variables={"text": literal(TEXT)},
        template=TEMPLATE,
        scripts=[{"path": "scripts/after.sh", "args": ["${arch}"]}],
    )
    results = catalog.release("app", "--jobs", "2")
    found = [ami for ami in catalog.images() if tags(ami)["bakeline:image"] == "app"]
    yield Released(catalog, results, {ami["Architecture"]: ami for ami in found})


def test_architectures_are_published_under_one_name(released: Released) -> None:
    assert {name: one["status"] for name, one in released.results.items()} == {
        "app.arm64": "released",
        "app.x86_64": "released",
    }
    assert sorted(released.amis) == sorted(ARCHITECTURES)
    ssm = released.catalog.sandbox.client("ssm")
    for arch, ami in released.amis.items():
        its = tags(ami)
        assert (its["bakeline:image"], its["bakeline:arch"], current(ami)) == ("app", arch, {"Test"})
        assert ami["Name"].startswith(f"{released.catalog.name}/app/{arch}/{its['bakeline:version']}-")
        parameter = ssm.get_parameter(Name=f"/bakeline/{released.catalog.name}/app/Test/{arch}")["Parameter"]
        assert parameter["Value"] == ami["ImageId"]
        looked_up = released.catalog.bakeline("latest", "app", "--env", "Test", "--arch", arch, want=0)
        assert looked_up.out.strip() == ami["ImageId"]
    assert len({tags(ami)["bakeline:version"] for ami in released.amis.values()}) == 1
    listed = json.loads(released.catalog.bakeline("list", "app", "--json", want=0).out)
    assert {one["arch"] for one in listed} == set(ARCHITECTURES)


def test_second_plan_keeps_both_architectures(released: Released) -> None:
    plan = json.loads(released.catalog.bakeline("plan", "app", "--format", "json", want=0).out)
    assert {one["image"]: one["verdict"] for one in plan["decisions"]} == {"app.arm64": "keep", "app.x86_64": "keep"}


def test_one_architecture_must_be_named(released: Released) -> None:
    done = released.catalog.bakeline("hold", "app", "20260101.1")
    assert done.code == 1 and "`app.arm64` or `app.x86_64`" in done.err, done


def test_own_template_gets_the_variables(released: Released) -> None:
    for ami in released.amis.values():
        assert ami["Description"] == TEXT


def test_update_of_the_kernel_reboots_the_build(released: Released, tmp_path_factory: pytest.TempPathFactory) -> None:
    for arch, ami in released.amis.items():
        assert "the instance has rebooted" in packer_log(released.catalog.run, f"app.{arch}")
        with running_instance(released.catalog.sandbox, ami["ImageId"], tmp_path_factory.mktemp("keys")) as app:
            boots = app.ssh("sudo cat /srv/boots").split()
            # The first boot of the build, the boot with the new kernel, and the boot of this instance.
            assert len(boots) == len(set(boots)) == 3, boots
            assert app.ssh("sudo cat /srv/boot-of-scripts").strip() == boots[1]
            assert app.ssh("sudo cat /boot/vmlinuz-0.0.1-test").strip() == "2"
            assert app.ssh("sudo cat /srv/arch") == arch
