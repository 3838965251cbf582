"""Writes the reference of the error codes: the meaning from the source, and the message from a broken catalog."""

import pathlib
import re
import tempfile
import tomllib
import typing

from .program import ROOT, run_program

Example = dict[str, typing.Any]

SETTINGS = "name: demo\nregions: [us-east-1]\n"
VALID = {
    "bakeline.yaml": SETTINGS,
    "images/base.yaml": 'source: {owner: "136693071363", name: "debian-12-amd64-*"}\n',
    "profiles/web.yaml": "checks:\n  - {package: nginx}\n",
}
# Headings for the groups of codes, by the tens of their numbers.
GROUPS = {
    "00": "Files and YAML",
    "02": "Keys and values",
    "03": "Names",
    "04": "Parents, sources and volumes",
    "05": "Environments and Regions",
    "06": "Paths, packages and profiles",
    "07": "Tags",
    "08": "Texts and secrets",
    "09": "AWS settings",
    "10": "Checks and waivers",
    "11": "Variables",
}


def code_meanings() -> dict[str, str]:
    """Returns the meaning of each code of `src/catalog/codes.rs`."""
    source = (ROOT / "src/catalog/codes.rs").read_text()
    meanings = dict(re.findall(r'= "(CAT\d{3})",\s*"((?:[^"\\]|\\.)*)";', source))
    return {**meanings, "TPL001": "an error in a template"}


def code_sections() -> str:
    """Returns one section for each code. errors.toml must have one example for each code, and no other."""
    examples = tomllib.loads((ROOT / "scripts/pages/errors.toml").read_text())
    meanings = code_meanings()
    if examples.keys() != meanings.keys():
        raise SystemExit(f"errors.toml and codes.rs differ in: {sorted(examples.keys() ^ meanings.keys())}")
    sections, group = [], None
    for code, meaning in meanings.items():
        heading = GROUPS.get(code[3:5], group) if code.startswith("CAT") else "Templates"
        if heading != group:
            sections.append(f"## {heading}\n")
            group = heading
        sections.append(code_section(code, meaning, examples[code]))
    return "\n".join(sections)


def code_section(code: str, meaning: str, example: Example) -> str:
    """Returns the section of one code: meaning, message and note."""
    note = f"\n{example['note']}\n" if "note" in example else ""
    message = diagnostic_of(code, example)
    return f"### {code}\n\n{meaning[0].upper()}{meaning[1:]}.\n\n```text\n{message}\n```\n{note}"


def diagnostic_of(code: str, example: Example) -> str:
    """Returns the diagnostic with this code that `bakeline validate` prints for the example."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name).resolve()
        write_catalog(directory, example)
        output = run_program(["-C", str(directory), "validate"])
    found = re.search(
        rf"^(error|warning)\[{code}\]: .*?(?=^(?:error|warning)[\[:]|^demo: |\Z)", output, re.MULTILINE | re.DOTALL
    )
    if found is None:
        raise SystemExit(f"errors.toml: the example of {code} causes no {code}:\n{output}")
    return found.group(0).strip()


def write_catalog(directory: pathlib.Path, example: Example) -> None:
    """Writes the valid catalog with the changes of an example."""
    content: dict[str, bytes] = {path: text.encode() for path, text in VALID.items()}
    content |= {path: text.encode() for path, text in example.get("extra", {}).items()}
    if "settings" in example:
        content["bakeline.yaml"] = example["settings"].encode()
    if "hex" in example:
        content[example["file"]] = bytes.fromhex(example["hex"])
    elif "file" in example:
        text = example.get("text", "").replace("DEEP", "[" * 200 + "]" * 200)
        content[example["file"]] = text.encode()
    for path, data in content.items():
        if data:  # An example without text removes the file.
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
    for path, target in example.get("links", {}).items():
        (directory / path).symlink_to(target)
