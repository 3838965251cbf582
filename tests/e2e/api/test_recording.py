"""`scripts/record-demo.py`: an XML parser reads the SVG of a recording, and words of the machine are not in it."""

from __future__ import annotations

import json
import os
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.run import REPO, CompletedRun, run

SVG = "{http://www.w3.org/2000/svg}"


def record(folder: Path, script: str) -> CompletedRun:
    words = [sys.executable, str(REPO / "scripts/record-demo.py"), "--output", str(folder / "demo.svg")]
    words += ["--cast", str(folder / "demo.cast"), "sh", "-c", script]
    return run(words, folder, {**os.environ, "HOME": "/srv/builder", "CARGO_TARGET_DIR": "/srv/cache/target"})


def last_frame(image: ET.Element) -> list[str]:
    lines = {line.get("id"): line for line in image.findall(f"{SVG}defs/{SVG}g")}
    *_, frame = image.findall(f"{SVG}g/{SVG}g")
    shown = [lines[use.get("href", "").removeprefix("#")] for use in frame]
    return [" ".join(text.text or "" for text in line) for line in shown]


def test_recording_shows_frames_and_hides_paths(tmp_path: Path) -> None:
    script = f"""
    printf 'step 1'; sleep 0.4; printf '\\r\\033[Kstep 2\\n'; sleep 0.4
    printf '\\033[1;32mdone\\033[0m <b> & {REPO}/docs\\n'
    printf '/srv/bui'; sleep 0.3; printf 'lder/x /tmp/srv/builders /srv/cache/target/debug\\n'; stty size <&1
    """
    done = record(tmp_path, script)
    assert done.code == 0, done
    image = ET.parse(tmp_path / "demo.svg").getroot()
    assert last_frame(image) == [
        "step 2",
        "done <b> & ~/bakeline/docs",
        "~/x /tmp/srv/builders target/debug",
        "24 80",
    ]
    [green] = [text for text in image.iter(f"{SVG}text") if text.get("class") == "green bold"]
    assert green.text == "done"
    style = image.findtext(f"{SVG}style") or ""
    frames = image.findall(f"{SVG}g/{SVG}g")
    assert len(frames) >= 3 and len(re.findall(r"translateX", style.partition("@keyframes")[2])) == len(frames) + 1
    assert any("step 1" in "".join(text.itertext()) for text in image.findall(f"{SVG}defs/{SVG}g"))
    header, *events = [json.loads(row) for row in (tmp_path / "demo.cast").read_text().splitlines()]
    assert (header["version"], header["width"]) == (2, 80) and all(kind == "o" and text for _, kind, text in events)
    times = [at for at, *_ in events]
    assert times == sorted(times) and times[-1] > 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo https://hooks.slack.com/services/T0/B0/x", "the recording contains hooks.slack.com"),
        ("echo token glpat-1234", "the recording contains glpat-"),
        ("echo /home/kim/x", "the recording contains /home/"),
        ("echo started; exit 3", "ended with exit code 3"),
        ("true", "the command printed nothing"),
    ],
)
def test_recording_with_secret_or_error_is_not_written(tmp_path: Path, script: str, message: str) -> None:
    done = record(tmp_path, script)
    assert done.code == 1 and message in done.err, done
    assert not (tmp_path / "demo.svg").exists() and not [*tmp_path.glob("*.cast")]
