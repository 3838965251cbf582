"""Promote, rollback, revoke, prune and sweep with a fault in each of their API actions.

After each run, boto3 lists all resources of four locations. The test compares them with each statement of the run, then lets
`sweep`, `doctor` and a repetition of the command end in the state of a run without a fault. CI runs a sample, and
`make faults` runs all cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalog import tags
from support.cloud_listing import CloudLister, CloudListing
from support.fault_cells import FULL, OFFSET, Call, Cell, Report, list_cells, select_cells
from support.run import CompletedRun
from support.sandbox import Sandbox
from support.seeded_history import ONE, PRUNE_AT_ONCE, SECOND, TWO, SeededHistory, create_catalog, initial_state
from support.state import OTHER, OWN, ExpectedState, Location

COMMANDS = ("promote", "rollback", "revoke", "prune", "sweep")
DONE = {"promote": "promoted", "rollback": "rolled back", "revoke": "revoked"}
SAMPLE = 2
RESET_EVERY = 20
"""Number of cells after which the cloud is empty again, because lists become slow."""
PAST = "2026-01-03T00:00:00Z"


class FaultyRun:
    """One run of a command with a fault, and the cloud before and after it."""

    def __init__(self, product: FaultProduct, name: str, table: ExpectedState) -> None:
        self.product, self.name, self.table = product, name, table
        self.after = product.expected_after(table)
        self.before = product.lister.list()

    def execute(self) -> CompletedRun:
        self.done = self.product.catalog.bakeline(*self.product.words(self.name))
        return self.done

    def read(self) -> None:
        self.now = self.product.lister.list()

    def place(self, scope: str) -> Location | None:
        """Returns the location of a scope of the image, or of its revocation."""
        image, _, location = scope.partition("@")
        if image not in (self.name, "revoke"):
            return None
        account, _, region = location.rpartition(".")
        return account or OWN, region or self.product.sandbox.region

    def false_statements(self) -> list[str]:
        said = self.done.out + "\n" + self.done.err
        found = [*self._false_rows(), *self._false_counts()]
        for scope in re.findall(r"^\S+Z (\S+)\s+(?:cancelled at \S+, )?cleaned up$", said, re.MULTILINE):
            found += self._changes_of(scope)
        for scope in re.findall(r"^hint: (\S+): nothing was changed there", said, re.MULTILINE):
            found += self._changes_of(scope)
        if re.search(r"nothing was changed(?! there)", said) and self.before != self.now:
            found.append("nothing was changed")
        gone = r"\b((?:ami|snap|sg|vol|i)-[0-9a-f]{8,17})(?: in \S+)? (?:is|was) (?:deregistered|deleted|terminated|removed)"
        found += [f"{ident} is gone" for ident in re.findall(gone, said) if ident in self.now.ids()]
        kept = r"(?:kept: \w+|not removed: \w+) ((?:ami|snap|sg|i)-[0-9a-f]{8,17})"
        found += [f"{ident} is kept" for ident in re.findall(kept, said) if ident not in self.now.ids()]
        if self.done.code == 0:
            observer = self.product.observer
            found += [f"exit 0, but {p}" for p in self.table.cells if observer.view(p, self.name) != self.after.view(p)]
        if (self.done.code == 0) == bool(re.search(r"^error: ", self.done.err, re.MULTILINE)):
            found.append(f"exit {self.done.code}")
        return found

    def _changes_of(self, scope: str) -> list[str]:
        if scope.startswith(("ami-", "sg-", "vol-", "snap-", "i-")):
            changed = [key for key in self.before.resources if key[2] == scope]
            changed = [key for key in changed if self.now.resources.get(key) != self.before.resources[key]]
            return [f"{key} cleaned up" for key in changed]
        place = self.place(scope)
        if place is None:
            return [] if scope == "run" else [f"unknown scope {scope} cleaned up"]
        same = self.before.of(place, self.name) == self.now.of(place, self.name)
        return [] if same else [f"{scope} cleaned up"]

    def _rows(self) -> list[tuple[str, str]]:
        """Returns the locations and statuses of the table of results."""
        out, home = self.done.out, self.product.sandbox.region
        if self.product.command not in DONE or "STATUS" not in out:
            return []
        ami, more = r"(?:ami-[0-9a-f]+|-)", r"([a-z][^\n]*(?:\n {10,}[^\n]*)*)"
        if "LOCATION" in out:
            found = re.findall(rf"(?:^|\s){ami}\s+((?:\d{{12}}\.)?[a-z]+-[a-z]+-\d)\s+{more}", out)
        else:
            found = [(home, text) for text in re.findall(rf"^{self.name}\s+\S+\s+{ami}\s+{more}", out, re.MULTILINE)]
        assert found, out
        return [(place, " ".join(text.split())) for place, text in found]

    def _false_rows(self) -> list[str]:
        """Checks the rows of the table."""
        product, found = self.product, []
        for location, line in self._rows():
            status, _, kept = line.partition(", ")
            place = self.place(f"{self.name}@{location}")
            assert place, line
            view = product.observer.view(place, self.name)
            if status == DONE[product.command] and view != self.after.view(place):
                found.append(f"row {line!r}, but {view}")
            untouched = status in ("failed", "cancelled", "not started") and product.command == "promote"
            if untouched and view != self.table.view(place):
                found.append(f"row {line!r}, but {view}")
            if kept.endswith("stays current") and view.latest.get("Test") != kept.split(" ")[0]:
                found.append(f"row {line!r}, but {view.latest}")
        return found

    def _false_counts(self) -> list[str]:
        """Checks "removed N resources" and "N deregistered"."""
        gone, found = self.before.without(self.now), []
        removed = re.search(r"^removed (\d+) resources?$", self.done.err, re.MULTILINE)
        if removed:
            permissions = {tuple(ident.split(" ")[:1]) for _, kind, ident in gone if kind == "permission"}
            things = [key for key in gone if key[1] != "permission"]
            tagged = sum("bakeline:sharing" in text for text in self.before.resources.values())
            still = sum("bakeline:sharing" in text for text in self.now.resources.values())
            if int(removed[1]) > len(things) + max(len(permissions), tagged - still):
                found.append(f"{removed[0]}, but only {gone}")
        deregistered = re.search(r"^(\d+) deregistered$", self.done.err, re.MULTILINE)
        amis = [key for key in gone if key[1] == "image"]
        if deregistered and int(deregistered[1]) != len(amis) and self.done.code == 0:
            found.append(f"{deregistered[0]}, but {amis}")
        if deregistered and int(deregistered[1]) > len(amis):
            found.append(f"{deregistered[0]}, but only {amis}")
        return found

    def leaks_after_run(self) -> list[str]:
        """Returns resources that are gone but should not be, and new ones that no record mentions."""
        expected = self.product.expected_loss(self.before, self.name)
        lost = [key for key in self.before.without(self.now) if key not in expected]
        found = [f"destroyed {key}" for key in lost]
        for key in self.now.without(self.before):
            text = self.now.resources[key]
            is_version = key[1] == "image" and '"bakeline:state": "candidate"' not in text and key[2] in text
            if key[1] == "image" and not is_version and "bakeline:expires" not in text:
                found.append(f"no expiry on {key}")
            if key[1] in ("instance", "key pair", "group", "volume") and "bakeline:expires" not in text:
                found.append(f"no expiry on {key}")
        return found

    def leaks_after_repair(self) -> list[str]:
        """Sweeps, repairs and repeats. Returns what is different from a run without a fault."""
        product = self.product
        for words in (("sweep", "--apply"), ("doctor", "--apply"), product.words(self.name)):
            ran = product.catalog.bakeline(*words)
            # The doctor cannot repair evidence that seeded AMIs do not have. A complete rollback refuses nothing.
            if ran.code not in ((0, 5) if words[0] == "doctor" else (0,)):
                return [f"{' '.join(words)}: {ran}"]
        end, found = product.lister.list(), []
        for place in self.table.cells:
            view = product.observer.view(place, self.name)
            if view != self.after.view(place):
                found.append(f"{place} ends in {view}")
        expected = product.expected_loss(self.before, self.name)
        found += [f"destroyed by the repair: {key}" for key in self.before.without(end) if key not in expected]
        found += [f"left: {key}" for key in end.temporary() if key not in self.before.resources]
        if product.command == "sweep":
            found += [f"not swept: {key}" for key in end.temporary()]
        return found


class FaultProduct(SeededHistory):
    """The cells of one command. Each cell has an image of its own."""

    def __init__(self, sandbox: Sandbox, at: Path, command: str) -> None:
        super().__init__(
            sandbox, create_catalog(sandbox, at, f"f-{command}", **(PRUNE_AT_ONCE if command == "prune" else {}))
        )
        self.command, self.report = command, Report(command)
        self.restart()

    def restart(self) -> None:
        self.sandbox.reset()
        self.catalog.env = dict(self.sandbox.env)
        self.observer._clients.clear()
        self.lister = CloudLister(self.observer, list(initial_state(self.sandbox).cells))

    def words(self, name: str) -> tuple[str, ...]:
        return {
            "promote": ("promote", name, "--to", "Prod"),
            "rollback": ("rollback", name, "--env", "Prod"),
            "revoke": ("revoke", name, TWO, "--apply"),
            "prune": ("prune", "--apply"),
            "sweep": ("sweep", "--apply"),
        }[self.command]

    def expected_after(self, table: ExpectedState) -> ExpectedState:
        after = table.copy()
        if self.command == "promote":
            after.promote(TWO, "Prod")
        elif self.command == "rollback":
            after.rollback("Prod", ONE)
        elif self.command == "revoke":
            after.revoke(TWO)
        elif self.command == "prune":
            for place in after.cells:
                del after.cells[place][ONE]
        return after

    def expected_loss(self, before: CloudListing, name: str) -> set[tuple[Location, str, str]]:
        """Returns the resources that the command removes."""
        if self.command == "prune":
            old = {
                key
                for key, text in before.resources.items()
                if key[1] == "image" and f'"{name}"' in text and f'"bakeline:version": "{ONE}"' in text
            }
            return old | {key for key in before.resources if key[1] == "snapshot"}
        if self.command == "sweep":
            loose = [key for key in before.resources if key[1] == "snapshot"]
            return {*(k for k in before.temporary() if "sharing" not in before.resources[k]), *loose}
        return set()

    def prepare(self) -> FaultyRun:
        name, table = self.image(promoted=self.command != "promote")
        if self.command == "sweep":
            for number, place in enumerate(((OWN, self.sandbox.region), (OTHER, SECOND))):
                self.leave_resources(name, place, number)
        return FaultyRun(self, name, table)

    def leave_resources(self, name: str, place: Location, number: int) -> None:
        """Creates the resources of a dead run: a group, a key pair, a volume, a candidate, and a permission to copy."""
        its = {"catalog": self.catalog.name, "run": "dead", "image": name, "expires": PAST}
        its = {f"bakeline:{key}": value for key, value in its.items()}
        listed = [{"Key": key, "Value": value} for key, value in its.items()]
        spec = lambda kind: [{"ResourceType": kind, "Tags": listed}]
        ec2, label = self.observer.client("ec2", place), f"bakeline-dead-{name}"
        ec2.create_key_pair(KeyName=label, TagSpecifications=spec("key-pair"))
        ec2.create_security_group(GroupName=label, Description="dead", TagSpecifications=spec("security-group"))
        ec2.create_volume(AvailabilityZone=f"{place[1]}a", Size=1, TagSpecifications=spec("volume"))
        ident = f"ami-{hash((name, number, 'dead')) & 0xFFFFFFFFFFFF:017x}"
        own = {**its, "bakeline:schema": "1", "bakeline:self": ident, "bakeline:state": "candidate"}
        full = f"{self.catalog.name}/{name}/x86_64/20260103.1-dead"
        made = {"id": ident, "name": full, "region": place[1], "account": place[0], "tags": own, "created": PAST}
        self.sandbox.control("images", [made])  # type: ignore[arg-type]
        if place[0] == OWN:
            [ami] = [a for a in self.observer.amis(place, name) if tags(a).get("bakeline:version") == TWO]
            ec2.modify_image_attribute(ImageId=ami["ImageId"], LaunchPermission={"Add": [{"UserId": OTHER}]})
            value = {"Key": f"bakeline:sharing:{OTHER}", "Value": f"ami run=dead expires={PAST}"}
            ec2.create_tags(Resources=[ami["ImageId"]], Tags=[value])

    def record_calls(self) -> list[Call]:
        """Returns the API log of a run without a fault."""
        run, mark = self.prepare(), self.sandbox.mark()
        done = run.execute()
        calls = self.sandbox.api(mark)
        assert done.code == 0, done
        run.read()
        assert run.false_statements() == [], done
        assert [*run.leaks_after_run(), *run.leaks_after_repair()] == []
        return calls

    def judge(self, cell: Cell, log: list[Call]) -> None:
        if self.report.cells % RESET_EVERY == RESET_EVERY - 1:
            self.restart()
        run, mark = self.prepare(), self.sandbox.mark()
        self.sandbox.control("faults", {"faults": cell.faults(log)})
        done = run.execute()
        self.report.hits += sum(call["action"] == cell.action for call in self.sandbox.api(mark)) > cell.after
        self.sandbox.control("faults", {"faults": []})
        run.read()
        lies = run.false_statements()
        self.report.cells += 1
        self.report.false_statements += [f"{cell}: {text}\n{done}" for text in lies]
        leaks = [*run.leaks_after_run(), *run.leaks_after_repair()]
        self.report.leaks += [f"{cell}: {text}\n{done}" for text in leaks]
        print(f"{self.command}, {cell}: exit {done.code}, {len(leaks)} leaks, {len(lies)} false statements", flush=True)
        if leaks:
            self.restart()


@pytest.fixture(autouse=True)
def no_faults(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.control("faults", {"faults": []})


@pytest.mark.parametrize("command", COMMANDS)
def test_command_with_any_fault_leaves_nothing_and_tells_the_truth(
    sandbox: Sandbox, tmp_path: Path, command: str
) -> None:
    if not FULL and COMMANDS[OFFSET % len(COMMANDS)] != command:
        pytest.skip("this sample has another command")
    product = FaultProduct(sandbox, tmp_path / "faults", command)
    log = product.record_calls()
    for cell in select_cells(list_cells(log), SAMPLE):
        product.judge(cell, log)
    product.report.finish()
