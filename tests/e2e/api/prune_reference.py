"""Reference implementation of prune's rules, written only from docs/concepts/retirement.md ("What prune keeps")."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

Facts = dict[str, Any]
DEFAULTS = {"keep": 3, "days": 0, "reserve": 2}
TAGS = "image", "version", "arch", "state"
SOUND = r"[a-z]([a-z0-9-]*[a-z0-9])? [0-9]{8}\.[1-9][0-9]* (x86_64|arm64) (candidate|released|held|retiring|revoked)"


def parse_time(text: str) -> datetime:
    """Parses a time of the inventory."""
    return datetime.fromisoformat(text).astimezone(UTC)


def is_younger(version: str, days: int, today: date) -> bool:
    """Returns whether the version's day is fewer than `days` days before today. An invalid date is not."""
    try:
        return (today - date(int(version[:4]), int(version[4:6]), int(version[6:8]))).days < days
    except ValueError:
        return False


def newest_versions(amis: list[Facts], most: int) -> set[str]:
    """Returns the newest versions of these AMIs."""
    return set(sorted({a["version"] for a in amis}, key=lambda v: [int(part) for part in v.split(".")])[::-1][:most])


def retired_amis(settings: Facts, images: list[str], inventory: Facts) -> set[str]:
    """Returns the IDs of the AMIs of this catalog that no rule keeps."""
    ladder: list[Facts] = settings.get("environments") or [{"name": "Test"}, {"name": "Prod"}]
    rungs = {env.get("tag_value", env["name"]): level for level, env in enumerate(ladder)}
    key = (settings.get("tag_keys") or {}).get("environment", "Environment")
    used = {ref["ami"] for ref in inventory.get("references", []) if ref["kind"] != "shared-with"}
    now, judged = parse_time(inventory["taken"]), []
    for raw in inventory["images"]:
        tags = {name[9:]: value for name, value in raw.get("tags", {}).items() if name.startswith("bakeline:")}
        mine = {"schema": "1", "catalog": settings["name"], "self": raw["id"]}.items() <= tags.items()
        if mine and re.fullmatch(SOUND, " ".join(tags.get(name, "") for name in TAGS)):
            usable = tags["state"] in {"released", "held"} and raw["status"] == "available"
            rung, place = rungs.get(raw["tags"].get(key), -1), (raw["owner"], raw["region"])
            judged.append(tags | {"ami": raw, "usable": usable, "rung": rung, "place": place})

    def setting(level: int, name: str) -> int:
        own = ladder[level].get("retention") if level >= 0 else None
        retention: dict[str, int] = (settings.get("retention") or {}) | (own or {})
        if name == "keep" and level > 0:
            return (own or {}).get("keep", 0)
        return retention.get(name, DEFAULTS[name])

    def kept(a: Facts) -> bool:
        ami, state, status, rung = a["ami"], a["state"], a["ami"]["status"], a["rung"]
        if a["usable"]:
            line = [b for b in judged if b["usable"] and all(a[x] == b[x] for x in ("place", "image", "arch"))]
            if a["version"] in newest_versions([b for b in line if b["rung"] == rung], setting(rung, "keep")):
                return True
            if (days := setting(rung, "days")) and is_younger(a["version"], days, now.date()):
                return True
            for level in range(1, rung + 1 if state == "released" else 0):
                reached = [b for b in line if b["state"] == "released" and b["rung"] >= level]
                if a["version"] in newest_versions(reached, setting(level, "reserve")):
                    return True
        enabled = status == "available" and "disable=" in a.get("retiring", "")
        # The images of the catalogs are x86_64, the default.
        orphaned = (a["image"] not in images or a["arch"] != "x86_64") and state != "retiring"
        moved = enabled if state == "retiring" else status == "disabled"
        finished = state == "candidate" or status not in {"available", "disabled"} or moved
        last = parse_time(ami["last_launched"]) if ami.get("last_launched") else None
        launched = last and now - last < timedelta(days=7) and last - parse_time(ami["created"]) > timedelta(hours=1)
        return bool(a.get("current") or orphaned or finished or ami["id"] in used or launched or ami.get("protected"))

    stay = [a for a in judged if kept(a)]
    for child in stay:  # grows while it is walked: parents of parents stay too
        layer = child["place"], child.get("parent"), child["arch"]
        stay += [
            a for a in judged if a not in stay and (a["place"], f"{a['image']}@{a['version']}", a["arch"]) == layer
        ]
    return {a["ami"]["id"] for a in judged if a not in stay}
