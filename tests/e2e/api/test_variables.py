"""Variables and matrices: `show image --json` equals an independent expansion of the same catalog.

The reference, `variables_reference.py`, was written from README.md ("Variables and matrices") without reading the program.
CI compares 60 random catalogs; BAKELINE_MATRIX=1 compares 200. No test starts a local EC2.
"""

from __future__ import annotations

import collections
import json
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import variables_reference as reference
from support.catalog import VENDOR, literal
from support.run import REPO, CompletedRun
from test_corpus import CORPUS, REFUSED
from variables_catalogs import Map, assert_valid, bakeline, differences, plain, show, write_catalog
from variables_random import FEATURES, MORE_FEATURES, catalog_of, features_of

CATALOGS = 200 if os.environ.get("BAKELINE_MATRIX") == "1" else 60
LEAST = CATALOGS // 6


def compare_catalog(number: int, folder: Path) -> tuple[collections.Counter, list[str]]:
    dice = random.Random(20261129 + number)
    settings, files = catalog_of(dice)
    home = folder / str(number)
    folders = {level: dice.choice(("", "team/", "a/b/")) for level in files}
    write_catalog(home, settings.get("variables", {}), {folders[level] + level: file for level, file in files.items()})
    expected = reference.expand_catalog(home)
    found = differences(home, expected)
    return features_of(settings, files) + collections.Counter(images=len(expected)), found


def test_random_catalogs_match_reference(tmp_path: Path) -> None:
    total, different = collections.Counter(), []
    with ThreadPoolExecutor(2) as pool:
        for count, found in pool.map(lambda number: compare_catalog(number, tmp_path), range(CATALOGS)):
            total += count
            different += [found] if found else []
    for name, times in sorted(total.items()):
        print(f"{name:25} {times:8}")
    shown = "\n".join(found[0] for found in different[:5])
    assert not different, f"{len(different)} of {CATALOGS} catalogs differ:\n{shown}"
    rare = {name: total[name] for name in (*FEATURES, *MORE_FEATURES) if total[name] < LEAST}
    assert not rare, f"these features are in fewer than {LEAST} catalogs: {rare}"


@dataclass(frozen=True)
class Rule:
    """A catalog, and the expected values of its images. Values that are not named are not compared."""

    name: str
    files: dict[str, Map]
    images: dict[str, Map]
    shared: Map = field(default_factory=dict)


BASE = {"source": VENDOR}
JDK = {"jdk": [17, 21], "release": [12, 13]}
RULES = [
    Rule(
        "nearest level wins",
        {
            "base": BASE | {"variables": {"a": "base", "b": "base"}, "description": "${a} ${b} ${c}"},
            "middle": {"parent": "base", "variables": {"b": "middle"}, "description": "${a} ${b} ${c}"},
            "leaf": {"parent": "middle", "matrix": {"a": ["leaf"]}, "name": "leaf", "description": "${a} ${b} ${c}"},
        },
        {
            "base": {"description": "base base shared"},
            "middle": {"description": "base middle shared"},
            "leaf": {"description": "leaf middle shared"},
        },
        {"a": "shared", "b": "shared", "c": "shared"},
    ),
    Rule(
        "child overrides a part of an inherited value",
        {
            "base": BASE | {"variables": {"host": "base"}, "description": "${url}"},
            "leaf": {"parent": "base", "variables": {"port": 8080}, "description": "${url}"},
        },
        {"base": {"description": "http://base:80"}, "leaf": {"description": "http://base:8080"}},
        {"url": "http://${host}:${port}", "host": "shared", "port": 80},
    ),
    Rule(
        "whole value keeps its type",
        {
            "app": BASE
            | {
                "variables": {"n": 17, "l": ["aa", "bb"], "m": {"k": {"x": True}}, "f": 2.0},
                "packages": "${l}",
                "disk_gib": "${n}",
                "ansible": [{"playbook": "ansible/site.yaml", "vars": {"m": "${m}", "x": "${m.k.x}", "f": ["${f}", "${n}!"]}}],
            }
        },
        {
            "app": {
                "packages": ["aa", "bb"],
                "disk_gib": 17,
                "ansible": [
                    {"playbook": "ansible/site.yaml", "vars": {"m": {"k": {"x": True}}, "x": True, "f": [2.0, "17!"]}}
                ],
            }
        },
    ),
    Rule(
        "escape is literal and is not expanded again",
        {"app": BASE | {"variables": {"a": "$${b}", "b": "$"}, "tags": {"$${a}": "${a}", "x": "${a} ${b}{a}", "y": "$${"}}},
        {"app": {"tags": {"${a}": "${b}", "x": "${b} ${a}", "y": "${"}}},
    ),
    Rule(
        "matrix without exclude and with include",
        {
            "app": BASE
            | {
                "matrix": JDK | {"exclude": [{"jdk": 21, "release": 12}], "include": [{"jdk": 11, "release": 12}]},
                "name": "jdk-${jdk}-debian-${release}",
                "description": "JDK ${jdk}",
            }
        },
        {
            "jdk-17-debian-12": {"description": "JDK 17"},
            "jdk-17-debian-13": {"description": "JDK 17"},
            "jdk-21-debian-13": {"description": "JDK 21"},
            "jdk-11-debian-12": {"description": "JDK 11"},
        },
    ),
    Rule(
        "placeholders of a check stay",
        {
            "app": BASE
            | {
                "variables": {"path": "v", "n": 7},
                "description": "${path}",
                "checks": [
                    {"for_each": {"path": ["/a", "/b"]}, "file": "${path}", "exists": True},
                    {"command": "echo ${n} $${HOME} ${inputs.x} ${path}", "stdout": "x"},
                ],
            }
        },
        {
            "app": {
                "checks": [
                    {"for_each": {"path": ["/a", "/b"]}, "file": "${path}", "exists": True},
                    {"command": "echo 7 ${HOME} ${inputs.x} v", "stdout": "x"},
                ]
            }
        },
    ),
    Rule(
        "value of a matrix is expanded once",
        {"app": BASE | {"matrix": {"j": ["$${y}"]}, "name": "app", "tags": {"a": "${j}", "b": "${y}"}}},
        {"app": {"tags": {"a": "${y}", "b": "q"}}},
        {"y": "q"},
    ),
    Rule(
        "variable that only a matrix uses is used",
        {"app": BASE | {"matrix": {"j": ["${x}", "b"]}, "name": "app-${j}"}},
        {"app-a": {}, "app-b": {}},
        {"x": "a"},
    ),
    Rule("empty variables are valid", {"base": BASE, "app": {"parent": "base", "variables": {}}}, {"base": {}, "app": {}}),
    Rule(
        "name does not use a variable of a parent",
        {
            "base": BASE | {"variables": {"x": "base"}, "description": "${x}"},
            "leaf": {"parent": "base", "matrix": {"j": [1]}, "name": "${x}-${j}", "description": "d${x}"},
        },
        {"base": {}, "shared-1": {"description": "dbase"}},
        {"x": "shared"},
    ),
    Rule(
        "parent does not use a variable of a parent",
        {
            "base": BASE | {"variables": {"x": "other"}, "description": "${x}"},
            "other": BASE,
            "leaf": {"parent": "${x}", "description": "d${x}"},
        },
        {"base": {}, "other": {}, "leaf": {"parent": "base", "description": "dother"}},
        {"x": "base"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_documented_rule_holds(tmp_path: Path, rule: Rule) -> None:
    write_catalog(tmp_path, rule.shared, rule.files)
    expected = reference.expand_catalog(tmp_path)
    named = {name: {key: expected[name].values[key] for key in values} for name, values in rule.images.items()}
    assert reference.is_same(named, rule.images) and expected.keys() == rule.images.keys(), "the reference is wrong"
    assert_valid(tmp_path, len(rule.images))
    for name, values in rule.images.items():
        ours = plain(show(tmp_path, name)["values"])
        assert reference.is_same({key: ours.get(key) for key in values}, values), ours


@dataclass(frozen=True)
class Invalid:
    """An invalid catalog, and a part of the message."""

    name: str
    says: str
    files: dict[str, Map]
    shared: Map = field(default_factory=dict)


PARENT = BASE | {"variables": {"x": "app"}, "description": "${x}"}
LOOP = {"for_each": {"path": ["/a", "/b"]}, "file": "${v}", "exists": True}
INVALID = [
    Invalid("unknown variable", "`nothing`", {"app": BASE | {"description": "${nothing}"}}),
    Invalid("unknown key", "`b`", {"app": BASE | {"description": "x${m.b}"}}, {"m": {"a": 1}}),
    Invalid("unused shared variable", "`x`", {"app": BASE}, {"x": 1}),
    Invalid("unused variable", "`x`", {"app": BASE | {"variables": {"x": 1}}}),
    Invalid(
        "unused override",
        "`x`",
        {"app": BASE | {"description": "${x}"}, "leaf": {"parent": "app", "variables": {"x": "y"}}},
        {"x": "z"},
    ),
    Invalid("unused variable of a matrix", "`b`", {"app": BASE | {"matrix": {"a": [1, 2], "b": [3]}, "name": "app-${a}"}}),
    Invalid("cycle", "a -> b -> a", {"app": BASE | {"variables": {"a": "${b}"}, "description": "${a}"}}, {"b": "x${a}"}),
    Invalid("list in a text", "`l` is a list", {"app": BASE | {"description": "x${l}"}}, {"l": ["a"]}),
    Invalid("map in a text", "`m` is a map", {"app": BASE | {"description": "x${m}"}}, {"m": {"a": "b"}}),
    Invalid("number as text", "number", {"app": BASE | {"description": "${n}"}}, {"n": 1}),
    Invalid("matrix without name", "`name`", {"app": BASE | {"matrix": {"a": [1, 2]}, "description": "x${a}"}}),
    Invalid("same name twice", "`app`", {"app": BASE | {"matrix": {"a": [1, 2]}, "name": "app", "description": "x${a}"}}),
    Invalid("more than 256 images", "256", {"app": BASE | {"matrix": {"a": [*range(257)]}, "name": "app-${a}"}}),
    Invalid("name from a parent", "`x`", {"app": PARENT, "leaf": {"parent": "app", "matrix": {"j": [1]}, "name": "${x}-${j}"}}),
    Invalid("parent from a parent", "`x`", {"app": PARENT, "leaf": {"parent": "${x}"}}),
    Invalid(
        "matrix from a parent",
        "`x`",
        {"app": PARENT, "leaf": {"parent": "app", "matrix": {"j": ["${x}"]}, "name": "leaf-${j}"}},
    ),
    Invalid("placeholder in a check", "placeholder", {"app": BASE | {"checks": [LOOP]}}, {"v": "$${path}"}),
    Invalid("same file name twice", "`app`", {"app": BASE, "sub/app": BASE}),
]  # fmt: skip


def assert_refused(done: CompletedRun, says: str) -> None:
    """Asserts that the catalog is invalid for this reason, and that the message has a location."""
    assert done.code == 1 and says in done.err, done
    assert re.search(r"^ *--> (images/[\w/-]+|bakeline)\.yaml:\d+:\d+$", done.err, re.MULTILINE), done


@pytest.mark.parametrize("invalid", INVALID, ids=lambda invalid: invalid.name)
def test_invalid_use_is_refused_with_location(tmp_path: Path, invalid: Invalid) -> None:
    write_catalog(tmp_path, invalid.shared, invalid.files)
    assert_refused(bakeline(tmp_path, "validate"), invalid.says)


def test_matrix_has_up_to_256_images(tmp_path: Path) -> None:
    sixteen = [*range(16)]
    write_catalog(tmp_path, {}, {"app": BASE | {"matrix": {"a": sixteen, "b": sixteen}, "name": "app-${a}-${b}"}})
    assert_valid(tmp_path, 256)
    assert plain(show(tmp_path, "app-15-15")["variables"]) == {"a": 15, "b": 15}


def test_two_jdks_on_two_bases_are_one_short_file(tmp_path: Path) -> None:
    """Uses the example of README.md."""
    found = re.search(r"```yaml\n(# images/jdk\.yaml defines .*?)```", (REPO / "README.md").read_text(), re.DOTALL)
    assert found, "README.md has no example"
    assert found[1].count("\n") <= 15
    base = BASE | {"matrix": {"release": [12, 13]}, "name": "base-debian-${release}"}
    write_catalog(tmp_path, {}, {"base": base, "jdk": found[1]})
    names = {f"jdk-{jdk}-debian-{release}": (jdk, release) for jdk in (17, 21) for release in (12, 13)}
    assert names.keys() == {*re.findall(r"jdk-\d+-debian-\d+", found[1].splitlines()[0])}
    assert_valid(tmp_path, 6)
    for name, (jdk, release) in names.items():
        shown = show(tmp_path, name)
        ours = plain(shown["values"])
        assert shown["file"] == "images/jdk.yaml"
        assert shown["lineage"] == [name, f"base-debian-{release}"]
        assert ours["packages"] == [f"openjdk-{jdk}-jdk-headless", "ca-certificates-java"]
        assert ours["description"] == f"OpenJDK {jdk}, headless"


def ansible(values: Map) -> Map:
    return {"ansible": [{"playbook": "ansible/site.yaml", "vars": values}]}


def script(**options: Any) -> Map:
    return {"scripts": [{"path": "scripts/a.sh"} | options]}


# Keys with a hostile text as a whole value and within a text.
FIELDS = {
    "tags": lambda whole, part: {"tags": {"a": whole, "b": part}},
    "tag keys": lambda whole, part: {"tags": {whole: "a", part: "b"}},
    "description": lambda whole, part: {"description": part},
    "whole description": lambda whole, part: {"description": whole},
    "ansible": lambda whole, part: ansible({"a": whole, "b": [part, {"c": whole}]}),
    "env": lambda whole, part: script(env={"A": whole, "B": part}),
    "args": lambda whole, part: script(args=[whole, part]),
}


def write_hostile(folder: Path, text: str, where: str) -> None:
    """Writes a catalog in which a text passes through three variables: a map of the catalog, its parent's and its own."""
    base = BASE | {"variables": {"whole": "${hostile.text}"}}
    keys = FIELDS[where]("${whole}", "${part}")
    uses = {name: value for name, value in {"part": "<${whole}>"}.items() if "${part}" in json.dumps(keys)}
    write_catalog(
        folder, {"hostile": {"text": literal(text)}}, {"base": base, "app": {"parent": "base"} | ({"variables": uses} if uses else {}) | keys}
    )  # fmt: skip


@pytest.mark.parametrize("where", FIELDS)
@pytest.mark.parametrize("name", CORPUS)
def test_hostile_text_is_verbatim_or_refused_with_location(tmp_path: Path, name: str, where: str) -> None:
    text = CORPUS[name]
    write_hostile(tmp_path, text, where)
    done = bakeline(tmp_path, "validate")
    if "description" in where and not text.isascii():
        assert_refused(done, "ASCII")
        return
    assert done.code == 0, done
    shown = show(tmp_path, "app")
    wanted = FIELDS[where](text, f"<{text}>")
    ours = plain(shown["values"])
    assert {key: ours.get(key) for key in wanted} == wanted
    variables = plain(shown["variables"])
    assert (variables["hostile"], variables["whole"]) == ({"text": text}, text)


@pytest.mark.parametrize("where", ["description", "tags", "tag keys"])
@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_unsupported_text_of_a_variable_is_refused_with_location(tmp_path: Path, text: str, where: str) -> None:
    write_hostile(tmp_path, text, where)
    assert_refused(bakeline(tmp_path, "validate"), REFUSED[text])
