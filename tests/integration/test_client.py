"""Requests of the command line: clear errors, and one course whatever gets lost on the way."""

import pytest

from server.client import Client, ClientError, NotCoursecast, Refused, Unreachable
from tests.scripted_server import answer, scripted

ACCEPTED = {"course_id": "5d1f2f0a-58f4-4d3a-9c9e-0f6c1d2b3a4e", "status": "processing"}
BRIEF = {"query": "Learn DCF valuation", "hours": 2.0}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.client.BACKOFF_S", (0.01, 0.02))


def test_a_lost_answer_is_asked_for_again_with_the_same_key() -> None:
    lost = [b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"]
    with scripted(lost, answer("202 Accepted", ACCEPTED)) as server, Client(server.url) as client:
        assert client.create(BRIEF) == ACCEPTED
    first, second = server.requests
    assert first["idempotency-key"] == second["idempotency-key"] != ""
    assert first[":body"] == second[":body"]


def test_an_overloaded_server_is_asked_again() -> None:
    busy = answer("503 Service Unavailable", {"error": {"code": "database_unavailable", "message": "Later."}})
    with scripted(busy, busy, answer("202 Accepted", ACCEPTED)) as server, Client(server.url) as client:
        assert client.create(BRIEF) == ACCEPTED


def test_a_wrong_request_is_not_asked_again() -> None:
    wrong = answer(
        "400 Bad Request", {"error": {"code": "invalid_request", "message": "Too long.", "field": "hours"}}
    )
    with scripted(wrong) as server, Client(server.url) as client:
        with pytest.raises(Refused, match=r"hours: Too long\.") as caught:
            client.create(BRIEF)
        assert (caught.value.status, caught.value.code) == (400, "invalid_request")


def test_a_field_that_the_message_names_is_not_named_twice() -> None:
    error = Refused(400, "invalid_request", "hours must be a number.", "hours")
    assert str(error) == "hours must be a number."


def test_a_proxys_page_is_told_by_its_status() -> None:
    page = answer("502 Bad Gateway", b"<html>nginx</html>", kind="text/html")
    with (
        scripted(page) as server,
        Client(server.url) as client,
        pytest.raises(Refused, match="502 Bad Gateway"),
    ):
        client.get("/books")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_object_is_no_answer(body: bytes) -> None:
    with (
        scripted(answer("200 OK", body)) as server,
        Client(server.url) as client,
        pytest.raises(NotCoursecast),
    ):
        client.get("/books")


def test_nobody_there_says_how_to_start_one() -> None:
    with scripted() as server:
        pass
    with Client(server.url) as client, pytest.raises(Unreachable) as caught:
        client.get("/books")
    assert str(caught.value) == (
        f"No Coursecast server answers at {server.url}: start one with `coursecast up`"
    )


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "localhost", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port", ""]
)
def test_an_address_that_is_none_is_told_so(url: str) -> None:
    with pytest.raises(ClientError, match="is not an address"):
        Client(url)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with scripted(answer("200 OK", {"books": []})) as server, Client(server.url) as client:
        assert client.get("/books") == {"books": []}
