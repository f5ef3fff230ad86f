"""What reaches a terminal: lines that it only prints, whatever a server sent."""

import io
import json

import pytest
from rich.console import Console

from pipeline.settings import Settings
from server.commands import local_url, print_json
from server.listing import course_lines
from server.plain import clean
from server.story import Board, Story, newest_title
from server.terminal import line, put
from server.watch import Draft, Reset, Update, Waiting
from server.wire import FinishedCourse
from tests import sample_log


def plain(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)


def terminal(width: int = 80) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=True, highlight=False, markup=False, emoji=False
    )


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07 title", "]0;owned title"),
        ("\x1b[2J\x1b[31mred", "[2J[31mred"),
        ("\x9b31m", "31m"),
        ("one\r\ntwo\tthree\u2028four", "one  two three four"),
        ("\u202etxt.exe", "txt.exe"),
        ("\ud800", "\ufffd"),
        ("naïve – 経済学 👩\u200d🎓", "naïve – 経済学 👩\u200d🎓"),
    ],
)
def test_what_could_steer_a_terminal_is_taken_out(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_nothing_is_read_as_markup() -> None:
    to = plain()
    put(to, [line("[bold]not bold[/bold] :smile: [link=http://x]y[/link]", ("[red]", "bold"))])
    assert printed(to) == "[bold]not bold[/bold] :smile: [link=http://x]y[/link][red]\n"


def test_lines_are_not_wrapped_where_the_output_is_no_terminal() -> None:
    to = plain(width=20)
    put(to, [line("a word and another " * 10)])
    assert printed(to).count("\n") == 1


def test_a_whole_log_is_told_in_plain_lines() -> None:
    to = plain()
    with Board(to) as board:
        for message in sample_log.messages():
            board.show(Update(message))
    told = printed(to)
    assert "\x1b" not in told
    assert told.splitlines()[:9] == [
        "  5 %  Asked for Learn DCF valuation · 2 hours",
        " 10 %  Searching the library",
        " 20 %  Found 1 book",
        "         Principles of Finance: 8 Time Value of Money II; 8 Time Value of Money II; "
        "8 Time Value of Money II; and 2 more",
        " 40 %  Planned 2 parts",
        "         1. Time value of money · 60 min",
        "         2. Cash flows · 60 min",
        " 62 %  Part 2 Cash flows",
        "         2.1 Section 1.0 · 30 min",
    ]
    assert " 62 %  Stopped" in told
    assert "       " + "  - Moved a source." in told
    assert told.splitlines()[-1] == "100 %  Complete"


def test_on_a_terminal_the_bar_is_gone_afterwards() -> None:
    to = terminal()
    with Board(to) as board:
        for message in sample_log.messages():
            board.show(Update(message))
        board.show(Draft("parts", {"parts": [{"title": "A title as it is \x1b[31mwritten"}]}))
        board.show(Waiting(2.0))
    told = printed(to)
    assert "Planned 2 parts" in told
    assert "trying again in 2.0 s" in told
    assert "\x1b[31mwritten" not in told
    assert told.endswith("\x1b[2K")
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") == 1  # the cursor is back


def test_a_message_of_a_newer_server_is_passed_over() -> None:
    first = sample_log.messages()[0]
    assert Story().lines({**first, "type": "course_translated"}) == []
    assert Story().lines({"type": "parts_generated", "parts": "none"}) == []
    to = plain()
    with Board(to) as board:
        board.show(Update({"seq": 1, "type": "course_translated", "phase": "translating\x1b[2J"}))
    assert printed(to) == "  0 %  translating[2J\n"


def test_a_reset_and_a_wait_are_told() -> None:
    to = plain()
    with Board(to) as board:
        board.show(Reset())
        board.show(Waiting(1.25))
    assert printed(to).splitlines() == [
        "The server has another log than expected; it follows from the start",
        "The connection broke; trying again in 1.2 s",
    ]


@pytest.mark.parametrize(
    ("value", "title"),
    [
        ({"parts": [{"title": "One"}, {"title": "Two"}]}, "Two"),
        ({"title": "Course", "parts": [{"title": "One"}, {"why": "…"}]}, "One"),
        ({"title": "Course"}, "Course"),
        ({"sections": [{"title": 7}]}, None),
        ("text", None),
    ],
)
def test_the_newest_title_of_a_draft_is_found(value: object, title: str | None) -> None:
    assert newest_title(value) == title


def finished() -> FinishedCourse:
    parts = [
        {**part.model_dump(), "sections": [s.model_dump() for s in sample_log.sections(part.part_index)]}
        for part in sample_log.PARTS
    ]
    return sample_log.finished("Discounted cash flow valuation", parts)


def test_a_finished_course_has_its_minutes_and_its_sources() -> None:
    to = plain()
    put(to, course_lines(finished()))
    told = printed(to)
    assert told.splitlines()[:7] == [
        "Discounted cash flow valuation",
        "2 hours (120 min) · 2 parts · 4 sections · written by library",
        "",
        "Part 1 Time value of money · 60 min",
        "  Everything rests on it.",
        "  1.1 Section 0.0 · 30 min",
        "      What it is about.",
    ]
    assert "      - Principles of Finance, 8 Time Value of Money II, Perpetuities · 6 min\n" in told
    assert told.count("        https://example.org/principles-finance\n") == 4


def test_an_address_is_never_broken() -> None:
    to = terminal(width=30)
    put(to, course_lines(finished()))
    assert "https://example.org/principles-finance" in printed(to)


def test_json_on_a_terminal_cannot_steer_it_either(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": "\x1b[2J\x9b31m\u202e é \ud800"}
    print_json(value)
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x9b\u202e\ud800")
    assert "é" in shown
    assert json.loads(shown) == value


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123"),
        ("0.0.0.0", "http://127.0.0.1:8123"),
        ("::", "http://[::1]:8123"),
        ("books.example", "http://books.example:8123"),
    ],
)
def test_the_server_is_looked_for_where_up_would_serve(host: str, url: str) -> None:
    assert local_url(Settings(host=host, port=8123)) == url
