"""`bakeline permissions` prints what the commands need. The judges are the API log of the local EC2, moto's parser of IAM
policies, cfn-lint, and a stack that awscli deploys."""

from __future__ import annotations

import fnmatch
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.catalog import VENDOR, Catalog
from support.run import HANG, run, wait_until
from support.sandbox import Sandbox
from support.seeded_history import ROLE, SECOND, TWO, SeededHistory
from support.state import OTHER, OWN

READ_ROLE = f"arn:aws:iam::{OTHER}:role/team/bakeline-read"
BUCKET = "acme-store"
GITLAB = ("--gitlab-project", "acme/images", "--account", OWN)
MAX_POLICY = 6144
# Actions that a service authorizes under another name, or that boto3 has no operation for.
S3_ACTIONS = {"GET": {"s3:GetObject", "s3:ListBucket"}, "HEAD": {"s3:GetObject"}, "PUT": {"s3:PutObject"}}
S3_ACTIONS |= {"DELETE": {"s3:DeleteObject"}, "POST": {"s3:DeleteObject"}}
ALSO_ALLOWED = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "iam:PassRole"}


@pytest.fixture(scope="module")
def history(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SeededHistory:
    """Returns a catalog with every part that needs permissions: two Regions, another account, S3, SSM and a profile."""
    sandbox.reset()
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    iam = sandbox.client("iam")
    iam.create_role(RoleName="acme", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="acme")
    iam.add_role_to_instance_profile(InstanceProfileName="acme", RoleName="acme")
    prod = {"name": "Prod", "accounts": [OWN, OTHER], "role": ROLE, "read_role": READ_ROLE, "external_id": "acme/7"}
    catalog = Catalog(
        sandbox,
        tmp_path_factory.mktemp("permissions") / "catalog",
        "granted",
        regions=[sandbox.region, SECOND],
        environments=[{"name": "Test"}, prod],
        store={"s3": {"bucket": BUCKET, "prefix": "team"}},
        builder={"instance_profile": "acme"},
        brakes={"percent": 100},
    )
    catalog.file("scripts/mark.sh", "echo x > /etc/x\n")
    catalog.image("base", source=VENDOR)
    return SeededHistory(sandbox, catalog)


def documents(history: SeededHistory, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(history.catalog.bakeline("permissions", *words, want=0).out)
    assert found
    return found


def granted(role: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns the statements for each action of a role."""
    out: dict[str, list[dict[str, Any]]] = {}
    for statement in (s for policy in role["policies"] for s in policy["Statement"]):
        for action in statement["Action"]:
            out.setdefault(action, []).append(statement)
    return out


def is_granted(call: dict[str, Any], role: dict[str, Any]) -> bool:
    """Judges a logged call by its action, Region and path. The log has no tags. GetCallerIdentity needs no permission."""
    if call["action"] == "GetCallerIdentity":
        return True
    names = S3_ACTIONS[call["action"]] if call["service"] == "s3" else {f"{call['service']}:{call['action']}"}
    for statement in (s for name in names for s in granted(role).get(name, [])):
        regions = statement.get("Condition", {}).get("StringEquals", {}).get("aws:RequestedRegion", [call["region"]])
        # A bulk delete (POST) has its keys in the body.
        is_path = call["service"] == "s3" and call["action"] != "POST"
        arns = [f"arn:aws:s3:::{call['resources'].get('Path', '').strip('/')}"] if is_path else []
        if name := call["resources"].get("Name", ""):
            arns = [f"arn:aws:ssm:{call['region']}:{call['account']}:parameter{name}"]
        if call["region"] in regions and all(
            any(fnmatch.fnmatchcase(arn, pattern) for pattern in statement["Resource"]) for arn in arns
        ):
            return True
    return False


COMMANDS = {
    "read": (["plan"], ["doctor"], ["explain", "IMAGE"], ["list"], ["prune"], ["sweep"], ["why", "IMAGE"]),
    "promote": (
        ["promote", "IMAGE", "--to", "Prod"],
        ["rollback", "IMAGE", "--env", "Prod"],
        ["hold", "IMAGE", TWO],
        ["doctor", "--apply"],
        ["revoke", "IMAGE", TWO, "--apply"],
    ),
    "prune": (["prune", "--apply", "--keep", "1"], ["sweep", "--apply"]),
}


@pytest.mark.parametrize("purpose", COMMANDS)
def test_printed_policies_grant_every_call(history: SeededHistory, purpose: str) -> None:
    roles = documents(history, "--role", purpose, "--format", "iam", "--account", OWN)
    home, environment = roles
    assert home["name"] == f"bakeline-granted-{purpose}" and home["accounts"] == []
    assert environment["name"] == ("bakeline-read" if purpose == "read" else "bakeline")
    image, _ = history.image(promoted=False)
    services = set()
    for words in COMMANDS[purpose]:
        mark = history.sandbox.mark()
        done = history.catalog.bakeline(*(image if word == "IMAGE" else word for word in words))
        assert done.code in (0, 5), done
        calls = history.sandbox.api(mark)
        services |= {call["service"] for call in calls}
        for call in calls:
            role = environment if call["account"] == OTHER else home
            assert is_granted(call, role), (words, call)
    assert {"ec2", "ssm", "sts", "s3"} <= services
    missing = json.loads(json.dumps(environment).replace("ec2:DescribeImages", "ec2:DescribeOther"))
    example = {"service": "ec2", "action": "DescribeImages", "region": SECOND, "account": OTHER, "resources": {}}
    assert is_granted(example, environment) and not is_granted(example, missing), "the judge can refuse"


@pytest.mark.skipif(not shutil.which("packer"), reason="Packer is not installed")
def test_printed_policies_grant_every_call_of_a_build(history: SeededHistory) -> None:
    """Nothing boots here, so the build ends by an interrupt while Packer waits for SSH."""
    home, environment = documents(history, "--role", "build", "--format", "iam", "--account", OWN)
    mark = history.sandbox.mark()
    started = history.catalog.start("release", "base")
    try:
        called = lambda action: [c for c in history.sandbox.api(mark) if c["action"] == action]
        by_packer = lambda: [c for c in called("DescribeInstances") if "aws-sdk-go" in c["user_agent"]]
        waits = lambda: called("RunInstances") and len(by_packer()) >= 2
        wait_until(lambda: waits() or started.poll() is not None, HANG, "Packer to wait for SSH")
    finally:
        started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=HANG) == 130, (history.catalog.at / "out.log").read_text()
    calls = history.sandbox.api(mark)
    made = {call["action"] for call in calls}
    assert {"CreateKeyPair", "RunInstances", "GetInstanceProfile", "TerminateInstances", "DeleteSecurityGroup"} <= made
    for call in calls:
        assert is_granted(call, environment if call["account"] == OTHER else home), call


def test_policies_are_valid_and_small(history: SeededHistory) -> None:
    """moto parses policies as IAM does, and botocore knows the actions."""
    iam = history.sandbox.client("iam")
    policies = [
        policy for role in documents(history, "--format", "iam", "--account", OWN) for policy in role["policies"]
    ]
    for number, policy in enumerate(policies):
        assert len(json.dumps(policy, separators=(",", ":"))) <= MAX_POLICY
        iam.create_policy(PolicyName=f"printed-{number}", PolicyDocument=json.dumps(policy))
        for name in {action for statement in policy["Statement"] for action in statement["Action"]} - ALSO_ALLOWED:
            service, action = name.split(":")
            operations = boto3.client(service, region_name="eu-west-1").meta.service_model.operation_names
            assert action in operations, name
    for role in documents(history, "--format", "trust", *GITLAB):
        iam.create_role(RoleName=f"{role['name']}-trust", AssumeRolePolicyDocument=json.dumps(role["policy"]))
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        broken = {**policies[0], "Statement": [{"Effect": "Allow"}]}
        iam.create_policy(PolicyName="broken", PolicyDocument=json.dumps(broken))


def test_list_names_each_action_once_per_account_and_scope(history: SeededHistory) -> None:
    rows = json.loads(history.catalog.bakeline("permissions", "--json", "--account", OWN, want=0).out)
    for role in documents(history, "--format", "iam", "--account", OWN):
        account = "environments" if role["accounts"] else "home"
        listed = {r["action"] for r in rows if r["account"] == account and set(r["roles"]) & set(role["purposes"])}
        assert listed == set(granted(role)), role["name"]
    table = history.catalog.bakeline("permissions", "--role", "read", want=0).out
    assert "ec2:DescribeImages" in table and "ec2:DeregisterImage" not in table


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--format", "trust"), "--account"),
        (("--format", "trust", "--account", "1"), "12 digits"),
        (("--format", "iam", "--json"), "--format list"),
        (("--format", "trust", *GITLAB, "--ref", "*"), "without wildcards"),
        (("--format", "trust", "--account", OWN, "--gitlab-project", "acme/*"), "group/project"),
    ],
)
def test_wrong_usage_is_refused(history: SeededHistory, words: tuple[str, ...], says: str) -> None:
    done = history.catalog.bakeline("permissions", *words, want=2)
    assert says in done.err and not done.out, done


def deploy(history: SeededHistory, template: Path, account: str) -> None:
    """Deploys the template in an account with awscli."""
    env = dict(history.sandbox.env)
    if account != OWN:
        role = f"arn:aws:iam::{account}:role/administrator"
        keys = history.sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        env |= {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"]}
        env |= {"AWS_SESSION_TOKEN": keys["SessionToken"]}
    words = ["cloudformation", "deploy", "--stack-name", "bakeline", "--template-file", str(template)]
    words += ["--capabilities", "CAPABILITY_NAMED_IAM"]
    run([str(Path(sys.executable).with_name("aws")), *words], template.parent, env, want=0)


def test_stack_passes_cfn_lint_and_creates_the_roles(history: SeededHistory, tmp_path: Path) -> None:
    template = tmp_path / "roles.json"
    template.write_text(history.catalog.bakeline("permissions", "--format", "cloudformation", *GITLAB, want=0).out)
    lint = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--non-zero-exit-code", "warning", str(template)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr
    printed = {role["name"]: role for role in documents(history, "--format", "iam", "--account", OWN)}
    trusts = {role["name"]: role["policy"] for role in documents(history, "--format", "trust", *GITLAB)}
    for account in (OWN, OTHER):
        deploy(history, template, account)
        iam = history.observer.client("iam", (account, history.sandbox.region))
        expected = {
            name
            for name, role in printed.items()
            if (account in role["accounts"]) or (account == OWN and not role["accounts"])
        }
        assert len(expected) == (4 if account == OWN else 2)
        created = {role["RoleName"]: role for role in iam.list_roles()["Roles"] if role["RoleName"] in printed}
        assert set(created) == expected, account
        for name, role in created.items():
            assert role["AssumeRolePolicyDocument"] == trusts[name]
            assert role["Path"] == printed[name]["path"]
            attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
            arns = [policy["PolicyArn"] for policy in attached]
            found = [iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] for arn in arns]
            key = lambda policy: json.dumps(policy, sort_keys=True)
            assert sorted(found, key=key) == sorted(printed[name]["policies"], key=key), name
