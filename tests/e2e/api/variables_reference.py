"""Reference implementation of variables, matrices and architectures, written only from docs/guides/.

The pages are variables.md and architectures.md. The reference reads JSON, which is valid YAML. Invalid catalogs raise an exception.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

Map = dict[str, Any]
ARCHITECTURES = ["x86_64", "arm64"]
# `$${`, or `${NAME}`, `${NAME.KEY}` and `${NAME.${OTHER}}`. The leftmost match wins.
PLACEHOLDER = re.compile(r"\$\$\{|\$\{((?:[^{}]|\$\{[^{}]*\})*)\}")


class Image(NamedTuple):
    """An expanded image: the keys of its file, the variables that it uses, and its ancestors, itself first."""

    values: Map
    variables: Map
    lineage: list[str]


class Draft(NamedTuple):
    """An image with a name and a parent. All its other values still contain variables."""

    file: Map
    parent: str | None
    layers: list[Map]


class Scope:
    """The variables of an image, in layers of decreasing precedence. Each variable is resolved when it is used."""

    def __init__(self, layers: list[Map]) -> None:
        self.layers, self.used, self.open = layers, Map(), list[str]()

    def variable(self, name: str) -> Any:
        if name not in self.used:
            if name in self.open:
                raise ValueError(f"cycle: {self.open} -> {name}")
            self.open.append(name)
            self.used[name] = self.expand(self.definition(name))
            self.open.pop()
        return self.used[name]

    def definition(self, name: str) -> Any:
        for layer in self.layers:
            if name in layer:
                return layer[name]
        raise LookupError(f"the variable {name} does not exist")

    def reference(self, path: str) -> Any:
        """Returns the value of `NAME`, `NAME.KEY` or `NAME.${OTHER}`."""
        name, *keys = path.split(".")
        value = self.variable(name)
        for key in keys:
            value = value[self.text(key, frozenset())]
        return value

    def expand(self, value: Any, kept: frozenset[str] = frozenset()) -> Any:
        """Replaces the variables in a value. Placeholders of names in `kept` stay."""
        if isinstance(value, dict):
            return {self.text(key, kept): self.expand(item, kept) for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand(item, kept) for item in value]
        if not isinstance(value, str):
            return value
        whole = PLACEHOLDER.fullmatch(value)
        if whole and whole[1] is not None and whole[1].split(".")[0] not in kept:
            return self.reference(whole[1])
        return self.text(value, kept)

    def text(self, text: str, kept: frozenset[str]) -> str:
        def replacement(found: re.Match[str]) -> str:
            if found[1] is None:
                return "${"
            if found[1].split(".")[0] in kept:
                return found[0]
            value = self.reference(found[1])
            if isinstance(value, dict | list):
                raise TypeError(f"{found[0]} is a list or a map and cannot be part of {text!r}")
            return value if isinstance(value, str) else json.dumps(value)

        return PLACEHOLDER.sub(replacement, text)


def escape(value: Any) -> Any:
    """Returns a value that expands to the given value."""
    if isinstance(value, dict):
        return {escape(key): escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def is_same(one: Any, other: Any) -> bool:
    """Returns whether two values have the same type and content: 1, 1.0, true and "1" differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def combinations(matrix: Map, scope: Scope) -> list[Map]:
    """Returns the combinations of a matrix. Without a matrix, there is one without values."""
    matrix = scope.expand(matrix)
    exclude, include = matrix.pop("exclude", []), matrix.pop("include", [])
    product = [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]
    stay = [one for one in product if not any(all(is_same(one[k], v) for k, v in out.items()) for out in exclude)]
    return stay + include


def draft_files(settings: Map, files: dict[str, Map]) -> dict[str, Draft]:
    """Expands the matrices of image files, given by the names of the files without `.yaml`."""
    shared, drafts = settings.get("variables", {}), dict[str, Draft]()
    for stem, file in files.items():
        own = file.get("variables", {})
        for combination in combinations(file.get("matrix", {}), Scope([own, shared])):
            # The values of a combination are final. They are not expanded again.
            layers = [escape(combination), own]
            scope = Scope([*layers, shared])
            name = scope.expand(file.get("name", stem))
            if name in drafts:
                raise ValueError(f"two images have the name {name}")
            drafts[name] = Draft(file, scope.expand(file.get("parent")), layers)
    return drafts


def expand_files(settings: Map, files: dict[str, Map]) -> dict[str, Image]:
    """Expands image files to images, given by `NAME`, or by `NAME.ARCH` if they have several architectures."""
    catalog = Catalog(settings.get("variables", {}), draft_files(settings, files))
    return {
        catalog.full_name(name, arch): catalog.image(name, arch)
        for name in catalog.drafts
        for arch in catalog.architectures(name)
    }


class Catalog(NamedTuple):
    """The variables of bakeline.yaml, and all images by name."""

    shared: Map
    drafts: dict[str, Draft]

    def lineage(self, name: str) -> list[str]:
        """Returns the names of an image and its ancestors, itself first."""
        names = [name]
        while above := self.drafts[names[-1]].parent:
            names.append(above)
        return names

    def layers(self, name: str) -> list[Map]:
        return [*(layer for one in self.lineage(name) for layer in self.drafts[one].layers), self.shared]

    def architectures(self, name: str) -> list[str]:
        """Returns the architectures of an image. A child has those of its parent, or one of them."""
        file, parent, _ = self.drafts[name]
        choice = self.architectures(parent) if parent else ARCHITECTURES
        if "arch" not in file:
            return choice if parent else ["x86_64"]
        # `${arch}` is not known here, unless the catalog defines it.
        selected = Scope(self.layers(name)).expand(file["arch"])
        listed = selected if isinstance(selected, list) else [selected]
        if not listed or len(set(listed)) < len(listed) or not set(listed) <= set(choice):
            raise ValueError(f"{name} cannot have the architectures {selected}")
        return listed

    def full_name(self, name: str, arch: str) -> str:
        return f"{name}.{arch}" if len(self.architectures(name)) > 1 else name

    def image(self, name: str, arch: str) -> Image:
        file, parent, _ = self.drafts[name]
        # `arch` has the lowest priority: a variable of the catalog replaces it.
        scope = Scope([*self.layers(name), {"arch": arch}])
        values = {
            key: scope.expand(value) for key, value in file.items() if key not in ("variables", "matrix", "checks")
        }
        # `name` and `parent` cannot use variables of a parent. An image has one architecture.
        values |= {
            key: value
            for key, value in (("name", name), ("parent", parent), ("arch", arch))
            if key == "arch" or key in file
        }
        if "checks" in file:
            values["checks"] = [
                scope.expand(check, frozenset({"inputs", *check.get("for_each", {})})) for check in file["checks"]
            ]
        return Image(values, scope.used, [self.full_name(one, arch) for one in self.lineage(name)])


def expand_catalog(folder: Path) -> dict[str, Image]:
    """Expands all images of a catalog."""
    files = {path.stem: json.loads(path.read_text()) for path in sorted((folder / "images").rglob("*.yaml"))}
    return expand_files(json.loads((folder / "bakeline.yaml").read_text()), files)
