"""The command line as a person uses it: real commands, against a real server and worker."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, free_port
from tests.running import RunningHouse

TIMEOUT_S = 60.0
Run = Callable[..., subprocess.CompletedProcess[str]]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "server.cli", *words]


def coursecast(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@pytest.fixture
def run(running_house: RunningHouse) -> Run:
    """Run a command against the house; its output has no control character."""

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = coursecast(*words, "--url", running_house.base_url)
        assert done.returncode == code, done.stdout + done.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr)
        return done

    return run


def test_create_tells_the_course_as_it_is_written(run: Run) -> None:
    told = run("create", "Learn DCF valuation", "--hours", "2").stdout
    percents = [int(found) for found in re.findall(r"^ *(\d+) %", told, re.MULTILINE)]
    assert percents[0] == 5
    assert percents[-1] == 100
    assert percents == sorted(percents)
    assert "Asked for Learn DCF valuation · 2 hours" in told
    order = ["Found ", "Planned ", "Part 1 ", "All parts are written", "Reviewed by library", "Complete"]
    places = [told.index(word) for word in order]
    assert places == sorted(places)
    summary = told[told.rindex("(120 min)") :]
    assert summary.count("http") == summary.count(" min\n        http")
    minutes = re.findall(r"^Part \d+ .* · (\d+) min$", summary, re.MULTILINE)
    assert sum(map(int, minutes)) == 120


def test_create_as_json_prints_the_finished_course_and_nothing_else(run: Run) -> None:
    words = ("create", "supply and demand", "--hours", "1", "--depth", "technical", "--notes", "examples")
    done = run(*words, "--json")
    course = json.loads(done.stdout)
    assert done.stderr == ""
    assert course["course"]["preferences"] == {"depth": "technical", "additional_notes": "examples"}
    assert sum(section["estimated_minutes"] for section in course["sections"]) == 60


def test_no_watch_prints_where_it_can_be_watched(run: Run, running_house: RunningHouse) -> None:
    told = run("create", "statistics for A/B tests", "--no-watch").stdout.splitlines()
    course_id = told[0]
    assert UUID.fullmatch(course_id)
    assert told[2] == f"  {running_house.base_url}/courses/{course_id}/events"
    watched = run("watch", course_id).stdout
    assert "Asked for statistics for A/B tests" in watched
    assert " 100 %  Complete".strip() in watched
    shown = run("course", course_id).stdout
    assert watched.endswith(shown)
    title = shown.splitlines()[0]
    assert run("course", course_id, "--markdown").stdout.startswith(f"# {title}\n\n2 hours (120 min) · ")
    assert course_id in run("list").stdout
    assert run("delete", course_id).stdout == "Deleted.\n"
    assert course_id not in run("list").stdout


def test_watching_goes_on_after_a_number(run: Run) -> None:
    accepted = json.loads(run("create", "python for beginners", "--no-watch", "--json").stdout)
    whole = run("watch", accepted["course_id"]).stdout
    rest = run("watch", accepted["course_id"], "--after", "3").stdout
    assert "Found" in whole
    assert "Found" not in rest
    assert re.fullmatch(r" 40 %  Planned \d parts?", rest.splitlines()[0])


def test_a_course_that_stops_is_a_sentence_and_exit_code_1(run: Run) -> None:
    done = run("create", "zzxqv flurbish grobnak", "--hours", "1", code=1)
    assert "Stopped" in done.stdout
    assert len(done.stderr.strip()) > 20
    course_id = json.loads(run("list", "--limit", "1", "--json").stdout)["courses"][0]["course_id"]
    assert run("watch", course_id, "--after", "99", code=1).stderr == done.stderr
    assert run("course", course_id, code=1).stderr == done.stderr
    assert run("create", "zzxqv flurbish grobnak", "--json", code=1).stdout == ""


def test_cancel_and_retry_say_what_comes_next(run: Run, running_house: RunningHouse) -> None:
    running_house.worker.send(signal.SIGSTOP)
    try:
        course_id = run("create", "why do we sleep", "--no-watch").stdout.splitlines()[0]
        told = run("cancel", course_id).stdout
        assert told == (f"Cancelled. To go on: coursecast retry {course_id} --url {running_house.base_url}\n")
        stopped = run("watch", course_id, code=1)
        assert "cancelled" in stopped.stderr
        assert "coursecast retry" in stopped.stderr
        assert "coursecast watch" in run("retry", course_id).stdout
    finally:
        running_house.worker.send(signal.SIGCONT)
    assert "Complete" in run("watch", course_id).stdout
    assert "already over: complete" in run("cancel", course_id, code=1).stderr


def test_ctrl_c_leaves_the_course_running_and_says_how_to_go_on(
    run: Run, running_house: RunningHouse
) -> None:
    running_house.worker.send(signal.SIGSTOP)
    try:
        words = ("create", "double-entry bookkeeping", "--url", running_house.base_url)
        with subprocess.Popen(
            command(*words), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline() == "  5 %  Asked for double-entry bookkeeping · 2 hours\n"
            watching.send_signal(signal.SIGINT)
            _, told = watching.communicate(timeout=TIMEOUT_S)
        assert watching.returncode == 130
        assert "Traceback" not in told
    finally:
        running_house.worker.send(signal.SIGCONT)
    go_on = re.search(r"coursecast (watch \S+ --after 1) --url", told)
    assert go_on
    assert "Complete" in run(*go_on[1].split()).stdout


def test_on_a_terminal_there_is_a_bar_while_it_is_written(running_house: RunningHouse) -> None:
    words = command("create", "how the Roman republic fell", "--url", running_house.base_url)
    mine, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(words, cwd=ROOT, stdout=theirs, stderr=theirs, stdin=theirs, env=env) as process:
        os.close(theirs)
        told = _read_all(mine)
        assert process.wait(TIMEOUT_S) == 0
    assert "━" in told
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1
    assert "Planned" in told
    assert " %  " not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told).splitlines()[-1]


def _read_all(terminal: int) -> str:
    chunks: list[bytes] = []
    deadline = time.monotonic() + TIMEOUT_S
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side is closed
            break
        chunks.append(chunk)
    os.close(terminal)
    return b"".join(chunks).decode()


def test_the_books_can_be_listed_shown_and_searched(run: Run) -> None:
    books = json.loads(run("books", "list", "--json").stdout)["books"]
    listed = run("books", "list").stdout
    assert all(book["book_id"] in listed and book["title"] in listed for book in books)
    shown = run("books", "show", books[0]["book_id"]).stdout.splitlines()
    assert shown[0] == books[0]["title"]
    assert len([text for text in shown if text.endswith(" min")]) == books[0]["chapters_count"]
    hits = json.loads(run("books", "search", "discounted cash flow", "--json").stdout)["results"]
    found = run("books", "search", "discounted cash flow").stdout
    assert hits[0]["chapter_title"] in found.splitlines()[0]


def test_a_search_keeps_to_the_books_asked_for_and_says_why_it_finds_none(run: Run) -> None:
    shelves = {book["book_id"]: book for book in json.loads(run("books", "list", "--json").stdout)["books"]}
    asked = [
        "--subject",
        "finance",
        "--level",
        "introductory",
        "--language",
        "en",
        "--licence",
        "CC BY-NC-SA",
    ]
    answer = run("books", "search", "cash flow", *asked, "--shipped", "--json").stdout
    books = [shelves[hit["book_id"]] for hit in json.loads(answer)["results"]]
    assert books
    for book in books:
        assert "finance" in [subject.lower() for subject in book["subjects"]]
        assert (book["level"], book["own"]) == ("introductory", False)
        assert book["licence"].startswith("CC ")
    assert "no chapter about this" in run("books", "search", "cash flow", "--licence", "none such").stdout
    assert "looks like German" in run("books", "search", "Wie backt man ein Brot mit Sauerteig?").stdout
    assert "level must be one of" in run("books", "search", "cash flow", "--level", "hard", code=1).stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "x"), "query must have 2 to 2,000 characters."),
        (("create", "Learn DCF valuation", "--hours", "0"), "hours must be from 0.5 to 40."),
        (("create", "Learn DCF valuation", "--style", "x" * 501), "preferences.presentation_style"),
        (("watch", "nobody"), "There is no course 'nobody'."),
        (("course", "../books"), "There is nothing here."),
        (("course", "00000000-0000-4000-8000-000000000000"), "There is no course"),
        (("cancel", "nobody"), "There is no course 'nobody'."),
        (("retry", "nobody"), "There is no course 'nobody'."),
        (("delete", "nobody"), "There is no course 'nobody'."),
        (("books", "show", "nothing"), "There is no book 'nothing'."),
        (("list", "--cursor", "nonsense"), "cursor is none that this server gave."),
    ],
)
def test_an_error_of_the_server_is_a_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    done = run(*words, code=1)
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("create", "Learn DCF valuation"),
        ("watch", "00000000-0000-4000-8000-000000000000"),
        ("course", "00000000-0000-4000-8000-000000000000"),
        ("list",),
        ("books", "list"),
    ],
)
def test_no_server_says_how_to_start_one(words: tuple[str, ...]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = coursecast(*words, "--url", url)
    assert done.returncode == 1
    assert done.stderr == f"No Coursecast server answers at {url}: start one with `coursecast up`\n"


def test_without_a_url_the_environment_says_where_the_server_is(running_house: RunningHouse) -> None:
    env = {**os.environ, "HOST": "0.0.0.0", "PORT": str(running_house.web.port)}
    done = subprocess.run(
        command("books", "list"), cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False, env=env
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "env", "named"),
    [
        (("create",), {}, "QUERY"),
        (("create", "x y", "--depth", "deep"), {}, "--depth"),
        (("create", "x y", "--hours", "nan"), {}, "--hours"),
        (("watch", "x", "--after", "-1"), {}, "--after"),
        (("list", "--limit", "0"), {}, "--limit"),
        (("course", "x", "--json", "--markdown"), {}, "--markdown"),
        (("list",), {"PORT": "many"}, "PORT"),
        (("up",), {"PORT": "many"}, "PORT"),
        (("fly",), {}, "fly"),
    ],
)
def test_wrong_use_is_exit_code_2_and_named(
    words: tuple[str, ...], env: dict[str, str], named: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        command(*words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "COURSECAST_HOME": str(tmp_path), **env},
    )
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [(), ("up",), ("create",), ("watch",), ("course",), ("cancel",), ("retry",), ("list",)]
)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = coursecast(*words, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert "\x1b" not in done.stdout


def test_the_version_is_the_distributions() -> None:
    assert re.fullmatch(r"coursecast \d+\.\d+\.\d+\n", coursecast("--version").stdout)
