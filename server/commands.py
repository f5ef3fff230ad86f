"""What the commands do once their arguments are understood: one server, one place to print to."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from rich.text import Text

from pipeline.outline import Value
from pipeline.settings import Settings
from server.client import Client, ClientError, NotCoursecast
from server.listing import course_lines
from server.plain import clean
from server.story import Board
from server.terminal import console, line, put
from server.watch import End, Watch
from server.wire import FinishedCourse

EXIT_STOPPED = 1
EXIT_INTERRUPTED = 130
ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

S = TypeVar("S", bound=Value)


class Session:
    """One run of a command against a server.

    Args:
        client: the server.
        url: its address as the person gave it, for the commands that hints name.
        as_json: print JSON instead of lines.
    """

    def __init__(self, client: Client, url: str | None, *, as_json: bool) -> None:
        self._client = client
        self._url = url
        self._as_json = as_json
        self._out = console()

    @classmethod
    @contextmanager
    def open(cls, url: str | None, *, as_json: bool = False) -> Iterator[Session]:
        """Open a session and close it afterwards.

        Args:
            url: address of the server; None: the one that ``coursecast up`` would use here.
            as_json: print JSON instead of lines.

        Raises:
            ClientError: the address is none.
            SettingsError: a variable has an unusable value.
        """
        with Client(url or local_url(Settings.from_environment())) as client:
            yield cls(client, url, as_json=as_json)

    def create(self, brief: Mapping[str, Any], *, watch: bool) -> None:
        """Ask for a course; watch it, or say where it can be watched."""
        accepted = self._client.create(brief)
        course_id = str(accepted.get("course_id"))
        if watch:
            self.follow(course_id)
        elif self._as_json:
            print_json(accepted)
        else:
            addresses = [accepted.get(name) for name in ("status_url", "events_url", "websocket_url")]
            put(self._out, [line((course_id, "bold"))])
            put(self._out, [line(self._client.url, str(path), indent=2) for path in addresses])

    def follow(self, course_id: str, after: int = 0) -> None:
        """Watch a course to its end, then show it; exit 1 where it stopped."""
        out = console(stderr=True, quiet=not sys.stderr.isatty()) if self._as_json else self._out
        watch = Watch(self._client, course_id, after)
        end: End | None = None
        try:
            with Board(out) as board:
                for seen in watch:
                    board.show(seen)
                    if isinstance(seen, End):
                        end = seen
        except KeyboardInterrupt:
            put(console(stderr=True), [line("You stopped watching; the course is still being written.")])
            self.hint("To go on watching:", "watch", course_id, "--after", str(watch.cursor), stderr=True)
            raise SystemExit(EXIT_INTERRUPTED) from None
        if end is None or end.status != "complete":
            self._explain_stop(course_id)
            raise SystemExit(EXIT_STOPPED)
        if not self._as_json:
            put(self._out, [Text()])
        self.show_course(course_id)

    def _explain_stop(self, course_id: str) -> None:
        view = self._client.get(self.path("courses", course_id, "status"))
        to = console(stderr=True)
        put(to, [line((str(view.get("error", "The course stopped.")), "red"))])
        if view.get("retryable"):
            self.hint("To try again:", "retry", course_id, stderr=True)

    def show_course(self, course_id: str) -> None:
        """Show a finished course."""
        self.show(self.path("courses", course_id), FinishedCourse, course_lines)

    def show_markdown(self, course_id: str) -> None:
        """Print a finished course as Markdown."""
        markdown = self._client.text(self.path("courses", f"{course_id}.md"))
        sys.stdout.write("\n".join(map(clean, markdown.split("\n"))))

    def delete(self, course_id: str) -> None:
        """Delete a course."""
        self._client.delete(self.path("courses", course_id))
        put(self._out, [line("Deleted.")])

    def remove_book(self, book_id: str) -> None:
        """Remove a book of the operator's own."""
        self._client.delete(self.path("books", book_id))
        put(self._out, [line("Removed.")])

    def export_book(self, book_id: str, to: Path | None) -> None:
        """Write a book as JSON that can be added again, to stdout where no file is named."""
        book = self._client.get(self.path("books", book_id))
        if to is None:
            print_json(book)
            return
        try:
            to.write_text(json.dumps(book, ensure_ascii=False, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise ClientError(f"{to} cannot be written: {error.strerror}") from error
        put(self._out, [line(f"Written: {to}")])

    def change(self, course_id: str, verb: str, done: str, then: str) -> None:
        """Cancel or retry a course, and say what can be done next."""
        self._client.post(self.path("courses", course_id, verb))
        self.hint(done, then, course_id)

    def show(
        self, path: str, shape: type[S], lines: Callable[[S], Iterable[Text]], **params: str | int
    ) -> S | None:
        """Show what a GET answers, as lines or as the JSON it is; return it where it was read.

        Args:
            path: what to get.
            shape: how it is read.
            lines: how it is told.
            params: the query string.
        """
        answer = self._client.get(path, **params)
        if self._as_json:
            print_json(answer)
            return None
        try:
            found = shape.model_validate(answer)
        except ValidationError as error:
            raise NotCoursecast(
                f"The answer of {self._client.url} is not understood; its version may be another. Try --json."
            ) from error
        put(self._out, lines(found))
        return found

    def hint(self, sentence: str, *words: str, stderr: bool = False) -> None:
        """Say which command comes next."""
        words = ("coursecast", *words, *(("--url", self._url) if self._url else ()))
        text = line(sentence, " ", (shlex.join(words), "bold"))
        text.no_wrap = True  # to be copied whole
        put(console(stderr=stderr), [text])

    @staticmethod
    def path(*segments: str) -> str:
        """Return a path of segments, whatever is in them."""
        return "/" + "/".join(quote(segment, safe="") for segment in segments)


def local_url(settings: Settings) -> str:
    """Return where a server with these settings answers on this machine."""
    host = ANY_ADDRESS.get(settings.host, settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def print_json(value: Mapping[str, Any]) -> None:
    """Print JSON to stdout; the control characters that it allows are escaped too, to steer no terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    escaped = re.sub(
        r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text
    )
    sys.stdout.write(escaped + "\n")
