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
from support.run import BAKELINE, REPO, CompletedRun, run
from test_corpus import CORPUS, REFUSED

Map = dict[str, Any]
CATALOGS = 200 if os.environ.get("BAKELINE_MATRIX") == "1" else 60
LEAST = CATALOGS // 6
MOST_IMAGES = 6
LEVELS = ("shared", "base", "middle", "leaf")
# A variable refers only to later ones, so there are no cycles. `w3` and `n2` always exist.
ORDER = ("any", "map", "l1", "l2", "t1", "t2", "t3", "real", "flag", "n1", "n2", "w1", "w2", "w3")
HELPERS = {
    "ansible/site.yaml": "- hosts: all\n  tasks: []\n",
    "scripts/a.sh": "#!/bin/sh\nset -eu\n",
    "files/a.conf": "a\n",
}
LITERALS = ("x", "-", " y", "$", "}", ".{z", "$x", "100%", "\\n", "'q'", '"', "$$")
ESCAPES = ("$${", "$${w1}", "$${no.such}", "$$${n2}")
# Features of a catalog, as patterns of its JSON text.
FEATURES = {
    "whole value": r'"\$\{\w+\}"',
    "key of a map": r'[^$]\$\{\w+\.[\w.]+\}',
    "text within text": r'": "[^"$]+\$\{\w+\}',
    "variable in a key": r'\$\{[\w.]+\}[^":]*": ',
    "escape": r"\$\$\{",
    "matrix": r'"matrix": ',
    "exclude": r'"exclude": ',
    "include": r'"include": ',
    "loop variable": r'"for_each": ',
}  # fmt: skip
MORE_FEATURES = ("overridden variable", "variable in a matrix", "escape in a matrix")


def write_catalog(folder: Path, shared: Map, files: dict[str, Map | str]) -> None:
    """Writes a catalog with variables of bakeline.yaml. The keys of `files` are paths below images/ without `.yaml`."""
    texts = {f"images/{name}.yaml": file for name, file in files.items()} | {
        "bakeline.yaml": {"name": "acme", "regions": ["eu-west-1"]} | ({"variables": shared} if shared else {})
    }
    for path, content in (HELPERS | texts).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        # YAML has no surrogate pairs, so characters are not escaped.
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        (folder / path).write_text(text)


def bakeline(folder: Path, *words: str) -> CompletedRun:
    return run([BAKELINE, "-C", str(folder), *words], folder, os.environ)


def assert_valid(folder: Path, images: int) -> None:
    """Asserts that the catalog is valid and has this number of images."""
    done = bakeline(folder, "validate")
    assert done.code == 0 and re.search(rf"\b{images} images?\b", done.out + done.err), done


def show(folder: Path, image: str) -> Map:
    done = bakeline(folder, "show", "image", image, "--json")
    assert done.code == 0, done
    return json.loads(done.out)


def plain(shown: Map) -> Map:
    """Returns values without their origins."""
    return {key: its["value"] for key, its in shown.items()}


def differences(folder: Path, expected: dict[str, reference.Image]) -> list[str]:
    """Compares all images of a catalog with their expected expansion."""
    done = bakeline(folder, "validate")
    if done.code != 0 or not re.search(rf"\b{len(expected)} images?\b", done.out + done.err):
        return [f"not {len(expected)} valid images: {done}"]
    found = []
    for name, image in expected.items():
        done = bakeline(folder, "show", "image", name, "--json")
        if done.code != 0:
            found.append(f"{name} cannot be shown: {done}")
            continue
        shown = json.loads(done.out)
        ours = plain(shown["values"])
        pairs = {f"value of {key}": (ours.get(key), value) for key, value in image.values.items()}
        pairs |= {
            "variables": (plain(shown["variables"]), image.variables),
            "lineage": (shown["lineage"], image.lineage),
        }
        for what, (its, wanted) in pairs.items():
            if not reference.is_same(its, wanted):
                found.append(f"{what} of {name}: bakeline {its}, reference {wanted}")
    return found


class Writer:
    """Generates texts and values that use the variables of one level."""

    def __init__(self, dice: random.Random, names: set[str]) -> None:
        self.dice, self.names = dice, names

    def later(self, name: str) -> Writer:
        """Returns a writer that uses only variables after this one in ORDER."""
        return Writer(self.dice, {other for other in self.names if other in ORDER[ORDER.index(name) + 1 :]})

    def pick(self, *names: str) -> str:
        """Returns a reference to one of these variables that exist, or an empty text."""
        known = [name for name in names if name.split(".")[0] in self.names]
        return f"${{{self.dice.choice(known)}}}" if known else ""

    def word(self) -> str:
        return self.pick("w1", "w2", "w3", "map.word", "map.deep.word") if self.dice.random() < 0.8 else "abc"

    def number(self) -> str | int:
        return self.pick("n1", "n2", "map.number") or self.dice.randint(8, 99)

    def items(self) -> str | list[str]:
        """Returns packages."""
        if self.dice.random() < 0.5 and (found := self.pick("l1", "l2", "map.list")):
            return found
        return [f"p{at}{self.word()}-{self.number()}" for at in range(self.dice.randint(1, 3))]

    def text(self) -> str:
        """Returns one line of ASCII."""
        scalars = ("n1", "n2", "w1", "w2", "w3", "real", "flag", "map.word", "map.number", "os", "size", "kit.id")
        parts = [self.pick("t1", "t2", "t3", "map.text", "kit.text")]
        for _ in range(self.dice.randint(1, 3)):
            others = (self.pick(*scalars), self.dice.choice(LITERALS), self.dice.choice(ESCAPES))
            parts.append(self.dice.choices(others, (5, 3, 1))[0])
        self.dice.shuffle(parts)
        return "".join(parts)

    def anything(self, depth: int = 0) -> Any:
        """Returns a value of any type."""
        leaves = [
            lambda: self.pick(*ORDER, "map.deep", "map.list", "os", "size", "kit", "kit.list") or 7,
            self.text,
            self.number,
            lambda: self.dice.choice(
                (True, False, 0, -3, 2.0, 0.25, "", "17", "true", "zwei\nZeilen", "grün 漢字", [], {})
            ),
        ]
        if depth < 2 and self.dice.random() < 0.4:
            several = range(self.dice.randint(1, 3))
            if self.dice.random() < 0.5:
                return [self.anything(depth + 1) for _ in several]
            return {f"k{at}{self.word()}": self.anything(depth + 1) for at in several}
        return self.dice.choice(leaves)()

    def value(self, name: str) -> Any:
        """Returns a value for a variable of ORDER. It has the same type at each level."""
        mine = self.later(name)
        if name == "any":
            return mine.anything()
        if name == "map":
            deep = {"word": mine.word() or "deep", "more": mine.anything(depth=2)}
            words = {"word": mine.word() or "mapped", "number": mine.number(), "text": mine.text()}
            return words | {"list": mine.items(), "deep": deep}
        if name[0] == "l":
            return mine.items()
        if name[0] == "t":
            return mine.text()
        if name[0] == "n":
            return mine.pick("n2") or self.dice.randint(8, 99)
        if name[0] == "w":
            return self.dice.choice(("", "ab", "c")) + mine.pick("w2", "w3") + self.dice.choice(("d", "ef", "gh"))
        return self.dice.choice((True, False)) if name == "flag" else self.dice.choice((1.5, 2.0, -0.25))

    def keys(self, level: str) -> Map:
        """Returns keys of an image file."""
        loop, tag = self.dice.choice(("path", "w3")), self.dice.choice((f"{self.number()}", self.word(), "$${w1}", "t"))
        script = {"path": "scripts/a.sh", "env": {f"K_{self.number()}": self.text(), "N": self.number()}}
        checks = [
            {"command": f"echo {level} {self.word()} $${{HOME}}", "stdout": f"{self.word()}"},
            {
                "for_each": {loop: ["/a", f"/{self.word()}"]},
                "file": f"${{{loop}}}/{level}/{self.number()}",
                "exists": True,
            },
        ]
        optional = {
            "description": f"D{self.text()}",
            "tags": {f"a{tag}": f"V{self.text()}", "b": f"V{self.text()}"},
            "packages": self.items(),
            "ansible": [{"playbook": "ansible/site.yaml", "vars": {f"v{self.word()}": self.anything(), "w": self.anything()}}],
            "scripts": ["scripts/a.sh", script | {"args": [self.number(), self.text()]}],
            "files": [{"source": "files/a.conf", "destination": f"/opt/{self.word()}", "template": self.pick("flag") or False}],
            "checks": checks,
            "max_age": f"{self.number()}d",
            "rebase_after": self.number(),
        }  # fmt: skip
        if level == "base":
            optional["disk_gib"] = self.number()
        return {key: value for key, value in optional.items() if self.dice.random() < 0.5}


def matrix_of(dice: random.Random, level: str) -> tuple[Map, str]:
    """Generates a matrix, and the name of its images. One in four is empty."""
    if level == "leaf":
        sizes = dice.choice((["s", "m"], ["s", "${edition}"], ["${edition}-x"]))
        matrix, name = {"size": sizes}, "leaf-${size}"
    elif level == "middle":
        # `os` overrides that of the base by text.
        matrix, name = {"os": ["12", "13"], "jdk": [17, 21]}, "middle-${jdk}-${os}"
        matrix["exclude"] = dice.choice(
            ([{"os": "13"}], [{"jdk": 21, "os": "13"}, {"os": "12", "jdk": 17}], [{"jdk": 17}])
        )
    elif dice.random() < 0.5:
        matrix, name = {"os": [12, 13]}, "base-${os}"
    else:
        kits = [
            {"id": f"k{at}", "text": dice.choice(("plain", "${edition}", *ESCAPES)), "list": ["pk", "${edition}"]}
            for at in "ab"
        ]
        matrix, name = {"kit": kits[: dice.randint(1, 2)]}, "base-${kit.id}"
    if dice.random() < 0.25:
        return {}, level
    if dice.random() < 0.3 and level == "middle":
        matrix["include"] = [{"os": "14", "jdk": dice.choice((17, 25))}]
    elif dice.random() < 0.3 and name == "base-${os}":
        matrix["exclude"], matrix["include"] = [{"os": 12}], [{"os": 11}]
    return matrix, name


def catalog_of(dice: random.Random) -> tuple[Map, dict[str, Map]]:
    """Generates bakeline.yaml and three image files: a base, its child and their child."""
    own = {level: {name for name in ORDER if dice.random() < (0.5 if level == "base" else 0.35)} for level in LEVELS}
    own["shared"] |= {"w3", "n2", "edition"}
    # All images have the base, so bakeline.yaml can use its variables.
    names, settings, files = own["shared"] | own["base"], Map(), dict[str, Map]()
    settings["variables"] = {name: Writer(dice, names).value(name) for name in ORDER if name in own["shared"]}
    settings["variables"]["edition"] = "ed"
    for level in LEVELS[1:]:
        matrix, name = matrix_of(dice, level)
        names = names | own[level] | matrix.keys() - {"exclude", "include"}
        writer = Writer(dice, names)
        file: Map = {"name": name, "matrix": matrix} if matrix else {}
        file["variables"] = {one: writer.value(one) for one in ORDER if one in own[level]}
        if dice.random() < 0.3:
            file["variables"]["edition"] = f"ed{level[0]}"
        file |= {"source": VENDOR} if level == "base" else {"parent": parent_of(dice, settings, files, level, matrix)}
        file |= writer.keys(level)
        # A variable of a matrix must be used; a value uses `edition` in each case.
        file.setdefault("tags", {})["edition"] = "V${edition}"
        files[level] = file
    if len(reference.expand_files(settings, files)) > MOST_IMAGES:
        return catalog_of(dice)
    drop_unused(settings, files)
    return settings, files


def parent_of(dice: random.Random, settings: Map, files: dict[str, Map], level: str, matrix: Map) -> str:
    """Returns the name of an image of the previous level, which depends on the matrix if that is possible."""
    parents = [
        name for name in reference.expand_files(settings, files) if name.startswith(LEVELS[LEVELS.index(level) - 1])
    ]
    if level == "middle" and {"base-12", "base-13"} <= {*parents} and "include" not in matrix and matrix:
        return "base-${os}"
    return dice.choice(parents)


def drop_unused(settings: Map, files: dict[str, Map]) -> None:
    """Removes definitions that no image uses: they are errors."""
    expected = reference.expand_files(settings, files)
    for name in [*ORDER, "edition"]:
        for file in (settings, *files.values()):
            if name in file.get("variables", {}):
                value = file["variables"].pop(name)
                try:
                    unused = reference.expand_files(settings, files) == expected
                except LookupError:
                    unused = False
                if not unused:
                    file["variables"][name] = value
                elif not file["variables"]:
                    del file["variables"]


def features_of(settings: Map, files: dict[str, Map]) -> collections.Counter:
    """Counts the features that a catalog has."""
    text = json.dumps([settings, files])
    count = collections.Counter(name for name, pattern in FEATURES.items() if re.search(pattern, text))
    matrices = json.dumps([file.get("matrix", {}) for file in files.values()])
    defined = [file.get("variables", {}).keys() for file in (settings, *files.values())]
    return count + collections.Counter(
        {
            "overridden variable": any(sum(name in one for one in defined) > 1 for name in ORDER),
            "variable in a matrix": "${edition}" in matrices,
            "escape in a matrix": "$${" in matrices,
        }
    )


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
    Invalid("number as text", "number", {"app": BASE | {"tags": {"a": "${n}"}}}, {"n": 1}),
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
