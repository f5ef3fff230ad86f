"""Hot routes answer as Starlette's would: the same headers, errors and rules for other sites' pages."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from pipeline.settings import Settings
from tests.processes import run_web

SHOP = "https://shop.example"
NOBODY = "00000000-0000-4000-8000-000000000000"
COMMON = {
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}
SHARED = {
    "access-control-allow-origin": SHOP,
    "access-control-expose-headers": "ETag, Location, Retry-After",
    "vary": "Origin",
}


@pytest.fixture(scope="module")
def http(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of a server without worker and Redis, whose pages may be called by those of SHOP."""
    settings = Settings(
        database_url=module_database_url,
        redis_url="redis://127.0.0.1:1/0",
        home=tmp_path_factory.mktemp("home"),
        allowed_origins=(SHOP,),
    )
    with run_web(settings) as web, httpx2.Client(base_url=web.base_url, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def events(http: httpx2.Client) -> str:
    """The address of the events of a course that is cancelled."""
    asked = http.post("/courses", json={"query": "Learn DCF valuation"}).json()
    assert http.post(f"/courses/{asked['course_id']}/cancel").status_code == 200
    return str(asked["events_url"])


def has(response: httpx2.Response, headers: dict[str, str]) -> bool:
    return headers.items() <= dict(response.headers).items()


def test_a_request_in_line_behind_a_stream_is_answered(http: httpx2.Client, events: str) -> None:
    host, port = http.base_url.host, http.base_url.port
    with socket.create_connection((host, port or 80), timeout=20) as both:
        both.sendall(  # in one piece: the second is there before the first is answered
            b"".join(
                f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
                for path in (events, "/healthz")
            )
        )
        seen = b""
        while b"0\r\n\r\n" not in seen or seen.count(b"HTTP/1.1 ") < 2:
            more = both.recv(65_536)
            assert more, seen
            seen += more
    assert seen.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize(
    ("origin", "is_shared"), [(None, False), (SHOP, True), ("https://evil.example", False)]
)
def test_the_stream_has_its_headers_and_those_for_other_sites(
    http: httpx2.Client, events: str, origin: str | None, is_shared: bool
) -> None:
    asked = {} if origin is None else {"Origin": origin}
    whole = http.get(events, headers=asked)
    assert whole.status_code == 200
    assert has(whole, {**COMMON, "content-type": "text/event-stream; charset=utf-8"})
    assert whole.text.startswith("retry: ")
    assert [line for line in whole.text.split("\n") if line.startswith("event: ")][-1] == "event: end"
    nothing_more = http.get(events, headers={**asked, "Last-Event-ID": "2"})
    assert (nothing_more.status_code, nothing_more.content) == (204, b"")
    unknown = http.get(f"/courses/{NOBODY}/events", headers=asked)
    for response in (whole, nothing_more, unknown):
        assert has(response, SHARED) == is_shared
        assert ("access-control-allow-origin" in response.headers) == is_shared
        assert response.headers["x-content-type-options"] == "nosniff"


def test_what_cannot_be_answered_is_an_error_as_everywhere(http: httpx2.Client, events: str) -> None:
    for path, status, error in (
        (f"/courses/{NOBODY}/events", 404, {"code": "course_not_found", "field": "course_id"}),
        ("/courses/nonsense/events", 404, {"code": "course_not_found", "field": "course_id"}),
        (f"{events}?after=-1", 400, {"code": "invalid_request", "field": "after"}),
        ("/courses//events", 404, {"code": "not_found"}),
        (f"{events}/more", 404, {"code": "not_found"}),
    ):
        response = http.get(path)
        assert response.status_code == status, path
        assert error.items() <= response.json()["error"].items()
        assert has(response, {"content-type": "application/json", "x-content-type-options": "nosniff"})


def test_other_methods_are_refused_and_a_look_at_the_headers_is_not(http: httpx2.Client, events: str) -> None:
    refused = http.post(events)
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD"
    foreign = http.post(events, headers={"Origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["error"]["field"]) == (403, "Origin")
    head = http.head(events)
    assert (head.status_code, head.content) == (200, b"")
    assert has(head, COMMON)
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "GET"}
    assert has(http.options(events, headers=asked), {"access-control-allow-origin": SHOP})


def test_a_name_that_is_not_ours_is_refused(http: httpx2.Client, events: str) -> None:
    response = http.get(events, headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["error"]["field"]) == (403, "Host")


@pytest.mark.parametrize(
    ("origin", "is_shared"), [(None, False), (SHOP, True), ("http://evil.example", False)]
)
def test_status_and_requests_have_the_headers_of_every_answer(
    http: httpx2.Client, events: str, origin: str | None, is_shared: bool
) -> None:
    asked = {} if origin is None else {"Origin": origin}
    status_url = events.replace("/events", "/status")
    whole = http.get(status_url, headers=asked)
    assert (whole.status_code, whole.json()["error_code"]) == (200, "cancelled")
    assert has(whole, {"content-type": "application/json", "cache-control": "private, no-cache"})
    same = http.get(status_url, headers={**asked, "If-None-Match": f'"x", {whole.headers["etag"]}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", whole.headers["etag"])
    head = http.head(status_url, headers=asked)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])
    assert head.headers["content-length"] == str(len(whole.content))
    older = http.get(
        status_url.replace("/courses/", "/course-status/").removesuffix("/status"), headers=asked
    )
    assert older.content == whole.content
    long = http.get(f"{status_url}?after=1&wait_s=5", headers=asked)
    assert [event["type"] for event in long.json()["events"]] == ["course_failed"]
    wrong = http.get(f"{status_url}?after=x", headers=asked)
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "after")
    for response in (whole, same, head, older, long, wrong):
        assert has(response, SHARED) == is_shared
    for response in (whole, older, long, wrong):
        assert response.headers["x-content-type-options"] == "nosniff"
    created = http.post("/courses", json={"query": "Learn DCF valuation"}, headers=asked)
    refused = http.post("/courses", json={"query": 1}, headers=asked)
    if origin is None or is_shared:
        assert (created.status_code, refused.status_code) == (202, 400)
        assert created.headers["location"] == f"/courses/{created.json()['course_id']}"
        assert has(created, SHARED) == has(refused, SHARED) == is_shared
    else:
        assert (created.status_code, refused.status_code) == (403, 403)


def test_a_preflight_says_what_another_sites_page_may(http: httpx2.Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
    allowed = http.options("/courses", headers={**asked, "Origin": SHOP})
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert has(allowed, {**SHARED, "access-control-allow-methods": "GET, POST, DELETE"})
    refused = http.options("/courses", headers={**asked, "Origin": "https://evil.example"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "origin_not_allowed")
