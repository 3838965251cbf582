"""The examples of docs/guides/lookups.md find the current AMI. awscli, CloudFormation, cfn-lint and GNU make run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from support.catalog import VENDOR, Catalog
from support.run import BAKELINE, REPO
from support.sandbox import Sandbox
from support.seeded_amis import HERE, SeededAmis

# A directory with the program terraform-provider-external, which is not in the package registries.
PROVIDERS = os.environ.get("TERRAFORM_PROVIDERS")
LATER = "Test=2026-01-21T00:00:00Z"


@pytest.fixture
def seeded(sandbox: Sandbox, tmp_path: Path) -> Iterator[SeededAmis]:
    sandbox.reset()
    catalog = Catalog(sandbox, tmp_path / "lookup", "acme")
    catalog.image("web", source=VENDOR)
    yield SeededAmis(sandbox, catalog)


def examples(language: str, containing: str = "") -> list[str]:
    """Returns the code blocks of the guide in a language."""
    text = (REPO / "docs/guides/lookups.md").read_text()
    found = [block for block in re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) if containing in block]
    assert found, f"no example with {containing}"
    return found


def publish(seeded: SeededAmis, ami: str, env: str) -> str:
    """Writes the parameter of an environment, and returns its name."""
    name = f"/bakeline/{seeded.catalog.name}/web/{env}/x86_64"
    seeded.sandbox.client("ssm").put_parameter(Name=name, Value=ami, Type="String")
    return name


def add_current(seeded: SeededAmis) -> str:
    """Creates an AMI that is current in both environments, and older ones."""
    seeded.add("web", 18, {"Environment": "Prod"})
    ami = seeded.add("web", 19, {"Environment": "Prod", "bakeline:current": "Prod=2026-01-20T00:00:00Z " + LATER})
    for env in ("Test", "Prod"):
        publish(seeded, ami, env)
    return ami


def run_in(seeded: SeededAmis, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in the catalog, with bakeline and the AWS CLI in PATH."""
    path = {"PATH": f"{Path(BAKELINE).parent}:{REPO / '.venv/bin'}:{seeded.sandbox.env['PATH']}"}
    seeded.sandbox.settle()
    return subprocess.run(
        command,
        cwd=seeded.catalog.at,
        env={**seeded.sandbox.env, **path, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def run_awscli(seeded: SeededAmis, env: str) -> list[str]:
    [block] = examples("sh", "aws ssm get-parameter")
    block = block.replace("CATALOG", seeded.catalog.name).replace("IMAGE", "web").replace("ENV", env)
    commands = block.replace("\\\n", " ").strip().splitlines()
    assert len(commands) == 2, commands
    return [run_in(seeded, "sh", "-c", command).stdout.strip() for command in commands]


def test_awscli_finds_the_current_ami(seeded: SeededAmis) -> None:
    """The older version keeps the tag Environment after a promotion of the newer one."""
    ami = add_current(seeded)
    seeded.add("other", 19, {"bakeline:current": HERE})
    for env in ("Test", "Prod"):
        assert run_awscli(seeded, env) == [ami, ami], env
    assert run_awscli(seeded, "Stage") == ["", ""]
    seeded.sandbox.client("ec2").create_tags(Resources=[ami], Tags=[{"Key": "bakeline:state", "Value": "revoked"}])
    assert run_awscli(seeded, "Prod")[1] == ""


def test_boto3_finds_the_current_ami_here_and_in_another_account(seeded: SeededAmis) -> None:
    ami = add_current(seeded)
    own, other = (block.replace("us-east-1", seeded.sandbox.region) for block in examples("python"))
    assert "assume_role" in other and "assume_role" not in own

    def finds(block: str) -> subprocess.CompletedProcess[str]:
        return run_in(seeded, sys.executable, "-c", block + "print(ami)\n")

    assert finds(own).stdout == f"{ami}\n"
    assert "ParameterNotFound" in finds(other).stderr
    keys = seeded.sandbox.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/ami-reader", RoleSessionName="setup"
    )["Credentials"]
    there = boto3.client(
        "ssm",
        region_name=seeded.sandbox.region,
        endpoint_url=seeded.sandbox.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    there.put_parameter(Name="/bakeline/acme/web/Prod/x86_64", Value="ami-0123456789abcdef0", Type="String")
    assert finds(other).stdout == "ami-0123456789abcdef0\n"


def test_parameter_of_a_stack_resolves_to_the_current_ami(seeded: SeededAmis) -> None:
    ami = add_current(seeded)
    [block] = examples("yaml", "AWS::SSM::Parameter::Value")
    template = yaml.safe_load(block)
    trust = {"Version": "2012-10-17", "Statement": []}
    template["Resources"] = {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}}
    template["Outputs"] = {"Ami": {"Value": {"Ref": "WebAmi"}}}
    stacks = seeded.sandbox.client("cloudformation")
    stacks.create_stack(StackName="web", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"])
    [stack] = stacks.describe_stacks(StackName="web")["Stacks"]
    assert [output["OutputValue"] for output in stack["Outputs"]] == [ami]


def test_cfn_lint_accepts_the_examples(seeded: SeededAmis) -> None:
    """The local EC2 does not resolve dynamic references, so that cfn-lint judges them."""
    ami = add_current(seeded)
    blocks = [block for block in examples("yaml") if "AWS::" in block]
    for number, block in enumerate(blocks):
        template = yaml.safe_load(block)
        template.setdefault(
            "Resources", {"Use": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": {"Ref": "WebAmi"}}}}
        )
        file = seeded.catalog.file(f"stack{number}.yaml", yaml.safe_dump(template))
        done = run_in(seeded, "cfn-lint", "--template", str(file))
        assert done.returncode == 0, done
        broken = file.read_text().replace("AWS::EC2::Instance", "AWS::EC2::Instanz")
        assert run_in(seeded, "cfn-lint", "--template", str(seeded.catalog.file("broken.yaml", broken))).returncode != 0
    [name] = re.findall(r"{{resolve:ssm:(.*?)}}", "".join(blocks))
    assert seeded.sandbox.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == ami


def test_make_passes_the_current_ami(seeded: SeededAmis) -> None:
    [block] = examples("make")
    seeded.catalog.file("Makefile", block)
    seeded.catalog.file("run-tests", '#!/bin/sh\necho "tested $*"\n').chmod(0o755)
    without = run_in(seeded, "make", "--silent")
    assert without.returncode == 2 and "no current AMI of web" in without.stderr and without.stdout == "", without
    ami = add_current(seeded)
    done = run_in(seeded, "make", "--silent")
    assert (done.returncode, done.stdout) == (0, f"tested --ami {ami}\n"), done


def test_json_is_what_the_external_data_source_of_terraform_requires(seeded: SeededAmis) -> None:
    """It requires one object whose values are strings."""
    ami = add_current(seeded)
    [block] = examples("terraform", 'data "external"')
    program = json.loads(re.sub(r"\s+", " ", re.findall(r"program = (\[.*?\])", block, re.DOTALL)[0]))
    program[program.index("us-east-1")] = seeded.sandbox.region
    done = run_in(seeded, *program)
    assert done.returncode == 0, done
    answer = json.loads(done.stdout)
    assert answer["ami"] == ami and all(isinstance(value, str) for value in answer.values()), answer
    for key in re.findall(r"external\.web\.result\.(\w+)", block):
        assert answer[key]


@pytest.mark.skipif(not PROVIDERS or not shutil.which("terraform"), reason="needs Terraform and TERRAFORM_PROVIDERS")
def test_terraform_reads_the_current_ami(seeded: SeededAmis) -> None:
    ami = add_current(seeded)
    [block] = examples("terraform", 'data "external"')
    seeded.catalog.file("main.tf", block.replace("us-east-1", seeded.sandbox.region))
    overrides = f'dev_overrides {{\n"hashicorp/external" = "{PROVIDERS}"\n}}\ndirect {{}}'
    config = seeded.catalog.file("terraform.rc", f"provider_installation {{\n{overrides}\n}}\n")
    applied = run_in(seeded, "terraform", "apply", "-auto-approve", "-no-color", TF_CLI_CONFIG_FILE=str(config))
    assert applied.returncode == 0, applied
    output = run_in(seeded, "terraform", "output", "-raw", "web", TF_CLI_CONFIG_FILE=str(config))
    assert output.stdout == f"{ami} (20260119.1)", output
