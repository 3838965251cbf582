"""The store on S3: a lock, a journal, a result, a recipe and facts, seen by boto3; and nothing on the local disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.catalog import VENDOR, Catalog, tags
from support.sandbox import Sandbox

BUCKET, PREFIX = "evidence", "teams/base"


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    place = {"LocationConstraint": sandbox.region}
    sandbox.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
    store = {"s3": {"bucket": BUCKET, "prefix": PREFIX}}
    made = Catalog(sandbox, tmp_path_factory.mktemp("stored"), "stored", store=store)
    made.file("scripts/motd.sh", "echo hello > /etc/motd\n")
    made.image(
        "base",
        source=VENDOR,
        scripts=["scripts/motd.sh"],
        checks=[{"file": "/etc/motd"}],
        tags={"team": "platform"},
    )
    yield made


def read_objects(sandbox: Sandbox) -> dict[str, bytes]:
    s3 = sandbox.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_release_stores_its_evidence_in_the_bucket(sandbox: Sandbox, catalog: Catalog) -> None:
    assert not read_objects(sandbox)
    result = catalog.release()["base"]
    found = read_objects(sandbox)
    assert all(key.startswith(f"{PREFIX}/stored/") for key in found), sorted(found)
    below = {key.removeprefix(f"{PREFIX}/stored/"): value for key, value in found.items()}
    assert json.loads(below["schema.json"]) == {"schema": 1}
    run, version = catalog.run.name, result["version"]
    # One object has the whole journal; those of its lines are deleted when the run ends.
    journal = (catalog.run / "journal.jsonl").read_text()
    assert len(journal.splitlines()) > 10
    assert below[f"runs/{run}/journal.jsonl"].decode() == journal
    assert not [key for key in below if key.startswith(f"runs/{run}/journal/")]
    recent = json.loads(below["recent-results.json"])["results"]
    assert recent[0][0] == run and recent[0][1]["images"][0]["image"] == "base"
    assert json.loads(below[f"runs/{run}/result.json"]) == json.loads((catalog.run / "result.json").read_text())
    # The recipe says what the tags only have the digest of.
    recipe = json.loads(below[f"images/base/x86_64/{version}/recipe.json"])
    [ami] = catalog.images()
    its = tags(ami)
    assert recipe["recipe"] == its["bakeline:recipe"] and recipe["checks"] == its["bakeline:checks"]
    assert recipe["base"] == its["bakeline:base"] and recipe["run"] == run
    digest = hashlib.sha256((catalog.at / "scripts/motd.sh").read_bytes()).hexdigest()
    assert digest in recipe["inputs"].values(), recipe["inputs"]
    assert "platform" in recipe["inputs"].values() and recipe["controls"] and recipe["reasons"], recipe
    facts: dict[str, Any] = json.loads(below[f"images/base/x86_64/{version}/facts.json"])
    assert facts["phase"] == "boot" and facts["facts"]
    assert all(one["outcome"] == "passed" for one in facts["verdicts"]), facts["verdicts"]
    assert {"locks/Test/000001.json", "locks/Test/000001-end.json"} <= below.keys()
    assert not (catalog.at / ".bakeline/store").exists(), "the bucket is the store"


def test_lock_in_bucket_excludes_other_machine(sandbox: Sandbox, catalog: Catalog) -> None:
    s3 = sandbox.client("s3")
    taken = json.loads(read_objects(sandbox)[f"{PREFIX}/stored/locks/Test/000001.json"])
    other = {**taken, "generation": 2, "run": "elsewhere", "host": "runner-9", "expires": "2999-01-01T00:00:00Z"}
    # With this machine's boot ID, the ended process of the last run would be a dead holder.
    other["process"] = {**taken["process"], "boot": "00000000-0000-0000-0000-000000000000"}
    key = f"{PREFIX}/stored/locks/Test/000002.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(other).encode())
    mark = sandbox.mark()
    done = catalog.bakeline("release", "--force", want=7)
    assert "runner-9" in done.err and "elsewhere" in done.err and "2999-01-01" in done.err, done
    assert sandbox.changes(mark) == []
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/stored/locks/Test/000002-end.json", Body=b"")
    catalog.bakeline("release", want=0)


def test_doctor_recreates_removes_and_reports_evidence(sandbox: Sandbox, catalog: Catalog) -> None:
    s3, whole = sandbox.client("s3"), read_objects(sandbox)
    its = tags(catalog.images()[0])
    below = f"{PREFIX}/stored/images/base/x86_64/{its['bakeline:version']}"
    recipe, facts = f"{below}/recipe.json", f"{below}/facts.json"
    result = f"{PREFIX}/stored/runs/{its['bakeline:run']}/result.json"
    assert {recipe, facts, result} <= whole.keys()
    catalog.bakeline("doctor", want=0)

    def delete_objects(*keys: str) -> None:
        for key in keys:
            s3.delete_object(Bucket=BUCKET, Key=key)

    def assert_unchanged(found: dict[str, bytes]) -> None:
        assert (found[facts], found[result]) == (whole[facts], whole[result])
        lost = {"reasons": []}
        assert json.loads(found[recipe]) == {**json.loads(whole[recipe]), **lost}, "the reason of a build is not a tag"

    def replace_recipe() -> None:
        other = {**json.loads(whole[recipe]), "recipe": "0" * 64}
        s3.put_object(Bucket=BUCKET, Key=recipe, Body=json.dumps(other).encode())

    delete_objects(recipe, facts, result)
    said = catalog.bakeline("doctor", want=5)
    assert all(word in said.words for word in ("the recipe of base", "the facts of base", "the result of run")), said
    assert not {recipe, facts, result} & read_objects(sandbox).keys(), "it only looks"
    catalog.bakeline("doctor", "--apply", want=0)
    assert_unchanged(read_objects(sandbox))
    replace_recipe()
    assert "does not match its tags" in catalog.bakeline("doctor", want=5).words
    catalog.bakeline("doctor", "--apply", want=0)
    assert_unchanged(read_objects(sandbox))
    # The catalog has changed and the runs were on another machine, so the evidence cannot be recreated.
    catalog.file("scripts/motd.sh", "echo good bye > /etc/motd\n")
    runs = catalog.at / ".bakeline/runs"
    runs.rename(catalog.at / "elsewhere")
    replace_recipe()
    delete_objects(facts, result)
    catalog.bakeline("doctor", "--apply", want=0)
    assert not {recipe, facts, result} & read_objects(sandbox).keys()
    gone = catalog.bakeline("doctor", want=0)
    assert all(word in gone.words for word in ("no recipe of base", "no facts of base", "no result of the run")), gone


def test_unusable_bucket_is_reported_before_any_change(sandbox: Sandbox, catalog: Catalog) -> None:
    settings = json.loads((catalog.at / "bakeline.yaml").read_text())
    catalog.file("bakeline.yaml", json.dumps({**settings, "store": {"s3": {"bucket": "missing-bucket"}}}))
    with pytest.raises(ClientError):
        sandbox.client("s3").head_bucket(Bucket="missing-bucket")
    mark = sandbox.mark()
    done = catalog.bakeline("release", "--force", want=1)
    assert "missing-bucket" in done.err, done
    assert sandbox.changes(mark) == []
