#!/usr/bin/env python3
"""Prints the last message that the local Slack webhook recorded."""

import json
import os
import pathlib
import subprocess

status = json.loads(
    subprocess.run([os.environ["BAKELINE"], "sandbox", "status", "--json"], check=True, capture_output=True).stdout
)
lines = (
    pathlib.Path(status["logs"]["slack"]).read_text().splitlines()
    if pathlib.Path(status["logs"]["slack"]).exists()
    else []
)
if not lines:
    print("none: nothing was released, so no notification was sent")
else:
    record = json.loads(lines[-1])
    for block in record["payload"].get("blocks", []):
        for text in [block.get("text")] + block.get("elements", []):
            if text:
                print(text["text"])
