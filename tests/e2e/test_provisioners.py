"""Ansible and Puppet configure the image and leave nothing of their own in it."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.catalog import VENDOR, Catalog, literal
from support.instance import Instance, running_instance
from support.inventory import all_processes, describe_difference, list_cloud
from support.run import HANG, wait_until
from support.running_release import start_release
from support.sandbox import Sandbox

AWKWARD = 'it\'s "quoted" $(id) `id` ${HOME} \\n %{ if } {% raw %} {# c #} ; a: b # é😀'
LINES = f"one\n\ttwo: {AWKWARD}\n"
PLAYBOOK = """\
- name: Make a web server
  hosts: all
  roles: [web]
  tasks:
    - name: Write what the catalog says
      ansible.builtin.copy: {content: "{{ greeting }}", dest: /etc/greeting, mode: "0640"}
    - name: Write what is common to all
      ansible.builtin.copy: {content: "{{ common }} {{ ansible_distribution }}", dest: /etc/common}
    - name: Write the types of the variables
      ansible.builtin.copy: {content: "{{ [count + 1, on | bool, list, map.deep.key] | to_json }}", dest: /etc/typed}
    - name: Leave something in the background
      ansible.builtin.command: {cmd: "true"}
      async: 30
      poll: 1
      changed_when: false
"""
ROLE = """\
- name: Put the page
  ansible.builtin.template: {src: page.j2, dest: /srv/page}
  notify: Say it
- name: Put a file
  ansible.builtin.copy: {src: data.txt, dest: /srv/data}
"""
HANDLER = "- name: Say it\n  ansible.builtin.copy: {content: said, dest: /srv/said}\n"
MANIFEST = """\
include web
file { '/etc/fact': ensure => file, mode => '0600', content => $facts['greeting'] }
file { '/etc/hiera-said': content => lookup('word') }
package { 'ruby-semantic-puppet': ensure => installed }
"""
MODULE = """\
class web {
  file { '/srv/puppet': ensure => directory }
  file { '/srv/puppet/page': content => epp('web/page.epp', { 'word' => 'ten' }), owner => 'games' }
  exec { '/bin/sh -c "id -un > /srv/puppet/who"': creates => '/srv/puppet/who' }
}
"""
HIERA = (
    "version: 5\ndefaults: {datadir: data, data_hash: yaml_data}\nhierarchy:\n  - {name: common, path: common.yaml}\n"
)
# Paths that no finished image may contain: files of Puppet and temporary files of both tools.
TRACES = "/home/*/.ansible* /root/.ansible* /tmp/* /var/tmp/bakeline* /etc/puppet* /var/lib/puppet /var/cache/puppet"
TRACES += " /var/log/puppet /root/.puppetlabs /opt/puppetlabs /usr/sbin/policy-rc.d /usr/bin/puppet /usr/bin/facter"


@dataclass
class Released:
    """A released catalog and an instance of each image."""

    catalog: Catalog
    plain: Instance
    played: Instance
    puppeted: Instance


def write_images(catalog: Catalog) -> None:
    catalog.image("ground", source=VENDOR)
    catalog.file("ansible/site.yaml", PLAYBOOK)
    catalog.file("ansible/group_vars/all.yaml", "common: shared\n")
    catalog.file("ansible/roles/web/tasks/main.yaml", ROLE)
    catalog.file("ansible/roles/web/handlers/main.yaml", HANDLER)
    catalog.file("ansible/roles/web/templates/page.j2", "page of {{ inventory_hostname }}\n")
    catalog.file("ansible/roles/web/files/data.txt", "data\n")
    typed = {"count": 3, "on": False, "list": [1, "{% raw %}", [True, None]], "map": {"deep": {"key": AWKWARD}}}
    play = {"playbook": "ansible/site.yaml", "vars": literal({"greeting": LINES, **typed})}
    catalog.image("played", parent="ground", ansible=[play])
    catalog.file("puppet/site.pp", MANIFEST)
    catalog.file("puppet/modules/web/manifests/init.pp", MODULE)
    catalog.file("puppet/modules/web/templates/page.epp", "<%- | String $word | -%>\n<%= $word %> words\n")
    catalog.file("puppet/hiera.yaml", HIERA)
    catalog.file("puppet/data/common.yaml", "word: from-hiera\n")
    # Scripts come last: this one sees what the manifest made.
    catalog.file("scripts/last.sh", "set -eu\ncp /srv/puppet/page /srv/seen-by-the-script\n")
    apply = {"manifest": "puppet/site.pp", "facts": literal({"greeting": AWKWARD})}
    catalog.image("puppeted", parent="played", puppet=[apply], scripts=["scripts/last.sh"])


@pytest.fixture(scope="module")
def released(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Released]:
    # Quick builds replace prepare.sh, but Puppet is installed from the package lists, so these builds run it.
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("provisioners"), "provisioners", quick=False)
    home = tmp_path_factory.mktemp("home")
    catalog.env["HOME"] = str(home)
    write_images(catalog)
    results = catalog.release()
    assert {name: one["status"] for name, one in results.items()} == dict.fromkeys(
        ("ground", "played", "puppeted"), "released"
    )
    at = tmp_path_factory.mktemp("keys")
    with (
        running_instance(sandbox, catalog.latest("ground"), at) as plain,
        running_instance(sandbox, catalog.latest("played"), at) as played,
        running_instance(sandbox, catalog.latest("puppeted"), at) as puppeted,
    ):
        yield Released(catalog, plain, played, puppeted)


def installed_packages(of: Instance) -> set[str]:
    return set(of.ssh("dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n'").split("\n")) - {""}


def test_playbook_takes_effect(released: Released) -> None:
    plain, played = released.plain, released.played
    assert plain.ssh("ls -A /srv; ls /etc/greeting 2>&1 || true").count("\n") == 1, "the parent has it already"
    assert played.ssh("cat /srv/page") == "page of played\n"
    assert played.ssh("cat /srv/data; cat /srv/said") == "data\nsaid"
    assert played.ssh("cat /etc/common") == "shared Debian"
    assert played.ssh("stat -c '%U %a' /etc/greeting") == "root 640\n"


def test_special_characters_in_variable_are_verbatim(released: Released) -> None:
    assert released.played.ssh("sudo cat /etc/greeting") == LINES


def test_variables_keep_their_types(released: Released) -> None:
    typed = json.loads(released.played.ssh("cat /etc/typed"))
    assert typed == [4, False, [1, "{% raw %}", [True, None]], AWKWARD]


def test_manifest_takes_effect(released: Released) -> None:
    played, puppeted = released.played, released.puppeted
    assert "puppet" not in played.ssh("ls /srv"), "the parent has it already"
    assert puppeted.ssh("cat /srv/puppet/page; stat -c %U /srv/puppet/page") == "ten words\ngames\n"
    assert puppeted.ssh("cat /srv/puppet/who") == "root\n"
    assert puppeted.ssh("cat /etc/hiera-said") == "from-hiera"
    assert puppeted.ssh("sudo cat /etc/fact") == AWKWARD
    assert puppeted.ssh("cat /srv/seen-by-the-script") == "ten words\n"
    assert puppeted.ssh("cat /srv/page") == "page of played\n", "the layer below is there"


def test_provisioners_leave_no_extra_packages(released: Released) -> None:
    plain, played, puppeted = (installed_packages(one) for one in (released.plain, released.played, released.puppeted))
    assert "ii dpkg" in {one.strip() for one in plain}, plain
    assert played == plain
    more = {one.split()[-1] for one in puppeted - played}
    assert "ruby-semantic-puppet" in more, "what the manifest asks for stays, although Puppet needs it too"
    assert not more & {"puppet-agent", "puppet", "facter", "hiera", "augeas-lenses"}, more
    assert not [one for one in puppeted if not one.startswith("ii ")], "half-removed packages"
    log = (released.catalog.run / "puppeted/packer.log").read_text()
    assert "puppet-agent" in log, "Puppet never was there to be removed"


def test_provisioners_leave_no_files_or_users(released: Released) -> None:
    # systemd creates files in /tmp at each boot of the instance. Ignore them.
    look = f"sudo sh -c 'ls -d {TRACES} 2>/dev/null | grep -v systemd-private; true'"
    users = "cut -d: -f1 /etc/passwd /etc/group | sort"
    for one in (released.played, released.puppeted):
        assert one.ssh(look) == ""
        assert one.ssh(users) == released.plain.ssh(users)
    home = Path(released.catalog.env["HOME"])
    assert home.is_dir() and not (home / ".ansible").exists(), "the build wrote to ~/.ansible on the runner"


def test_changed_role_rebuilds_its_image_and_children(released: Released) -> None:
    plan = json.loads(released.catalog.bakeline("plan", "--json", want=0).out)
    assert plan["steps"] == [], "a plan right after a release has nothing to do"
    path = released.catalog.at / "ansible/roles/web/files/data.txt"
    before = path.read_text()
    try:
        path.write_text("other data\n")
        said = released.catalog.bakeline("plan", want=0).out
        lines = {line.split()[0]: line.split()[1] for line in said.splitlines()[1:] if line[0] != " "}
        assert (lines["ground"], lines["played"], lines["puppeted"]) == ("keep", "build", "build"), said
    finally:
        path.write_text(before)


def fail_release(sandbox: Sandbox, catalog: Catalog, image: str, want: int) -> str:
    """Runs a release that must fail without leftovers, and returns its output."""
    before = list_cloud(sandbox)
    catalog.release(image, want=want)
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    return catalog.last.err


def test_failing_task_is_named_and_cleaned_up(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "failing", "failing")
    task = "- name: Break [the] 'build'\n      ansible.builtin.command: {cmd: cat /no/such/file}"
    catalog.file("ansible/site.yaml", f"- hosts: all\n  gather_facts: false\n  tasks:\n    {task}\n")
    catalog.image("app", source=VENDOR, ansible=[{"playbook": "ansible/site.yaml"}])
    mark = sandbox.mark()
    said = fail_release(sandbox, catalog, "app", 4)
    assert "RunInstances" in sandbox.changes(mark), "nothing was built"
    assert "Break [the] 'build'" in said and "/no/such/file" in said and "ansible/site.yaml" in said, said
    catalog.file("ansible/site.yaml", "- hosts: database\n  tasks: [{ansible.builtin.ping: }]\n")
    said = fail_release(sandbox, catalog, "app", 4)
    assert "hosts: all" in said, said
    catalog.file("ansible/site.yaml", "- hosts: all\n  tasks: [{a: b\n")
    said = fail_release(sandbox, catalog, "app", 4)
    assert (
        "ansible/site.yaml" in said
        and "line" in said
        and str(tmp_path) + "/failing/.bakeline/runs" not in said.split("hint")[0]
    ), said


def test_failing_manifest_is_named_and_cleaned_up(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "failing", "failing", quick=False)
    catalog.file(
        "puppet/site.pp", "exec { 'break the build': command => '/bin/false' }\nfile { '/etc/ok': ensure => file }\n"
    )
    catalog.image("app", source=VENDOR, puppet=[{"manifest": "puppet/site.pp"}])
    said = fail_release(sandbox, catalog, "app", 4)
    assert "break the build" in said and "puppet/site.pp" in said, said


def test_image_that_lists_puppet_keeps_it(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "keeping", "keeping", quick=False)
    catalog.file("puppet/site.pp", "file { '/etc/kept': content => 'yes' }\n")
    catalog.image("app", source=VENDOR, packages=["puppet-agent"], puppet=[{"manifest": "puppet/site.pp"}])
    catalog.release()
    with running_instance(sandbox, catalog.latest("app"), tmp_path) as one:
        assert one.ssh("cat /etc/kept") == "yes"
        assert "ii puppet-agent" in {line.strip() for line in installed_packages(one)}
        assert one.ssh("ls -A /tmp | grep -c bakeline || true") == "0\n"


def test_missing_ansible_is_reported_before_any_change(sandbox: Sandbox, tmp_path: Path) -> None:
    catalog = Catalog(sandbox, tmp_path / "missing", "missing")
    catalog.file("ansible/site.yaml", "- hosts: all\n")
    catalog.image("app", source=VENDOR, ansible=[{"playbook": "ansible/site.yaml"}])
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("packer", "ssh", "sh"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    before, mark = list_cloud(sandbox), sandbox.mark()
    done = catalog.bakeline("release", env={"PATH": str(tools)}, want=1)
    assert "ansible-playbook" in done.err and "ansible-core" in done.err and "app" in done.err, done
    assert not sandbox.changes(mark) and list_cloud(sandbox) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_playbook_ends_with_its_run(sandbox: Sandbox, tmp_path: Path, number: signal.Signals) -> None:
    catalog = Catalog(sandbox, tmp_path / "halted", "halted")
    task = "- name: Sleep now\n      ansible.builtin.command: {cmd: sleep 6000}"
    catalog.file("ansible/site.yaml", f"- hosts: all\n  gather_facts: false\n  tasks:\n    {task}\n")
    catalog.image("app", source=VENDOR, ansible=[{"playbook": "ansible/site.yaml"}])
    before = list_cloud(sandbox)

    def ansible_processes() -> list[int]:
        place = str(catalog.at).encode()
        return [one.pid for one in all_processes() if "ansible" in " ".join(one.argv) and place in one.environ]

    started, _ = start_release(catalog, "app", says="TASK [Sleep now]")
    try:
        assert ansible_processes(), "no ansible-playbook was seen"
        started.send_signal(number)
        code = started.wait(timeout=HANG)
    finally:
        started.kill()
    wait_until(lambda: not ansible_processes(), HANG, "the playbook's end", every=0.5)
    if number == signal.SIGINT:
        assert code == 130, (catalog.at / "out.log").read_text()
        assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
