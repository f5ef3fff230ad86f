"""What the server answers is what ``/openapi.json`` says: every route, its errors, its streams."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.openapi import document
from tests.conformity import answer_of, mistakes, mistakes_as
from tests.running import RunningHouse

NOBODY = "00000000-0000-4000-8000-000000000000"
SOMETIMES = ("Retry-After", "ETag")
"""Headers that an answer has only where they apply: while a course is processing, not on a long-poll."""
ASKED = {"query": "Learn DCF valuation", "hours": 2.0, "preferences": {"depth": "technical"}}


@pytest.fixture(scope="module")
def http(running_house: RunningHouse) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running_house.base_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def course_id(http: httpx2.Client) -> str:
    """A finished course."""
    course_id = str(conforming(http, "post", "/courses", 202, json=ASKED)["course_id"])
    stream(http, course_id)
    return course_id


def stream(http: httpx2.Client, course_id: str) -> list[httpx2.ServerSentEvent]:
    with http.sse(f"/courses/{course_id}/events") as source:
        return [event for event in source if event.data]


def conforming(
    http: httpx2.Client, method: str, route: str, status: int, *, path: str | None = None, **request: Any
) -> Any:
    """Ask, and check status, headers, media type and body against the document; return the body."""
    response = http.request(method.upper(), path or route, **request)
    assert response.status_code == status, response.text
    described = answer_of(method, route, status)
    for name in described.get("headers", {}):
        assert name in response.headers or name in SOMETIMES
    content = described.get("content", {})
    if not content:
        assert response.content == b""
        return None
    kind = response.headers["content-type"].split(";")[0]
    assert kind in content or "*/*" in content
    if kind != "application/json":
        return response.text
    body = response.json()
    assert mistakes(content[kind]["schema"], body) == []
    return body


def test_the_document_is_served_as_it_is(http: httpx2.Client) -> None:
    assert conforming(http, "get", "/openapi.json", 200) == document()


@pytest.mark.parametrize("route", ["/", "/docs", "/books", "/healthz", "/readyz", "/metrics", "/courses"])
def test_what_needs_no_course_conforms(http: httpx2.Client, route: str) -> None:
    conforming(http, "get", route, 200)


def test_a_course_conforms_in_every_way_it_is_fetched(http: httpx2.Client, course_id: str) -> None:
    one = conforming(http, "get", "/courses/{course_id}", 200, path=f"/courses/{course_id}")
    other = conforming(http, "get", "/course", 200, path=f"/course?courseId={course_id}")
    assert one == other
    listed = conforming(http, "get", "/courses", 200, path="/courses?limit=1")
    assert listed["courses"][0]["title"] == one["course"]["title"]


@pytest.mark.parametrize("route", ["/courses/{course_id}/status", "/course-status/{course_id}"])
def test_status_conforms_also_as_a_long_poll(http: httpx2.Client, course_id: str, route: str) -> None:
    path = route.format(course_id=course_id)
    conforming(http, "get", route, 200, path=path)
    polled = conforming(http, "get", route, 200, path=f"{path}?after=2&wait_s=0.1")
    assert [event["seq"] for event in polled["events"]][:2] == [3, 4]
    assert conforming(http, "get", route, 200, path=f"{path}?after=99")["reset"] is True
    etag = http.get(path).headers["ETag"]
    conforming(http, "get", route, 304, path=path, headers={"If-None-Match": etag})


def test_every_event_of_the_stream_conforms(http: httpx2.Client, course_id: str) -> None:
    kinds = answer_of("get", "/courses/{course_id}/events", 200)["content"]["text/event-stream"]["x-events"]
    events = stream(http, course_id)
    assert {event.event for event in events} == {"update", "end"}
    for event in events:
        assert mistakes(kinds[event.event], json.loads(event.data)) == []
    with http.sse(f"/courses/{course_id}/events", headers={"Last-Event-ID": "99"}) as source:
        reset = next(event for event in source if event.data)
    assert (reset.event, mistakes_as("Reset", json.loads(reset.data))) == ("reset", [])
    last = {"Last-Event-ID": str(len(events) - 1)}
    path = f"/courses/{course_id}/events"
    conforming(http, "get", "/courses/{course_id}/events", 204, path=path, headers=last)


def test_every_message_of_the_socket_conforms(running_house: RunningHouse, course_id: str) -> None:
    shapes = {"update": "Update", "end": "End", "error": "SocketError"}
    url = running_house.base_url.replace("http", "ws")
    with connect(f"{url}/courses/{course_id}/ws") as socket:
        with suppress(ConnectionClosed):  # the course is over: the server may be faster
            socket.send("nonsense")
        for text in socket:
            message = json.loads(text)
            shape = shapes[message.pop("event")]
            assert mistakes_as(shape, message) == []


def test_every_message_of_the_socket_for_many_courses_conforms(
    running_house: RunningHouse, course_id: str
) -> None:
    shapes = {"update": "Update", "end": "End", "error": "SubscriptionError", "subscribed": "Subscribed"}
    asked: list[dict[str, Any]] = [
        {"type": "subscribe", "course_id": course_id},
        {"type": "subscribe", "course_id": course_id, "after": 2},
        {"type": "subscribe", "course_id": NOBODY, "after": 0},
        {"type": "unsubscribe", "course_id": course_id},
        {"type": "dance"},
        {"type": "ping"},
    ]
    seen: list[str] = []
    with connect(f"{running_house.base_url.replace('http', 'ws')}/ws") as socket:
        for message in asked:
            assert (mistakes_as("SocketRequest", message) == []) is (message["type"] != "dance")
            socket.send(json.dumps(message))
        while "pong" not in seen:
            told = json.loads(socket.recv(timeout=10))
            seen.append(told.pop("event"))
            assert mistakes_as(shapes[seen[-1]], told) == [] if seen[-1] != "pong" else told == {}
    assert "error" in seen


def test_the_library_conforms(http: httpx2.Client) -> None:
    books = conforming(http, "get", "/books", 200)["books"]
    for book in books:
        conforming(http, "get", "/books/{book_id}", 200, path=f"/books/{book['book_id']}")
    assert conforming(http, "get", "/books/search", 200, path="/books/search?q=inflation")["results"]


@pytest.mark.parametrize(
    ("method", "route", "path", "status"),
    [
        ("get", "/courses/{course_id}", f"/courses/{NOBODY}", 404),
        ("get", "/course", f"/course?courseId={NOBODY}", 404),
        ("get", "/course", "/course", 400),
        ("get", "/courses", "/courses?limit=0", 400),
        ("get", "/courses/{course_id}/status", f"/courses/{NOBODY}/status", 404),
        ("get", "/courses/{course_id}/status", f"/courses/{NOBODY}/status?after=x", 400),
        ("get", "/courses/{course_id}/events", f"/courses/{NOBODY}/events", 404),
        ("get", "/courses/{course_id}/events", f"/courses/{NOBODY}/events?after=x", 400),
        ("post", "/courses/{course_id}/cancel", f"/courses/{NOBODY}/cancel", 404),
        ("post", "/courses/{course_id}/retry", f"/courses/{NOBODY}/retry", 404),
        ("get", "/books/{book_id}", "/books/nothing", 404),
        ("get", "/books/search", "/books/search", 400),
        ("get", "/static/{name}", "/static/nothing", 404),
        ("get", "/c/{course_id}", f"/c/{NOBODY}", 200),
    ],
)
def test_a_refusal_conforms(http: httpx2.Client, method: str, route: str, path: str, status: int) -> None:
    conforming(http, method, route, status, path=path)


def test_refusals_of_a_request_conform(http: httpx2.Client) -> None:
    conforming(http, "post", "/courses", 400, json={"query": "x"})
    conforming(http, "post", "/courses", 413, content=b" " * 300_000)
    key = {"Idempotency-Key": "refusals"}
    conforming(http, "post", "/courses", 202, json=ASKED, headers=key)
    conforming(http, "post", "/courses", 422, json={**ASKED, "hours": 3}, headers=key)
    foreign = {"Origin": "https://elsewhere.example"}
    conforming(http, "post", "/courses", 403, json=ASKED, headers=foreign)


def test_cancel_and_retry_conform(http: httpx2.Client, course_id: str) -> None:
    conforming(http, "post", "/courses/{course_id}/cancel", 409, path=f"/courses/{course_id}/cancel")
    conforming(http, "post", "/courses/{course_id}/retry", 409, path=f"/courses/{course_id}/retry")


def test_a_course_that_failed_conforms(http: httpx2.Client) -> None:
    asked = {"query": "zzxqv flurbish grobnak", "hours": 1}
    failed = conforming(http, "post", "/courses", 202, json=asked)["course_id"]
    events = stream(http, failed)
    assert mistakes_as("CourseFailedMessage", json.loads(events[-2].data)) == []
    conforming(http, "get", "/courses/{course_id}", 409, path=f"/courses/{failed}")
    view = conforming(http, "get", "/courses/{course_id}/status", 200, path=f"/courses/{failed}/status")
    assert view["error_code"] == "no_relevant_books"
