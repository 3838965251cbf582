"""Settings of one image for its instances and volumes, and checks that wait for a slow service. boto3 lists the volumes of the
build instance while the build waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.run import HANG
from support.running_release import WAIT, packer_log, resume_build, start_release
from support.sandbox import Sandbox

# Starts at each boot of the finished image, and is ready after some seconds.
UNIT = """\
[Service]
Type=simple
ExecStart=/bin/sh -c 'sleep 8; touch /run/slow-is-ready'
[Install]
WantedBy=multi-user.target
"""
SETUP = f"set -eu\nsystemctl enable slow.service\ntty > /srv/tty 2>&1 || true\n{WAIT}"
# `hasty` is the same check without `within`. It may fail, and shows that the service is slow.
CHECKS = [
    {"id": "patient", "file": "/run/slow-is-ready", "exists": True, "phase": ["boot"], "within": "60s"},
    {"id": "hasty", "file": "/run/slow-is-ready", "exists": False, "phase": ["boot"]},
]

ALIAS = "alias/images"


@dataclass
class Built:
    catalog: Catalog
    instance: dict[str, Any]
    root: dict[str, Any]
    volumes: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def built(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("no service starts in a chroot")
    kms = sandbox.client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName=ALIAS, TargetKeyId=key["KeyId"])
    builder = {"instance_type": "t3.small", "kms_key": ALIAS}
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("instances"), "instances", builder=builder)
    catalog.file("files/slow.service", UNIT)
    catalog.file("scripts/setup.sh", SETUP)
    catalog.image(
        "app",
        source=VENDOR,
        builder={"instance_type": "m5.large"},
        boot_wait="3s",
        ssh_pty=True,
        volumes=[
            {"device": "root", "size": 12, "type": "gp3", "iops": 3500, "throughput": 200},
            {"device": "/dev/sdf", "size": 5},
        ],
        files=[{"source": "files/slow.service", "destination": "/etc/systemd/system/slow.service"}],
        scripts=["scripts/setup.sh"],
        checks=CHECKS,
    )
    started, run = start_release(catalog, "app")
    try:
        ec2 = sandbox.client("ec2")
        own = [{"Name": "tag:bakeline:run", "Values": [run.name]}]
        [group] = ec2.describe_instances(Filters=own)["Reservations"]
        [instance] = group["Instances"]
        attached = [{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
        volumes = ec2.describe_volumes(Filters=attached)["Volumes"]
        resume_build(sandbox, run, "app")
        assert started.wait(timeout=HANG) == 0, (catalog.at / "out.log").read_text()
    finally:
        started.kill()
    catalog.run = run
    others = {volume["Attachments"][0]["Device"]: volume for volume in volumes}
    root = others.pop(instance["RootDeviceName"])
    yield Built(catalog, instance, root, others)


def test_build_instance_has_the_settings_of_the_image(built: Built) -> None:
    assert built.instance["InstanceType"] == "m5.large"
    root = built.root
    shown = [root[key] for key in ("Size", "VolumeType", "Iops", "Throughput")]
    assert shown == [12, "gp3", 3500, 200], root
    [(device, volume)] = built.volumes.items()
    assert (device, volume["Size"], volume["VolumeType"]) == ("/dev/sdf", 5, "gp3"), built.volumes


def test_finished_ami_has_the_root_size(sandbox: Sandbox, built: Built) -> None:
    [ami] = built.catalog.images()
    assert tags(ami)["bakeline:image"] == "app"
    assert ami["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 12


def test_volumes_and_ami_are_encrypted_with_the_key(sandbox: Sandbox, built: Built) -> None:
    kms = sandbox.client("kms")
    arn = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["Arn"]
    [ami] = built.catalog.images()
    disk = ami["BlockDeviceMappings"][0]["Ebs"]
    snapshots = sandbox.client("ec2").describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"]
    for encrypted in (built.root, *built.volumes.values(), *snapshots):
        assert encrypted["Encrypted"], encrypted
        assert kms.describe_key(KeyId=encrypted["KmsKeyId"])["KeyMetadata"]["Arn"] == arn, encrypted


def test_ami_requires_imds_v2(built: Built) -> None:
    [ami] = built.catalog.images()
    assert ami["ImdsSupport"] == "v2.0"


def test_packer_waits_before_it_connects(built: Built) -> None:
    assert "Pausing 3s" in packer_log(built.catalog.run, "app")


def test_check_within_waits_for_a_slow_service(built: Built) -> None:
    report = json.loads((built.catalog.run / "app/checks-boot.json").read_text())
    controls = {control["id"]: control for profile in report["profiles"] for control in profile["controls"]}
    assert controls["hasty"]["status"] == "passed", "the service was ready immediately, so no check had to wait"
    assert controls["patient"]["status"] == "passed"
    messages = " ".join(result["message"] for result in controls["patient"]["results"])
    assert "tries in" in messages and "within 60 s" in messages, messages


def test_changed_volume_builds_again(built: Built) -> None:
    image = built.catalog.at / "images/app.yaml"
    image.write_text(image.read_text().replace('"size": 12', '"size": 13'))
    planned = built.catalog.bakeline("plan", want=0)
    assert "volume root changed: 12 GiB" in planned.words, planned
