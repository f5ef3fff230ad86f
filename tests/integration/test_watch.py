"""A watch from outside: every message once, in order, whatever the server or the way to it does."""

import itertools
from collections.abc import Sequence

import pytest

from server.client import Client, NotCoursecast, Refused, Unreachable
from server.watch import Draft, End, Reset, Seen, Update, Waiting, Watch
from tests import sample_log
from tests.scripted_server import STREAM, ScriptedServer, answer, end, event, scripted, updates

COURSE_ID = sample_log.COURSE_ID
LAST = len(sample_log.messages())


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.client.BACKOFF_S", (0.01, 0.02))


def watched(server: ScriptedServer, after: int = 0) -> list[Seen]:
    with Client(server.url) as client:
        return list(Watch(client, COURSE_ID, after))


def seqs(seen: Sequence[Seen]) -> list[int]:
    return [s.message["seq"] for s in seen if isinstance(s, Update)]


def whole(first: int = 1) -> list[int]:
    return list(range(first, LAST + 1))


def draft(fence: int, n: int, task: str = "parts") -> bytes:
    return event("draft", {"course_id": COURSE_ID, "task": task, "fence": fence, "n": n, "value": {"n": n}})


def test_each_message_is_seen_once_and_the_end_ends_it() -> None:
    with scripted([STREAM, b"retry: 5\n\n", updates(1, LAST), end(LAST)]) as server:
        seen = watched(server)
    assert [s.message for s in seen if isinstance(s, Update)] == sample_log.messages()
    assert seen[-1] == End("complete")
    assert "last-event-id" not in server.requests[0]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_chunk_boundaries_and_line_ends_do_not_matter(line_end: str) -> None:
    body = updates(1, 3, line_end=line_end) + end(3)
    with scripted([STREAM, *(bytes([byte]) for byte in body)]) as server:
        assert seqs(watched(server)) == [1, 2, 3]


def test_comments_unknown_fields_and_unknown_events_are_passed_over() -> None:
    noise = b": hello\n\nwhatever: 1\n\nid: 99\n\nevent: novelty\ndata: {}\n\n"
    with scripted([STREAM, noise, updates(1, 2), noise, end(2)]) as server:
        assert seqs(watched(server)) == [1, 2]


def test_data_of_several_lines_is_one_object() -> None:
    split = b'event: end\ndata: {"seq":2,\ndata:"status":"complete"}\n\n'
    with scripted([STREAM, updates(1, 2), split]) as server:
        assert watched(server)[-1] == End("complete")


def test_a_broken_stream_is_resumed_from_the_cursor() -> None:
    cut = updates(5, 5)[:-20]
    with scripted([STREAM, updates(1, 4), cut], [STREAM, updates(5, LAST), end(LAST)]) as server:
        seen = watched(server)
    assert seqs(seen) == whole()
    assert sum(isinstance(s, Waiting) for s in seen) == 1
    assert [r.get("last-event-id") for r in server.requests] == [None, "4"]


def test_what_comes_again_is_dropped() -> None:
    with scripted([STREAM, updates(1, 4)], [STREAM, updates(2, LAST), end(LAST)]) as server:
        assert seqs(watched(server)) == whole()


def test_a_gap_is_read_again_from_the_cursor() -> None:
    with scripted([STREAM, updates(1, 2), updates(5, 6)], [STREAM, updates(3, 6), end(6)]) as server:
        assert seqs(watched(server)) == [1, 2, 3, 4, 5, 6]
    assert server.requests[1]["last-event-id"] == "2"


def test_an_end_beyond_the_cursor_is_a_gap_too() -> None:
    with scripted([STREAM, updates(1, 2), end(4)], [STREAM, updates(3, 4), end(4)]) as server:
        assert seqs(watched(server)) == [1, 2, 3, 4]


def test_watching_goes_on_where_one_was() -> None:
    with scripted([STREAM, updates(6, LAST), end(LAST)]) as server:
        assert seqs(watched(server, after=5)) == whole(6)
    assert server.requests[0]["last-event-id"] == "5"


def test_a_reset_begins_the_log_again() -> None:
    told = event("reset", {"course_id": COURSE_ID, "after": 50, "seq": LAST})
    with scripted([STREAM, told, updates(1, LAST), end(LAST)]) as server:
        seen = watched(server, after=50)
    assert seen[0] == Reset()
    assert seqs(seen) == whole()


def test_nothing_to_follow_asks_how_it_ended() -> None:
    with scripted(answer("204 No Content"), answer("200 OK", {"status": "error"})) as server:
        assert watched(server, after=LAST) == [End("error")]
    assert server.requests[1][":line"] == f"GET /courses/{COURSE_ID}/status HTTP/1.1"


def test_the_wait_the_server_asks_for_is_kept() -> None:
    with scripted([STREAM, b"retry: 150\n\n"], [STREAM, updates(1, LAST), end(LAST)]) as server:
        waits = [s.wait_s for s in watched(server) if isinstance(s, Waiting)]
    assert waits == [0.15]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable"])
def test_a_refusal_for_now_is_tried_again(status: str) -> None:
    with scripted([STREAM, updates(1, 1)], answer(status), [STREAM, updates(2, 2), end(2)]) as server:
        assert seqs(watched(server)) == [1, 2]


def test_no_such_course_is_final() -> None:
    body = {
        "error": {"code": "course_not_found", "message": "There is no such course.", "field": "course_id"}
    }
    with scripted(answer("404 Not Found", body)) as server, pytest.raises(Refused, match="no such course"):
        watched(server)


@pytest.mark.parametrize(
    "stray",
    [
        [STREAM, b"event: update\ndata: not JSON\n\n"],
        [STREAM, b"event: update\ndata: {}\n\n"],
        [STREAM, b'event: update\ndata: {"seq":"1","type":"x"}\n\n'],
        answer("200 OK", b"<html>", kind="text/html"),
    ],
)
def test_what_is_no_coursecast_server_is_told_so(stray: list[bytes]) -> None:
    with scripted(stray) as server, pytest.raises(NotCoursecast, match=r"127\.0\.0\.1"):
        watched(server)


def test_nobody_there_is_told_at_once() -> None:
    with scripted() as server:
        pass
    with pytest.raises(Unreachable, match="coursecast up"):
        watched(server)


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.watch.PATIENCE_S", 0.05)
    seen: list[Seen] = []
    with scripted([STREAM, updates(1, 2)]) as server, Client(server.url) as client:
        watch = Watch(client, COURSE_ID)
        with pytest.raises(Unreachable):
            seen.extend(itertools.chain(watch))
        assert watch.cursor == 2


def test_only_drafts_that_are_news_are_seen() -> None:
    told = [
        *(draft(1, 1), draft(1, 2), draft(1, 2), draft(2, 1), draft(1, 9)),
        updates(1, 4),
        draft(2, 2),
        draft(2, 3, "sections:1"),
        updates(5, 5),
        draft(2, 4, "sections:1"),
        draft(2, 5, "sections:0"),
        end(5),
    ]
    with scripted([STREAM, *told]) as server:
        drafts = [(s.task, s.value["n"]) for s in watched(server) if isinstance(s, Draft)]
    assert drafts == [("parts", 1), ("parts", 2), ("parts", 1), ("sections:1", 3), ("sections:0", 5)]
