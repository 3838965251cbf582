"""Requests to a store on S3 after many runs. boto3 creates the runs and judges the objects."""

from __future__ import annotations

import json
from pathlib import Path

from support.sandbox import Sandbox
from support.seeded_history import TWO, SeededHistory, create_catalog

BUCKET = "many-runs"


def read_objects(sandbox: Sandbox) -> dict[str, bytes]:
    s3 = sandbox.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def test_plan_after_many_runs_needs_as_many_requests_as_after_one(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
    catalog = create_catalog(sandbox, tmp_path, "stored", store={"s3": {"bucket": BUCKET}})
    history = SeededHistory(sandbox, catalog)
    image, table = history.image(promoted=False)
    catalog.bakeline("promote", image, "--to", "Prod", want=0)
    table.promote(TWO, "Prod")
    history.observer.assert_matches(table, image)

    run = catalog.runs()[-1]
    found = read_objects(sandbox)
    assert found[f"stored/runs/{run.name}/journal.jsonl"].decode() == (run / "journal.jsonl").read_text()
    assert not [key for key in found if "/journal/" in key], "one object replaces the lines"
    [(newest, _)] = json.loads(found["stored/recent-results.json"])["results"]
    assert newest == run.name

    def requests() -> list[tuple[str, str]]:
        mark = sandbox.mark()
        catalog.bakeline("plan")
        return [(str(call["service"]), str(call["action"])) for call in sandbox.api(mark) if call["service"] == "s3"]

    before = requests()
    assert before, "the store is read"
    for number in range(1_000):
        for name in ("plan.json", "journal/000001.json", "result.json"):
            s3.put_object(Bucket=BUCKET, Key=f"stored/runs/20250101t000000z-{number:04x}/{name}", Body=b"{}")
    after = requests()
    assert sorted(after) == sorted(before), after


def test_missing_bucket_is_reported_without_the_xml_of_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.reset()
    catalog = create_catalog(sandbox, tmp_path, "unstored", store={"s3": {"bucket": "missing-bucket"}})
    done = catalog.bakeline("preflight")
    assert done.code != 0 and "the bucket does not exist: create it" in done.out + done.err, done
    refused = catalog.bakeline("release", want=1)
    assert refused.err.count("the bucket does not exist") == 1, refused
    assert "missing-bucket" in done.out + done.err and "<?xml" not in done.out + done.err, done
    sandbox.client("s3").create_bucket(
        Bucket="missing-bucket", CreateBucketConfiguration={"LocationConstraint": sandbox.region}
    )
    assert "the bucket does not exist" not in catalog.bakeline("preflight").err
