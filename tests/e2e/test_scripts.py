"""Scripts with options, and files, folders and templates: their effect in the finished image, and their failures."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, literal
from support.instance import Instance, running_instance
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox

AWKWARD = 'it\'s "quoted" $(id) `id` ${HOME} \\n {{ x }} {% y %} %{ if }\n\tä 😀; *'
# Writes what the script got, one entry per line and byte-exact as hex.
PRINT = """\
set -eu
{
    id -un
    printf '%s' "$TEXT" | od -An -v -tx1 | tr -d ' \\n'
    echo
    for word in "$@"; do printf '%s' "$word" | od -An -v -tx1 | tr -d ' \\n'; echo; done
    basename "$0"
} > "$1"
"""
GROUND = "set -eu\nuseradd --create-home --shell /bin/bash worker\ninstall -d -o worker /srv/worker\n"
REBOOT = "set -eu\ncat /proc/sys/kernel/random/boot_id > /srv/boot-before\nreboot\nsleep 300\n"
AFTER = "set -eu\ncat /proc/sys/kernel/random/boot_id > /srv/boot-after\n"


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Yields an instance of an image with all kinds of scripts and files."""
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("scripts"), "scripts")
    catalog.file("scripts/ground.sh", GROUND)
    catalog.image("ground", source=VENDOR, scripts=["scripts/ground.sh"])
    catalog.file("scripts/print-it.sh", PRINT)
    catalog.file("root fs/srv/tree/a b/ü.txt", "text\n")
    tool = catalog.file("root fs/srv/tree/bin/tool", "#!/bin/sh\necho tool\n")
    tool.chmod(0o755)
    os.symlink("bin/tool", catalog.at / "root fs/srv/tree/link")
    catalog.file("private/key.conf", "a\n")
    path = "scripts/print-it.sh"
    catalog.image(
        "app",
        parent="ground",
        files=[
            {"source": "root fs", "destination": "/"},
            {"source": "private", "destination": "/srv/private", "owner": "worker", "group": "adm", "mode": "0640"},
        ],
        scripts=[
            {"path": path, "env": {"TEXT": literal(AWKWARD)}, "args": ["/srv/root", literal(AWKWARD), "", "--all", 7]},
            {"path": path, "env": {"TEXT": "x"}, "args": ["/srv/worker/out"], "user": "worker", "timeout": "5m"},
        ],
    )
    results = catalog.release()
    assert {name: one["status"] for name, one in results.items()} == {"ground": "released", "app": "released"}
    with running_instance(sandbox, catalog.latest("app"), tmp_path_factory.mktemp("keys")) as app:
        yield app


def decode(lines: str) -> list[str]:
    return [bytes.fromhex(line).decode() for line in lines.split("\n")]


def test_environment_and_arguments_are_verbatim(released: Instance) -> None:
    user, *words, name, _ = released.ssh("cat /srv/root").split("\n")
    assert (user, name) == ("root", "print-it.sh")
    assert decode("\n".join(words)) == [AWKWARD, "/srv/root", AWKWARD, "", "--all", "7"]


def test_script_runs_as_user(released: Instance) -> None:
    assert released.ssh("head -n 1 /srv/worker/out; stat -c %U /srv/worker/out") == "worker\nworker\n"


def test_folder_arrives_with_names_modes_and_links(released: Instance) -> None:
    assert released.ssh("cat '/srv/tree/a b/ü.txt'; /srv/tree/link; readlink /srv/tree/link") == (
        "text\ntool\nbin/tool\n"
    )
    assert released.ssh("stat -c '%U:%G %a' /srv/tree/bin/tool '/srv/tree/a b' '/srv/tree/a b/ü.txt' /srv /") == (
        "root:root 755\nroot:root 755\nroot:root 644\nroot:root 755\nroot:root 755\n"
    )
    assert released.ssh("sudo stat -c '%U:%G %a' /srv/private /srv/private/key.conf") == (
        "worker:adm 750\nworker:adm 640\n"
    )


def test_scripts_leave_no_files(released: Instance) -> None:
    look = "sudo sh -c 'ls -d /var/lib/bakeline* /run/bakeline* /tmp/bakeline* /tmp/script_* 2>/dev/null; true'"
    assert released.ssh(look) == ""


def test_script_reboots_and_build_continues(sandbox: Sandbox, tmp_path: Path) -> None:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot has no boot ID")
    catalog = Catalog(sandbox, tmp_path / "rebooting", "rebooting")
    catalog.file("scripts/reboot.sh", REBOOT)
    catalog.file("scripts/after.sh", AFTER)
    scripts = [{"path": "scripts/reboot.sh", "reboot": True}, "scripts/after.sh"]
    catalog.image("app", source=VENDOR, scripts=scripts)
    catalog.release()
    log = (catalog.run / "app/packer.log").read_text()
    assert "the instance has rebooted" in log, log[-3000:]
    with running_instance(sandbox, catalog.latest("app"), tmp_path) as app:
        before, after = app.ssh("cat /srv/boot-before"), app.ssh("cat /srv/boot-after")
        assert before != after, "the second script ran in the boot of the first"


def fail_release(sandbox: Sandbox, catalog: Catalog) -> str:
    """Runs a release that must fail without leftovers, and returns its output."""
    before = list_cloud(sandbox)
    catalog.release("app", want=4)
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    return catalog.last.err


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "set -e\necho 'first line' >&2\necho 'it broke, really' >&2\nexit 3\n",
            {},
            ["script `scripts/it.sh` failed with exit status 3", "first line | it broke, really"],
        ),
        ("sleep 6000 &\nsleep 6000\n", {"timeout": "3s"}, ["scripts/it.sh", "timeout of 3 s", "stopped"]),
        ("id\n", {"user": "no-such-user"}, ["scripts/it.sh", "the user `no-such-user` does not exist"]),
        ("set -e\nreboot\nsleep 300\n", {}, ["scripts/it.sh", "reboot: true"]),
    ],
)
def test_failed_script_is_named_and_cleaned_up(
    sandbox: Sandbox, tmp_path: Path, text: str, options: dict[str, str], words: list[str]
) -> None:
    catalog = Catalog(sandbox, tmp_path / "failing", "failing")
    catalog.file("scripts/it.sh", text)
    catalog.image("app", source=VENDOR, scripts=[{"path": "scripts/it.sh", **options}])
    said = fail_release(sandbox, catalog)
    assert all(word in said for word in words), said


def test_source_with_requiretty_is_built(sandbox: Sandbox, tmp_path: Path) -> None:
    """The source is the image of an instance on which sudo was limited to terminals."""
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot has no pseudo terminals")
    catalog = Catalog(sandbox, tmp_path / "terminal", "terminal")
    catalog.image("ground", source=VENDOR)
    catalog.release()
    ec2 = sandbox.client("ec2")
    limit = "printf 'Defaults requiretty\\n' > /etc/sudoers.d/50-tty; chmod 0440 /etc/sudoers.d/50-tty"
    with running_instance(sandbox, catalog.latest("ground"), tmp_path) as one:
        one.ssh(f"sudo sh -c {shlex.quote(limit)}")
        assert "must have a tty" in one.try_ssh("sudo -n true").stderr, "sudo works without a terminal"
        source = ec2.create_image(InstanceId=one.id, Name="terminal-source", NoReboot=False)["ImageId"]
        ec2.get_waiter("image_available").wait(ImageIds=[source])
    try:
        catalog.file("scripts/id.sh", "set -eu\nid -un > /srv/id\n")
        catalog.image("app", source={"owner": "self", "name": "terminal-source"}, scripts=["scripts/id.sh"])
        catalog.release("app")
        with running_instance(sandbox, catalog.latest("app"), tmp_path) as app:
            assert app.ssh("sudo -n cat /srv/id") == "root\n"
    finally:
        ec2.deregister_image(ImageId=source)


def test_script_that_sets_requiretty_is_built(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "limited", "limited")
    limit = "printf 'Defaults requiretty\\nDefaults:admin requiretty\\n' > /etc/sudoers.d/50-tty\n"
    catalog.file("scripts/limit.sh", f"set -eu\n{limit}chmod 0440 /etc/sudoers.d/50-tty\n")
    catalog.file("scripts/id.sh", "set -eu\nid -un > /srv/id\n")
    catalog.image("app", source=VENDOR, scripts=["scripts/limit.sh", "scripts/id.sh"])
    catalog.release("app")
    with running_instance(sandbox, catalog.latest("app"), tmp_path) as app:
        assert app.ssh("sudo -n cat /srv/id") == "root\n"
        limits = app.ssh("sudo -n cat /etc/sudoers.d/50-tty")
        assert limits == "Defaults !requiretty\nDefaults:admin !requiretty\n"
        assert app.ssh("sudo -n ls /etc/sudoers.d | grep bakeline || true") == ""


def test_undefined_template_variable_has_position(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "template", "template")
    catalog.file("files/app.conf", "# {{ nothing }} is undefined\n")
    files = [{"source": "files/app.conf", "destination": "/etc/app.conf", "template": True}]
    catalog.image("app", source=VENDOR, files=files)
    done = catalog.bakeline("validate", want=1)
    assert "files/app.conf:1:6" in done.err + done.out and "nothing" in done.err + done.out, done


def test_folder_with_link_outside_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "links", "links")
    catalog.file("tree/a", "a")
    catalog.file("other", "b")
    catalog.image("app", source=VENDOR, files=[{"source": "tree", "destination": "/srv/tree"}])
    for target in ("../other", "/etc/passwd", "missing"):
        link = catalog.at / "tree/link"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        done = catalog.bakeline("validate", want=1)
        assert "CAT061" in done.out + done.err and "images/app.yaml" in done.out + done.err, done
    link.unlink()
    os.mkfifo(catalog.at / "tree/pipe")
    done = catalog.bakeline("validate", want=1)
    assert "special file" in done.out + done.err, done


def test_changed_option_builds_only_its_image(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "options", "options")
    catalog.file("scripts/it.sh", "set -eu\necho $A > /srv/a\n")
    catalog.image("ground", source=VENDOR)
    for value in ("1", "2"):
        script = {"path": "scripts/it.sh", "env": {"A": value}}
        catalog.image("app", parent="ground", scripts=[script])
        if value == "1":
            catalog.release()
    planned = catalog.bakeline("plan", want=0)
    said = planned.out
    lines = {line.split()[0]: line for line in said.splitlines()[1:] if line[0] != " "}
    assert lines["ground"].split()[1] == "keep", said
    assert lines["app"].split()[1] == "build" and "env A" in planned.words, said
