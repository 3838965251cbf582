"""Writes the reference of the commands and exit codes from `bakeline help`."""

import re

from .program import run_program, run_sandbox

SANDBOX = ["up", "status", "reset", "publish", "down"]


def command_names(text: str) -> list[str]:
    """Returns the names of the commands that a help text lists, in its order."""
    _, _, listing = text.partition("Commands:\n")
    names = re.findall(r"^  ([a-z-]+)", listing.split("\n\n")[0], re.MULTILINE)
    return [name for name in names if name != "help"]


def command_sections() -> str:
    """Returns one section with the help of each command and of its subcommands."""
    sections = []
    for name in command_names(run_program(["help"])):
        if name == "sandbox":
            continue
        text = run_program(["help", name])
        sections.append(help_section(name, text))
        for child in command_names(text):
            sections.append(help_section(f"{name} {child}", run_program(["help", name, child]), level=3))
    sections.append(help_section("sandbox", run_sandbox(["--help"])))
    for name in SANDBOX:
        sections.append(help_section(f"sandbox {name}", run_sandbox([name, "--help"]), level=3))
    return "\n".join(sections)


def help_section(name: str, text: str, level: int = 2) -> str:
    """Returns the section of one command."""
    return f"{'#' * level} {name}\n\n```text\n{text.strip()}\n```\n"


def exit_code_table() -> str:
    """Returns a table of the exit codes that `bakeline help` lists."""
    listing = run_program(["help"]).split("Exit codes:\n")[1].split("\n\n")[0]
    rows = re.findall(r"^  (\d+) +(.*)$", listing, re.MULTILINE)
    return "| code | meaning |\n|---|---|\n" + "".join(f"| {code} | {meaning} |\n" for code, meaning in rows)
