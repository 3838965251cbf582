"""Users in playbooks: tasks of root, the login user and another user work in any order and leave nothing of Ansible."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog
from support.instance import Instance, running_instance
from support.sandbox import Sandbox

WORKER = {"become_user": "worker"}
LOGIN = {"become": False}
# The parent's /tmp takes no programs, as that of a hardened image, and the home directories are closed to others.
GROUND = """\
set -eu
useradd --create-home --shell /bin/bash worker
printf 'HOME_MODE 0700\\n' >> /etc/login.defs
chmod 0700 /home/worker
printf 'tmpfs /tmp tmpfs rw,nosuid,nodev,noexec,mode=1777 0 0\\n' >> /etc/fstab
"""
# Prints its user and the modes of the folder and the file in which Ansible transferred it.
SCRIPT = '#!/bin/sh\nset -eu\nid -un\nstat -c %a "$(dirname "$0")" "$0"\n'


def fragments(at: str) -> dict[str, list[dict[str, Any]]]:
    """Returns tasks by user. Each set is complete and writes to its own directories."""
    root = f"/srv/{at}"
    return {
        "root": [
            {"ansible.builtin.lineinfile": {"path": f"{root}.conf", "line": "by = root", "create": True}},
            {"ansible.builtin.copy": {"src": "data.txt", "dest": f"{root}.data", "mode": "0640"}, "notify": "root"},
            {"ansible.builtin.template": {"src": "page.j2", "dest": f"{root}.page"}},
            {"ansible.builtin.lineinfile": {"path": "/etc/issue", "line": f"built by {at}", "backup": True}},
        ],
        "worker": [
            {"ansible.builtin.copy": {"src": "data.txt", "dest": f"~/{at}.data", "mode": "0600"}, "notify": "worker"},
            {"ansible.builtin.shell": f"id -un > ~/{at}.shell", "async": 60, "poll": 1},
            {"ansible.builtin.lineinfile": {"path": f"~/{at}.conf", "line": "by = worker", "create": True}},
            {"ansible.builtin.template": {"src": "page.j2", "dest": f"~/{at}.page"}},
            {"ansible.builtin.file": {"path": f"~/{at}.tree", "state": "directory"}},
            {"ansible.builtin.unarchive": {"src": "tree.tar", "dest": f"~/{at}.tree"}},
            {"ansible.builtin.script": "tell.sh", "register": "told"},
            {"ansible.builtin.copy": {"content": "{{ told.stdout }}", "dest": f"~/{at}.told"}},
        ],
        "login": [
            {"ansible.builtin.lineinfile": {"path": f"~/{at}.conf", "line": "by = login", "create": True}},
            {"ansible.builtin.copy": {"src": "data.txt", "dest": f"~/{at}.data"}},
            {"ansible.builtin.shell": f"id -un > ~/{at}.shell"},
        ],
        # sudo sets SUDO_USER. Tasks on the runner run as the runner's own user.
        "runner": [
            {"ansible.builtin.shell": "echo ${SUDO_USER:-none}", "delegate_to": "localhost", "register": "runner"},
            {"ansible.builtin.copy": {"content": "{{ runner.stdout }}", "dest": f"{root}.runner"}},
        ],
    }


ORDERS = {
    "first": ("root", "worker", "login"),
    "second": ("worker", "login", "root"),
    "third": ("runner", "login", "root", "worker"),
}


def playbook(at: str, order: tuple[str, ...]) -> str:
    users: dict[str, dict[str, Any]] = {"root": {}, "worker": WORKER, "login": LOGIN, "runner": {}}
    parts = fragments(at)
    tasks = [{"name": f"{at} {user}", **task, **users[user]} for user in order for task in parts[user]]
    handlers = [
        {"name": user, "ansible.builtin.copy": {"src": "data.txt", "dest": dest}, **users[user]}
        for user, dest in (("worker", f"~/{at}.handled"), ("root", f"/srv/{at}.handled"))
    ]
    return json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks, "handlers": handlers}], indent=2)


def create_archive() -> bytes:
    """Returns an archive with one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("leaf")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"leaf\n"))
    return out.getvalue()


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Instance, Instance]]:
    """Yields an instance of the parent and one of the image with the playbooks."""
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("ansible"), "ansible")
    catalog.file("scripts/ground.sh", GROUND)
    catalog.image("ground", source=VENDOR, scripts=["scripts/ground.sh"])
    catalog.file("ansible/files/data.txt", "data\n")
    catalog.file("ansible/files/tree.tar", create_archive())
    catalog.file("ansible/files/tell.sh", SCRIPT)
    catalog.file("ansible/templates/page.j2", "page of {{ inventory_hostname }}\n")
    for at, order in ORDERS.items():
        catalog.file(f"ansible/{at}.yaml", playbook(at, order))
    catalog.image("played", parent="ground", ansible=[{"playbook": f"ansible/{at}.yaml"} for at in ORDERS])
    results = catalog.release()
    assert {name: one["status"] for name, one in results.items()} == {"ground": "released", "played": "released"}
    at = tmp_path_factory.mktemp("keys")
    with (
        running_instance(sandbox, catalog.latest("ground"), at) as ground,
        running_instance(sandbox, catalog.latest("played"), at) as played,
    ):
        assert "noexec" in ground.ssh("findmnt -no OPTIONS /tmp"), "programs in /tmp can be started"
        assert ground.ssh("ls -A /srv; command -v setfacl || true") == "", "the parent has what the playbooks bring"
        yield ground, played


def stat_file(played: Instance, path: str, form: str = "%U %a") -> str:
    return played.ssh(f"sudo stat -c '{form}' {path}").strip()


def read_file(played: Instance, path: str) -> str:
    return played.ssh(f"sudo cat {path}")


@pytest.mark.parametrize("at", ORDERS)
def test_tasks_of_each_user_run_as_that_user(released: tuple[Instance, Instance], at: str) -> None:
    played = released[1]
    assert (read_file(played, f"/srv/{at}.conf"), read_file(played, f"/srv/{at}.page")) == (
        "by = root\n",
        "page of played\n",
    )
    assert (read_file(played, f"/srv/{at}.data"), stat_file(played, f"/srv/{at}.data")) == ("data\n", "root 640")
    for user, name in (("worker", "worker"), ("admin", "login")):
        home = f"/home/{user}/{at}"
        assert read_file(played, f"{home}.conf") == f"by = {name}\n"
        assert (read_file(played, f"{home}.shell"), stat_file(played, f"{home}.shell", "%U")) == (f"{user}\n", user)
        assert (read_file(played, f"{home}.data"), stat_file(played, f"{home}.data", "%U")) == ("data\n", user)
    assert stat_file(played, f"/home/worker/{at}.data") == "worker 600"
    attributes = f"sudo python3 -c \"import os; print(os.listxattr('/home/worker/{at}.data'))\""
    assert "acl" not in played.ssh(attributes), (
        "the user's access to the temporary file became an attribute of the file"
    )
    assert read_file(played, f"/home/worker/{at}.page") == "page of played\n"
    leaf = f"/home/worker/{at}.tree/leaf"
    assert (read_file(played, leaf), stat_file(played, leaf, "%U")) == ("leaf\n", "worker")


@pytest.mark.parametrize("at", ORDERS)
def test_handlers_run_as_their_user(released: tuple[Instance, Instance], at: str) -> None:
    assert stat_file(released[1], f"/srv/{at}.handled", "%U") == "root"
    assert stat_file(released[1], f"/home/worker/{at}.handled", "%U") == "worker"


@pytest.mark.parametrize("at", ORDERS)
def test_transferred_files_are_private(released: tuple[Instance, Instance], at: str) -> None:
    user, *modes = read_file(released[1], f"/home/worker/{at}.told").split()
    assert user == "worker" and len(modes) == 2, modes
    assert all(mode.endswith("0") for mode in modes), modes


def test_delegated_tasks_run_as_the_user_of_the_runner(released: tuple[Instance, Instance]) -> None:
    assert read_file(released[1], "/srv/third.runner") == "none"


# /run has the settings of the build: a timer that ends the instance, and skipped jobs of apt.
AFTER_REBOOT = """set -eu
systemctl is-active bakeline-deadline.timer
test -e /run/systemd/system/apt-daily.service.d/zz-bakeline.conf
test ! -e /run/bakeline-playbook
touch /srv/after
"""


def test_build_keeps_its_settings_if_a_playbook_reboots(sandbox: Sandbox, tmp_path: Path) -> None:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("a chroot cannot reboot")
    catalog = Catalog(sandbox, tmp_path / "rebooted", "rebooted")
    tasks = [
        {"ansible.builtin.copy": {"content": "", "dest": "/run/before"}},
        {"ansible.builtin.reboot": {}},
        {"ansible.builtin.stat": {"path": "/run/before"}, "register": "before"},
        {"ansible.builtin.assert": {"that": "not before.stat.exists"}},
    ]
    catalog.file("ansible/site.yaml", json.dumps([{"hosts": "all", "tasks": tasks}]))
    catalog.file("scripts/after.sh", AFTER_REBOOT)
    catalog.image("app", source=VENDOR, ansible=[{"playbook": "ansible/site.yaml"}], scripts=["scripts/after.sh"])
    catalog.release()
    with running_instance(sandbox, catalog.latest("app"), tmp_path) as app:
        assert app.ssh("ls /srv/after") == "/srv/after\n"


def test_ansible_leaves_nothing(released: tuple[Instance, Instance]) -> None:
    ground, played = released
    assert "built by third" in played.ssh("cat /etc/issue"), "no task made a backup"
    assert played.ssh("sudo find /etc -name '*~'") == ""
    traces = "/home/*/.ansible* /root/.ansible* /tmp/*ansible* /tmp/.*ansible* /var/tmp/*ansible* /var/tmp/.*ansible*"
    assert played.ssh(f"sudo sh -c 'ls -d {traces} 2>/dev/null; true'") == ""
    for question in (
        "cut -d: -f1 /etc/passwd /etc/group | sort",
        "dpkg-query -W",
        "sudo find /etc/sudoers.d /usr/local /opt | sort",
        "command -v setfacl getfacl || true",
    ):
        assert played.ssh(question) == ground.ssh(question), question
