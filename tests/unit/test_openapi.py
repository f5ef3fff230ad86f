"""The OpenAPI document: valid, complete against the route table, true to the events."""

import json
import re
from typing import Any, get_args

import pytest
from openapi_spec_validator import validate
from starlette.routing import Route, WebSocketRoute

from pipeline import course as machine
from pipeline import events as ev
from server.app import routes
from server.limits import MAX_BODY_BYTES, MAX_KEY_CHARACTERS, QUERY_CHARACTERS
from server.openapi import document
from server.wire import SOMETIMES, PhaseName, StatusName
from tests import sample_log
from tests.conformity import mistakes_as

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def doc() -> dict[str, Any]:
    return document()


def served() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for route in routes():
        assert isinstance(route, Route | WebSocketRoute)
        methods = getattr(route, "methods", None) or {"GET"}
        found |= {(method.lower(), route.path) for method in methods if method != "HEAD"}
    return found


def described(doc: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(m, path): item[m] for path, item in doc["paths"].items() for m in METHODS if m in item}


def test_the_document_is_valid_openapi(doc: dict[str, Any]) -> None:
    validate(doc)


def test_no_mark_of_ours_is_left_in_it(doc: dict[str, Any]) -> None:
    assert SOMETIMES not in json.dumps(doc)


def test_every_route_is_described_and_nothing_else(doc: dict[str, Any]) -> None:
    assert set(described(doc)) == served()


def test_a_websocket_is_told_apart_from_a_get(doc: dict[str, Any]) -> None:
    sockets = {route.path for route in routes() if isinstance(route, WebSocketRoute)}
    assert {path for (_, path), op in described(doc).items() if "x-websocket" in op} == sockets


def test_path_parameters_are_those_of_the_path(doc: dict[str, Any]) -> None:
    for path, item in doc["paths"].items():
        for method in METHODS:
            if method in item:
                parameters = item.get("parameters", []) + item[method].get("parameters", [])
                named = {p["name"] for p in parameters if p["in"] == "path"}
                assert named == set(re.findall(r"{(\w+)}", path)), path


def test_operation_ids_are_unique_and_tags_are_known(doc: dict[str, Any]) -> None:
    operations = described(doc).values()
    assert len({op["operationId"] for op in operations}) == len(operations)
    assert {tag for op in operations for tag in op["tags"]} == {tag["name"] for tag in doc["tags"]}


def test_every_json_error_has_the_one_shape(doc: dict[str, Any]) -> None:
    errors = {"#/components/schemas/Error", "#/components/schemas/Unfinished"}
    for (method, path), operation in described(doc).items():
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and path not in ("/readyz", "/courses/{course_id}/ws", "/ws"):
                found = answer
                if "$ref" in answer:
                    found = doc["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
                schema = found["content"]["application/json"]["schema"]["$ref"]
                assert schema in errors, (method, path, status)


def test_the_limits_are_the_servers(doc: dict[str, Any]) -> None:
    query = doc["components"]["schemas"]["CourseRequest"]["properties"]["query"]
    assert (query["minLength"], query["maxLength"]) == QUERY_CHARACTERS
    (key,) = doc["paths"]["/courses"]["post"]["parameters"]
    assert key["schema"]["maxLength"] == MAX_KEY_CHARACTERS
    too_large = doc["components"]["responses"]["TooLarge"]["description"]
    assert f"{MAX_BODY_BYTES // 1024} KiB" in too_large


def test_status_and_phase_are_the_state_machines() -> None:
    assert set(get_args(StatusName)) == set(machine.Status)
    assert set(get_args(PhaseName)) == set(machine.Phase)


def test_every_event_type_is_told_apart_by_its_type(doc: dict[str, Any]) -> None:
    mapping = doc["components"]["schemas"]["Update"]["discriminator"]["mapping"]
    assert set(mapping) == {cls.model_fields["type"].default for cls in ev.EVENT_TYPES}


@pytest.mark.parametrize("message", sample_log.messages(), ids=lambda m: m["type"])
def test_what_viewers_get_conforms(message: dict[str, Any]) -> None:
    assert mistakes_as("Update", message) == []


@pytest.mark.parametrize("message", sample_log.messages(), ids=lambda m: m["type"])
@pytest.mark.parametrize("wrong", ["one less", "one more", "another type"])
def test_what_viewers_never_get_does_not_conform(message: dict[str, Any], wrong: str) -> None:
    broken = dict(message)
    if wrong == "one less":
        del broken[next(reversed(broken))]
    elif wrong == "one more":
        broken["surprise"] = 1
    else:
        broken["type"] = "course_began"
    assert mistakes_as("Update", broken) != []


def test_the_samples_have_every_type() -> None:
    types = {cls.model_fields["type"].default for cls in ev.EVENT_TYPES}
    assert {message["type"] for message in sample_log.messages()} == types


@pytest.mark.parametrize(
    "body",
    [
        {"query": "Learn DCF valuation"},
        {"query": "Learn DCF valuation", "hours": 40, "preferences": {"depth": "expert", "pace": None}},
    ],
)
def test_a_right_request_conforms(body: dict[str, Any]) -> None:
    assert mistakes_as("CourseRequest", body) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": "x"},
        {"query": 12},
        {"query": "Learn DCF valuation", "hours": 0},
        {"query": "Learn DCF valuation", "hours": "2"},
        {"query": "Learn DCF valuation", "depth": "expert"},
        {"query": "Learn DCF valuation", "preferences": {"depth": "deep"}},
        {"query": "Learn DCF valuation", "preferences": {"speed": "quick"}},
    ],
)
def test_a_wrong_request_does_not_conform(body: dict[str, Any]) -> None:
    assert mistakes_as("CourseRequest", body) != []
