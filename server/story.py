"""A course as it is written: each message as lines, and on a terminal a bar below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from pipeline import events as ev
from pipeline.outline import FoundBook
from server.plain import clean, counted, in_hours
from server.terminal import line, put, section_line
from server.watch import Draft, Reset, Seen, Update, Waiting

SHOWN_BOOKS = 6
SHOWN_CHAPTERS = 3
SHOWN_DRAFT_CHARACTERS = 40

PHASES: Mapping[str, str] = {
    "initializing": "Reading the request",
    "searching_books": "Searching the library",
    "generating_sections": "Writing the outline",
    "reviewing_outline": "Reviewing the outline",
    "complete": "Complete",
    "error": "Stopped",
}


class Story:
    """Turns messages into lines. Remembers only the titles of the parts."""

    def __init__(self) -> None:
        self._parts: dict[int, str] = {}

    def lines(self, message: Mapping[str, Any]) -> list[Text]:
        """Return what a message tells; nothing for a type this version does not know."""
        try:
            event = ev.event_from_message(dict(message))
        except (KeyError, ValidationError):
            return []
        return list(self._told(event))

    def _told(self, event: ev.Event) -> Iterable[Text]:
        match event:
            case ev.CourseRequested():
                yield line(("Asked for ", "dim"), (event.query, "bold"), f" · {in_hours(event.hours)}")
            case ev.BookSummariesFound():
                yield from _found(event.books)
            case ev.PartsGenerated():
                self._parts = {part.part_index: part.title for part in event.parts}
                yield line(f"Planned {counted(len(event.parts), 'part')}")
                for part in event.parts:
                    number = f"{part.part_index + 1}. "
                    yield line(number, (part.title, "bold"), f" · {part.estimated_minutes} min", indent=2)
            case ev.PartSectionsGenerated():
                title = self._parts.get(event.part_index, "")
                yield line(f"Part {event.part_index + 1} ", (title, "bold"))
                yield from map(section_line, event.sections)
            case ev.AllPartsComplete():
                yield line("All parts are written")
            case ev.OutlineReviewed():
                self._parts = {part.part_index: part.title for part in event.parts}
                yield line(f"Reviewed by {event.author}: {counted(len(event.changes), 'change')}")
                yield from (line("- ", change, indent=2) for change in event.changes)
            case ev.CourseFailed():
                yield line(("Stopped", "red"))
            case ev.CourseResumed():
                yield line("The course goes on where it stopped")
            case _:
                pass


def _found(books: tuple[FoundBook, ...]) -> Iterable[Text]:
    yield line(f"Found {counted(len(books), 'book')}")
    for book in books[:SHOWN_BOOKS]:
        chapters = [f"{c.chapter_number} {c.chapter_title}" for c in book.chapters[:SHOWN_CHAPTERS]]
        if len(book.chapters) > SHOWN_CHAPTERS:
            chapters.append(f"and {len(book.chapters) - SHOWN_CHAPTERS} more")
        yield line((book.book_title, "italic"), ": ", "; ".join(chapters), indent=2)
    if len(books) > SHOWN_BOOKS:
        yield line(f"and {len(books) - SHOWN_BOOKS} more", indent=2)


class Board:
    """Shows a watch: the story, and on a terminal a bar below it. Use as a context manager."""

    def __init__(self, to: Console) -> None:
        self._to = to
        self._story = Story()
        self._phase = ""
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeElapsedColumn(),
            console=to,
            transient=True,
            disable=not to.is_terminal,
        )
        self._bar = self._progress.add_task("Connecting", total=100)

    def __enter__(self) -> Board:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, seen: Seen) -> None:
        """Show one thing that a watch yields."""
        match seen:
            case Update(message):
                self._show_message(message)
            case Draft(_, value) if title := newest_title(value):
                self._describe(f"{self._phase}: {clean(title)[:SHOWN_DRAFT_CHARACTERS]}")
            case Reset():
                self._story = Story()
                put(self._to, [line("The server has another log than expected; it follows from the start")])
            case Waiting(wait_s):
                sentence = f"The connection broke; trying again in {wait_s:.1f} s"
                self._describe(sentence)
                if not self._to.is_terminal:
                    put(self._to, [line(sentence)])

    def _show_message(self, message: Mapping[str, Any]) -> None:
        percent = _percent(message)
        phase = str(message.get("phase"))
        self._phase = PHASES.get(phase, clean(phase))
        self._progress.update(self._bar, completed=percent, description=self._phase)
        lines = self._story.lines(message)
        if not self._to.is_terminal:
            head = lines[0] if lines else line(self._phase)
            lines = [Text(f"{percent:3d} %  ").append(head), *(Text("       ").append(t) for t in lines[1:])]
        put(self._to, lines)

    def _describe(self, description: str) -> None:
        self._progress.update(self._bar, description=description)


def _percent(message: Mapping[str, Any]) -> int:
    progress = message.get("progress")
    percent = progress.get("percent") if isinstance(progress, dict) else None
    return percent if isinstance(percent, int) else 0


def newest_title(value: Any) -> str | None:
    """Return the last title in a partial result, whatever its shape."""
    if isinstance(value, dict):
        found = [newest_title(member) for member in value.values() if isinstance(member, list | dict)]
        title = value.get("title")
        return next(filter(None, reversed(found)), title if isinstance(title, str) else None)
    if isinstance(value, list):
        return next(filter(None, map(newest_title, reversed(value))), None)
    return None
