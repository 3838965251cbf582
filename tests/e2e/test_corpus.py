"""Text that is code in other languages, in every user string: verbatim in tags and on the instance, never executed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, literal, tags
from support.instance import Instance, running_instance
from support.sandbox import Sandbox

CORPUS = {
    "interpolation": '${file("/etc/passwd")}',
    "directive": "%{ if true }yes%{ endif }",
    "double-quote": 'say "hello" \\ and \\n',
    "single-quote": "it's 'quoted'",
    "substitution": "$(touch /tmp/owned) $HOME ${HOME}",
    "backtick": "`touch /tmp/owned`",
    "slack": "<!channel> <@U1> &amp; *bold*",
    "html": "</script><script>alert(1)</script>",
    "tera": "@{ image }@ @% raw %@ @# gone #@",
    "option": "--version; rm -rf / | true > /x < /y # end",
    "unicode": "grün 漢字 café",
}
# EC2 checks the characters of tags, but moto does not. EC2 accepts all of these in a value.
ALL = " ".join(text for name, text in CORPUS.items() if name != "unicode")[:240]
DESCRIPTION = " ".join([CORPUS["interpolation"], CORPUS["directive"], CORPUS["slack"], CORPUS["backtick"], '"', "'"])


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """Builds an image with the corpus in every free-text field."""
    made = Catalog(sandbox, tmp_path_factory.mktemp("corpus"), "corpus", builder={"tags": {"owner": ALL[:200]}})
    all_texts = "\n".join([*CORPUS.values(), "{{ env `HOME` }} {{env}}", "last"]) + "\n"
    made.file("files/corpus.txt", all_texts)
    made.file("scripts/corpus.sh", f"set -eu\nprintf '%s' {shlex.quote(all_texts)} > /etc/corpus-by-script\n")
    checks: list[dict[str, Any]] = []
    for name, text in CORPUS.items():
        run = f"printf %s {shlex.quote(text)}"
        checks.append({"command": run, "stdout": text, "title": text, "id": f"say-{name}"})
        checks.append({"file": "/etc/corpus.txt", "content": {"include": text}, "id": f"file-{name}", "title": text})
    made.image(
        "app",
        source=VENDOR,
        description=literal(DESCRIPTION),
        tags=literal({f"corpus-{name}": text for name, text in CORPUS.items()} | {"${key}": "value", "k'\"`$(x)": ALL}),
        files=[
            {"source": "files/corpus.txt", "destination": "/etc/corpus.txt"},
            {"source": "files/corpus.txt", "destination": "/etc/corpus/a-b_c.txt"},
        ],
        scripts=["scripts/corpus.sh"],
        checks=literal(checks),
    )
    made.release()
    yield made


@pytest.fixture(scope="module")
def machine(sandbox: Sandbox, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running_instance(sandbox, catalog.latest("app"), tmp_path_factory.mktemp("key")) as one:
        yield one


def test_tags_and_description_are_verbatim(sandbox: Sandbox, catalog: Catalog) -> None:
    [ami] = catalog.images()
    its = tags(ami)
    assert {name: its.get(f"corpus-{name}") for name in CORPUS} == CORPUS
    assert (its["${key}"], its["k'\"`$(x)"]) == ("value", ALL)
    assert ami["Description"] == DESCRIPTION
    [snapshot] = sandbox.client("ec2").describe_snapshots(
        SnapshotIds=[ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]]
    )["Snapshots"]
    assert {name: tags(snapshot).get(f"corpus-{name}") for name in CORPUS} == CORPUS


def test_files_and_scripts_arrive_verbatim(catalog: Catalog, machine: Instance) -> None:
    wanted = (catalog.at / "files/corpus.txt").read_text()
    assert "$(touch /tmp/owned)" in wanted
    for path in ("/etc/corpus.txt", "/etc/corpus/a-b_c.txt", "/etc/corpus-by-script"):
        assert machine.ssh(f"cat {path}") == wanted


def test_text_is_not_expanded_or_executed(catalog: Catalog, machine: Instance) -> None:
    assert machine.ssh("ls /tmp/owned /etc/owned 2>/dev/null || echo none") == "none\n"
    log = (catalog.run / "app/packer.log").read_text(errors="replace")
    assert "root:x:0:0" not in log and "root:x:0:0" not in json.dumps(catalog.images(), default=str)


def test_checks_match_verbatim_text(catalog: Catalog) -> None:
    for phase in ("build", "boot"):
        evidence = json.loads((catalog.run / f"app/checks-{phase}.json").read_text())
        said = json.dumps(evidence["verdicts"], ensure_ascii=False)
        for name, text in CORPUS.items():
            assert f"say-{name}" in said and f"file-{name}" in said
            assert json.dumps(text, ensure_ascii=False)[1:-1] in said, f"the title of {name} is not verbatim"


def test_slack_message_escapes_mentions(sandbox: Sandbox, catalog: Catalog) -> None:
    evil = "<!channel> <!here> <https://x.invalid|click> & ok"
    check = {"command": f"echo {shlex.quote(evil)}", "stdout": "nothing\n", "title": evil, "id": "evil"}
    catalog.image("app", source=VENDOR, description=literal(DESCRIPTION), checks=[check])
    told = len(sandbox.slack())
    catalog.release("--force", want=3)
    assert "<!channel>" in catalog.last.err, "the terminal does not show the text unchanged"
    [message] = sandbox.slack()[told:]
    assert message["status"] == 200, message
    texts = re.findall(r'"text": "((?:[^"\\]|\\.)*)"', json.dumps(message["payload"]))
    assert "channel" in " ".join(texts), "the failure is not reported"
    assert not re.search(r"<[!@#]|<https://x", " ".join(texts)), texts


REFUSED = {
    "{{env}}": "{{",
    "right \u202e left": "control",
    "a {{ .Vars }}": "{{",
    "two\nlines": "line",
    "nul\0": "control",
}
FIELDS = ("description", "tags", "tag key")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_unsupported_text_is_refused_with_location(
    shared_sandbox: Sandbox, tmp_path: Any, field: str, text: str
) -> None:
    made = Catalog(shared_sandbox, tmp_path, "refused")
    put: dict[str, Any] = {"description": text} if field == "description" else {"tags": {"k": text}}
    made.image("app", source=VENDOR, **({"tags": {text: "v"}} if field == "tag key" else put))
    mark = shared_sandbox.mark()
    done = made.bakeline("release")
    assert done.code == 1 and re.search(r"images/app\.yaml:\d+:\d+", done.err) and REFUSED[text] in done.err, done
    assert shared_sandbox.changes(mark) == []


@pytest.mark.parametrize("command", ["validate", "release"])
@pytest.mark.parametrize(
    ("text", "column", "shown"),
    [("gehärtet", 17, "ä"), ("ACME\N{RIGHT SINGLE QUOTATION MARK}s", 18, "U+2019"), ("1 \N{EN DASH} 2", 16, "U+2013"), ("a 😀", 16, "😀")],
)  # fmt: skip
def test_description_beyond_ascii_is_refused_before_a_build(
    shared_sandbox: Sandbox, tmp_path: Any, command: str, text: str, column: int, shown: str
) -> None:
    made = Catalog(shared_sandbox, tmp_path, "refused")
    made.file("images/app.yaml", f"source: {json.dumps(VENDOR)}\ndescription: {text}\ntags: {{note: {text}}}\n")
    mark = shared_sandbox.mark()
    done = made.bakeline(command)
    assert done.code == 1 and f"images/app.yaml:2:{column}" in done.err, done
    assert shown in done.err and "EC2 accepts ASCII only" in done.err, done
    assert "images/app.yaml:3" not in done.err, "the tag was refused, too"
    assert shared_sandbox.changes(mark) == []
