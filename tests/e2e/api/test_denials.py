"""Denials by the policies of an organization: errors name the statement, if the caller may decode the details of EC2. boto3
decodes the details of the same call for comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.catalog import VENDOR, Catalog
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis
from support.seeded_history import ROLE, SECOND
from support.state import OTHER, OWN, CloudObserver

ENCODED = " Encoded authorization failure message: "
COPY = {"account": OTHER, "action": "CopyImage", "sid": 'No "copies" & <tags>'}
LAUNCH = {"account": OTHER, "action": "RunInstances", "sid": "LargeOnly", "require": {"instance_types": ["m7i.*"]}}
DECODE = {"action": "sts:DecodeAuthorizationMessage"}


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    """Yields an image whose environment Prod is in another account."""
    sandbox.reset()
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE}
    ladder = [{"name": "Test", "regions": [sandbox.region]}, prod]
    catalog = Catalog(sandbox, tmp_path / "denied", "denied", regions=[sandbox.region], environments=ladder)
    catalog.image("base", source=VENDOR)
    seeded = SeededAmis(sandbox, catalog)
    seeded.add("base", 20, {"bakeline:current": HERE})
    yield seeded
    sandbox.control("policies", {})
    sandbox.control("faults", {"faults": []})


def deny(seeded: SeededAmis, *rules: dict[str, Any]) -> None:
    seeded.sandbox.control("policies", {"deny": list(rules)})


def decode(seeded: SeededAmis, error: ClientError) -> tuple[str, str, set[str]]:
    """Returns the statement, the resource, and the keys that the statement compares."""
    _, separator, encoded = error.response["Error"]["Message"].partition(ENCODED)
    assert separator and error.response["Error"]["Code"] == "UnauthorizedOperation"
    sts = CloudObserver(seeded.sandbox, "denied").client("sts", (OTHER, seeded.sandbox.region))
    details = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    [statement] = details["matchedStatements"]["items"]
    return (
        statement["statementId"],
        details["context"]["resource"],
        {condition["key"] for condition in statement["conditions"]["items"]},
    )


def test_error_names_the_statement_that_denies_a_change(seeded: SeededAmis) -> None:
    deny(seeded, COPY)
    ec2 = CloudObserver(seeded.sandbox, "denied").client("ec2", (OTHER, seeded.sandbox.region))
    with pytest.raises(ClientError) as denied:
        ec2.copy_image(Name="copy", SourceImageId="ami-1", SourceRegion=SECOND)
    statement, resource, keys = decode(seeded, denied.value)
    assert statement == COPY["sid"] and not keys
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=4)
    assert f"(denied by the statement `{statement}`: ec2:CopyImage on {resource.rpartition('/')[0]}" in done.err, done
    assert "Encoded" not in done.err and "omitted" not in done.err, done


def test_warning_names_the_values_that_the_statement_compares(seeded: SeededAmis) -> None:
    deny(seeded, LAUNCH)
    ec2 = CloudObserver(seeded.sandbox, "denied").client("ec2", (OTHER, seeded.sandbox.region))
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"][0]["ImageId"]
    with pytest.raises(ClientError) as denied:
        ec2.run_instances(ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, DryRun=True)
    statement, resource, keys = decode(seeded, denied.value)
    assert keys == {"ec2:InstanceType"} and resource.endswith(":instance/*")
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=0)
    reason = f"denied by the statement `{statement}`: ec2:RunInstances on {resource} with ec2:InstanceType = `t3.small`"
    assert "could not be tested" in done.err and reason in done.err, done


@pytest.mark.parametrize("cause", ["denied", "failed"])
def test_details_are_omitted_if_they_cannot_be_decoded(seeded: SeededAmis, cause: str) -> None:
    deny(seeded, COPY, *([DECODE] if cause == "denied" else []))
    fault = {"action": "DecodeAuthorizationMessage", "code": "InternalFailure", "status": 500, "times": 100}
    seeded.sandbox.control("faults", {"faults": [fault] if cause == "failed" else []})
    mark = seeded.sandbox.mark()
    done = seeded.catalog.bakeline("promote", "base", "--to", "Prod", want=4)
    assert any(call["action"] == "DecodeAuthorizationMessage" for call in seeded.sandbox.api(mark))
    assert "an explicit deny in a service control policy. (encoded details omitted)" in done.err, done
    assert "grant sts:DecodeAuthorizationMessage" in done.err and ENCODED not in done.err, done
