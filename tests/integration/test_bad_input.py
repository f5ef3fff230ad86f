"""Bad input over HTTP: a clear error that names the field, the right status, never a 500."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.running import RunningHouse

OTHER_ORIGINS = (
    "https://evil.example",
    "null",
    "http://127.0.0.1",
    "http://127.0.0.1.evil.example",
    "http://[x",
    "x",
)
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def http(running_house: RunningHouse) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running_house.base_url, timeout=30) as client:
        yield client


def refusal(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) <= {"code", "message", "field"}
    assert error["message"][-1] in ".?!"
    return dict(error)


def list_cursor(at: str) -> str:
    return base64.urlsafe_b64encode(f"{at}|{NOBODY}".encode()).decode()


def preferring(**preferences: str) -> bytes:
    return json.dumps({"query": "DCF", "preferences": preferences}).encode()


BODIES = [
    (b"", "body"),
    (b'{"query":', "body"),
    (b"\xff\xfe\x00", "body"),
    (b"[]", "body"),
    (b'"text"', "body"),
    (b"null", "body"),
    (b"[" * 50_000 + b"]" * 50_000, "body"),
    (b'{"query":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "body"),
    (b'{"query":"DCF","hours":' + b"9" * 5_000 + b"}", "body"),
    (b"{}", "query"),
    (b'{"query":null}', "query"),
    (b'{"query":5}', "query"),
    (b'{"query":["DCF"]}', "query"),
    (b'{"query":""}', "query"),
    (b'{"query":"   "}', "query"),
    (b'{"query":" a "}', "query"),
    (json.dumps({"query": "x" * 2_001}).encode(), "query"),
    (b'{"query":"a\\u0000b"}', "query"),
    (b'{"query":"lone \\ud800 surrogate"}', "query"),
    (b'{"query":"DCF","hours":0}', "hours"),
    (b'{"query":"DCF","hours":-1}', "hours"),
    (b'{"query":"DCF","hours":0.49}', "hours"),
    (b'{"query":"DCF","hours":40.1}', "hours"),
    (b'{"query":"DCF","hours":1e9}', "hours"),
    (b'{"query":"DCF","hours":1e999}', "hours"),
    (b'{"query":"DCF","hours":NaN}', "hours"),
    (b'{"query":"DCF","hours":Infinity}', "hours"),
    (b'{"query":"DCF","hours":"two"}', "hours"),
    (b'{"query":"DCF","hours":"2"}', "hours"),
    (b'{"query":"DCF","hours":true}', "hours"),
    (b'{"query":"DCF","hours":null}', "hours"),
    (b'{"query":"DCF","hours":[2]}', "hours"),
    (b'{"query":"DCF","preferences":"deep"}', "preferences"),
    (b'{"query":"DCF","preferences":{"depth":"abyssal"}}', "preferences.depth"),
    (b'{"query":"DCF","preferences":{"pace":3}}', "preferences.pace"),
    (b'{"query":"DCF","preferences":{"colour":"red"}}', "preferences.colour"),
    (preferring(presentation_style="x" * 501), "preferences.presentation_style"),
    (preferring(additional_notes="x" * 2_001), "preferences.additional_notes"),
    (b'{"query":"DCF","preferences":{"additional_notes":"a\\u0000"}}', "preferences.additional_notes"),
    (b'{"query":"DCF","preferences":{"additional_notes":"\\udfff"}}', "preferences.additional_notes"),
    (b'{"query":"DCF","hour":2}', "hour"),
    (b'{"query":"DCF","\\ud800":2}', "?"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "field"), BODIES, ids=[f"{b[:40]!r}" for b, _ in BODIES])
def test_a_bad_request_is_refused_by_the_name_of_its_field(
    http: httpx2.Client, body: bytes, field: str
) -> None:
    error = refusal(http.post("/courses", content=body), 400)
    assert error["field"] == field


def test_a_body_that_is_too_large_is_413_with_or_without_its_length(http: httpx2.Client) -> None:
    large = b'{"query":"' + b"x" * 12_000_000 + b'"}'
    assert refusal(http.post("/courses", content=large), 413)["field"] == "body"

    def chunks() -> Iterator[bytes]:
        for _ in range(300):
            yield b" " * 1_024

    assert refusal(http.post("/courses", content=chunks()), 413)["field"] == "body"


def test_any_content_type_is_read_as_json(http: httpx2.Client) -> None:
    response = http.post(
        "/courses", content=b'{"query":"supply and demand"}', headers={"Content-Type": "text/plain"}
    )
    assert response.status_code == 202
    assert response.json()["hours"] == 2.0


@pytest.mark.parametrize("course_id", [NOBODY, "1", "not-a-uuid", "%00", "💥", "0" * 300])
def test_an_unknown_course_is_404_everywhere(http: httpx2.Client, course_id: str) -> None:
    for path in ("/courses/{}", "/courses/{}/status", "/courses/{}/events", "/course-status/{}"):
        assert refusal(http.get(path.format(course_id)), 404)["code"] == "course_not_found"
    assert refusal(http.get(f"/courses/{course_id}/status?after=0&wait_s=1"), 404)
    for path in ("/courses/{}/cancel", "/courses/{}/retry"):
        assert refusal(http.post(path.format(course_id)), 404)["field"] == "course_id"
    assert refusal(http.delete(f"/courses/{course_id}"), 404)["field"] == "course_id"
    assert refusal(http.get(f"/courses/{course_id}.md"), 404)["code"] == "course_not_found"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/course", "courseId"),
        ("/course?courseId=", "courseId"),
        ("/books/search", "q"),
        ("/books/search?q=%20", "q"),
        ("/books/search?q=a%00b", "q"),
        ("/books/search?q=" + "x" * 2_001, "q"),
        ("/books/search?q=cells&level=hard", "level"),
        ("/books/search?q=cells&language=english!", "language"),
        ("/books/search?q=cells&own=1", "own"),
        ("/books/search?q=cells&subject=", "subject"),
        ("/books/search?q=cells&licence=" + "x" * 101, "licence"),
        ("/books/search?q=cells&subject=a%00b", "subject"),
        ("/courses?limit=0", "limit"),
        ("/courses?limit=101", "limit"),
        ("/courses?limit=ten", "limit"),
        ("/courses?limit=%D9%A3", "limit"),
        ("/courses?cursor=zzz", "cursor"),
        ("/courses?cursor=%00", "cursor"),
        ("/courses?cursor=" + list_cursor("9999-12-31T23:59:59-14:00"), "cursor"),
        ("/courses?cursor=" + list_cursor("0001-01-01T00:00:00+14:00"), "cursor"),
    ],
)
def test_a_bad_query_string_is_refused_by_the_name_of_its_field(
    http: httpx2.Client, path: str, field: str
) -> None:
    assert refusal(http.get(path), 400)["field"] == field


@pytest.mark.parametrize("after", ["-1", "x", "1.5", ""])
def test_a_cursor_that_is_no_number_is_400(http: httpx2.Client, after: str) -> None:
    course_id = http.post("/courses", json={"query": "supply and demand"}).json()["course_id"]
    for path in (f"/courses/{course_id}/events?after={after}", f"/courses/{course_id}/status?after={after}"):
        assert refusal(http.get(path), 400)["field"] == "after"
    assert refusal(http.get(f"/courses/{course_id}/status?wait_s=26"), 400)["field"] == "wait_s"
    assert refusal(http.get(f"/courses/{course_id}/status?wait_s=nan"), 400)["field"] == "wait_s"


def test_what_is_not_there_and_what_is_not_allowed_have_the_same_shape(http: httpx2.Client) -> None:
    assert refusal(http.get("/nowhere"), 404)["code"] == "not_found"
    assert refusal(http.get("/books/no-such-book"), 404)["field"] == "book_id"
    assert refusal(http.get("/static/secret.txt"), 404)
    for method, path in [
        ("PUT", "/courses"),
        ("POST", f"/courses/{NOBODY}/status"),
        ("POST", f"/courses/{NOBODY}/events"),
    ]:
        response = http.request(method, path)
        assert refusal(response, 405)["code"] == "method_not_allowed"
        assert "GET" in response.headers["allow"]


def test_an_idempotency_key_gives_the_same_answer_or_422(http: httpx2.Client) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = http.post("/courses", json={"query": "supply and demand", "hours": 1}, headers=headers)
    again = http.post("/courses", content=b'{"hours": 1.0, "query": " supply and demand "}', headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    other = http.post("/courses", json={"query": "supply and demand", "hours": 2}, headers=headers)
    assert refusal(other, 422)["field"] == "Idempotency-Key"
    too_long = http.post("/courses", json={"query": "DCF"}, headers={"Idempotency-Key": "k" * 256})
    assert refusal(too_long, 400)["field"] == "Idempotency-Key"


def test_pages_of_other_sites_may_not_act(http: httpx2.Client, running_house: RunningHouse) -> None:
    ours = running_house.base_url
    for origin in (
        "https://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://[x",
        "x",
    ):
        response = http.post("/courses", json={"query": "DCF"}, headers={"Origin": origin})
        assert refusal(response, 403)["field"] == "Origin"
    assert (
        http.post("/courses", json={"query": "supply and demand"}, headers={"Origin": ours}).status_code
        == 202
    )
    assert http.get("/books", headers={"Origin": "https://evil.example"}).status_code == 200
    socket_url = f"{ours.replace('http', 'ws')}/courses/{NOBODY}/ws"
    with pytest.raises(InvalidStatus) as refused:
        connect(socket_url, origin="https://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{NOBODY}/ws", 4404),
        ("nonsense/ws", 4404),
        ("%F0%9F%8E%93" * 60 + "/ws", 4404),
        (f"{NOBODY}/ws?after=-1", 4400),
    ],
)
def test_a_socket_is_refused_with_a_code_that_a_script_can_read(
    running_house: RunningHouse, path: str, code: int
) -> None:
    with connect(f"{running_house.base_url.replace('http', 'ws')}/courses/{path}") as socket:
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_nothing_of_it_was_lost_or_created_by_the_refused(http: httpx2.Client) -> None:
    before = [course["course_id"] for course in http.get("/courses?limit=100").json()["courses"]]
    for body, _ in BODIES[:10]:
        http.post("/courses", content=body)
    assert [course["course_id"] for course in http.get("/courses?limit=100").json()["courses"]] == before
