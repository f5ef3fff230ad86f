"""The gate: names that are ours, pages that may act, what CORS says."""

import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from server.access import Gate, Gatekeeper

FRIEND = "https://learn.example.org"


async def behind(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"1"')]})
    await send({"type": "http.response.body", "body": b"{}"})


class Answer:
    """What a request through the gate got."""

    def __init__(self, sent: list[Message]) -> None:
        self.sent = sent
        self.status: int = sent[0].get("status", 0)
        self.headers = {k.decode(): v.decode() for k, v in sent[0].get("headers", ())}
        self.body = b"".join(message.get("body", b"") for message in sent)

    @property
    def code(self) -> Any:
        return json.loads(self.body)["error"]["code"]


async def ask(
    method: str = "GET", *, listens_on: str = "127.0.0.1", kind: str = "http", **headers: str
) -> Answer:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    gate = Gatekeeper(behind, Gate(host=listens_on, allowed=[FRIEND]))
    await gate({"type": kind, "method": method, "path": "/", "headers": raw}, receive, send)
    return Answer(sent)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8000", "localhost", "LocalHost:8000", "localhost.", "[::1]:8000", "127.9.9.9",
     "learn.example.org", "learn.example.org:443", "app.localhost:8000"],
)  # fmt: skip
async def test_a_server_on_loopback_answers_to_its_names(host: str) -> None:
    assert (await ask(host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]:8000",
     "10.0.0.1:8000", "[", ":8000", "learn.example.org.evil.example"],
)  # fmt: skip
async def test_a_name_that_only_others_gave_it_is_refused(host: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        refused = await ask(method, host=host, origin=f"http://{host}")
        assert (refused.status, refused.code) == (403, "host_not_allowed")
    assert (await ask(kind="websocket", host=host)).sent == [{"type": "websocket.close", "code": 1008}]


async def test_a_server_that_others_can_reach_answers_to_any_name() -> None:
    for listens_on in ("0.0.0.0", "10.0.0.1", "::"):
        assert (await ask(listens_on=listens_on, host="courses.example")).status == 200


async def test_without_a_host_nothing_can_be_rebound() -> None:
    assert (await ask()).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1", "x", "http://[x"])
async def test_a_preflight_from_elsewhere_is_an_error_of_ours(origin: str) -> None:
    refused = await ask(
        "OPTIONS", host="127.0.0.1:8000", origin=origin, access_control_request_method="DELETE"
    )
    assert (refused.status, refused.code) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers


async def test_a_preflight_from_a_friend_is_told_what_it_may() -> None:
    answer = await ask(
        "OPTIONS", host="127.0.0.1:8000", origin=FRIEND, access_control_request_method="DELETE"
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert answer.headers["access-control-allow-methods"] == "GET, POST, DELETE"
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["vary"] == "Origin"


async def test_only_a_friends_page_may_read_answers() -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await ask(method, host="127.0.0.1:8000", origin=FRIEND)
        assert answer.headers == {
            "etag": '"1"',
            "access-control-allow-origin": FRIEND,
            "access-control-expose-headers": "ETag, Location, Retry-After",
            "vary": "Origin",
        }
    stranger = await ask(host="127.0.0.1:8000", origin="https://evil.example")
    assert (stranger.status, stranger.headers) == (200, {"etag": '"1"'})


async def test_our_own_page_may_act_and_another_may_not() -> None:
    assert (await ask("POST", host="127.0.0.1:8000", origin="http://127.0.0.1:8000")).status == 200
    assert (await ask("DELETE", host="127.0.0.1:8000", origin="http://127.0.0.1:9000")).code == (
        "origin_not_allowed"
    )
    assert (await ask("OPTIONS", host="127.0.0.1:8000", origin="https://evil.example")).status == 200
