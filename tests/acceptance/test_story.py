"""The story: a learner asks for a course, watches it being written, and gets it.

Everything is real: server and worker processes, Postgres, Redis, the shipped library, HTTP.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import websockets

from tests.running import RunningHouse

ABOUT_DCF = (
    "valu",
    "cash flow",
    "time value",
    "cost of capital",
    "discount",
    "present value",
    "capital budget",
    "annuit",
    "perpetuit",
    "dividend",
    "stock",
    "bond",
    "interest",
    "npv",
    "return",
    "risk",
    "wacc",
    "forecast",
    "financial",
)
SUBJECTS = {
    "double-entry bookkeeping": {"principles-financial-accounting"},
    "statistics for A/B tests": {"introductory-statistics-2e", "think-bayes", "r-for-data-science"},
    "how the Roman republic fell": {"world-history-volume-1"},
    "learn Rust ownership": {"rust-programming-language"},
    "write better essays": {"writing-guide"},
    "why do we sleep": {"psychology-2e"},
    "supply and demand": {"principles-economics-3e"},
    "python for beginners": {"introduction-python-programming", "think-python"},
    "introduction to moral philosophy": {"introduction-philosophy-2e", "business-ethics"},
    "causes of the American Civil War": {"us-history"},
}


@pytest.fixture
async def http(running_house: RunningHouse) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=running_house.base_url, timeout=30) as client:
        yield client


async def start(http: httpx2.AsyncClient, query: str, hours: float, **preferences: str) -> str:
    response = await http.post("/courses", json={"query": query, "hours": hours, "preferences": preferences})
    assert response.status_code == 202, response.text
    return str(response.json()["course_id"])


async def poll_until_over(http: httpx2.AsyncClient, course_id: str) -> dict[str, Any]:
    """Poll as a client without streams does: with the long-poll, so that no time is slept away."""
    async with asyncio.timeout(30):
        after = 0
        while True:
            view = (await http.get(f"/courses/{course_id}/status?after={after}&wait_s=10")).json()
            after = max([after, *(event["seq"] for event in view["events"])])
            if view["status"] != "processing":
                return dict(view)


async def finished(http: httpx2.AsyncClient, course_id: str) -> dict[str, Any]:
    view = await poll_until_over(http, course_id)
    assert view["status"] == "complete", view
    return dict((await http.get("/course", params={"courseId": course_id})).json())


async def read_events(
    http: httpx2.AsyncClient, course_id: str, headers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Read a whole stream as ``curl -N`` would, one dict of fields per event."""
    events: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    async with http.stream("GET", f"/courses/{course_id}/events", headers=headers or {}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("retry: "):
                continue  # says when to come back; a line of whatever event follows
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                if fields["event"] != "ping":  # comes by the clock of the process
                    events.append(fields)
                fields = {}
            else:
                fields = {}
    return events


async def test_a_course_is_started_polled_completed_and_retrieved(http: httpx2.AsyncClient) -> None:
    # start
    response = await http.post("/courses", json={"query": "Learn DCF valuation", "hours": 2.0})
    assert response.status_code == 202
    accepted = response.json()
    course_id = accepted["course_id"]
    assert accepted == {
        "course_id": course_id,
        "status": "processing",
        "message": f"Course generation started. Poll /courses/{course_id}/status for progress.",
        "query": "Learn DCF valuation",
        "hours": 2.0,
        "status_url": f"/courses/{course_id}/status",
        "events_url": f"/courses/{course_id}/events",
        "websocket_url": f"/courses/{course_id}/ws",
    }
    assert response.headers["location"] == f"/courses/{course_id}"

    # poll
    view = await poll_until_over(http, course_id)

    # completion
    assert view["status"] == view["phase"] == "complete"
    assert view["progress"]["percent"] == 100
    assert view["progress"]["course_id"] == course_id
    assert view["progress"]["title"]
    assert view["progress"]["estimated_hours"] == 2.0
    assert "poll_after_ms" not in view

    # retrieve
    course = (await http.get("/course", params={"courseId": course_id})).json()
    assert course == (await http.get(f"/courses/{course_id}")).json()
    assert sum(part["estimated_minutes"] for part in course["parts"]) == 120
    assert sum(section["estimated_minutes"] for section in course["sections"]) == 120
    assert course["course"]["original_query"] == "Learn DCF valuation"
    await assert_grounded(http, course)
    for section in course["sections"]:
        texts = [
            section["title"],
            *(source[k] or "" for source in section["sources"] for k in ("chapter_title", "section_title")),
        ]
        assert any(word in " ".join(texts).lower() for word in ABOUT_DCF), texts


async def assert_grounded(http: httpx2.AsyncClient, course: dict[str, Any]) -> None:
    """Every source is a section of a chapter of a book in the library, at the book's own address."""
    books: dict[str, Any] = {}
    assert course["sections"] == [s for part in course["parts"] for s in part["sections"]]
    for part in course["parts"]:
        assert part["sections"]
        assert sum(s["estimated_minutes"] for s in part["sections"]) == part["estimated_minutes"]
        for section in part["sections"]:
            assert section["sources"]
            assert section["learning_objectives"]
            for source in section["sources"]:
                book_id = source["book_id"]
                if book_id not in books:
                    books[book_id] = (await http.get(f"/books/{book_id}")).json()
                book = books[book_id]
                assert source["book_title"] == book["title"]
                (chapter,) = (c for c in book["chapters"] if c["number"] == source["chapter_number"])
                assert source["chapter_title"] == chapter["title"]
                assert source["url"] == chapter["url"]
                if source["section_title"] is not None:
                    assert source["section_title"] in {s["title"] for s in chapter["sections"]}


@pytest.mark.parametrize("hours", [0.5, 1, 1.75, 3, 6.5, 12, 40])
async def test_any_length_adds_up_exactly(http: httpx2.AsyncClient, hours: float) -> None:
    course = await finished(http, await start(http, "Learn DCF valuation", hours))
    budget = round(hours * 60)
    assert sum(part["estimated_minutes"] for part in course["parts"]) == budget
    assert course["course"]["estimated_hours"] == hours
    count = len(course["parts"])
    if hours < 2:
        assert count == 1
    elif hours <= 4:
        assert count in (2, 3)
    else:
        assert count >= 3
        assert all(30 <= part["estimated_minutes"] <= 120 for part in course["parts"])
    assert all(10 <= section["estimated_minutes"] <= 90 for section in course["sections"])
    await assert_grounded(http, course)


@pytest.mark.parametrize("query", SUBJECTS)
async def test_the_whole_library_is_of_use(http: httpx2.AsyncClient, query: str) -> None:
    course = await finished(http, await start(http, query, 2))
    cited = {source["book_id"] for section in course["sections"] for source in section["sources"]}
    assert cited & SUBJECTS[query], cited
    await assert_grounded(http, course)


async def test_what_the_library_lacks_is_refused_with_the_nearest_books(http: httpx2.AsyncClient) -> None:
    view = await poll_until_over(http, await start(http, "how to repair a diesel engine", 2))
    assert (view["status"], view["phase"], view["error_code"]) == ("error", "error", "no_relevant_books")
    titles = [book["title"] for book in (await http.get("/books")).json()["books"]]
    assert any(title in view["error"] for title in titles), view["error"]
    course_id = view["course_id"]
    response = await http.get("/course", params={"courseId": course_id})
    assert (response.status_code, response.json()["error_code"]) == (409, "no_relevant_books")
    assert (await http.post(f"/courses/{course_id}/retry")).status_code == 409


async def test_preferences_change_the_outline(http: httpx2.AsyncClient) -> None:
    def shape(course: dict[str, Any]) -> list[Any]:
        return [[s["title"], s["learning_objectives"], s["estimated_minutes"]] for s in course["sections"]]

    plain = shape(await finished(http, await start(http, "Learn DCF valuation", 3)))
    assert plain == shape(await finished(http, await start(http, "Learn DCF valuation", 3)))
    for preference in ({"depth": "overview"}, {"depth": "expert"}, {"pace": "quick"}, {"pace": "thorough"}):
        course = await finished(http, await start(http, "Learn DCF valuation", 3, **preference))
        assert shape(course) != plain, preference
        assert course["course"]["preferences"] == preference


async def test_every_viewer_sees_the_same_log(http: httpx2.AsyncClient, running_house: RunningHouse) -> None:
    course_id = await start(http, "Learn DCF valuation", 2)
    socket_url = f"{running_house.base_url.replace('http', 'ws')}/courses/{course_id}/ws"

    async def watch_socket() -> list[str]:
        async with websockets.connect(socket_url) as socket:
            return [str(message) async for message in socket]

    live, also_live, socket = await asyncio.gather(
        read_events(http, course_id), read_events(http, course_id), watch_socket()
    )
    updates = [event for event in live if event["event"] == "update"]
    assert [int(event["id"]) for event in updates] == list(range(1, len(updates) + 1))
    assert live[-1]["event"] == "end"
    assert live == also_live
    # The WebSocket has the same objects, byte for byte, with "event" beside them.
    assert [m for m in socket if '"update"' in m[:20]] == [
        '{"event":"update",' + event["data"][1:] for event in updates
    ]
    assert json.loads(socket[-1])["event"] == "end"
    # And so has whoever comes later, over any transport.
    assert await read_events(http, course_id) == live
    polled = (await http.get(f"/courses/{course_id}/status?after=0")).json()
    assert polled["events"] == [json.loads(event["data"]) for event in updates]
    assert polled["more"] is False


async def test_a_viewer_resumes_where_it_was(http: httpx2.AsyncClient) -> None:
    course_id = await start(http, "Learn DCF valuation", 2)
    everything = await read_events(http, course_id)
    resumed = await read_events(http, course_id, {"Last-Event-ID": "4"})
    assert resumed == everything[4:]
    assert resumed[0]["id"] == "5"
    last = everything[-2]["id"]
    response = await http.get(f"/courses/{course_id}/events", headers={"Last-Event-ID": last})
    assert (response.status_code, response.content) == (204, b"")
    started_over = await read_events(http, course_id, {"Last-Event-ID": "what?"})
    assert started_over[0]["event"] == "reset"
    assert started_over[1:] == everything


async def test_the_list_has_the_newest_first(http: httpx2.AsyncClient) -> None:
    ids = [await start(http, "supply and demand", 1) for _ in range(3)]
    first = (await http.get("/courses", params={"limit": 2})).json()
    rest = (await http.get("/courses", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert [course["course_id"] for course in first["courses"] + rest["courses"]] == ids[::-1]
