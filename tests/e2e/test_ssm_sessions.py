"""Boot checks with `access: ssm`: SSH through a session of Systems Manager, with awscli and a stand-in for its plugin.

The build opens no session, because Packer 1.6.6 cannot; new checks boot the released AMI and connect through one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from support import session_manager_plugin
from support.catalog import VENDOR, Catalog
from support.inventory import list_cloud
from support.run import REPO
from support.sandbox import Sandbox
from support.stub_packer import install_stub

# A process with the name of the SSM agent, without which an instance accepts no session.
AGENT = """set -eu
printf '#!/bin/sh\\nexec 9<>/dev/null\\nwhile sleep 1000; do :; done\\n' > /usr/bin/amazon-ssm-agent
chmod 755 /usr/bin/amazon-ssm-agent
cat > /etc/systemd/system/amazon-ssm-agent.service <<EOF
[Service]
ExecStart=/usr/bin/amazon-ssm-agent
[Install]
WantedBy=multi-user.target
EOF
systemctl enable amazon-ssm-agent
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog that uses sessions, after the release of an image with an agent."""
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("only instances with a system of their own have an agent")
    at = tmp_path_factory.mktemp("sessions")
    iam = sandbox.client("iam")
    iam.create_role(RoleName="build", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName="build")
    iam.add_role_to_instance_profile(InstanceProfileName="build", RoleName="build")
    made = Catalog(sandbox, at, "sessions")
    made.file("scripts/agent.sh", AGENT)
    made.image("agent", source=VENDOR, scripts=["scripts/agent.sh"], checks=[{"file": "/usr/bin/amazon-ssm-agent"}])
    made.release()
    settings = json.loads((at / "bakeline.yaml").read_text())
    settings["builder"] = {"access": "ssm", "instance_profile": "build"}
    made.file("bakeline.yaml", json.dumps(settings))
    programs = at / "bin"
    programs.mkdir()
    (programs / "session-manager-plugin").symlink_to(session_manager_plugin.__file__)
    (programs / "aws").symlink_to(REPO / ".venv/bin/aws")
    made.env["PATH"] = f"{programs}:{os.environ['PATH']}"
    yield made


def test_build_with_an_old_packer_is_refused_before_it_starts(sandbox: Sandbox, catalog: Catalog) -> None:
    if sandbox.packer and sandbox.packer.version != "1.6.6":
        pytest.skip("this Packer has sessions")
    mark = sandbox.mark()
    done = catalog.bakeline("release", "agent", "--force", want=1)
    assert "`access: ssm` requires Packer 1.7" in done.err, done
    assert sandbox.changes(mark) == []
    checks = json.loads(catalog.bakeline("preflight", "--json").out)["checks"]
    [sessions] = [check for check in checks if check["object"] == "SSM sessions"]
    assert sessions["status"] == "missing" and sessions["next_steps"], sessions


def test_boot_checks_connect_through_a_session(sandbox: Sandbox, catalog: Catalog) -> None:
    """New checks of an unchanged image are run on its current AMI, without a build."""
    before, mark = list_cloud(sandbox), sandbox.mark()
    catalog.image("agent", source=VENDOR, scripts=["scripts/agent.sh"], checks=[{"file": "/etc/passwd"}])
    catalog.env["PATH"] = install_stub(catalog, "1.16.0", ["1.8.2"])[
        "PATH"
    ]  # a Packer with sessions, which is not used
    result = catalog.release()["agent"]
    assert result["status"] == "rechecked", result
    actions = [call["action"] for call in sandbox.api(mark)]
    assert actions.count("StartSession") >= 1 and actions.count("RunInstances") == 1, actions
    assert "AuthorizeSecurityGroupIngress" not in actions, "sessions need no open port"
    after = list_cloud(sandbox)
    temporary = ("instances", "volumes", "keys", "groups")
    assert [after[kind] for kind in temporary] == [before[kind] for kind in temporary]
