"""Tests the control API: faults, the webhook and reset."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, HTTPClientError
from conftest import OTHER_ACCOUNT, REGION, Api, assert_error, send_request, wait_until


def test_fault_fails_the_given_number_of_calls(api: Api) -> None:
    instance, ec2 = api.run_instance(), api.client("ec2")
    api.control("faults", {"action": "CreateImage", "code": "InternalError", "times": 1})
    assert_error("InternalError", ec2.create_image, InstanceId=instance, Name="one")
    ec2.create_image(InstanceId=instance, Name="two")


def test_empty_fault_list_removes_all_faults(api: Api) -> None:
    ec2, code = api.client("ec2"), "RequestLimitExceeded"
    fault = {"action": "DescribeImages", "code": code, "status": 503, "times": 99}
    api.control("faults", fault)
    assert_error(code, ec2.describe_images)
    api.control("faults", {"faults": []})
    ec2.describe_images()


def test_reset_performs_the_call_and_sends_no_answer(api: Api) -> None:
    ec2 = api.client("ec2")
    api.control("faults", {"action": "CreateKeyPair", "reset": True})
    with pytest.raises(HTTPClientError):
        ec2.create_key_pair(KeyName="lost")
    assert [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]] == ["lost"]


def test_fault_matches_resource_after_successful_calls(api: Api) -> None:
    ec2 = api.client("ec2")
    image, other = api.add_images({"name": "a"}, {"name": "b"})
    fault = {"action": "CreateTags", "code": "InternalError", "region": REGION}
    api.control("faults", fault | {"resource": image, "after": 1})

    def create_tag(resource: str) -> None:
        ec2.create_tags(Resources=[resource], Tags=[{"Key": "a", "Value": ""}])

    for resource in (other, image, other):
        create_tag(resource)
    assert api.read_log("api.jsonl")[-1]["resources"] == {"ResourceId.1": other}
    assert_error("InternalError", create_tag, resource=image)
    create_tag(image)


def test_fault_starts_after_another_call_for_the_same_resource(api: Api) -> None:
    ec2 = api.client("ec2")
    image, other = api.add_images({"name": "c"}, {"name": "d"})
    follows = {"follows": "CreateTags", "resource": image}
    api.control("faults", {"action": "DeleteTags", "code": "InternalError"} | follows)

    def create_and_delete(resource: str) -> None:
        ec2.create_tags(Resources=[resource], Tags=[{"Key": "a", "Value": ""}])
        ec2.delete_tags(Resources=[resource])

    ec2.delete_tags(Resources=[image])
    create_and_delete(other)
    assert_error("InternalError", create_and_delete, resource=image)
    ec2.delete_tags(Resources=[image])


def test_fault_matches_region_and_account(api: Api) -> None:
    fault = {"action": "DescribeImages", "code": "InternalError"}
    for condition, matching in (
        ({"region": "us-east-1"}, api.client("ec2", "us-east-1")),
        ({"account": OTHER_ACCOUNT}, api.account_client(OTHER_ACCOUNT)),
    ):
        api.control("faults", fault | condition)
        api.client("ec2").describe_images()
        assert_error("InternalError", matching.describe_images)


@pytest.mark.parametrize(("code", "is_created"), [("InternalError", False), ("", True)])
def test_delayed_change_fails_or_succeeds(api: Api, code: str, is_created: bool) -> None:
    ec2 = api.client("ec2")

    def create_key(name: str) -> None:
        with contextlib.suppress(ClientError):
            ec2.create_key_pair(KeyName=name)

    def delayed_calls() -> list[dict[str, Any]]:
        return api.control("faults")["held"]

    api.control("faults", {"action": "*", "code": code, "after": 1, "delay": 60})
    ec2.describe_key_pairs()
    create_key("before")
    thread = threading.Thread(target=create_key, args=["delayed"])
    thread.start()
    wait_until(delayed_calls)
    assert delayed_calls()[0]["action"] == "CreateKeyPair"
    create_key("meanwhile")
    api.control("faults", {"faults": []})
    thread.join(timeout=60)
    wait_until(lambda: not delayed_calls())
    names = {pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]}
    assert names == {"before", "meanwhile", *(["delayed"] if is_created else [])}


def post_message(api: Api, payload: Any) -> tuple[int, str]:
    url = urlsplit(api.server.client_environment()["BAKELINE_SLACK_WEBHOOK_URL"])
    body = payload if isinstance(payload, str) else json.dumps(payload)
    headers = {"Host": url.netloc, "Content_Type": "application/json"}
    status, text, response_headers = send_request(api, "POST", url.path, body, **headers)
    if status == 429:
        assert response_headers["retry-after"] == "7"
    return status, text


def markdown(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": markdown(text)}


def header(text: str, text_type: str = "plain_text") -> dict[str, Any]:
    return {"type": "header", "text": {"type": text_type, "text": text}}


def fields_section(*texts: str) -> dict[str, Any]:
    return {"type": "section", "fields": [markdown(text) for text in texts]}


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ({"text": "hi"}, "ok"),
        ({"blocks": [section("x" * 3000), {"type": "divider"}]}, "ok"),
        ({"blocks": [header("h" * 150)]}, "ok"),
        ("not json", "invalid_payload"),
        ("[]", "invalid_payload"),
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "sparkle"}]}, "invalid_blocks"),
        ({"blocks": [header("h", "mrkdwn")]}, "invalid_blocks"),
        ({"blocks": [header("h" * 151)]}, "invalid_blocks"),
        ({"blocks": [fields_section(*["f"] * 11)]}, "invalid_blocks"),
        ({"blocks": [fields_section("f" * 2001)]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "hi", "blocks": "none"}, "invalid_blocks"),
    ],
)
def test_webhook_validates_messages(api: Api, payload: Any, answer: str) -> None:
    assert post_message(api, payload) == (200 if answer == "ok" else 400, answer)
    assert api.read_log("slack.jsonl")[-1]["answer"] == answer


def test_webhook_returns_planned_errors(api: Api) -> None:
    api.control("slack", {"status": 429, "retry_after": 7, "times": 2})
    assert [post_message(api, {"text": "x"})[0] for _ in range(3)] == [429, 429, 200]
    api.control("slack", {"status": 500, "times": 1})
    assert post_message(api, {"text": "x"})[0] == 500


def test_webhook_needs_its_token(api: Api) -> None:
    host = f"localhost:{api.server.port}"
    assert send_request(api, "POST", "/_bakeline/slack/guess", "{}", Host=host)[0] == 404


def test_reset_clears_all_state(api: Api) -> None:
    ssm, instance = api.client("ssm"), api.run_instance()
    api.create_image("one", instance=instance)
    ssm.put_parameter(Name="/a", Value="b", Type="String")
    before = api.control("status")
    assert before["instances"] == {REGION: {"running": 1}}
    assert [image["name"] for image in before["images"]] == ["one"]
    for _ in range(2):
        assert api.control("reset", {}) == {"reset": True}
    after = api.control("status")
    assert (after["instances"], after["images"], len(after["vendor"])) == ({}, [], 5)
    assert "terminate" in api.backend.operations(instance)
    assert len(api.backend.deleted_layers) == 1
    assert_error("ParameterNotFound", ssm.get_parameter, Name="/a")
    api.run_instance()
