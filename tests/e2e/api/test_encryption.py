"""KMS keys of copies, refusals for keys that cannot be shared, IMDSv2, and the trial launch of a location. boto3 reads the
result in every location."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, current, tags
from support.gateway import Gateway
from support.inventory import list_cloud
from support.run import HANG, wait_until
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis
from support.seeded_history import ROLE, SECOND
from support.state import OTHER, OWN, CloudObserver

BLOB = "4GIOHlTkIaWHQD0Q0m6XSnuUMCm" * 20


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    """Yields a catalog with one image, whose environment Prod has another account and a second Region."""
    sandbox.reset()
    yield SeededAmis(sandbox, create_catalog(sandbox, tmp_path / "keys", {}, {}))
    sandbox.control("faults", {"faults": []})


def create_catalog(sandbox: Sandbox, at: Path, builder: dict[str, Any], prod: dict[str, Any]) -> Catalog:
    both = {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE, **prod}
    home = {"name": "Test", "regions": [sandbox.region]}
    catalog = Catalog(sandbox, at, "keys", regions=[sandbox.region, SECOND], environments=[home, both], builder=builder)
    catalog.image("base", source=VENDOR)
    return catalog


def change_settings(seeded: SeededAmis, builder: dict[str, Any], prod: dict[str, Any]) -> None:
    create_catalog(seeded.sandbox, seeded.catalog.at, builder, prod)


def client(seeded: SeededAmis, service: str, place: tuple[str, str]) -> Any:
    return CloudObserver(seeded.sandbox, seeded.catalog.name).client(service, place)


def places(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Returns the locations of copies."""
    return [(OWN, SECOND), (OTHER, sandbox.region), (OTHER, SECOND)]


def copy_at(seeded: SeededAmis, place: tuple[str, str]) -> dict[str, Any]:
    """Returns the only AMI of the catalog in a location."""
    filters = [{"Name": "tag:bakeline:catalog", "Values": [seeded.catalog.name]}]
    found = client(seeded, "ec2", place).describe_images(Owners=["self"], Filters=filters)["Images"]
    [ami] = found
    return dict(ami)


def key_of(seeded: SeededAmis, place: tuple[str, str]) -> tuple[bool, str]:
    """Returns whether the AMI is encrypted, and the ARN of its key."""
    ami = copy_at(seeded, place)
    disk = ami["BlockDeviceMappings"][0]["Ebs"]
    [snapshot] = client(seeded, "ec2", place).describe_snapshots(SnapshotIds=[disk["SnapshotId"]])["Snapshots"]
    key = snapshot.get("KmsKeyId")
    arn = client(seeded, "kms", place).describe_key(KeyId=key)["KeyMetadata"]["Arn"] if key else ""
    return disk["Encrypted"], arn


def create_key(seeded: SeededAmis, place: tuple[str, str], alias: str) -> str:
    """Creates a key with an alias and returns its ARN."""
    kms = client(seeded, "kms", place)
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    return str(key["Arn"])


def add_encrypted(seeded: SeededAmis, key: str | None) -> str:
    """Creates a released version that is encrypted with a key, or with the key that AWS manages."""
    ec2 = seeded.sandbox.client("ec2")
    plain = seeded.add("base", 20, {"bakeline:current": HERE})
    [described] = ec2.describe_images(ImageIds=[plain])["Images"]
    source = {"SourceImageId": plain, "SourceRegion": seeded.sandbox.region, "Encrypted": True}
    more = {"KmsKeyId": key} if key else {}
    made = str(ec2.copy_image(Name=f"{described['Name']}-encrypted", **source, **more)["ImageId"])
    states = lambda: {ami["ImageId"]: ami["State"] for ami in ec2.describe_images(Owners=["self"])["Images"]}
    wait_until(lambda: states().get(made) == "available", HANG, "the copy")
    own = tags(described) | {"bakeline:self": made}
    ec2.create_tags(Resources=[made], Tags=[{"Key": k, "Value": v} for k, v in own.items()])
    ec2.deregister_image(ImageId=plain)
    return made


def test_copies_have_the_key_of_their_location(seeded: SeededAmis) -> None:
    home = seeded.sandbox.region
    prod = {"kms_key": {home: "alias/prod-home", SECOND: "alias/prod-second"}}
    change_settings(seeded, {}, prod)
    seeded.add("base", 20, {"bakeline:current": HERE})
    expected = {}
    for place in places(seeded.sandbox):
        alias = "alias/prod-home" if place[1] == home else "alias/prod-second"
        expected[place] = (True, create_key(seeded, place, alias))
    seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert {place: key_of(seeded, place) for place in places(seeded.sandbox)} == expected


def test_keys_of_builder_are_for_its_account(seeded: SeededAmis) -> None:
    home = seeded.sandbox.region
    change_settings(seeded, {"kms_key": {home: "alias/images", SECOND: "alias/images"}}, {})
    seeded.add("base", 20, {"bakeline:current": HERE})
    arn = create_key(seeded, (OWN, SECOND), "alias/images")
    seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    found = {place: key_of(seeded, place) for place in places(seeded.sandbox)}
    assert found == {(OWN, SECOND): (True, arn), (OTHER, home): (False, ""), (OTHER, SECOND): (False, "")}


def test_unusable_key_fails_its_location_only(seeded: SeededAmis) -> None:
    change_settings(seeded, {}, {"kms_key": "alias/prod"})
    seeded.add("base", 20, {"bakeline:current": HERE})
    with_key = [place for place in places(seeded.sandbox) if place != (OTHER, SECOND)]
    keys = {place: create_key(seeded, place, "alias/prod") for place in with_key}
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=4)
    assert "alias/prod does not exist" in done.err and f"base@{OTHER}.{SECOND}" in done.err, done
    assert {place: key_of(seeded, place)[1] for place in with_key} == keys
    assert client(seeded, "ec2", (OTHER, SECOND)).describe_images(Owners=["self"])["Images"] == []
    keys[(OTHER, SECOND)] = create_key(seeded, (OTHER, SECOND), "alias/prod")
    seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert {place: key_of(seeded, place)[1] for place in places(seeded.sandbox)} == keys


def test_promotion_refuses_ami_with_the_key_of_aws(seeded: SeededAmis) -> None:
    ami = add_encrypted(seeded, None)
    before, mark = list_cloud(seeded.sandbox), seeded.sandbox.mark()
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=7)
    assert ami in done.err and "a key that AWS manages" in done.err and "builder.kms_key" in done.err, done
    assert [one for one in seeded.sandbox.changes(mark) if one != "AssumeRole"] == [], done
    assert list_cloud(seeded.sandbox) == before
    assert seeded.catalog.bakeline("latest", "base", "--env", "Prod").code == 6


def test_promotion_accepts_a_customer_key_and_unread_keys(seeded: SeededAmis) -> None:
    roots = [f"arn:aws:iam::{account}:root" for account in (OWN, OTHER)]
    allowed = {"Effect": "Allow", "Principal": {"AWS": roots}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    key = seeded.sandbox.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    ami = add_encrypted(seeded, key)
    denied = {"code": "AccessDeniedException", "status": 400, "times": 100}
    seeded.sandbox.control("faults", {"faults": [{"action": "DescribeKey", "account": OWN, **denied}]})
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert "warning: whether the AMIs can be shared with other accounts is unknown: DescribeKey" in done.err, done
    assert seeded.catalog.latest("base", "Prod") == ami
    assert all(current(copy_at(seeded, place)) == {"Prod"} for place in places(seeded.sandbox))


def test_release_refuses_a_default_key_of_aws_before_the_build(seeded: SeededAmis) -> None:
    change_settings(seeded, {}, {"kms_key": "alias/prod"})
    seeded.sandbox.client("ec2").enable_ebs_encryption_by_default()
    before, mark = list_cloud(seeded.sandbox), seeded.sandbox.mark()
    done = seeded.catalog.bakeline("release", want=7)
    assert "EBS encryption by default" in done.err and OTHER in done.err and "builder.kms_key" in done.err, done
    assert [one for one in seeded.sandbox.changes(mark) if one != "AssumeRole"] == [], done
    assert list_cloud(seeded.sandbox) == before


def test_managed_key_of_builder_is_an_error_of_the_catalog(seeded: SeededAmis) -> None:
    change_settings(seeded, {"kms_key": "alias/aws/ebs"}, {})
    done = seeded.catalog.bakeline("validate", want=1)
    assert "error[CAT094]" in done.err + done.out, done


def test_copies_require_imds_v2_if_the_original_does(seeded: SeededAmis) -> None:
    ami = seeded.add("base", 20, {"bakeline:current": HERE})
    seeded.sandbox.client("ec2").modify_image_attribute(ImageId=ami, ImdsSupport={"Value": "v2.0"})
    seeded.sandbox.control("copies", {"seconds": 0, "region": SECOND, "imds": False})
    seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert {copy_at(seeded, place).get("ImdsSupport") for place in places(seeded.sandbox)} == {"v2.0"}


def test_denied_trial_launch_is_a_warning_without_the_encoded_details(seeded: SeededAmis) -> None:
    seeded.add("base", 20, {"bakeline:current": HERE})
    message = (
        "You are not authorized to perform this operation. User: arn:aws:sts::1:x is not authorized to perform: "
        "ec2:RunInstances with an explicit deny in a service control policy. "
        f"Encoded authorization failure message: {BLOB}"
    )
    denial = {"action": "RunInstances", "code": "UnauthorizedOperation", "message": message, "status": 403}
    seeded.sandbox.control("faults", {"faults": [{**denial, "account": OTHER, "times": 100}]})
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    for region in (seeded.sandbox.region, SECOND):
        assert f"in {OTHER}.{region} could not be tested" in done.err, done
    assert done.err.count("explicit deny in a service control policy. (encoded details omitted)") == 2, done
    assert BLOB not in done.err + done.out
    assert all(current(copy_at(seeded, place)) == {"Prod"} for place in places(seeded.sandbox))


def test_encoded_details_are_printed_only_for_debugging(seeded: SeededAmis) -> None:
    seeded.add("base", 20, {"bakeline:current": HERE})
    message = f"You are not authorized. Encoded authorization failure message: {BLOB}"
    denial = {"action": "CopyImage", "code": "UnauthorizedOperation", "message": message, "status": 403}
    seeded.sandbox.control("faults", {"faults": [{**denial, "times": 100}]})
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=4)
    assert "(encoded details omitted)" in done.err and "decode-authorization-message" in done.err, done
    assert BLOB not in done.err + done.out
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", env={"BAKELINE_LOG": "bakeline=debug"}, want=4)
    assert BLOB in done.err, done


@pytest.mark.parametrize("fault", ["InvalidAMIID.Malformed", "InvalidParameterCombination", "SomethingNew"])
def test_trial_launch_that_blames_the_ami_fails_the_location(seeded: SeededAmis, fault: str) -> None:
    seeded.add("base", 20, {"bakeline:current": HERE})
    error = {"action": "RunInstances", "code": fault, "status": 400, "account": OTHER, "region": SECOND, "times": 100}
    seeded.sandbox.control("faults", {"faults": [error]})
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=4)
    assert fault in done.err and f"base@{OTHER}.{SECOND}" in done.err, done
    assert client(seeded, "ec2", (OTHER, SECOND)).describe_images(Owners=["self"])["Images"] == []


def test_trial_launch_has_the_settings_of_the_environment(seeded: SeededAmis) -> None:
    there = (OTHER, seeded.sandbox.region)
    subnet = client(seeded, "ec2", there).describe_subnets()["Subnets"][0]["SubnetId"]
    launch = {
        "subnets": ["subnet-00000000000000000", subnet],
        "instance_type": "m5.large",
        "tags": {"cost-center": "42"},
    }
    change_settings(seeded, {"tags": {"team": "images"}}, {"launch": launch, "regions": [seeded.sandbox.region]})
    seeded.add("base", 20, {"bakeline:current": HERE})
    with Gateway(seeded.sandbox.env["AWS_ENDPOINT_URL"]) as gateway:
        done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", env={"AWS_ENDPOINT_URL": gateway.url}, want=0)
    assert "could not be tested" not in done.err, done
    ami = copy_at(seeded, there)["ImageId"]
    calls = [call for call in gateway.forms("RunInstances") if call["ImageId"] == ami]
    assert [call["SubnetId"] for call in calls] == launch["subnets"]
    call = calls[-1]
    assert call["DryRun"] == "true" and call["MetadataOptions.HttpTokens"] == "required"
    assert call["InstanceType"] == "m5.large"
    for kind in ("instance", "volume", "network-interface"):
        [number] = [key.split(".")[1] for key, value in call.items() if key.endswith("ResourceType") and value == kind]
        prefix = f"TagSpecification.{number}.Tag."
        names = {
            key.removesuffix(".Key"): value
            for key, value in call.items()
            if key.startswith(prefix) and key.endswith("Key")
        }
        expected = {"team": "images", "cost-center": "42", "bakeline:catalog": seeded.catalog.name}
        assert {name: call[f"{at}.Value"] for at, name in names.items()} == expected


def test_missing_subnets_are_a_warning_and_false_disables_the_trial(seeded: SeededAmis) -> None:
    missing = {"launch": {"subnet": "subnet-00000000000000000"}, "regions": [seeded.sandbox.region]}
    change_settings(seeded, {}, missing)
    seeded.add("base", 20, {"bakeline:current": HERE})
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert f"in {OTHER}.{seeded.sandbox.region} could not be tested" in done.err, done
    assert "none of the subnets subnet-00000000000000000 exists there" in done.err, done
    change_settings(seeded, {}, {"launch": False})
    mark = seeded.sandbox.mark()
    seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    assert [call for call in seeded.sandbox.api(mark) if call["action"] == "RunInstances"] == []
    assert all(current(copy_at(seeded, place)) == {"Prod"} for place in places(seeded.sandbox))


def test_bad_input_is_located_before_any_call(seeded: SeededAmis) -> None:
    settings = json.loads((seeded.catalog.at / "bakeline.yaml").read_text())
    many = {f"T{n}": "x" for n in range(20)}
    for change, code in (
        ({"regions": [seeded.sandbox.region, "us-gov-west-1"]}, "CAT055"),
        ({"environments": [{"name": "A", "role": f"arn:aws-cn:iam::{OTHER}:role/b"}]}, "CAT055"),
        ({"builder": {"kms_key": f"arn:aws:kms:us-west-2:{OWN}:alias/a"}}, "CAT094"),
        ({"builder": {"access": "ssm"}}, "CAT095"),
        ({"environments": [{"name": f"environment-{n}"} for n in range(9)]}, "CAT071"),
        ({"builder": {"tags": many}}, "CAT071"),
    ):
        seeded.catalog.file("bakeline.yaml", json.dumps({**settings, **change}, indent=2))
        seeded.catalog.image("base", source=VENDOR, tags={f"I{n}": "x" for n in range(10)})
        mark = seeded.sandbox.mark()
        for command in (["validate"], ["release"]):
            done = seeded.catalog.bakeline(*command, want=1)
            assert f"error[{code}]" in done.err + done.out and "--> " in done.err + done.out, (change, done)
        assert seeded.sandbox.api(mark) == []
