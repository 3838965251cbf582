"""Variables, matrices and architectures: `show image --json` equals an independent expansion of the same catalog.

The reference, `variables_reference.py`, was written from docs/guides/ without reading the program.
CI compares 60 random catalogs; BAKELINE_MATRIX=1 compares 200. No test starts a local EC2.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import variables_reference as reference
from support.catalog import literal
from support.run import REPO, CompletedRun
from test_corpus import CORPUS, REFUSED
from variables_cases import BASE, BOTH, INVALID, RULES, Invalid, Rule
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


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_documented_rule_holds(tmp_path: Path, rule: Rule) -> None:
    write_catalog(tmp_path, rule.shared, rule.files)
    expected = reference.expand_catalog(tmp_path)
    named = {name: {key: expected[name].values[key] for key in values} for name, values in rule.images.items()}
    assert reference.is_same(named, rule.images) and expected.keys() == rule.images.keys(), "the reference is wrong"
    assert_valid(tmp_path, len(rule.images))
    for name, values in rule.images.items():
        shown = show(tmp_path, name)
        assert shown["lineage"] == expected[name].lineage
        ours = plain(shown["values"])
        assert reference.is_same({key: ours.get(key) for key in values}, values), ours


def assert_refused(done: CompletedRun, says: str) -> None:
    """Asserts that the catalog is invalid for this reason, and that the message has a location."""
    assert done.code == 1 and says in done.err, done
    assert re.search(r"^ *--> (images/[\w/.-]+|bakeline)\.yaml:\d+:\d+$", done.err, re.MULTILINE), done


@pytest.mark.parametrize("invalid", INVALID, ids=lambda invalid: invalid.name)
def test_invalid_use_is_refused_with_location(tmp_path: Path, invalid: Invalid) -> None:
    write_catalog(tmp_path, invalid.shared, invalid.files)
    assert_refused(bakeline(tmp_path, "validate"), invalid.says)


def test_file_cannot_replace_an_architecture(tmp_path: Path) -> None:
    write_catalog(tmp_path, {}, {"app": BOTH, "app.arm64": BASE})
    assert_refused(bakeline(tmp_path, "validate"), "`app.arm64`")


def test_matrix_has_up_to_256_images(tmp_path: Path) -> None:
    sixteen = [*range(16)]
    write_catalog(tmp_path, {}, {"app": BASE | {"matrix": {"a": sixteen, "b": sixteen}, "name": "app-${a}-${b}"}})
    assert_valid(tmp_path, 256)
    assert plain(show(tmp_path, "app-15-15")["variables"]) == {"a": 15, "b": 15}


def guide_example(guide: str, start: str) -> str:
    """Returns the example of a guide that starts with this comment."""
    path = REPO / "docs/guides" / guide
    found = re.search(rf"```yaml\n(# {re.escape(start)}.*?)```", path.read_text(), re.DOTALL)
    assert found, f"{path} has no example"
    return found[1]


@pytest.mark.parametrize("arch", ["x86_64", ["x86_64", "arm64"]], ids=["one architecture", "two architectures"])
def test_two_jdks_on_two_bases_are_one_short_file(tmp_path: Path, arch: str | list[str]) -> None:
    """Uses the example of the guide: four images, or eight if the bases have two architectures."""
    example = guide_example("variables.md", "images/jdk.yaml defines ")
    assert example.count("\n") <= 15
    base = BASE | {"matrix": {"release": [12, 13]}, "name": "base-debian-${release}", "arch": arch}
    write_catalog(tmp_path, {}, {"base": base, "jdk": example})
    suffixes = [f".{one}" for one in arch] if isinstance(arch, list) else [""]
    names = {f"jdk-{jdk}-debian-{release}": (jdk, release) for jdk in (17, 21) for release in (12, 13)}
    assert names.keys() == {*re.findall(r"jdk-\d+-debian-\d+", example.splitlines()[0])}
    assert_valid(tmp_path, 6 * len(suffixes))
    for name, suffix in itertools.product(names, suffixes):
        jdk, release = names[name]
        shown = show(tmp_path, name + suffix)
        ours = plain(shown["values"])
        assert shown["file"] == "images/jdk.yaml"
        assert shown["lineage"] == [name + suffix, f"base-debian-{release}{suffix}"]
        assert ours["arch"] == (suffix[1:] or "x86_64")
        assert ours["packages"] == [f"openjdk-{jdk}-jdk-headless", "ca-certificates-java"]
        assert ours["description"] == f"OpenJDK {jdk}, headless"


def test_source_depends_on_the_architecture(tmp_path: Path) -> None:
    """Uses the example of the guide."""
    write_catalog(tmp_path, {}, {"base-debian-12": guide_example("architectures.md", "images/base-debian-12.yaml")})
    assert_valid(tmp_path, 2)
    for arch, debian in (("x86_64", "amd64"), ("arm64", "arm64")):
        shown = show(tmp_path, f"base-debian-12.{arch}")
        assert plain(shown["values"])["source"] == {"owner": "136693071363", "name": f"debian-12-{debian}-*"}
        assert plain(shown["variables"])["arch"] == arch


def test_image_of_several_architectures_needs_one(tmp_path: Path) -> None:
    write_catalog(tmp_path, {}, {"app": BOTH})
    done = bakeline(tmp_path, "show", "image", "app", "--json")
    assert done.code != 0 and not done.out, done
    assert "app.x86_64" in done.err and "app.arm64" in done.err, done


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
