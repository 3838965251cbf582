"""Rules of docs/guides/variables.md and invalid catalogs, for test_variables.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.catalog import VENDOR
from variables_catalogs import Map


@dataclass(frozen=True)
class Rule:
    """A catalog, and the expected values of its images. Values that are not named are not compared."""

    name: str
    files: dict[str, Map]
    images: dict[str, Map]
    shared: Map = field(default_factory=dict)


BASE = {"source": VENDOR}
BOTH = BASE | {"arch": ["x86_64", "arm64"]}
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
    Rule(
        "child has the architectures of its parent or selects one",
        {
            "base": BOTH,
            "middle": {"parent": "base", "description": "${arch}"},
            "one": {"parent": "middle", "arch": "arm64", "description": "${arch}"},
            "leaf": {"parent": "one", "description": "${arch}"},
        },
        {
            "base.x86_64": {"arch": "x86_64"},
            "base.arm64": {"arch": "arm64"},
            "middle.x86_64": {"parent": "base", "description": "x86_64"},
            "middle.arm64": {"parent": "base", "description": "arm64"},
            "one": {"parent": "middle", "description": "arm64"},
            "leaf": {"parent": "one", "description": "arm64"},
        },
    ),
    Rule("list of one architecture keeps the name", {"base": BASE | {"arch": ["arm64"]}}, {"base": {"arch": "arm64"}}),
    Rule("default is x86_64", {"base": BASE | {"description": "${arch}"}}, {"base": {"arch": "x86_64", "description": "x86_64"}}),
    Rule(
        "variable named arch replaces the architecture",
        {
            "base": BOTH | {"description": "${v}"},
            "leaf": {"parent": "base", "variables": {"arch": "leaf"}, "description": "${v} ${arch}"},
        },
        {
            "base.x86_64": {"description": "vx86_64"},
            "base.arm64": {"description": "varm64"},
            "leaf.x86_64": {"arch": "x86_64", "description": "vleaf leaf"},
            "leaf.arm64": {"arch": "arm64", "description": "vleaf leaf"},
        },
        {"v": "v${arch}"},
    ),
    Rule(
        "architectures depend on a matrix",
        {
            "base": BASE | {"matrix": {"r": [12, 13]}, "name": "base-${r}", "arch": "${of.${r}}"},
            "leaf": {"parent": "base-${r}", "matrix": {"r": [12, 13]}, "name": "leaf-${r}"},
        },
        {"base-12": {}, "base-13.arm64": {}, "base-13.x86_64": {}, "leaf-12": {"arch": "arm64"}, "leaf-13.arm64": {}, "leaf-13.x86_64": {}},
        {"of": {"12": "arm64", "13": ["arm64", "${cpu}"]}, "cpu": "x86_64"},
    ),
    Rule(
        "value of a variable is a key",
        {"app": BOTH | {"packages": "${m.list.${arch}}", "description": "${m.${part}.text} ${m.n.${n}} ${m.n.${flag}}"}},
        {
            "app.x86_64": {"packages": ["xx"], "description": "dot number boolean"},
            "app.arm64": {"packages": ["aa", "bb"], "description": "dot number boolean"},
        },
        {
            "m": {
                "list": {"x86_64": ["xx"], "arm64": ["aa", "bb"]},
                "a.b": {"text": "dot"},
                "a": {"b": {"text": "path"}},
                "n": {"17": "number", "true": "boolean"},
            },
            "part": "a.b",
            "n": 17,
            "flag": True,
        },
    ),
]  # fmt: skip


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
    Invalid("architecture twice", "arm64 twice", {"app": BASE | {"arch": ["arm64", "arm64"]}}),
    Invalid("architecture twice in a variable", "arm64 twice", {"app": BASE | {"arch": "${a}"}}, {"a": ["arm64", "arm64"]}),
    Invalid("no architecture", "`arch` is empty", {"app": BASE | {"arch": []}}),
    Invalid("no architecture in a variable", "`arch` is empty", {"app": BASE | {"arch": "${a}"}}, {"a": []}),
    Invalid("unknown architecture", "`riscv64`", {"app": BASE | {"arch": "riscv64"}}),
    Invalid("unknown architecture in a list", "`riscv64`", {"app": BASE | {"arch": ["x86_64", "${a}"]}}, {"a": "riscv64"}),
    Invalid("architecture that the parent lacks", "not built for arm64", {"app": BASE, "leaf": {"parent": "app", "arch": "arm64"}}),
    Invalid(
        "architecture that the parent did not select",
        "not built for arm64",
        {"app": BOTH, "one": {"parent": "app", "arch": "x86_64"}, "leaf": {"parent": "one", "arch": "arm64"}},
    ),
    Invalid("architecture in a name", "`arch`", {"app": BOTH | {"name": "app-${arch}"}}),
    Invalid("architecture in a name, through a variable", "`arch`", {"app": BOTH | {"name": "app-${v}"}}, {"v": "${arch}"}),
    Invalid("architecture in a parent", "`arch`", {"app": BOTH, "leaf": {"parent": "app${arch}"}}),
    Invalid("architecture in a matrix", "`arch`", {"app": BOTH | {"matrix": {"j": ["${arch}"]}, "name": "app-${j}"}}),
    Invalid("unused variable named arch", "`arch`", {"app": BOTH | {"variables": {"arch": "x"}}}),
    Invalid("unknown nested key", "no key `arm64`", {"app": BOTH | {"description": "${m.${arch}}"}}, {"m": {"x86_64": "a"}}),
    Invalid("unknown variable as a nested key", "`l`", {"app": BASE | {"description": "${m.${l}}"}}, {"m": {"a": "b"}}),
    Invalid("list as a nested key", "`l` is a list", {"app": BASE | {"description": "${m.${l}}"}}, {"m": {"a": "b"}, "l": ["a"]}),
    Invalid("map as a nested key", "`l` is a map", {"app": BASE | {"description": "${m.${l}}"}}, {"m": {"a": "b"}, "l": {"a": "a"}}),
    Invalid("cycle through a nested key", "m -> k -> m", {"app": BASE | {"description": "${m.${k}}"}}, {"m": {"a": "${k}"}, "k": "${m.a}"}),
]  # fmt: skip
