"""Evidence of two releases, compared with instances of both: `diff`, `explain` and the Slack message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.catalog import VENDOR, Catalog, tags
from support.instance import Instance, running_instance
from support.inventory import describe_difference, list_cloud
from support.sandbox import Sandbox

# Built on itself it does other things than built on the vendor's AMI: a chain that drifts.
SCRIPT = r"""set -eu
deb() {
    mkdir -p "/tmp/$1/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: judge\nDescription: x\n' "$1" "$2" >"/tmp/$1/DEBIAN/control"
    dpkg-deb -b "/tmp/$1" "/tmp/$1.deb"
    dpkg -i "/tmp/$1.deb"
    rm -r "/tmp/$1" "/tmp/$1.deb"
}
unit() {
    printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' >"/etc/systemd/system/$1.service"
}
if test -e /etc/built; then
    deb riser 1.10
    deb sinker 2~rc1
    deb comer 3-1
    dpkg -P goer
    userdel goer
    useradd --system --uid 471 comer
    rm /etc/systemd/system/goer.service
    unit comer
    systemctl enable stayer
    printf two >/etc/judged
    chmod 600 /etc/judged
else
    deb riser 1.9
    deb sinker 2
    deb goer 1
    useradd --system --uid 472 goer
    unit goer
    unit stayer
    printf one >/etc/judged
    chmod 644 /etc/judged
fi
touch /etc/built
"""
JUDGED = {"file": "/etc/judged", "content": {"match": "^(one|two)$"}}
CALLING = "echo '<!channel> <https://x.invalid|click> & ok'"
NAMED = {
    "added": {"comer"},
    "removed": {"goer"},
    "upgraded": {"riser"},
    "downgraded": {"sinker"},
    "units": {"comer.service", "goer.service", "stayer.service"},
    "users": {"comer", "goer"},
    "files": {"/etc/judged"},
}
Map = dict[str, str]


@dataclass(frozen=True)
class Inside:
    """Reads packages, units and accounts from an instance of an AMI."""

    packages: Map
    units: Map
    users: Map
    file: str

    @staticmethod
    def of(one: Instance) -> Inside:
        def pairs(command: str) -> Map:
            return {words[0]: words[1] for words in map(str.split, one.ssh(command).splitlines())}

        users = {line.split(":")[0]: line.split(":")[2] for line in one.ssh("getent passwd").splitlines()}
        content = one.ssh("sudo sha256sum /etc/judged").split()[0]
        # As stat(1) has it, but for the type of the file and the length of the digest.
        file = one.ssh("stat -c '0%a %u:%g' /etc/judged").strip()
        units = pairs("systemctl list-unit-files --no-legend --no-pager --full")
        return Inside(
            pairs("dpkg-query -W -f '${db:Status-Status}\\t${Package} ${Version}\\n' | sed -n 's/^installed\\t//p'"),
            {unit: state for unit, state in units.items() if state != "transient"},
            users,
            f"file {file} {content[:12]}",
        )


def compute_changes(old: Map, new: Map) -> dict[str, Map]:
    """Computes the differences in the format of `diff`."""
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return {name: {"from": old.get(name, "-"), "to": new.get(name, "-")} for name in names}


def expected_diff(old: Inside, new: Inside) -> dict[str, Any]:
    both = {
        name: pair for name, pair in compute_changes(old.packages, new.packages).items() if "-" not in pair.values()
    }
    lower = {name for name, pair in both.items() if name == "sinker"}  # dpkg: 2~rc1 < 2
    return {
        "added": {name: new.packages[name] for name in sorted(new.packages.keys() - old.packages.keys())},
        "removed": {name: old.packages[name] for name in sorted(old.packages.keys() - new.packages.keys())},
        "upgraded": {name: pair for name, pair in both.items() if name not in lower},
        "downgraded": {name: pair for name, pair in both.items() if name in lower},
        "units": compute_changes(old.units, new.units),
        "users": compute_changes(old.users, new.users),
        "files": compute_changes({"/etc/judged": old.file}, {"/etc/judged": new.file}),
        "unknown": [],
    }


@dataclass(frozen=True)
class Chain:
    """Two versions, the second built on the first, and what an instance of each shows."""

    catalog: Catalog
    amis: tuple[dict[str, Any], dict[str, Any]]
    inside: tuple[Inside, Inside]
    told: list[dict[str, Any]]

    def version(self, number: int) -> str:
        return tags(self.amis[number])["bakeline:version"]


@pytest.fixture(scope="module")
def chain(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    if sandbox.status["backend"] != "nspawn":
        pytest.skip("needs unit files that systemd answers for")
    keeping = {"keep": 1, "disable_after": "9d", "deregister_after": "9d"}
    catalog = Catalog(sandbox, tmp_path_factory.mktemp("told"), "told", retention=keeping, brakes={"percent": 100})
    catalog.file("scripts/app.sh", SCRIPT)
    catalog.image("app", source=VENDOR, scripts=["scripts/app.sh"], checks=[JUDGED])
    catalog.release()
    told = len(sandbox.slack())
    catalog.image("app", source=VENDOR, scripts=["scripts/app.sh"], checks=[JUDGED, {"command": CALLING}])
    catalog.release("--force")
    one, two = catalog.images()
    assert tags(two)["bakeline:base"].endswith(one["ImageId"]), "the second is not built on the first"
    at = tmp_path_factory.mktemp("keys")
    with (
        running_instance(sandbox, one["ImageId"], at) as first,
        running_instance(sandbox, two["ImageId"], at) as second,
    ):
        inside = Inside.of(first), Inside.of(second)
    yield Chain(catalog, (one, two), inside, sandbox.slack()[told:])


def diff_names(diff: dict[str, Any]) -> dict[str, set[str]]:
    return {kind: set(diff[kind]) for kind in NAMED}


def test_diff_matches_instances_of_both_versions(chain: Chain) -> None:
    wanted = expected_diff(*chain.inside)
    assert diff_names(wanted) == NAMED, "the two differ in other things than the script makes"
    said = json.loads(chain.catalog.bakeline("diff", "app", "--json", want=0).out)
    assert (said["image"], said["from"], said["to"]) == ("app", chain.version(0), chain.version(1))
    assert said["diff"] == wanted
    back = json.loads(chain.catalog.bakeline("diff", "app", said["to"], said["from"], "--json", want=0).out)["diff"]
    assert (back["added"], back["removed"]) == (wanted["removed"], wanted["added"])
    assert back["users"] == {name: {"from": one["to"], "to": one["from"]} for name, one in wanted["users"].items()}
    shown = chain.catalog.bakeline("diff", "app", want=0)
    # Further lines of a row are indented.
    rows = {tuple(line.split()[:2]) for line in shown.out.splitlines()[1:] if not line.startswith(" ")}
    kinds = {"units": "unit", "users": "account", "files": "file"}
    assert rows == {(kinds.get(kind, kind), name) for kind, names in NAMED.items() for name in names}, shown
    same = json.loads(chain.catalog.bakeline("diff", "app", said["to"], said["to"], "--json", want=0).out)["diff"]
    assert not any(same.values()), same
    chain.catalog.bakeline("diff", "app", "20200101.1", want=6)


def test_slack_message_lists_changes_without_mentions(chain: Chain) -> None:
    [message] = chain.told
    assert message["status"] == 200, message
    texts = [block["text"]["text"] for block in message["payload"]["blocks"] if block["type"] == "section"]
    [line] = [text for text in texts if "app" in text]
    old, new = chain.inside
    for words in (
        chain.amis[1]["ImageId"],
        chain.version(1),
        f"riser {old.packages['riser']} → {new.packages['riser']}",
        f"sinker {old.packages['sinker']} → {new.packages['sinker']}",
        f"+comer {new.packages['comer']}",
        "-goer",
        "3 units changed, 2 accounts changed, 1 file changed",
    ):
        assert words in line, (words, line)
    assert "&lt;!channel&gt; &lt;https://x.invalid|click&gt; &amp; ok" in line, line
    assert not re.search(r"<[!@#]|<https", json.dumps(message["payload"])), message


def test_diff_against_scratch_shows_drift_and_cleans_up(sandbox: Sandbox, chain: Chain) -> None:
    # An account that only a build of this moment has: it was built for this, not looked up.
    chain.catalog.file("scripts/app.sh", f"{SCRIPT}useradd --system --uid 473 fresh\n")
    before, mark, told = list_cloud(sandbox), sandbox.mark(), len(sandbox.slack())
    said = json.loads(chain.catalog.bakeline("diff", "app", "--against", "scratch", "--json", want=0).out)
    assert (said["from"], said["to"]) == ("scratch", chain.version(1))
    wanted = expected_diff(*chain.inside)
    wanted["users"]["fresh"] = {"from": "473", "to": "-"}
    assert said["diff"] == wanted
    assert "CreateImage" in sandbox.changes(mark), "nothing was built"
    assert list_cloud(sandbox) == before, describe_difference(before, list_cloud(sandbox))
    assert len(sandbox.slack()) == told, "an unneeded notification was sent"
    chain.catalog.file("scripts/app.sh", SCRIPT)


def explain_version(chain: Chain, what: str) -> dict[str, Any]:
    said = json.loads(chain.catalog.bakeline("explain", what, "--json", want=0).out)
    assert isinstance(said, dict)
    return said


def test_explain_matches_tags(sandbox: Sandbox, chain: Chain) -> None:
    one, two = chain.amis
    says = [explain_version(chain, what) for what in (two["ImageId"], "app", f"app@{chain.version(1)}")]
    assert says[0] == says[1] == says[2]
    for ami, said in ((one, explain_version(chain, one["ImageId"])), (two, says[0])):
        its = tags(ami)
        assert [said["image"], said["version"], said["arch"], said["state"]] == [
            its[f"bakeline:{key}"] for key in ("image", "version", "arch", "state")
        ]
        assert said["built"]["run"] == its["bakeline:run"] and said["built"]["by"] == its["bakeline:by"]
        [copy] = said["amis"]
        assert (copy["ami"], copy["region"], copy["account"]) == (ami["ImageId"], sandbox.region, ami["OwnerId"])
        assert copy["environment"] == its["Environment"] == "Test"
        current = dict(word.split("=") for word in its.get("bakeline:current", "").split())
        assert copy["current"] == current and bool(current) == (ami is two)
        pointed = sandbox.client("ssm").get_parameter(Name="/bakeline/told/app/Test/x86_64")["Parameter"]["Value"]
        assert (pointed == ami["ImageId"]) == bool(current)
    vendor = tags(one)["bakeline:base"]
    assert vendor.split(":")[1] in {ami["ImageId"] for ami in sandbox.client("ec2").describe_images()["Images"]}
    assert says[0]["lineage"] == [f"app@{chain.version(0)} ({one['ImageId']})", vendor]
    assert explain_version(chain, one["ImageId"])["lineage"] == [vendor]
    because = "; ".join(says[0]["built"]["because"])
    assert "forced" in because and CALLING in because, because
    assert "2 passed" in says[0]["checks"] and "0 failed" in says[0]["checks"], says[0]["checks"]
    shown = chain.catalog.bakeline("explain", "app", want=0).words
    assert chain.version(1) in shown and one["ImageId"] in shown and two["ImageId"] in shown, shown
    chain.catalog.bakeline("explain", "ami-0123456789abcdef0", want=6)
    chain.catalog.bakeline("explain", "app@20200101.1", want=6)


def test_explain_shows_references_and_retirement(sandbox: Sandbox, chain: Chain) -> None:
    ec2, old = sandbox.client("ec2"), chain.amis[0]["ImageId"]

    def fate() -> tuple[list[str], str, str]:
        [copy] = explain_version(chain, old)["amis"]
        return copy["used_by"], copy["prune"], copy["because"]

    used, verdict, _ = fate()
    assert (used, verdict.split()[0]) == ([], "deprecate")
    [mine] = explain_version(chain, "app")["amis"]
    assert mine["prune"] == "keep" and "current in Test" in mine["because"], mine
    made = ec2.create_launch_template(LaunchTemplateName="theirs", LaunchTemplateData={"ImageId": old})
    used, verdict, because = fate()
    [user] = used
    assert "launch-template" in user and made["LaunchTemplate"]["LaunchTemplateId"] in user, user
    assert verdict == "keep" and made["LaunchTemplate"]["LaunchTemplateId"] in because
    ec2.delete_launch_template(LaunchTemplateName="theirs")
    assert fate()[0] == [] and fate()[1].startswith("deprecate")
    chain.catalog.bakeline("prune", "--apply", want=0)
    [ami] = ec2.describe_images(ImageIds=[old])["Images"]
    assert "DeprecationTime" in ami
    since = datetime.fromisoformat(
        dict(word.split("=") for word in tags(ami)["bakeline:retiring"].split())["deprecate"]
    )
    _, verdict, _ = fate()
    due = re.fullmatch(r"wait on (\S+)", verdict)
    assert due and datetime.fromisoformat(due[1]) == since + timedelta(days=9), verdict
    assert explain_version(chain, old)["state"] == "retiring"
