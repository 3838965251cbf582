"""A release whose Packer build is denied by a policy names the statement, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from support.catalog import VENDOR, Catalog
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox


def test_failed_build_names_the_statement_that_denied_packer(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "denied", "denied-build")
    catalog.image("base", source=VENDOR)
    before, mark = list_cloud(sandbox), sandbox.mark()
    sandbox.control("policies", {"deny": [{"action": "CreateImage", "sid": "NoNewAmis"}]})
    try:
        done = catalog.bakeline("release", want=4)
    finally:
        sandbox.control("policies", {})
    denied = [call for call in sandbox.api(mark) if call["action"] == "CreateImage" and not call["dry_run"]]
    assert denied and all("app/bakeline" not in call["user_agent"] for call in denied)
    assert "(denied by the statement `NoNewAmis`: ec2:CreateImage on arn:aws:ec2:" in done.err, done
    after = list_cloud(sandbox)
    assert after == before, describe_difference(before, after)
