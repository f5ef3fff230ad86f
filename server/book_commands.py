"""``coursecast books add``: each file through one way into a library, with a bar, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import httpx2
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pipeline.library.ingest.kinds import SUFFIXES
from pipeline.settings import Settings
from server.client import CONNECT_TIMEOUT_S, Client, ClientError, NotCoursecast, Refused, refusal
from server.commands import local_url, print_json
from server.plain import clean, counted
from server.terminal import console, line, put

EXIT_STOPPED = 1
READ_TIMEOUT_S = 60.0
"""Between two signs of life; the server gives one every 15 seconds."""
WRITE_TIMEOUT_S = 60.0
_SAID = {
    "sending": "sending",
    "reading": "reading",
    "summarising": "writing summaries",
    "embedding": "embedding",
    "publishing": "storing",
}


class Adder(Protocol):
    """Puts a file into a library, here or at a server."""

    def add(self, path: Path, fields: Mapping[str, Any], bar: Bar) -> dict[str, Any]:
        """Return ``{"book_id", "created", "book"}``.

        Raises:
            ClientError: it was refused; the message is for people.
        """
        ...


class Bar:
    """One file's line: what is being done with it, and how far that is."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task(clean(name), total=None, stage="")

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._progress.remove_task(self._task)

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is; `total` 0 is unknown."""
        self._progress.update(
            self._task, stage=_SAID.get(stage, clean(stage)), completed=done, total=total or None
        )


@dataclass(slots=True)
class Outcome:
    """What came of one file."""

    path: Path
    answer: dict[str, Any] | None = None
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {"file": str(self.path), **(self.answer or {"error": self.error})}


def add_books(adder: Adder, paths: Sequence[Path], fields: Mapping[str, Any], *, as_json: bool) -> int:
    """Add every file, and every book in a folder; return the exit code: 1 where one could not be added."""
    out = console(stderr=as_json)
    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        for path in book_files(paths):
            outcome = Outcome(path)
            outcomes.append(outcome)
            try:
                with Bar(progress, path.name) as bar:
                    outcome.answer = adder.add(path, fields, bar)
            except ClientError as error:
                outcome.error = str(error)
                if not isinstance(error, Refused):  # no server: the next file would not come further
                    if not as_json:
                        raise
                    break
            except OSError as error:
                outcome.error = f"{error.strerror or error}"
            if not as_json:
                _tell(outcome)
    if as_json:
        print_json({"books": [outcome.as_json() for outcome in outcomes]})
    elif not outcomes:
        put(
            console(stderr=True),
            [line(("There is no book to add: no EPUB, PDF, Markdown or JSON file.", "red"))],
        )
    return EXIT_STOPPED if not outcomes or any(outcome.answer is None for outcome in outcomes) else 0


def _tell(outcome: Outcome) -> None:
    if outcome.answer is None:
        put(console(stderr=True), [line((f"{outcome.path.name}: {outcome.error}", "red"))])
        return
    book = outcome.answer.get("book") or {}
    said = "Added" if outcome.answer.get("created") else "Already there"
    chapters = counted(int(book.get("chapters_count", 0)), "chapter")
    put(console(), [line(f"{said}: ", (str(book.get("title", "")), "bold"), f" · {chapters}")])
    put(console(), [line((str(outcome.answer.get("book_id")), "dim"), indent=2)])


def book_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, and of folders all that may be books, in the order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
        else:
            yield path


class ServerAdder:
    """Adds through ``POST /books``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    @contextmanager
    def open(cls, url: str | None) -> Iterator[ServerAdder]:
        """Open a connection to the server at `url`, or where ``coursecast up`` would be."""
        with Client(url or local_url(Settings.from_environment())) as client:
            yield cls(client)

    def add(self, path: Path, fields: Mapping[str, Any], bar: Bar) -> dict[str, Any]:
        """Send a file and follow what becomes of it."""
        timeout = httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S)
        with path.open("rb") as file, self._client.transport_errors():
            sent = _Sent(file, path.stat().st_size, bar)
            with self._client.http.stream(
                "POST",
                "/books",
                files={"file": (path.name, sent)},  # type: ignore[dict-item]  # all it asks of a file
                data=dict(fields),
                headers={"Accept": "application/x-ndjson"},
                timeout=timeout,
            ) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                return self._followed(response, bar)

    def _followed(self, response: httpx2.Response, bar: Bar) -> dict[str, Any]:
        for text in response.iter_lines():
            event = self._client.parsed(text)
            name = event.pop("event", None)
            if name == "progress":
                bar.show(str(event.get("stage")), int(event.get("done", 0)), int(event.get("total", 0)))
            elif name == "book":
                return event
            elif name == "error":
                error = event.get("error") or {}
                raise Refused(400, str(error.get("code")), str(error.get("message")))
        raise NotCoursecast("The server ended its answer early; add the book again to go on")


class _Sent:
    """A file that shows how much of it was sent."""

    def __init__(self, file: Any, size: int, bar: Bar) -> None:
        self._file = file
        self._size = size
        self._bar = bar

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self._bar.show("sending", self._file.tell(), self._size)
        return data

    def seek(self, *where: int) -> int:
        return int(self._file.seek(*where))

    def tell(self) -> int:
        return int(self._file.tell())

    def fileno(self) -> int:
        return int(self._file.fileno())
