"""Third-party readers of our reports: schema validators, inspecjs, junitparser, cyclonedx-python-lib. Each accepts ours, of a
sample that has everything and of a real run on a stock root, and refuses a broken one."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from junitparser import Error, Failure, JUnitXml, Skipped
from packageurl import PackageURL
from support.checking import Checker
from support.debian_root import cached_root, server, writable_root
from support.run import REPO, run

DATA = Path(os.environ.get("BAKELINE_SHARED_DATA", REPO.parent / "shared/data"))
INSPECJS = "inspecjs@2.12.6"
# Status in Heimdall for each status of bakeline. An impact of 0 hides everything but errors (docs/reference/reports.md).
HEIMDALL = {
    "passed": "Passed",
    "failed": "Failed",
    "error": "Profile Error",
    "skipped": "Not Reviewed",
    "waived": "Not Applicable",
}
ASK = """
const { convertFileContextual } = require("inspecjs");
const file = convertFileContextual(require("fs").readFileSync(process.argv[1], "utf8"));
const told = file.contains.flatMap(p => p.contains.map(c => [p.data.name, c.data.id, c.root.hdf.status]));
console.log(JSON.stringify(told));
"""
# GitLab reads a case's file from an attribute that the schema does not know.
FILE = '<xs:attribute name="file" type="xs:string"/>'
TIME = '<xs:attribute name="time" type="xs:decimal" use="required">'


def read_schema(name: str) -> Path:
    """Reads a schema that is not part of the project."""
    if not (DATA / name).exists():
        pytest.skip(
            f"{DATA / name} is absent: nothing was compared with it (BAKELINE_SHARED_DATA names another folder)"
        )
    return DATA / name


@pytest.fixture(scope="module", params=["sample", "real"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reports(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a directory with the reports in every format."""
    return write_sample_reports(tmp_path_factory) if kind == "sample" else write_real_reports(tmp_path_factory)


def write_sample_reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the sample reports in BAKELINE_SAMPLE_REPORTS, or writes them."""
    if given := os.environ.get("BAKELINE_SAMPLE_REPORTS"):
        return Path(given)
    folder = tmp_path_factory.mktemp("reports")
    words = ["cargo", "test", "--quiet", "--no-default-features", "--test", "cli", "--", "sample_reports"]
    done = run(words, REPO, {**os.environ, "BAKELINE_SAMPLE_REPORTS": str(folder)}, timeout=1800, want=0)
    assert "1 passed" in done.out, done
    return folder


def write_real_reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes the reports of all shipped profiles on a vendor root, over SSH, with unusual content."""
    folder, profiles = tmp_path_factory.mktemp("real"), sorted(path.stem for path in (REPO / "profiles").glob("*.yaml"))
    judged = Checker(
        tmp_path_factory.mktemp("catalog"), [{"file": "/etc/motd", "content": "plain\n"}], "odd", *profiles
    )
    for name in profiles:
        (judged.at / f"profiles/{name}.yaml").write_text((REPO / f"profiles/{name}.yaml").read_text())
    with writable_root(cached_root()) as root, server(root, tmp_path_factory.mktemp("stock")) as target:
        (root / "etc/motd").write_bytes(b"<b>]]>\x1b[31m&amp;\0\xff\n")
        done = judged.run(*judged.words(target), "--output", str(folder))
    assert done.code == 3 and len(list(folder.iterdir())) == 6, done
    return folder


@pytest.fixture(scope="module")
def ours(reports: Path) -> Any:
    """Reads bakeline's own JSON report."""
    return json.loads((reports / "checks-boot.json").read_text())


@pytest.fixture(scope="module")
def inspec(reports: Path) -> Any:
    return json.loads((reports / "checks-boot.inspec.json").read_text())


@pytest.fixture(scope="module")
def statuses(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], list[list[str]]]:
    """Returns a function that asks inspecjs for the status of each control."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are absent: inspecjs was not asked")
    folder = tmp_path_factory.mktemp("inspecjs")
    (folder / "package.json").write_text("{}")
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", INSPECJS]
    run(words, folder, os.environ, want=0)

    def ask(document: Any) -> list[list[str]]:
        (folder / "report.json").write_text(json.dumps(document))
        done = run(["node", "-e", ASK, "report.json"], folder, os.environ)
        if done.code:
            raise ValueError(done.err)
        return json.loads(done.out)

    return ask


def controls(report: Any) -> list[tuple[str, Any]]:
    return [(profile["name"], control) for profile in report["profiles"] for control in profile["controls"]]


def heimdall_status(control: Any) -> str:
    """Returns the status that Heimdall must show."""
    if control["impact"] == 0 and control["status"] != "error":
        return "Not Applicable"
    return HEIMDALL[control["status"]]


def test_sample_contains_every_status(kind: str, ours: Any) -> None:
    counted = [control["status"] for _, control in controls(ours)]
    assert {name: count for name, count in ours["counts"].items() if count} == Counter(counted)
    if kind == "real":
        assert {"passed", "failed", "skipped"} <= set(counted) and len(counted) > 130
        return
    assert set(counted) == set(HEIMDALL)
    assert {control["status"] for _, control in controls(ours) if control["impact"] == 0} == {
        "passed",
        "failed",
        "error",
    }


@pytest.mark.parametrize("release", ["4", "7"])
def test_report_matches_inspec_schemas(release: str, reports: Path, inspec: Any, tmp_path: Path) -> None:
    schema = str(read_schema(f"inspec-exec-json-{release}.schema.json"))
    judge = str(Path(sys.executable).parent / "check-jsonschema")

    def verdict(document: Any) -> int:
        (tmp_path / "x.json").write_text(json.dumps(document))
        return run([judge, "--schemafile", schema, str(tmp_path / "x.json")], tmp_path, os.environ).code

    run([judge, "--schemafile", schema, str(reports / "checks-boot.inspec.json")], reports, os.environ, want=0)
    assert verdict(inspec) == 0
    without = copy.deepcopy(inspec)
    del without["profiles"][0]["sha256"]
    heavy = copy.deepcopy(inspec)
    heavy["profiles"][0]["controls"][0]["impact"] = 7
    odd = copy.deepcopy(inspec)
    odd["profiles"][0]["controls"][0]["results"][0]["status"] = "unknown"
    assert [verdict(broken) for broken in (without, heavy, odd)] == [1, 1, 1]


def test_inspecjs_computes_our_statuses(ours: Any, inspec: Any, statuses: Callable[[Any], list[list[str]]]) -> None:
    assert statuses(inspec) == [[name, control["id"], heimdall_status(control)] for name, control in controls(ours)]
    assert all(control["results"] for _, control in controls(inspec))


def test_inspecjs_detects_broken_report(kind: str, inspec: Any, statuses: Callable[[Any], list[list[str]]]) -> None:
    right = statuses(inspec)
    if kind == "real":
        first = inspec["profiles"][0]["controls"][0]["results"][0]
        first.update(status="failed", exception="x", backtrace=["x"])
        assert statuses(inspec)[0][2] == "Profile Error" != right[0][2]
        return
    forgotten = copy.deepcopy(inspec)
    for _, control in controls(forgotten):
        for result in control["results"]:
            result.pop("backtrace", None)
    assert [was[2] for was, now in zip(right, statuses(forgotten), strict=True) if was != now].count(
        "Profile Error"
    ) >= 7
    listed = copy.deepcopy(inspec)
    listed["profiles"][0]["controls"][0]["tags"]["severity"] = ["high"]
    without = copy.deepcopy(inspec)
    del without["platform"]
    for broken in (listed, without):
        with pytest.raises(ValueError, match="Error"):
            statuses(broken)


def test_junit_matches_schema_except_file_attribute(reports: Path, tmp_path: Path) -> None:
    path = reports / "checks-boot.junit.xml"
    plain = xmlschema.XMLSchema(read_schema("JUnit.xsd"))
    assert {error.reason for error in plain.iter_errors(path)} == {"'file' attribute not allowed for element"}
    text = read_schema("JUnit.xsd").read_text()
    assert text.count(TIME) == 2
    known = xmlschema.XMLSchema(text.replace(TIME, FILE + TIME, 1))
    assert known.is_valid(path)

    for change in (
        lambda case: case.set("time", "1e-05"),
        lambda case: case.attrib.pop("classname"),
        lambda case: ET.SubElement(case, "unknown"),
    ):
        tree = ET.parse(path)
        change(tree.getroot()[0].findall("testcase")[0])
        tree.write(tmp_path / "broken.xml")
        assert not known.is_valid(tmp_path / "broken.xml")


def test_junitparser_reads_our_report(kind: str, ours: Any, reports: Path, tmp_path: Path) -> None:
    path = reports / "checks-boot.junit.xml"
    suites = list(JUnitXml.fromfile(str(path)))
    assert [suite.name for suite in suites] == [profile["name"] for profile in ours["profiles"]]
    kinds = {Failure: "failed", Error: "error", Skipped: "skipped"}
    for suite, profile in zip(suites, ours["profiles"], strict=True):
        cases, wanted = list(suite), []
        for control in profile["controls"]:
            waived = {"failed": "skipped"} if control["status"] == "waived" else {}
            told = [waived.get(result["outcome"], result["outcome"]) for result in control["results"]]
            wanted += [(f"{profile['name']}.{control['id']}", control["place"]["file"], outcome) for outcome in told]
        found = [(case.classname, case._elem.get("file"), [kinds[type(one)] for one in case.result]) for case in cases]
        assert found == [(name, file, [] if told == "passed" else [told]) for name, file, told in wanted]
        assert all((one.text or "").strip() for case in cases for one in case.result), "GitLab shows bodies only"
        counted = [[told for *_, told in wanted].count(word) for word in ("failed", "error", "skipped")]
        assert [suite.failures, suite.errors, suite.skipped, suite.tests] == [*counted, len(wanted)]
    names = [(case.classname, case.name) for suite in suites for case in suite]
    assert len(names) == len(set(names)) and len(names) > 30, "GitLab drops the second of a name"
    control = r"\u{0}" if kind == "sample" else r"\u{1b}"
    assert control in path.read_text(), "there was one to be seen"
    (tmp_path / "broken.xml").write_text(path.read_text().replace(control, "\0"))
    with pytest.raises(Exception, match="(?i)invalid|well-formed"):
        JUnitXml.fromfile(str(tmp_path / "broken.xml"))


def test_cyclonedx_lists_the_packages(ours: Any, reports: Path) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    text = (reports / "packages-boot.cdx.json").read_text()
    assert validator.validate_str(text) is None
    bom = json.loads(text)
    assert bom["specVersion"] == "1.5", "the schema leaves it open"
    assert uuid.UUID(bom["serialNumber"].removeprefix("urn:uuid:")).version == 8
    listed = [one for one in bom["components"] if one["type"] == "library"]
    installed = {(one["name"], one["version"], one["arch"]) for one in ours["packages"]}
    purls = [PackageURL.from_string(one["purl"]) for one in listed]
    # The library leaves the slash in a name, which would make two of it when it is read again.
    assert [purl.to_string() for purl in purls] == [one["purl"].replace("%2F", "/") for one in listed]
    assert {(purl.name, purl.version or "", purl.qualifiers["arch"]) for purl in purls} == installed
    assert {(purl.type, purl.namespace, purl.qualifiers["distro"]) for purl in purls} == {
        ("deb", "debian", "debian-12")
    }
    references = {one["bom-ref"] for one in [*bom["components"], bom["metadata"]["component"]]}
    assert len(references) == len(bom["components"]) + 1
    assert {ref for edge in bom["dependencies"] for ref in [edge["ref"], *edge["dependsOn"]]} == references
    for key, value in (
        ("serialNumber", "urn:uuid:1"),
        ("bomFormat", "SPDX"),
        ("components", bom["components"] * 2),
        ("surprise", True),
    ):
        assert validator.validate_str(json.dumps({**bom, key: value})) is not None, key


def test_no_report_shows_a_secret(reports: Path) -> None:
    assert "hunter2" in (REPO / "tests/data/report.json").read_text(), "there was one to be seen"
    for path in reports.iterdir():
        assert "hunter2" not in path.read_text(), path
