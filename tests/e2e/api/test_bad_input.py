"""Bad input: an error with location and hint, the documented exit code, and no changes."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog
from support.run import CompletedRun
from support.sandbox import Sandbox

SOURCE = 'source: {owner: "136693071363", name: debian-12-amd64-*}\n'
WEBHOOK = "https://hooks.slack.com/services/T01234567/B01234567/" + "aBcDeFgHiJkLmNoPqRsTuVwX"
TOKEN = "glpat-" + "a1B2c3D4e5F6g7H8i9J0"
KEY_ID = "AKIA" + "Z7QX2MWPL4TN6VBC"
WORDS = ["x", *(f"*{name}" for name in "abcdefgh")]
BOMB = "".join(f"{name}: &{name} [{', '.join([word] * 10)}]\n" for word, name in zip(WORDS, "abcdefghi", strict=True))


@dataclass(frozen=True)
class BadInput:
    """A faulty file, the expected location and the expected words of the message."""

    name: str
    text: str
    line: int
    column: int
    says: tuple[str, ...]
    file: str = "images/app.yaml"
    secret: str = ""


PROJECT = "name: bad\nregions: [eu-central-1]\n"
BROKEN = [
    BadInput("unknown key", f"{SOURCE}pakages: [curl]\n", 2, 1, ("pakages", "`packages`")),
    BadInput("unknown key of the project", f"{PROJECT}regoins: [x]\n", 3, 1, ("regoins", "`regions`"), "bakeline.yaml"),
    BadInput("unknown key in a check", f"{SOURCE}checks:\n  - {{file: /x, ower: root}}\n", 3, 16, ("ower", "owner")),
    BadInput("duplicate key", f"{SOURCE}description: a\ndescription: b\n", 3, 1, ("description", "duplicate", ":2:1")),
    BadInput("tab", f"{SOURCE}checks:\n\t- command: x\n", 3, 1, ("tab", "spaces")),
    BadInput("YAML bomb", f"{BOMB}packages: *i\n{SOURCE}", 0, 0, ("alias",)),
    BadInput("unknown parent", "parent: bse\n", 1, 9, ("bse", "base")),
    BadInput("its own parent", "parent: app\n", 1, 9, ("app -> app", "source")),
    BadInput("name that is not the file's", f"{SOURCE}name: base\n", 2, 7, ("base", "images/base.yaml")),
    BadInput("name outside the rules", f"{SOURCE}name: My_App\n", 2, 7, ("My_App",)),
    BadInput(
        "catalog's name outside the rules",
        "name: Bad Name\nregions: [eu-central-1]\n",
        1,
        7,
        ("Bad Name",),
        "bakeline.yaml",
    ),
    BadInput("no name", "regions: [eu-central-1]\n", 1, 1, ("name",), "bakeline.yaml"),
    BadInput("Region outside the rules", "name: bad\nregions: [Frankfurt]\n", 2, 11, ("Frankfurt",), "bakeline.yaml"),
    BadInput(
        "reserved tag key Environment", f"{SOURCE}tags: {{Environment: Prod}}\n", 2, 8, ("Environment", "reserved")
    ),
    BadInput("reserved tag key Name", f"{SOURCE}tags: {{Name: x}}\n", 2, 8, ("Name", "reserved")),
    BadInput("reserved tag key aws:", f"{SOURCE}tags: {{'aws:x': y}}\n", 2, 8, ("aws:x", "reserved")),
    BadInput(
        "reserved tag key bakeline:", f"{SOURCE}tags: {{'bakeline:self': y}}\n", 2, 8, ("bakeline:self", "reserved")
    ),
    BadInput("unknown environment", f"{SOURCE}environment: Moon\n", 2, 14, ("Moon", "Test", "Prod")),
    BadInput("environment above the parent's", "parent: low\nenvironment: Prod\n", 2, 14, ("Prod", "low", "Test")),
    BadInput("path outside by ..", f"{SOURCE}scripts: [../../etc/passwd]\n", 2, 11, ("../../etc/passwd", "relative")),
    BadInput("path outside by /", f"{SOURCE}scripts: [/etc/passwd]\n", 2, 11, ("/etc/passwd",)),
    BadInput("path outside by a link", f"{SOURCE}scripts: [out/passwd]\n", 2, 11, ("out/passwd", "link")),
    BadInput(
        "script that is a link outside", f"{SOURCE}scripts: [scripts/link.sh]\n", 2, 11, ("scripts/link.sh", "link")
    ),
    BadInput("file outside", f"{SOURCE}files: [{{source: ../x, destination: /x}}]\n", 2, 18, ("../x",)),
    BadInput("package -y", f"{SOURCE}packages: [-y]\n", 2, 12, ("-y", "package")),
    BadInput("package --allow", f"{SOURCE}packages: ['--allow-downgrades']\n", 2, 12, ("--allow-downgrades",)),
    BadInput("package with a shell in it", f"{SOURCE}packages: ['a;reboot']\n", 2, 12, ("a;reboot",)),
    BadInput("keeps nothing", f"{PROJECT}retention: {{keep: 0}}\n", 3, 19, ("keep", "1"), "bakeline.yaml"),
    BadInput("keeps no reserve", f"{PROJECT}retention: {{reserve: 0}}\n", 3, 22, ("reserve", "1"), "bakeline.yaml"),
    BadInput(
        "literal webhook", f"{SOURCE}description: tell {WEBHOOK}\n", 2, 14, ("webhook", "environment"), secret=WEBHOOK
    ),
    BadInput("literal token", f"{SOURCE}tags: {{a: {TOKEN}}}\n", 2, 11, ("token", "Secrets Manager"), secret=TOKEN),
    BadInput(
        "literal webhook of the notifier",
        f"{PROJECT}notifiers:\n  - slack: {{webhook_env: '{WEBHOOK}'}}\n",
        4,
        26,
        ("webhook",),
        "bakeline.yaml",
        WEBHOOK,
    ),
    BadInput("literal AWS key", f"{SOURCE}description: {KEY_ID}\n", 2, 14, ("AWS", "Secrets Manager"), secret=KEY_ID),
    BadInput("script missing", f"{SOURCE}scripts: [scripts/none.sh]\n", 2, 11, ("scripts/none.sh",)),
    BadInput("file missing", f"{SOURCE}files: [{{source: none.txt, destination: /x}}]\n", 2, 18, ("none.txt",)),
    BadInput("profile missing", f"{SOURCE}profiles: [nosuch]\n", 2, 12, ("nosuch",)),
    BadInput(
        "broken regular expression",
        f"{SOURCE}checks:\n  - {{command: x, stdout: {{match: '['}}}}\n",
        3,
        34,
        ("[",),
    ),
    BadInput("{{env}} in a description", f"{SOURCE}description: 'a {{{{env}}}}'\n", 2, 14, ("{{", "template")),
    BadInput("{{env}} in a tag", f"{SOURCE}tags: {{a: '{{{{env}}}}'}}\n", 2, 11, ("{{", "template")),
    BadInput("newline in a description", f'{SOURCE}description: "a\\nb"\n', 2, 14, ("line",)),
    BadInput("newline in a tag", f'{SOURCE}tags: {{a: "b\\nc"}}\n', 2, 11, ("line",)),
    BadInput("NUL in a description", f'{SOURCE}description: "a\\0b"\n', 2, 14, ("control character",)),
    BadInput("NUL in a tag", f'{SOURCE}tags: {{a: "b\\0c"}}\n', 2, 11, ("control character",)),
    BadInput("NUL in a check", f'{SOURCE}checks:\n  - {{command: "a\\0b"}}\n', 3, 15, ("control character",)),
    BadInput("neither source nor parent", "description: nothing\n", 1, 1, ("source", "parent")),
    BadInput("both source and parent", f"{SOURCE}parent: base\n", 2, 9, ("source", "parent")),
]


@pytest.fixture
def catalog(shared_sandbox: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """Returns a valid catalog."""
    made = Catalog(shared_sandbox, tmp_path, "bad")
    made.file("scripts/ok.sh", "true\n")
    made.image("base", source=VENDOR, scripts=["scripts/ok.sh"])
    made.image("low", source=VENDOR, environment="Test")
    made.file("images/app.yaml", SOURCE)
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "scripts/link.sh").symlink_to("/etc/passwd")
    made.bakeline("validate", want=0)
    yield made


def assert_nothing_changed(
    shared_sandbox: Sandbox, catalog: Catalog, code: int, *words: str, env: dict[str, str] | None = None
) -> CompletedRun:
    """Runs bakeline and asserts the exit code and that nothing was changed."""
    mark = shared_sandbox.mark()
    done = catalog.bakeline(*words, env=env)
    assert done.code == code, f"wanted exit {code}: {done}"
    assert shared_sandbox.changes(mark) == [], f"something was changed: {done}"
    assert "panicked" not in done.err and "RUST_BACKTRACE" not in done.err, done
    return done


def test_valid_catalog_reaches_the_api(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    mark = shared_sandbox.mark()
    catalog.bakeline("plan", want=0)
    assert {"DescribeImages"} <= {call["action"] for call in shared_sandbox.api(mark)}, (
        "the API log shows no call of a plan"
    )
    shared_sandbox.client("ssm").put_parameter(Name="/judge/seen", Value="x", Type="String")
    shared_sandbox.client("ssm").delete_parameter(Name="/judge/seen")
    assert shared_sandbox.changes(mark) == ["PutParameter", "DeleteParameter"]


@pytest.mark.parametrize("bad", BROKEN, ids=lambda bad: bad.name)
def test_invalid_catalog_is_refused_with_location(shared_sandbox: Sandbox, catalog: Catalog, bad: BadInput) -> None:
    catalog.file(bad.file, bad.text)
    for words in (("validate",), ("release",), ("plan",)):
        done = assert_nothing_changed(shared_sandbox, catalog, 1, *words)
        place = re.escape(bad.file) + (rf":{bad.line}:{bad.column}\b" if bad.line else r":\d+:\d+\b")
        assert re.search(place, done.err), f"no {place}: {done}"
        missing = [word for word in bad.says if word.lower() not in done.err.lower()]
        assert not missing, f"{missing} not said: {done}"
        assert re.search(r"(help|hint):", done.err), f"no next thing to do: {done}"
        if bad.secret:
            assert bad.secret not in done.out + done.err and bad.secret[-12:] not in done.out + done.err, done
    assert not (catalog.at / ".bakeline").exists(), "a refused release left a run directory"


def test_a_cycle_names_every_member(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    for child, parent in (("one", "two"), ("two", "three"), ("three", "one")):
        catalog.file(f"images/{child}.yaml", f"parent: {parent}\n")
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release")
    assert all(name in done.err for name in ("one", "two", "three")) and re.search(r"images/\w+\.yaml:1:9", done.err), (
        done
    )


def test_a_duplicate_name_is_refused(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    shutil.copy(catalog.at / "images/app.yaml", catalog.at / "images/app.yml")
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release")
    assert "images/app.yml" in done.err and "app" in done.err and re.search(r"(help|hint):", done.err), done


def test_all_problems_are_reported(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("images/app.yaml", "parent: bse\npakages: []\nenvironment: Moon\n")
    catalog.file("images/low.yaml", f"{SOURCE}packages: [-y]\n")
    said = assert_nothing_changed(shared_sandbox, catalog, 1, "validate").err
    for place in ("images/app.yaml:1:9", "images/app.yaml:2:1", "images/app.yaml:3:14", "images/low.yaml:2:12"):
        assert place in said, f"{place} is missing in {said}"


def test_undefined_template_variable_is_found_before_build(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("images/app.yaml", f"{SOURCE}packages: [curl]\n")
    catalog.file("templates/provision/common/packages.sh", "set -eu\napt-get install -y @{ nosuch }@\n")
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", "app")
    assert re.search(r"templates/provision/common/packages\.sh:2:\d+", done.err) and "nosuch" in done.err, done


def test_template_syntax_error_is_found_before_build(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    catalog.file("images/app.yaml", f"{SOURCE}packages: [curl]\n")
    catalog.file("templates/provision/common/packages.sh", "set -eu\n@% if packages %@\n")
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", "app")
    assert "templates/provision/common/packages.sh" in done.err, done


def test_missing_catalog_is_reported(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    (catalog.at / "bakeline.yaml").unlink()
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release")
    assert "bakeline.yaml" in done.err and re.search(r"(help|hint):", done.err), done


@pytest.mark.parametrize("words", [("release", "nosuch"), ("plan", "nosuch"), ("promote", "nosuch", "--to", "Prod")])
def test_unknown_image_is_refused(shared_sandbox: Sandbox, catalog: Catalog, words: tuple[str, ...]) -> None:
    done = assert_nothing_changed(shared_sandbox, catalog, 1, *words)
    assert "nosuch" in done.err, done


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("promote", "app", "--to", "Moon"), 1, "Moon"),
        (("promote", "low", "--to", "Prod"), 7, "images/low.yaml"),
        (("latest", "app", "--env", "Moon"), 1, "Moon"),
        (("latest", "app"), 2, "--env"),
        (("latest", "app", "--env", "Test"), 6, "app"),
        (("release", "--nosuch"), 2, "--nosuch"),
        (("release", "--jobs", "0"), 2, "jobs"),
        (("prune", "--keep=-1"), 2, "keep"),
        (("prune", "--keep", "0"), 2, "keep"),
    ],
)
def test_impossible_request_is_refused(
    shared_sandbox: Sandbox, catalog: Catalog, words: tuple[str, ...], code: int, says: str
) -> None:
    done = assert_nothing_changed(shared_sandbox, catalog, code, *words)
    assert says in done.err and done.out == "", done


def tools(at: Path, packer: str | None) -> str:
    """Returns a PATH without Packer, or with the given one."""
    at.mkdir()
    for folder in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(folder).glob("*"):
            link = at / program.name
            if program.name != "packer" and not link.is_symlink():
                link.symlink_to(program)
    if packer is not None:
        (at / "packer").write_text(packer)
        (at / "packer").chmod(0o755)
    return str(at)


OLD = '#!/bin/sh\ncase "$*" in *-machine-readable*) echo "1700000000,,version,1.4.5";; *) echo "Packer v1.4.5";; esac\n'
ODD = "#!/bin/sh\necho 'packer: not the one you look for'; exit 1\n"


@pytest.mark.parametrize(
    ("packer", "says"), [(None, ("packer", "install")), (OLD, ("1.4.5", "1.6.6")), (ODD, ("packer", "version"))]
)
def test_packer_missing_or_too_old(
    shared_sandbox: Sandbox, catalog: Catalog, tmp_path: Path, packer: str | None, says: tuple[str, ...]
) -> None:
    path = tools(tmp_path / "tools", packer)
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", "app", env={"PATH": path})
    assert all(word.lower() in done.err.lower() for word in says), done


def test_unreachable_endpoint_is_reported(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for words in (("release",), ("latest", "app", "--env", "Test"), ("prune",), ("list",)):
        done = assert_nothing_changed(shared_sandbox, catalog, 1, *words, env={"AWS_ENDPOINT_URL": endpoint})
        assert "AWS_ENDPOINT_URL" in done.err and "eu-central-1" in done.err and re.search(r"(help|hint):", done.err), (
            done
        )
        assert done.out == "", done


def test_missing_credentials_are_reported(shared_sandbox: Sandbox, catalog: Catalog, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        catalog.env.pop(name, None)
    catalog.env["HOME"] = str(tmp_path)
    for words in (("release",), ("latest", "app", "--env", "Test")):
        done = assert_nothing_changed(shared_sandbox, catalog, 1, *words)
        assert "credentials" in done.err.lower() and re.search(r"(help|hint):", done.err), done


def test_invalid_credentials_are_reported(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", env={"AWS_ACCESS_KEY_ID": "AKIA" + "Q" * 16})
    assert "eu-central-1" in done.err and ("credential" in done.err.lower() or "AuthFailure" in done.err), done


def test_missing_source_is_reported(shared_sandbox: Sandbox, catalog: Catalog) -> None:
    missing = {**VENDOR, "name": "debian-99-amd64-*"}
    catalog.image("app", source=missing)
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", "app")
    assert all(word in done.err for word in ("debian-99-amd64-*", "136693071363", "eu-central-1")), done
    catalog.image("app", source={"ssm": "/aws/service/nosuch/ami"})
    done = assert_nothing_changed(shared_sandbox, catalog, 1, "release", "app")
    assert "/aws/service/nosuch/ami" in done.err and "eu-central-1" in done.err, done
