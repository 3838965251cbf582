"""Generates random catalogs with variables, matrices and three layers."""

from __future__ import annotations

import collections
import json
import random
import re
from typing import Any

import variables_reference as reference
from support.catalog import VENDOR
from variables_catalogs import Map

MOST_IMAGES = 6
LEVELS = ("shared", "base", "middle", "leaf")
# A variable refers only to later ones, so there are no cycles. `w3` and `n2` always exist.
ORDER = ("any", "map", "l1", "l2", "t1", "t2", "t3", "real", "flag", "n1", "n2", "w1", "w2", "w3")
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
