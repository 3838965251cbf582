"""`preflight` and `release` report all missing prerequisites together and change nothing. The tests remove prerequisites;
the judges are the list of what was removed, the complete inventory, and the API log."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.inventory import Listing, list_cloud
from support.run import CompletedRun
from support.sandbox import READING, Sandbox
from support.seeded_history import ROLE, SECOND
from support.state import OTHER, OWN, CloudObserver

READ_ROLE = f"arn:aws:iam::{OTHER}:role/bakeline-read"
PACKER = """#!/bin/sh
case "$*" in
"-machine-readable version") echo '1,,version,1.16.0' ;;
"plugins installed") printf '%s' ;;
esac
"""
PLUGIN = "/p/packer-plugin-amazon_v1.8.2_x5.0_linux_amd64\\n"
BUCKET = "preflight-store"
DENIED_READS = ("DescribeVpcs", "DescribeSubnets", "DescribeInstanceTypes", "DescribeInstanceTypeOfferings")


@pytest.fixture
def catalog(sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """Yields a catalog whose environment Prod has another account and a second Region, with all prerequisites."""
    sandbox.reset()
    yield create_catalog(sandbox, tmp_path / "ready")
    sandbox.control("capacity", {})


def create_catalog(sandbox: Sandbox, at: Path, prod: dict[str, Any] | None = None, **project: Any) -> Catalog:
    environments = [{"name": "Test"}, {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE, **(prod or {})}]
    made = Catalog(sandbox, at, "ready", regions=[sandbox.region, SECOND], environments=environments, **project)
    made.image("base", source=VENDOR)
    install_packer(made, PLUGIN)
    return made


def install_packer(catalog: Catalog, plugins: str) -> None:
    catalog.file("bin/packer", PACKER.replace("%s", plugins)).chmod(0o755)
    catalog.env["PATH"] = f"{catalog.at}/bin:{os.environ['PATH']}"


def change_settings(catalog: Catalog, **change: Any) -> None:
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, **change}, indent=2))


def deny(*actions: str) -> dict[str, Any]:
    """Returns a rule that denies actions at home."""
    return {"action": list(actions), "account": OWN}


def list_all(sandbox: Sandbox) -> tuple[Listing, list[Any]]:
    """Returns all resources at home, and the AMIs and key pairs of the other locations."""
    observer = CloudObserver(sandbox, "ready")
    others = []
    for place in ((OWN, SECOND), (OTHER, sandbox.region), (OTHER, SECOND)):
        ec2 = observer.client("ec2", place)
        others.append((ec2.describe_images(Owners=["self"])["Images"], ec2.describe_key_pairs()["KeyPairs"]))
    return list_cloud(sandbox), others


def run_unchanged(catalog: Catalog, *words: str, rules: Sequence[dict[str, Any]] = ()) -> CompletedRun:
    """Runs a command while an organization denies calls, and asserts that it changed nothing."""
    sandbox = catalog.sandbox
    before, files, mark = list_all(sandbox), sorted(catalog.at.rglob("*")), sandbox.mark()
    sandbox.control("policies", {"deny": list(rules)})
    done = catalog.bakeline(*words)
    sandbox.control("policies", {})
    calls = sandbox.api(mark)
    # A conditional write of an object that exists fails with 412.
    changing = [
        call
        for call in calls
        if not call["action"].startswith((*READING, "Assume")) and not call["dry_run"] and call["error"] is None
    ]
    assert calls and changing == [], done
    assert list_all(sandbox) == before and sorted(catalog.at.rglob("*")) == files, done
    return done


def checks(done: CompletedRun) -> dict[str, dict[tuple[str, str], dict[str, Any]]]:
    """Returns the checks by status, group and object."""
    document = json.loads(done.out)
    assert document["schema"] == 1
    found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {"ok": {}, "missing": {}, "unknown": {}}
    for check in document["checks"]:
        assert check["status"] == "ok" or check["cause"], check
        assert check["status"] != "missing" or check["next_steps"], check
        found[check["status"]][(check["group"], check["object"])] = check
    assert {status: document[status] for status in found} == {
        status: sum(check["status"] == status for check in document["checks"]) for status in found
    }
    return found


def test_complete_account_has_nothing_missing(catalog: Catalog) -> None:
    sandbox = catalog.sandbox
    mark = sandbox.mark()
    done = run_unchanged(catalog, "preflight", "--json")
    found = checks(done)
    assert done.code == 0 and found["missing"] == {}, done
    assert ("quotas", "vCPUs for t3.small") in found["unknown"] and len(found["unknown"]) == 1, done
    expected = {
        ("tools", "Packer 1.16.0 and its plugin `amazon`"),
        ("tools", "ssh"),
        ("credentials", f"role {ROLE}"),
        ("network", f"default VPC in {sandbox.region}"),
        ("instances", "t3.small"),
        ("permissions", "ec2:CreateKeyPair"),
        ("permissions", "ec2:CreateSecurityGroup"),
        ("permissions", "ec2:RunInstances"),
        ("encryption", f"key of builds in {sandbox.region}"),
        ("notifications", "variable BAKELINE_SLACK_WEBHOOK_URL"),
    }
    expected |= {
        ("credentials", f"Region {at} of account {who}") for at in (sandbox.region, SECOND) for who in (OWN, OTHER)
    }
    assert expected <= set(found["ok"]), expected - set(found["ok"])
    made = [call for call in sandbox.api(mark) if "app/bakeline" in call["user_agent"]]
    dry_runs = [call["action"] for call in made if call["dry_run"]]
    assert sorted(dry_runs) == ["CreateKeyPair", "CreateSecurityGroup", "RunInstances"]
    sessions = [call["resources"] for call in made if call["action"] == "AssumeRole"]
    assert sessions and all(json.loads(session["Policy"])["Statement"] for session in sessions), "a role without limits"


RULES = [deny("CreateKeyPair"), {"action": "sts:AssumeRole"}]


def remove_prerequisites(catalog: Catalog) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Removes prerequisites, in addition to `RULES`. Returns those that refuse a release, and the others."""
    sandbox = catalog.sandbox
    observer = CloudObserver(sandbox, "ready")
    elsewhere = observer.client("ec2", (OWN, SECOND)).describe_subnets()["Subnets"][0]["SubnetId"]
    builder = {"subnet": elsewhere, "instance_type": "m5.mega"}
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE, "kms_key": "alias/prod"}
    change_settings(catalog, builder=builder, environments=[{"name": "Test"}, prod], store={"path": "blocked"})
    catalog.file("blocked", "not a directory")
    install_packer(catalog, "")
    del catalog.env["BAKELINE_SLACK_WEBHOOK_URL"]
    sandbox.client("ec2").enable_ebs_encryption_by_default()
    refusing = {
        ("tools", "Packer and its plugin `amazon`"),
        ("permissions", "ec2:CreateKeyPair"),
        ("network", elsewhere),
        ("instances", "m5.mega"),
        ("encryption", f"key of builds in {sandbox.region}"),
        ("store", "store blocked"),
    }
    others = {
        ("credentials", f"role {ROLE}"),
        ("encryption", f"KMS key alias/prod in {SECOND}"),
        ("notifications", "variable BAKELINE_SLACK_WEBHOOK_URL"),
    }
    return refusing, others


def test_everything_missing_is_reported_together(catalog: Catalog) -> None:
    refusing, others = remove_prerequisites(catalog)
    done = run_unchanged(catalog, "preflight", "--json", rules=RULES)
    missing = checks(done)["missing"]
    assert set(missing) == refusing | others, done
    assert {key for key, check in missing.items() if check["blocks_release"]} == refusing
    assert done.code == 7 and f"{len(missing)} missing prerequisites" in done.err, done
    table = run_unchanged(catalog, "preflight", rules=RULES)
    for group, name in missing:
        rows = [line for line in table.out.splitlines() if line.startswith(group) and name in line]
        assert any(" missing " in row for row in rows), (name, table)

    released = run_unchanged(catalog, "release", rules=RULES)
    assert released.code == 7, released
    assert f"error: {len(refusing)} prerequisites are missing; nothing was changed" in released.err, released
    for key in refusing:
        assert f"error: {missing[key]['cause'].split(': ')[0]}" in released.err, (key, released)
        assert all(f"hint: {step}" in released.err for step in missing[key]["next_steps"]), (key, released)
    assert all(f"warning: {missing[key]['cause']}" in released.err for key in others), released
    assert not catalog.runs()


def test_release_reports_missing_prerequisites_of_the_account_together(catalog: Catalog) -> None:
    """Packer and the store are usable, so the release has its locks when it finds them."""
    sandbox = catalog.sandbox
    sandbox.control("capacity", {"default_vpc": "none"})
    catalog.bakeline("plan", want=0)
    before, mark = list_all(sandbox), sandbox.mark()
    sandbox.control("policies", {"deny": [deny("CreateKeyPair")]})
    done = catalog.bakeline("release", want=1)
    sandbox.control("policies", {})
    assert "error: 2 prerequisites are missing; nothing was changed" in done.err, done
    assert f"has no default VPC in {sandbox.region}" in done.err and "builder.subnet" in done.err, done
    assert "CreateKeyPair in" in done.err and "explicit deny" in done.err, done
    assert [one for one in sandbox.changes(mark) if one != "AssumeRole"] == [] and list_all(sandbox) == before
    assert not catalog.runs()


def test_denied_reads_are_unknown(catalog: Catalog) -> None:
    done = run_unchanged(catalog, "preflight", "--json", rules=[deny(*DENIED_READS, "DescribeRegions")])
    found = checks(done)
    assert done.code == 0 and found["missing"] == {}, done
    unknown = {
        ("network", f"default VPC in {catalog.sandbox.region}"),
        ("instances", "t3.small"),
        *(("credentials", f"Region {region} of account {OWN}") for region in (catalog.sandbox.region, SECOND)),
    }
    assert unknown <= set(found["unknown"]), done
    assert all("explicit deny" in found["unknown"][key]["cause"] for key in unknown), done


def test_denied_read_of_instances_is_missing(catalog: Catalog) -> None:
    """Packer would wait for its instance until its time limit."""
    done = run_unchanged(catalog, "preflight", "--json", rules=[deny("DescribeInstances")])
    assert done.code == 1 and set(checks(done)["missing"]) == {("permissions", "ec2:DescribeInstances")}, done
    assert "explicit deny" in checks(done)["missing"][("permissions", "ec2:DescribeInstances")]["cause"]
    assert ("permissions", "ec2:DescribeInstances") in checks(run_unchanged(catalog, "preflight", "--json"))["ok"]


def test_exceeded_quota_refuses(catalog: Catalog) -> None:
    """The local EC2 does not check quotas in dry runs."""
    fault = {"action": "RunInstances", "code": "VcpuLimitExceeded", "status": 400, "times": 9, "dry_run": True}
    catalog.sandbox.control("faults", {"faults": [fault]})
    done = run_unchanged(catalog, "preflight", "--json")
    catalog.sandbox.control("faults", {"faults": []})
    assert done.code == 7 and set(checks(done)["missing"]) == {("quotas", "vCPUs for t3.small")}, done
    assert "VcpuLimitExceeded" in checks(done)["missing"][("quotas", "vCPUs for t3.small")]["cause"]


def test_missing_credentials_leave_the_rest_unknown(catalog: Catalog) -> None:
    install_packer(catalog, "")
    catalog.env["AWS_ACCESS_KEY_ID"] = "AKIAIOSFODNN7EXAMPLE"
    done = run_unchanged(catalog, "preflight", "--json")
    found = checks(done)
    assert done.code == 1, done
    assert set(found["missing"]) == {("tools", "Packer and its plugin `amazon`"), ("credentials", "caller")}, done
    assert {group for group, _ in found["unknown"]} == {"permissions", "network", "instances", "encryption"}, done


def test_environments_up_to_one_are_checked(catalog: Catalog) -> None:
    mark = catalog.sandbox.mark()
    found = checks(run_unchanged(catalog, "preflight", "base", "--env", "Test", "--json"))
    assert ("credentials", f"role {ROLE}") not in found["ok"]
    made = [call for call in catalog.sandbox.api(mark) if "app/bakeline" in call["user_agent"]]
    assert {call["account"] for call in made} == {OWN}
    done = catalog.bakeline("preflight", "--env", "Tst", want=1)
    assert "did you mean `Test`" in done.err, done


def test_store_is_tested_without_a_write(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    catalog = create_catalog(sandbox, tmp_path / "bucket", store={"s3": {"bucket": BUCKET}})
    key = ("store", f"store s3://{BUCKET}/")
    assert key in checks(run_unchanged(catalog, "preflight", "--json"))["unknown"], "empty"
    catalog.image("base", source={**VENDOR, "name": "no-such-ami-*"})
    catalog.bakeline("release", want=1)
    catalog.image("base", source=VENDOR)
    versions = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert any(one["Key"].endswith("schema.json") for one in versions)
    assert key in checks(run_unchanged(catalog, "preflight", "--json"))["ok"]
    done = run_unchanged(catalog, "preflight", "--json", rules=[deny("s3:PutObject")])
    assert done.code == 1 and set(checks(done)["missing"]) == {key}, done
    assert "s3:PutObject" in "".join(checks(done)["missing"][key]["next_steps"]), done
    assert s3.list_object_versions(Bucket=BUCKET)["Versions"] == versions


def test_read_role_that_the_caller_cannot_assume_is_unknown(sandbox: Sandbox, tmp_path: Path) -> None:
    """Commands that read may run with other credentials than a release."""
    sandbox.reset()
    catalog = create_catalog(sandbox, tmp_path / "roles", prod={"read_role": READ_ROLE})
    found = checks(run_unchanged(catalog, "preflight", "--json"))
    assert {("credentials", f"role {ROLE}"), ("credentials", f"read role {READ_ROLE}")} <= set(found["ok"])
    faults = [{"action": "AssumeRole", "resource": READ_ROLE, "code": "AccessDenied", "status": 403, "times": 9}]
    sandbox.control("faults", {"faults": faults})
    done = run_unchanged(catalog, "preflight", "--json")
    sandbox.control("faults", {"faults": []})
    found = checks(done)
    assert done.code == 0 and ("credentials", f"read role {READ_ROLE}") in found["unknown"], done
