"""Writes tables of keys from the JSON Schemas of the catalog files."""

import json
import typing

from .program import ROOT

Schema = dict[str, typing.Any]

# Definitions that have their own page.
ELSEWHERE = {"Check": "[check](checks.md#keys-of-a-check)"}
# Words for the patterns of the schemas.
PATTERNS = {
    "^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$": "name: lower-case letters, digits and hyphens, at most 40 characters",
    "^[A-Za-z][A-Za-z0-9_.-]{0,39}$": "name: letters, digits, `_`, `.` and `-`, at most 40 characters",
    "^([1-9][0-9]{0,4}[smhdw]){1,5}$": "duration, such as `30d`",
    "^(0s|([1-9][0-9]{0,4}[smhdw]){1,5})$": "duration, such as `90s`, or `0s`",
    "^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$": "Region",
    "^[0-9]{12}$": "account ID",
    "^[a-z][a-z0-9-]*\\.[a-z0-9-]+$": "instance type",
}
ANY = "any value"
VARIABLE = {"type": "string", "pattern": "\\$\\{"}


class Reference:
    """Tables of one schema. Each map with fixed keys gets a section, named after the path of its first use."""

    def __init__(self, schema: Schema) -> None:
        self.definitions: dict[str, Schema] = schema.get("definitions", {})
        self.uses: dict[str, list[str]] = {}
        self.pending: list[tuple[str, Schema]] = []

    def sections(self) -> list[tuple[str, str]]:
        """Returns the sections of all maps with their first paths, outer maps before the maps in them."""
        tables = []
        while self.pending:
            name, schema = self.pending.pop(0)
            tables.append((name, described(schema), self.table(schema, self.uses[name][0])))
        return [(self.uses[name][0], self.section(self.uses[name], text, table)) for name, text, table in tables]

    def section(self, paths: list[str], text: str, table: str) -> str:
        """Returns the section of one map."""
        others = f"Also: {', '.join(f'`{path}`' for path in paths[1:])}.\n\n" if len(paths) > 1 else ""
        return f"### `{paths[0]}`\n\n{text}{others}{table}\n"

    def table(self, schema: Schema, path: str) -> str:
        """Returns the table of the keys of a map."""
        rows = ["| key | value | meaning |", "|---|---|---|"]
        for key, value, is_required in keys_of(schema):
            place = f"{path}.{key}" if path else key
            mark = " (required)" if is_required else ""
            rows.append(f"| `{key}`{mark} | {self.type_of(value, place)} | {self.meaning(value)} |")
        return "\n".join(rows)

    def resolve(self, schema: Schema) -> tuple[Schema, str | None]:
        """Returns a schema without indirection and without the alternative `${NAME}`, with its name."""
        alternatives = [a for a in schema.get("anyOf", []) if a != VARIABLE]
        if len(alternatives) == 1:
            return self.resolve(alternatives[0])
        if len(schema.get("allOf", [])) == 1:
            return self.resolve(schema["allOf"][0])
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            inner, inner_name = self.resolve(self.definitions[name])
            return inner, inner_name or name
        return schema, None

    def type_of(self, schema: Schema, path: str) -> str:
        """Returns words for the type of a value."""
        if schema.get("$ref", "").rsplit("/", 1)[-1] in ELSEWHERE:
            return ELSEWHERE[schema["$ref"].rsplit("/", 1)[-1]]
        found, name = self.resolve(schema)
        if keys_of(found):
            return f"[map](#{slug(self.use(found, name, path))})"
        alternatives = [a for a in found.get("anyOf", found.get("oneOf", [])) if a != VARIABLE]
        if alternatives:
            return join_words([self.type_of(a, path) for a in alternatives])
        if "const" in found:
            return code(found["const"])
        if "enum" in found:
            return join_words([code(v) for v in found["enum"]])
        return self.plain_type(found, path)

    def plain_type(self, schema: Schema, path: str) -> str:
        """Returns words for the type of a scalar, list or map without fixed keys."""
        kind = schema.get("type")
        if kind == "array":
            return collection("list", self.item_type(schema.get("items"), f"{path}[]"))
        if kind == "object":
            return collection("map", self.item_type(schema.get("additionalProperties"), f"{path}.NAME"))
        if kind == "integer" or kind == "number":
            return number_words(schema, "whole number" if kind == "integer" else "number")
        if kind == "string":
            return text_words(schema)
        return "boolean" if kind == "boolean" else ANY

    def item_type(self, schema: Schema | bool | None, path: str) -> str:
        """Returns words for the type of the items of a list or map."""
        return self.type_of(schema, path) if isinstance(schema, dict) else ANY

    def use(self, schema: Schema, name: str | None, path: str) -> str:
        """Records the use of a map. Returns the heading of its section."""
        key = name or json.dumps(schema, sort_keys=True)
        if key not in self.uses:
            self.uses[key] = []
            self.pending.append((key, schema))
        if path not in self.uses[key]:
            self.uses[key].append(path)
        return self.uses[key][0]

    def meaning(self, schema: Schema) -> str:
        """Returns the description of a value and of the words that it accepts."""
        found, _ = self.resolve(schema)
        text = [schema.get("description") or found.get("description", "")]
        words = [a for a in found.get("oneOf", []) if "const" in a and "description" in a]
        text += [f"{code(word['const'])}: {word['description']}" for word in words]
        return cell(" ".join(filter(None, text)))


def keys_of(schema: Schema) -> list[tuple[str, Schema, bool]]:
    """Returns the keys of a map with their schemas, and whether they are required. Alternative maps are combined."""
    if "properties" in schema:
        required = schema.get("required", [])
        return [(key, value, key in required) for key, value in schema["properties"].items()]
    alternatives = schema.get("oneOf", [])
    if not alternatives or not all("properties" in a for a in alternatives):
        return []
    is_single = len(alternatives) == 1
    return [
        (key, {"description": a.get("description", ""), **value}, is_single)
        for a in alternatives
        for key, value in a["properties"].items()
    ]


def key_sections(name: str) -> str:
    """Returns the tables of one schema: the file itself, then each map in it."""
    schema = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text())
    reference = Reference(schema)
    top = reference.table(schema, "")
    order = list(schema["properties"])
    sections = sorted(reference.sections(), key=lambda section: order.index(first_key(section[0])))
    return "\n".join([f"{top}\n", *(text for _, text in sections)])


def collection(kind: str, item: str) -> str:
    """Returns words for a list or map of items."""
    return kind if item == ANY else f"{kind} of {item}"


def first_key(path: str) -> str:
    """Returns the first key of a path."""
    return path.split(".")[0].split("[")[0]


def described(schema: Schema) -> str:
    """Returns the description of an object as a paragraph."""
    text = cell(schema.get("description", ""))
    return f"{text}\n\n" if text else ""


def join_words(words: list[str]) -> str:
    """Returns alternatives as words, each once."""
    unique = list(dict.fromkeys(words))
    return " or ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def number_words(schema: Schema, kind: str) -> str:
    """Returns words for a number and its range."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:,} to {high:,}"
    return f"{kind}, at least {low:,}" if low is not None else kind


def text_words(schema: Schema) -> str:
    """Returns words for a text and its rule."""
    pattern = schema.get("pattern", "")
    if pattern in PATTERNS:
        return PATTERNS[pattern]
    if "maxLength" in schema:
        return f"text, at most {schema['maxLength']} characters"
    return "text"


def code(value: object) -> str:
    """Returns a value as it is written in YAML."""
    return f"`{json.dumps(value) if not isinstance(value, str) else value}`"


def cell(text: str) -> str:
    """Returns a text for one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def slug(text: str) -> str:
    """Returns the anchor of a heading, as mkdocs and GitLab compute it."""
    return "".join(c for c in text.lower() if c.isalnum() or c in "_-")
