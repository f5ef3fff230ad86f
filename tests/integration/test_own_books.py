"""Own books over HTTP: added, found, cited, exported, removed; a bad file leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.library import catalogue
from server.responses import ApiError, on_api_error
from server.uploads import Pace, received
from tests.bad_book_files import bad_files
from tests.book_files import (
    MAINT_PDF,
    POLICY_EPUB,
    REFERENCE_PDF,
    needs_debian_books,
    real,
    small_epub,
)
from tests.conformity import answer_of, mistakes, mistakes_as
from tests.processes import ROOT, free_port, run_web
from tests.running import RunningHouse

BAD = bad_files()
ONE_OF_EACH = list({code: what for what, (_, _, code) in BAD.items()}.values())
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def http(running_house: RunningHouse) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=running_house.base_url, timeout=60) as client:
        yield client


@pytest.fixture
async def conn(running_house: RunningHouse) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(running_house.settings.database_url)
    yield connection
    await connection.close()


def add(http: httpx2.Client, name: str, data: bytes, accept: str = "*/*", **said: Any) -> httpx2.Response:
    return http.post("/books", files={"file": (name, data)}, data=said, headers={"Accept": accept})


def conforming(response: httpx2.Response, method: str, route: str) -> Any:
    """The body, as the OpenAPI document describes it."""
    content = answer_of(method, route, response.status_code)["content"]["application/json"]
    assert mistakes(content["schema"], response.json()) == []
    return response.json()


def finished(http: httpx2.Client, query: str, hours: float) -> dict[str, Any]:
    asked = http.post("/courses", json={"query": query, "hours": hours}).json()
    deadline = time.monotonic() + 30
    while (status := http.get(f"{asked['status_url']}?wait_s=5&after=1").json())["status"] == "processing":
        assert time.monotonic() < deadline
    assert status["status"] == "complete", status
    course: dict[str, Any] = http.get(f"/courses/{asked['course_id']}").json()
    return course


# --- the way of a book --------------------------------------------------------------------------------------


@needs_debian_books
@pytest.mark.parametrize(
    ("path", "name", "query", "place"),
    [
        (POLICY_EPUB, "policy.epub", "Debian package maintainer scripts", "policy.epub/"),
        (REFERENCE_PDF, "reference.pdf", "Debian developer bug reports and porting", "reference.pdf#page="),
        (MAINT_PDF, "guide.pdf", "pbuilder and debuild package building", "guide.pdf#page="),
    ],
)
def test_a_real_book_is_found_and_cited_with_its_places(
    http: httpx2.Client, path: Path, name: str, query: str, place: str
) -> None:
    events = [json.loads(line) for line in add(http, name, real(path), NDJSON).text.splitlines()]
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert list(dict.fromkeys(stages))[:2] == ["reading", "embedding"]
    assert all(mistakes_as("BookProgress", _without_name(e)) == [] for e in events if "stage" in e)
    assert events[-1]["event"] == "book"
    assert mistakes_as("AddedBook", _without_name(events[-1])) == []
    book_id = events[-1]["book_id"]

    book = conforming(http.get(f"/books/{book_id}"), "get", "/books/{book_id}")
    assert (book["own"], book["url"], book["licence"]) == (True, name, "unknown")
    hits = http.get("/books/search", params={"q": query, "own": "true"}).json()["results"]
    assert hits[0]["book_id"] == book_id
    assert hits[0]["url"].startswith(place)

    course = finished(http, query, 2)
    sources = [s for section in course["sections"] for s in section["sources"] if s["book_id"] == book_id]
    assert sources
    chapters = {chapter["number"]: chapter for chapter in book["chapters"]}
    for source in sources:
        chapter = chapters[source["chapter_number"]]
        places = {section["title"]: section["url"] for section in reversed(chapter["sections"])}
        assert source["url"] == places.get(source["section_title"], chapter["url"])
        assert source["url"].startswith(place)
    document = http.get(f"/courses/{course['course']['course_id']}.md").text.replace("\\", "")
    assert f"({sources[0]['url']})" in document


def _without_name(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "event"}


def test_the_same_file_is_the_same_book_whatever_its_name(http: httpx2.Client) -> None:
    first = add(http, "a.epub", small_epub(), title="Harbours", licence="CC BY 4.0", subjects="sea, ships")
    assert first.status_code == 201
    told = conforming(first, "post", "/books")
    assert first.headers["location"] == f"/books/{told['book_id']}"
    assert told["created"]
    book = told["book"]
    assert (book["title"], book["licence"], book["subjects"]) == ("Harbours", "CC BY 4.0", ["sea", "ships"])
    again = add(http, "b.epub", small_epub())
    assert again.status_code == 200
    assert conforming(again, "post", "/books") == {**told, "created": False}


def test_an_address_of_the_operators_is_told_as_it_is(http: httpx2.Client) -> None:
    told = add(http, "c.epub", small_epub(2), url="https://example.org/harbours").json()
    book = http.get(f"/books/{told['book_id']}").json()
    addresses = {book["url"], *(c["url"] for c in book["chapters"])}
    assert addresses == {"https://example.org/harbours"}


def test_an_exported_book_comes_back_as_it_was(http: httpx2.Client) -> None:
    text = b"# Knots\n\n## Bends\n\n" + b"A bend joins two ropes of one size. " * 9 + b"\n\n## Hitches\n\n"
    text += b"A hitch fastens a rope to a post on the quay. " * 9
    book_id = add(http, "knots.md", text).json()["book_id"]
    exported = http.get(f"/books/{book_id}")
    assert add(http, "export.json", exported.content).json()["created"] is False
    assert http.delete(f"/books/{book_id}").status_code == 204
    assert http.get(f"/books/{book_id}").status_code == 404
    assert not http.get("/books/search", params={"q": "knots bends and hitches", "own": "true"}).json()[
        "results"
    ]
    assert add(http, "export.json", exported.content).status_code == 201
    assert http.get(f"/books/{book_id}").json() == exported.json()
    assert [c["url"] for c in exported.json()["chapters"]] == ["knots.md#bends", "knots.md#hitches"]


def test_chapters_without_sections_are_found_by_what_they_say(http: httpx2.Client) -> None:
    text = b"# Knots\n\n## Bends\n\n" + b"A bend joins two ropes of one size, as the sheet bend does. " * 9
    text += b"\n\n## Hitches\n\n" + b"A hitch fastens a rope to a post: the clove hitch, for one. " * 9
    book_id = add(http, "more-knots.md", text).json()["book_id"]
    for question in ("join two ropes", "clove hitch", "tie a rope to a post"):
        (best, *_) = http.get("/books/search", params={"q": question}).json()["results"]
        assert (best["book_id"], best["score"] > 0.5) == (book_id, True), question


def test_questions_that_say_nothing_are_refused_by_name(http: httpx2.Client) -> None:
    for bad in ("", "   ", "x" * 301):
        chapter = {"number": 1, "title": "Bowlines", "questions": ["how to tie a bowline", bad]}
        refused = add(http, "loops.json", json.dumps({"title": "L", "chapters": [chapter]}).encode())
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "broken_file")
        assert "chapters.0.questions.1" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"question_sections": [0]}, "question_sections has 1 positions for 2 questions"),
        ({"question_sections": [0, 2]}, "question_sections names a section that the chapter does not have"),
        ({"question_sections": [-1, 0]}, "question_sections names a section that the chapter does not have"),
        ({"question_sections": [0, "b"]}, "chapters.0.question_sections.1"),
        ({"key_concept_sections": [None]}, "key_concept_sections has 1 positions for 0 key_concepts"),
    ],
    ids=["too few", "too high", "negative", "no number", "of nothing"],
)
def test_places_that_do_not_fit_are_refused_by_name(
    http: httpx2.Client, wrong: dict[str, object], told: str
) -> None:
    chapter = {
        "number": 1,
        "title": "Bowlines",
        "questions": ["how to tie a bowline", "tie it with one hand"],
        "sections": [{"title": "Tying"}, {"title": "One hand"}],
    }
    book = {"title": "L", "chapters": [chapter | wrong]}
    refused = add(http, "loops.json", json.dumps(book).encode())
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "broken_file")
    assert told in refused.json()["error"]["message"]


def test_where_things_are_explained_comes_with_the_book(http: httpx2.Client) -> None:
    chapter = {
        "number": 1,
        "title": "Hitches of all kinds",
        "key_concepts": ["clove hitch", "hitches", "half hitch"],
        "key_concept_sections": [1, None, 0],
        "questions": ["fasten it for a minute", "all about fastening"],
        "question_sections": [0, None],
        "sections": [{"title": "Half"}, {"title": "Clove"}],
    }
    book = json.dumps({"title": "Hitches", "chapters": [chapter]}).encode()
    book_id = add(http, "hitches.json", book).json()["book_id"]
    (shown,) = http.get(f"/books/{book_id}").json()["chapters"]
    for name in ("key_concepts", "key_concept_sections", "questions", "question_sections"):
        assert shown[name] == chapter[name]


def test_what_people_ask_of_a_chapter_comes_with_the_book(http: httpx2.Client) -> None:
    chapter = {"number": 1, "title": "Bowlines", "questions": ["a loop that holds a boat and opens again"]}
    book_id = add(http, "loops.json", json.dumps({"title": "Loops", "chapters": [chapter]}).encode()).json()[
        "book_id"
    ]
    shown = http.get(f"/books/{book_id}").json()
    assert shown["chapters"][0]["questions"] == chapter["questions"]
    best = http.get("/books/search", params={"q": "a loop to hold my boat", "own": "true"}).json()
    assert best["results"][0]["book_id"] == book_id


def test_a_shipped_book_can_be_exported_and_added_but_not_removed(http: httpx2.Client) -> None:
    exported = http.get("/books/pro-git")
    assert add(http, "x.json", exported.content).json() == {
        "book_id": "pro-git",
        "created": False,
        "book": {k: v for k, v in exported.json().items() if k != "chapters"},
    }
    refused = http.delete("/books/pro-git")
    assert refused.status_code == 409
    assert conforming(refused, "delete", "/books/{book_id}")["error"]["code"] == "shipped_book"
    assert conforming(http.delete("/books/none"), "delete", "/books/{book_id}")["error"]["field"] == "book_id"


async def test_how_rare_words_are_is_counted_with_every_book(
    http: httpx2.Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    async def counted() -> list[asyncpg.Record]:
        return await conn.fetch("SELECT lexeme, chapters FROM library_lexemes ORDER BY lexeme")

    before = await counted()
    told = add(http, "d.epub", small_epub() + b"\n").json()
    after = await counted()
    assert after != before
    assert after == await conn.fetch(
        "SELECT * FROM (SELECT word AS lexeme, ndoc AS chapters"
        " FROM ts_stat('SELECT lexemes FROM book_chapters')"
        " UNION ALL SELECT '', count(*) FROM book_chapters) AS all_words ORDER BY lexeme"
    )
    http.delete(f"/books/{told['book_id']}")
    assert await counted() == before


async def test_an_upgrade_of_the_catalogue_leaves_own_books_alone(
    running_house: RunningHouse, http: httpx2.Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    told = add(http, "e.epub", small_epub() + b"\n\n").json()
    own = http.get(f"/books/{told['book_id']}").json()
    await conn.execute("DELETE FROM library_loads")
    await conn.execute("UPDATE books SET hash = 'of an older version' WHERE book_id = 'pro-git'")
    with run_web(running_house.settings) as other:  # starting brings the library up to date
        assert httpx2.get(f"{other.base_url}/books/{told['book_id']}").json() == own
    assert await conn.fetchval("SELECT hash FROM books WHERE book_id = 'pro-git'") != "of an older version"
    hits = http.get("/books/search", params={"q": "tide tables for harbour pilots"}).json()["results"]
    assert told["book_id"] in {hit["book_id"] for hit in hits[:5]}


# --- what is refused ----------------------------------------------------------------------------------------


async def test_bad_files_have_their_errors_and_leave_nothing_behind(
    running_house: RunningHouse, http: httpx2.Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    async def rows() -> list[Any]:
        tables = ("books", "book_chapters", "ingests", "ingest_vectors")
        return [await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables]

    def left_open() -> int:
        folder = Path(f"/proc/{running_house.web.pid}/fd")
        return sum("deleted" in str(link.readlink()) for link in folder.iterdir() if link.is_symlink())

    def post(what: str) -> httpx2.Response:
        name, data, _ = BAD[what]
        return add(http, name, data)

    before, open_before = await rows(), left_open()
    with ThreadPoolExecutor(4) as pool:
        answers = await asyncio.to_thread(
            lambda: list(zip(ONE_OF_EACH, pool.map(post, ONE_OF_EACH), strict=True))
        )
    for what, response in answers:
        assert response.status_code == 400, what
        error = conforming(response, "post", "/books")["error"]
        assert (error["code"], error["field"]) == (BAD[what][2], "file"), what
    assert await rows() == before
    assert left_open() == open_before
    assert http.get("/healthz").status_code == 200


def test_a_stream_ends_with_the_error(http: httpx2.Client) -> None:
    name, data, code = BAD["a PDF with a password"]
    response = add(http, name, data, "text/event-stream")
    assert response.headers["content-type"].startswith("text/event-stream")
    last = response.text.strip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: error"
    error = json.loads(last[1].removeprefix("data: "))
    assert mistakes_as("Error", error) == []
    assert error["error"]["code"] == code


def test_a_file_of_500_megabytes_is_refused_before_it_is_sent(
    running_house: RunningHouse, tmp_path: Path
) -> None:
    large = tmp_path / "large.pdf"
    with large.open("wb") as file:
        file.truncate(500 * 1024 * 1024)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", "books", "add", str(large), "--url", running_house.base_url],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "large.pdf: The file may have 104,857,600 bytes" in done.stderr
    assert time.monotonic() - began < 15


def test_a_file_whose_length_nobody_told_is_refused_at_the_limit(running_house: RunningHouse) -> None:
    settings = running_house.settings.model_copy(update={"max_book_bytes": 1_000_000, "host": "127.0.0.1"})

    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        while True:
            yield bytes(65_536)

    with run_web(settings) as small:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = httpx2.post(f"{small.base_url}/books", content=endless(), headers=headers)
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "file_too_large"
        assert response.json()["error"]["field"] == "file"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"json": {"file": "x"}}, "file"),
        ({"files": {"book": ("a.md", b"# A")}}, "file"),
        ({"files": {"file": ("a.md", b"# A")}, "data": {"colour": "red"}}, "colour"),
        ({"files": {"file": ("a.md", b"# A")}, "data": {"level": "hard"}}, "level"),
        ({"files": {"file": ("a.md", b"# A")}, "data": {"url": "javascript:alert(1)"}}, "url"),
        ({"files": {"file": ("a.md", b"# A")}, "data": {"title": "a\x00b"}}, "title"),
        ({"content": b"nothing", "headers": {"Content-Type": "multipart/form-data"}}, "file"),
    ],
)
def test_a_form_that_is_none_names_its_field(
    http: httpx2.Client, request_: dict[str, Any], field: str
) -> None:
    response = http.post("/books", **request_)
    assert response.status_code == 400
    assert conforming(response, "post", "/books")["error"]["field"] == field


def test_pages_of_other_sites_cannot_add_or_remove(http: httpx2.Client) -> None:
    origin = {"Origin": "https://evil.example"}
    assert http.post("/books", files={"file": ("a.md", b"# A")}, headers=origin).status_code == 403
    assert http.delete("/books/pro-git", headers=origin).status_code == 403


def test_beyond_loopback_nobody_adds_or_removes_over_http(running_house: RunningHouse) -> None:
    everywhere = running_house.settings.model_copy(update={"host": "0.0.0.0"})
    with run_web(everywhere) as far, httpx2.Client(base_url=far.base_url) as http:
        refused = add(http, "a.epub", small_epub())
        assert refused.status_code == 403
        assert conforming(refused, "post", "/books")["error"]["code"] == "changing_books_not_allowed"
        assert http.delete("/books/pro-git").status_code == 403


SITE = "courses.example.org"


def test_nobody_adds_or_removes_through_a_proxy(running_house: RunningHouse) -> None:
    """With nginx on the same machine, HOST stays on loopback and the site's name is allowed."""
    settings = running_house.settings.model_copy(update={"allowed_origins": (f"https://{SITE}",)})
    passed_on = [
        {"Host": SITE},
        {"Host": "localhost", "X-Forwarded-For": "203.0.113.7"},
        {"Host": "localhost", "Forwarded": "for=203.0.113.7"},
    ]
    with run_web(settings) as web, httpx2.Client(base_url=web.base_url) as http:
        for headers in passed_on:
            assert http.get("/books", headers=headers).status_code == 200
            refused = http.post("/books", files={"file": ("a.epub", small_epub(3))}, headers=headers)
            assert refused.status_code == 403, headers
            assert conforming(refused, "post", "/books")["error"]["code"] == "changing_books_not_allowed"
            assert http.delete("/books/none", headers=headers).status_code == 403, headers
        assert http.delete("/books/none", headers={"Host": "localhost"}).status_code == 404


# --- what is too slow, breaks, or is broken off -------------------------------------------------------------


@pytest.fixture
async def hasty_port() -> AsyncIterator[int]:
    """A server that takes forms, with less patience than ours, and says how large the file was."""
    pace = Pace(silence_s=5, grace_s=0.3, least_bytes_per_s=1_000)

    async def take(request: Request) -> Response:
        async with received(request, max_bytes=100_000, pace=pace) as form:
            return Response(str(len(form.file.read())))

    app = Starlette(routes=[Route("/", take, methods=["POST"])], exception_handlers={ApiError: on_api_error})
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)  # nothing tells when it listens
    yield port
    server.should_exit = True
    await serving


HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'
TAIL = b"\r\n--x--\r\n"


def form_of(file_bytes: int, *headers: str) -> bytes:
    """The beginning of a request whose file has so many bytes."""
    lines = [
        "POST /books HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {len(HEAD) + file_bytes + len(TAIL)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + HEAD


@pytest.mark.parametrize(("bytes_at_once", "status"), [(1, 400), (200, 200)])
async def test_a_file_has_to_come_at_a_least_rate(hasty_port: int, bytes_at_once: int, status: int) -> None:
    """Whoever sends a byte now and then must not keep a place from others."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty_port)
    writer.write(form_of(20 * bytes_at_once).replace(b"/books", b"/", 1))
    answered = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    for _ in range(20):  # one second, for more than the grace
        writer.write(b"a" * bytes_at_once)
        await asyncio.wait({answered}, timeout=0.05)
        if answered.done():
            break
    else:
        writer.write(TAIL)
    assert int((await asyncio.wait_for(answered, 5)).split()[1]) == status
    writer.close()


async def test_a_fault_of_ours_is_the_last_event_of_a_stream(
    http: httpx2.Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    await conn.execute("ALTER TABLE ingest_vectors RENAME TO ingest_vectors_away")
    try:
        response = await asyncio.to_thread(add, http, "fault.epub", small_epub() + b"fault", NDJSON)
    finally:
        await conn.execute("ALTER TABLE ingest_vectors_away RENAME TO ingest_vectors")
    last = json.loads(response.text.splitlines()[-1])
    assert (last["event"], last["error"]["code"]) == ("error", "internal")
    assert mistakes_as("Error", _without_name(last)) == []


async def test_a_server_that_leaves_breaks_off_what_is_being_added(
    running_house: RunningHouse, http: httpx2.Client, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    await conn.execute("SELECT pg_advisory_lock($1)", catalogue._LOCK)  # nobody publishes
    book = small_epub() + b"leaving"
    timeout = httpx2.Timeout(20)
    with run_web(running_house.settings) as web:
        async with httpx2.AsyncClient(base_url=web.base_url, timeout=timeout) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
            writer.write(form_of(1_000_000) + bytes(1_000))
            files = {"file": ("a.epub", book)}
            accept = {"Accept": NDJSON}
            async with client.stream("POST", "/books", files=files, headers=accept) as streamed:
                lines = streamed.aiter_lines()
                while json.loads(await anext(lines)).get("stage") != "publishing":
                    pass
                plain = asyncio.create_task(client.post("/books", files={"file": ("b.epub", book)}))
                await _until_waiting(conn, 2)
                began = time.monotonic()
                web.send(signal.SIGTERM)
                last = json.loads([line async for line in lines][-1])
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
            refused = await plain
            writer.close()
        await asyncio.to_thread(web.popen.wait, 10)
        assert time.monotonic() - began < 4  # uvicorn's own patience is 8 s
    assert (last["event"], last["error"]["code"]) == ("error", "restarting")
    assert refused.status_code == 503
    assert conforming(refused, "post", "/books")["error"]["code"] == "restarting"
    assert int(refused.headers["retry-after"]) > 0
    assert head.startswith("HTTP/1.1 503")
    assert "\r\nretry-after: " in head.lower()
    await conn.execute("SELECT pg_advisory_unlock($1)", catalogue._LOCK)
    again = add(http, "a.epub", book, NDJSON).text.splitlines()
    assert json.loads(again[-1])["created"] is True
    assert "reading" not in {json.loads(line).get("stage") for line in again}  # it went on from there


async def _until_waiting(conn: asyncpg.Connection[asyncpg.Record], count: int) -> None:
    """Return once so many wait for the library's lock in this database."""
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    deadline = time.monotonic() + 10
    while await conn.fetchval(query) < count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)  # nothing tells when somebody else waits


# --- the command line ---------------------------------------------------------------------------------------


def test_the_command_line_adds_a_folder_exports_and_removes(
    running_house: RunningHouse, tmp_path: Path
) -> None:
    def run(*words: str, code: int = 0, at: tuple[str, ...] = ("--url", running_house.base_url)) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "server.cli", "books", *words, *at],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, "DATABASE_URL": str(running_house.settings.database_url)},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    shelf = tmp_path / "shelf" / "deep"
    shelf.mkdir(parents=True)
    (shelf / "harbour.epub").write_bytes(small_epub() + b"cli")
    (shelf / "broken.pdf").write_bytes(BAD["a PDF cut off"][1])
    (shelf / "picture.png").write_bytes(b"\x89PNG")
    told = run("add", str(shelf.parent), "--title", "From a folder", "--level", "advanced", code=1)
    assert "Added: From a folder · 2 chapters" in told
    assert "broken.pdf: The PDF is damaged" in told
    assert "picture" not in told
    outcome = json.loads(run("add", str(shelf / "harbour.epub"), "--json"))["books"]
    assert outcome[0]["created"] is False
    book_id = outcome[0]["book_id"]
    run("export", book_id, "-o", str(tmp_path / "book.json"))
    assert run("remove", book_id) == "Removed.\n"
    assert "Added: From a folder" in run("add", str(tmp_path / "book.json"), "--direct", at=())
    assert "Removed." in run("remove", book_id, "--direct", at=())
