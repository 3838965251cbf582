"""Generates random catalogs with variables, matrices, architectures and three layers."""

from __future__ import annotations

import collections
import json
import random
import re
from typing import Any

import variables_reference as reference
from support.catalog import VENDOR
from variables_catalogs import Map

MOST_IMAGES = 8
LEVELS = ("shared", "base", "middle", "leaf")
# A variable refers only to later ones, so there are no cycles. `w3`, `n2` and `arch` always exist.
ORDER = ("any", "map", "l1", "l2", "t1", "t2", "t3", "real", "flag", "n1", "n2", "w1", "w2", "w3", "choice", "arch")
# Variables with values that `drop_unused` can also remove.
MORE_NAMES = ("edition", "arches", "cpu")
# Values of `choice` and `arch`, as keys of maps.
CHOICES = ("x86_64", "arm64", "riscv64", "left", "right.side", "17", "true")
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
    "nested key": r"[^$]\$\{\w+(\.\w+)*\.\$\{",
    "architecture as a key": r"[^$]\$\{[\w.]+\.\$\{arch\}",
    "architecture in a text": r"[^$.]\$\{arch\}",
    "list of architectures": r'"arch": \["[^"]+", "[^"]+"\]',
    "list of one architecture": r'"arch": \["[^"]+"\]',
    "architecture in a variable": r'"arch": (\["\w+", )?"\$\{(arches|cpu|kit.cpu)\}"',
}  # fmt: skip
MORE_FEATURES = (
    "overridden variable",
    "variable in a matrix",
    "escape in a matrix",
    "several architectures",
    "child selects an architecture",
    "variable named arch",
)


class Writer:
    """Generates texts and values that use the variables of one level."""

    def __init__(self, dice: random.Random, names: set[str]) -> None:
        self.dice, self.names = dice, names

    def later(self, name: str) -> Writer:
        """Returns a writer that uses only variables after this one in ORDER."""
        return Writer(self.dice, {other for other in self.names if other in ORDER[ORDER.index(name) + 1 :]})

    def pick(self, *names: str) -> str:
        """Returns a reference to one of these variables that exist, or an empty text."""
        known = [name for name in names if self.names >= {*re.findall(r"(?:^|\$\{)(\w+)", name)}]
        return f"${{{self.dice.choice(known)}}}" if known else ""

    def word(self) -> str:
        nested = ("map.words.${choice}", "map.words.${arch}", "map.${choice}.word")
        return self.pick("w1", "w2", "w3", "map.word", "map.deep.word", *nested) if self.dice.random() < 0.8 else "abc"

    def number(self) -> str | int:
        return self.pick("n1", "n2", "map.number", "map.numbers.${arch}") or self.dice.randint(8, 99)

    def items(self) -> str | list[str]:
        """Returns packages."""
        if self.dice.random() < 0.5 and (found := self.pick("l1", "l2", "map.list", "map.lists.${arch}")):
            return found
        return [f"p{at}{self.word()}-{self.number()}" for at in range(self.dice.randint(1, 3))]

    def text(self) -> str:
        """Returns one line of ASCII."""
        scalars = ["n1", "n2", "w1", "w2", "w3", "real", "flag", "map.word", "map.number", "os", "size", "kit.id"]
        scalars += ["arch", "arch", "choice", "map.words.${arch}", "map.numbers.${choice}", "kit.texts.${arch}"]
        parts = [self.pick("t1", "t2", "t3", "map.text", "kit.text")]
        for _ in range(self.dice.randint(1, 3)):
            others = (self.pick(*scalars), self.dice.choice(LITERALS), self.dice.choice(ESCAPES))
            parts.append(self.dice.choices(others, (5, 3, 1))[0])
        self.dice.shuffle(parts)
        return "".join(parts)

    def anything(self, depth: int = 0) -> Any:
        """Returns a value of any type."""
        leaves = [
            lambda: (
                self.pick(*ORDER, "map.deep", "map.lists.${arch}", "map.${choice}", "os", "size", "kit", "kit.list")
                or 7
            ),
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
            nested = {
                "words": {key: mine.word() or "keyed" for key in CHOICES},
                "numbers": {key: mine.number() for key in CHOICES},
                "lists": {key: mine.items() for key in CHOICES},
            }
            chosen = {key: {"word": mine.word() or "chosen", "more": [mine.number()]} for key in CHOICES}
            return words | nested | chosen | {"list": mine.items(), "deep": deep}
        if name == "choice":
            return self.dice.choice(("${arch}", "left", "right.side", 17, True))
        if name == "arch":
            return self.dice.choice(CHOICES)
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
            | {"texts": {key: f"{at}{key}" for key in CHOICES}, "cpu": dice.choice(("arm64", ["arm64", "x86_64"]))}
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
    if dice.random() < 0.5:
        for names in own.values():
            names.discard("arch")
    # All images have the base, so bakeline.yaml can use its variables.
    names, settings, files = own["shared"] | own["base"] | {"arch"}, Map(), dict[str, Map]()
    settings["variables"] = {name: Writer(dice, names).value(name) for name in ORDER if name in own["shared"]}
    settings["variables"] |= {
        "edition": "ed",
        "arches": dice.choice((["x86_64", "arm64"], ["arm64", "x86_64"], ["arm64"], "arm64")),
        "cpu": "arm64",
    }
    for level in LEVELS[1:]:
        matrix, name = matrix_of(dice, level)
        names = names | own[level] | matrix.keys() - {"exclude", "include"}
        writer = Writer(dice, names)
        file: Map = {"name": name, "matrix": matrix} if matrix else {}
        file["variables"] = {one: writer.value(one) for one in ORDER if one in own[level]}
        if dice.random() < 0.3:
            file["variables"]["edition"] = f"ed{level[0]}"
        if level == "base":
            file |= {"source": VENDOR | {"name": f"debian-12-{writer.pick('arch', 'map.words.${arch}')}-*"}}
            file |= architecture_of_base(dice, "kit" in matrix)
        else:
            file["parent"] = parent_of(dice, settings, files, level, matrix)
            file |= architecture_of_child(dice, settings, files, file["parent"])
        file |= writer.keys(level)
        # A variable of a matrix must be used; a value uses `edition` in each case.
        file.setdefault("tags", {})["edition"] = "V${edition}"
        files[level] = file
    if len(reference.expand_files(settings, files)) > MOST_IMAGES:
        return catalog_of(dice)
    drop_unused(settings, files)
    return (settings, files) if has_complete_templates(settings, files) else catalog_of(dice)


def has_complete_templates(settings: Map, files: dict[str, Map]) -> bool:
    """Returns whether all variables of each image with `template: true` exist: the template gets all of them."""
    catalog = reference.Catalog(settings.get("variables", {}), reference.draft_files(settings, files))
    for name in catalog.drafts:
        for arch in catalog.architectures(name):
            if any(file["template"] is True for file in catalog.image(name, arch).values.get("files", [])):
                layers = [*catalog.layers(name), {"arch": arch}]
                try:
                    reference.Scope(layers).expand([f"${{{one}}}" for layer in layers for one in layer])
                except LookupError:
                    return False
    return True


def architecture_of_base(dice: random.Random, has_kit: bool) -> Map:
    """Generates the key `arch` of a base image."""
    if has_kit and dice.random() < 0.5:
        return {"arch": "${kit.cpu}"}
    choice = dice.random()
    if choice < 0.1:
        return {}
    if choice < 0.2:
        return {"arch": dice.choice(("x86_64", "arm64"))}
    if choice < 0.45:
        return {"arch": dice.choice((["x86_64"], ["arm64"], ["${cpu}"]))}
    if choice < 0.7:
        return {"arch": dice.choice(("${arches}", ["x86_64", "${cpu}"]))}
    return {"arch": dice.sample(reference.ARCHITECTURES, 2)}


def architecture_of_child(dice: random.Random, settings: Map, files: dict[str, Map], parent: str) -> Map:
    """Generates the key `arch` of a child: nothing, or one architecture of its parent."""
    catalog = reference.Catalog(settings["variables"], reference.draft_files(settings, files))
    # The images base-12 and base-13 have the same architectures.
    choices = catalog.architectures(parent.replace("${os}", "12"))
    if dice.random() < (0.5 if len(choices) > 1 else 0.9):
        return {}
    arch = dice.choice(choices)
    return {"arch": "${cpu}" if arch == "arm64" and dice.random() < 0.3 else arch}


def parent_of(dice: random.Random, settings: Map, files: dict[str, Map], level: str, matrix: Map) -> str:
    """Returns the name of an image of the previous level, which depends on the matrix if that is possible."""
    parents = [
        name for name in reference.draft_files(settings, files) if name.startswith(LEVELS[LEVELS.index(level) - 1])
    ]
    if level == "middle" and {"base-12", "base-13"} <= {*parents} and "include" not in matrix and matrix:
        return "base-${os}"
    return dice.choice(parents)


def drop_unused(settings: Map, files: dict[str, Map]) -> None:
    """Removes definitions that no image uses: they are errors."""
    expected = reference.expand_files(settings, files)
    for name in (*ORDER, *MORE_NAMES):
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
    catalog = reference.Catalog(settings.get("variables", {}), reference.draft_files(settings, files))
    several = {name for name in catalog.drafts if len(catalog.architectures(name)) > 1}
    selects = [draft.parent in several and name not in several for name, draft in catalog.drafts.items()]
    return count + collections.Counter(
        {
            "overridden variable": any(sum(name in one for one in defined) > 1 for name in ORDER),
            "variable in a matrix": "${edition}" in matrices,
            "escape in a matrix": "$${" in matrices,
            "several architectures": bool(several),
            "child selects an architecture": any(selects),
            "variable named arch": any("arch" in one for one in defined),
        }
    )
