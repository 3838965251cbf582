"""Whole outputs of the tables at 80 columns, piped and on a terminal, and the lookups of accounts and Regions. boto3 lists the
AMIs that the tables must contain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.catalog import tags
from support.run import BAKELINE
from support.sandbox import Sandbox
from support.seeded_history import ONE, PRUNE_AT_ONCE, SECOND, TWO, SeededHistory, create_catalog
from support.state import OTHER, OWN
from support.terminal import run_on_terminal

AMI = re.compile(r"ami-[0-9a-f]{17}")


@pytest.fixture(scope="module")
def history(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> SeededHistory:
    sandbox.reset()
    at = tmp_path_factory.mktemp("output")
    return SeededHistory(sandbox, create_catalog(sandbox, at, "output", **PRUNE_AT_ONCE))


def amis(history: SeededHistory, image: str, version: str | None = None) -> list[str]:
    """Returns the AMIs of an image, or of one version, in all locations."""
    places = [(account, region) for account in (OWN, OTHER) for region in (history.sandbox.region, SECOND)]
    found = [ami for place in places for ami in history.observer.amis(place, image)]
    return sorted(ami["ImageId"] for ami in found if version in (None, tags(ami)["bakeline:version"]))


def plain(text: str) -> str:
    """Replaces the IDs of AMIs and lines with the time of an event."""
    lines = [line for line in AMI.sub("ami-" + "0" * 17, text).splitlines() if not re.match(r"^\d{4}-\d\d-\d\dT", line)]
    return "\n".join(lines) + "\n"


LIST = """\
IMAGE
  VERSION     AMI                    LOCATION                   STATE
NAME
  20260102.1  ami-00000000000000000  eu-central-1               current in Test
  20260101.1  ami-00000000000000000  eu-central-1               current in Prod
  20260101.1  ami-00000000000000000  us-east-1                  current in Prod
  20260101.1  ami-00000000000000000  222222222222.eu-central-1  current in Prod
  20260101.1  ami-00000000000000000  222222222222.us-east-1     current in Prod
"""
PREVIEW = """\
IMAGE  ACTION  VERSION     REASON
IM     revoke  20260101.1  revocation requested
                           no version remains for `Prod` in
                           222222222222.eu-central-1: delete its pointer
                           no version remains for `Prod` in
                           222222222222.us-east-1: delete its pointer
                           no version remains for `Prod` in eu-central-1: delete
                           its pointer
                           no version remains for `Prod` in us-east-1: delete
                           its pointer
"""
PROMOTED = """\
IMAGE  VERSION     AMI                    LOCATION                   STATUS
IM     20260102.1  ami-00000000000000000  eu-central-1               promoted
IM     20260102.1  ami-00000000000000000  222222222222.eu-central-1  promoted
IM     20260102.1  ami-00000000000000000  222222222222.us-east-1     promoted
IM     20260102.1  ami-00000000000000000  us-east-1                  promoted
"""
REVOKED = """\
IMAGE  VERSION     AMI                    LOCATION                   STATUS
IM     20260102.1  ami-00000000000000000  222222222222.eu-central-1  revoked
IM     20260102.1  ami-00000000000000000  222222222222.us-east-1     revoked
IM     20260102.1  ami-00000000000000000  eu-central-1               revoked
IM     20260102.1  ami-00000000000000000  us-east-1                  revoked
"""
PRUNED = """\
IMAGE  VERSION     ACTION      AMI                    REASON
IM     20260102.1  keep        3 AMIs                 current in Prod
IM     20260102.1  keep        ami-00000000000000000  current in Prod, Test
"""


def test_tables_fit_80_columns_and_list_each_ami_once(history: SeededHistory) -> None:
    """One image from its list to its revocation."""
    catalog, (image, _) = history.catalog, history.image(promoted=False)
    expect = lambda text: text.replace("IM ", f"{image} ").replace("NAME", image)
    listed = catalog.bakeline("list", image, want=0)
    assert plain(listed.out) == expect(LIST) and listed.err == "", listed
    assert sorted(AMI.findall(listed.out)) == amis(history, image)
    assert run_on_terminal([BAKELINE, "list", image], catalog.at, catalog.env, columns=80) == listed.out
    in_test = json.loads(catalog.bakeline("list", image, "--env", "Test", "--json", want=0).out)
    assert [(one["version"], one["region"]) for one in in_test] == [(TWO, history.sandbox.region)]
    in_prod = json.loads(catalog.bakeline("list", image, "--env", "Prod", "--json", want=0).out)
    assert sorted(one["ami"] for one in in_prod) == amis(history, image, ONE)

    mark = history.sandbox.mark()
    preview = catalog.bakeline("revoke", image, ONE, want=0)
    assert plain(preview.out) == expect(PREVIEW) and "run again with --apply" in preview.err, preview
    for words in (
        ["promote", image, "--to", "Prod"],
        ["hold", image, TWO],
        ["rollback", image, "--env", "Prod", "--to", ONE],
    ):
        dry = catalog.bakeline(*words, "--dry-run")
        assert dry.code in (0, 7) and (words[0] == "rollback" or "run again without --dry-run" in dry.err), dry
        if words[0] == "promote":
            shown = dry.out + dry.err
            assert all(
                place in shown for place in (SECOND, f"{OTHER}.{SECOND}", f"{OTHER}.{history.sandbox.region}")
            ), dry
    changed = [action for action in history.sandbox.changes(mark) if action != "AssumeRole"]
    assert changed == [], "previews change nothing"

    promoted = catalog.bakeline("promote", image, "--to", "Prod", want=0)
    assert plain(promoted.out) == expect(PROMOTED) and sorted(AMI.findall(promoted.out)) == amis(history, image, TWO)
    pruned = catalog.bakeline("prune", want=0)
    rows = "\n".join(line for line in plain(pruned.out).splitlines() if f" {ONE} " not in line and line[0] != " ")
    assert sorted(rows.splitlines()) == sorted(expect(PRUNED).splitlines()), pruned
    gone = {ident for ident in AMI.findall(pruned.out) if ident in amis(history, image, ONE)}
    assert gone == set(amis(history, image, ONE)), "each AMI that changes is listed"
    explained = catalog.bakeline("prune", "--explain", want=0).out
    assert set(amis(history, image)) <= set(AMI.findall(explained)) and "\n  reserve " in explained, explained

    revoked = catalog.bakeline("revoke", image, TWO, "--apply", want=0)
    assert plain(revoked.out) == expect(REVOKED) and sorted(AMI.findall(revoked.out)) == amis(history, image, TWO)
    for done in (listed, preview, promoted, pruned, revoked):
        lines = [line for line in done.out.splitlines() + done.err.splitlines() if not line.startswith("nothing was")]
        assert max(map(len, lines)) <= 80 and "\x1b" not in done.out + done.err, done
    for word in ("plan", "doctor", "runs", "why"):
        shown = catalog.bakeline(word, *([image] if word == "why" else []))
        assert max(map(len, shown.out.splitlines()), default=0) <= 80, shown


def test_doctor_does_not_call_lost_evidence_consistent(history: SeededHistory) -> None:
    history.image(promoted=False)
    done = history.catalog.bakeline("doctor", "--apply")
    done = history.catalog.bakeline("doctor", want=0)
    last = done.err.splitlines()[-1]
    assert "this evidence cannot be recreated" in done.out and "the store lacks evidence" in last, done


def test_progress_has_times_or_is_json(history: SeededHistory) -> None:
    image, _ = history.image(promoted=False)
    held = history.catalog.bakeline("hold", image, TWO, want=0)
    lines = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (\S+) (.+)$", held.err, re.MULTILINE)
    assert (image, "hold started") in lines and lines[-1][0] == "run" and lines[-1][1].startswith("1 done in "), held
    words = ["hold", image, TWO, "--release-hold"]
    done = history.catalog.bakeline("--progress", "json", *words, want=0)
    events = [json.loads(line) for line in done.err.splitlines()]
    kinds = [event["event"] for event in events]
    assert {"message", "run_started", "step_succeeded", "scope_finished", "run_finished"} <= set(kinds), done
    assert "release hold" in done.err
    shown = run_on_terminal([BAKELINE, "hold", image, TWO], history.catalog.at, history.catalog.env, columns=80)
    assert re.search(rf"{image} +done in [\d.]+ s", shown) and "1 done in" in shown, shown


def test_colors_follow_no_color(history: SeededHistory, tmp_path: Path) -> None:
    (tmp_path / "bakeline.yaml").write_text("name: x\nregions: [eu-central-1]\nnope: 1\n")
    env = {**history.catalog.env, "TERM": "xterm-256color"}
    colored = run_on_terminal([BAKELINE, "validate"], tmp_path, env, columns=80)
    bare = run_on_terminal([BAKELINE, "validate"], tmp_path, {**env, "NO_COLOR": "1"}, columns=80)
    assert "\x1b[" in colored and "\x1b[" not in bare and "unknown key" in bare, (colored, bare)


def test_latest_names_the_account_and_role_of_the_environment(history: SeededHistory) -> None:
    image, _ = history.image(promoted=True)
    catalog = history.catalog
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    env = next(env for env in settings["environments"] if env["name"] == "Prod")
    before = (catalog.at / "bakeline.yaml").read_text()
    env["accounts"] = [OTHER]
    try:
        catalog.file("bakeline.yaml", json.dumps(settings))
        missing = catalog.bakeline("latest", "nope", "--env", "Prod", "--region", SECOND, want=6)
        assert f"`Prod` is in account {OTHER}; assume the role {env['role']}" in missing.err, missing
        catalog.file("bakeline.yaml", json.dumps({**settings, "account": OTHER}))
        foreign = catalog.bakeline("latest", "nope", "--env", "Test", want=6)
        assert f"the AMIs of `Test` belong to account {OTHER}" in foreign.err, foreign
    finally:
        catalog.file("bakeline.yaml", before)
    outside = catalog.bakeline("latest", "nope", "--env", "Prod", "--catalog", "output", want=6)
    assert "bakeline list --catalog output" in outside.err and "account 1" in outside.err, outside
    typing_error = catalog.bakeline("latest", f"{image}x", "--env", "Prod", "--catalog", "output", want=6)
    assert f"did you mean `{image}`?" in typing_error.err, typing_error


def test_region_of_a_lookup_comes_from_flag_environment_or_profile(history: SeededHistory, tmp_path: Path) -> None:
    image, _ = history.image(promoted=True)
    config = tmp_path / "config"
    config.write_text(f"[profile east]\nregion = {SECOND}\n")
    home, env = history.sandbox.region, {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "east"}
    words = ("latest", image, "--env", "Prod", "--catalog", "output", "--json")
    none = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    for more, flag, expected in [
        ({"AWS_REGION": home, "AWS_DEFAULT_REGION": SECOND}, [], home),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": SECOND}, [], SECOND),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": home}, [], home),
        (none, [], SECOND),
        ({"AWS_REGION": SECOND, "AWS_DEFAULT_REGION": SECOND}, ["--region", home], home),
    ]:
        found = history.catalog.bakeline(*words, *flag, env={**env, **more}, want=0)
        assert json.loads(found.out)["region"] == expected, (more, flag, found)


def test_missing_credentials_and_unknown_profiles_have_short_messages(history: SeededHistory, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = eu-central-1\n")
    env = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": str(config)}
    env["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "none")
    none = history.catalog.bakeline("plan", env=env, want=1)
    assert "no AWS credentials found" in none.err and len(none.err.splitlines()) <= 2, none
    unknown = history.catalog.bakeline("plan", env={**env, "AWS_PROFILE": "nope"}, want=1)
    assert "the AWS profile `nope` in AWS_PROFILE does not exist" in unknown.err and "team" in unknown.err, unknown
