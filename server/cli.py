"""The command line: ``coursecast up`` runs a server, every other command talks to one.

Exit codes: 0 done; 1 no server, an error of the API, or a course that stopped; 2 used wrongly; 130 Ctrl-C.
"""

from __future__ import annotations

import math
import sys
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from pipeline.library.views import ShownBook
from pipeline.outline import Depth, Pace
from pipeline.settings import Settings, SettingsError
from server.client import ClientError
from server.commands import Session
from server.listing import book_lines, books_lines, courses_lines, hits_lines
from server.terminal import console, line, put
from server.wire import Books, CourseList, Hits

EXIT_STOPPED = 1
EXIT_USAGE = 2

app = typer.Typer(
    name="coursecast",
    help="Ask for a course and watch it being written from real books.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
library = typer.Typer(help="What the library holds.", no_args_is_help=True)
app.add_typer(library, name="books")

CourseId = Annotated[str, typer.Argument(metavar="ID", help="The course's id.", show_default=False)]
Url = Annotated[
    str | None,
    typer.Option(
        help="Address of the server.", show_default="http://127.0.0.1:8000, or as HOST and PORT say"
    ),
]
BookId = Annotated[str, typer.Argument(metavar="ID", help="The book's id.", show_default=False)]
Direct = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="Work on the database itself (DATABASE_URL, or the embedded one while nothing runs), "
        "not on a server.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON.")]


def main() -> None:
    """Run the command line; errors become a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no “ is no reason to stop
            stream.reconfigure(errors="replace")
    try:
        app()
    except SettingsError as error:
        _complain(error, EXIT_USAGE)
    except ClientError as error:
        _complain(error, EXIT_STOPPED)


def _complain(error: Exception, code: int) -> None:
    put(console(stderr=True), [line((sentence, "red")) for sentence in str(error).splitlines()])
    raise SystemExit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coursecast {metadata.version('coursecast')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Ask for a course and watch it being written from real books."""


@app.command()
def up() -> None:
    """Run a server here until Ctrl-C: web, worker, and Postgres and Redis where no URL names others.

    The environment configures it: HOST, PORT, DATABASE_URL, REDIS_URL, OPENAI_API_KEY, COURSECAST_….
    """
    from server.supervisor import run_up  # asyncpg and all that: the other commands start faster without

    raise typer.Exit(run_up(Settings.from_environment()))


# --- courses ---------------------------------------------------------------------------------------------


@app.command()
def create(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="What to learn, in a sentence.", show_default=False)
    ],
    hours: Annotated[float, typer.Option(help="Length of the course, 0.5 to 40.")] = 2.0,
    depth: Annotated[Depth | None, typer.Option(help="How deep it goes.")] = None,
    pace: Annotated[Pace | None, typer.Option(help="How fast it goes.")] = None,
    style: Annotated[str | None, typer.Option(help="How it should be presented, in your words.")] = None,
    notes: Annotated[str | None, typer.Option(help="Anything else worth knowing, in your words.")] = None,
    no_watch: Annotated[
        bool, typer.Option("--no-watch", help="Do not wait; print id and addresses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the finished course as JSON.")] = False,
    url: Url = None,
) -> None:
    """Ask for a course and watch it being written. Ctrl-C stops the watching, not the course."""
    if not math.isfinite(hours):
        raise typer.BadParameter("must be a number of hours.", param_hint="--hours")
    wishes = {"depth": depth, "pace": pace, "presentation_style": style, "additional_notes": notes}
    preferences = {name: value for name, value in wishes.items() if value is not None}
    with Session.open(url, as_json=as_json) as session:
        session.create({"query": query, "hours": hours, "preferences": preferences}, watch=not no_watch)


@app.command()
def watch(
    course_id: CourseId,
    after: Annotated[int, typer.Option(min=0, help="Go on after this event number.")] = 0,
    url: Url = None,
) -> None:
    """Watch a course from its beginning, or from where you were. Ctrl-C stops only the watching."""
    with Session.open(url) as session:
        session.follow(course_id, after)


@app.command()
def course(
    course_id: CourseId,
    as_json: AsJson = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print it as Markdown, to keep or to send.")
    ] = False,
    url: Url = None,
) -> None:
    """Show a finished course: its parts, its sections, and what to read for them."""
    if as_json and as_markdown:
        raise typer.BadParameter("is one way to print it, --json another.", param_hint="--markdown")
    with Session.open(url, as_json=as_json) as session:
        if as_markdown:
            session.show_markdown(course_id)
        else:
            session.show_course(course_id)


@app.command()
def delete(course_id: CourseId, url: Url = None) -> None:
    """Delete a course, for good; one that is being written is cancelled first."""
    with Session.open(url) as session:
        session.delete(course_id)


@app.command()
def cancel(course_id: CourseId, url: Url = None) -> None:
    """Stop a course that is being written; `coursecast retry` lets it go on."""
    with Session.open(url) as session:
        session.change(course_id, "cancel", "Cancelled. To go on:", "retry")


@app.command()
def retry(course_id: CourseId, url: Url = None) -> None:
    """Let a failed or cancelled course go on where it stopped."""
    with Session.open(url) as session:
        session.change(course_id, "retry", "It is being written. To watch:", "watch")


@app.command("list")
def list_courses(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most courses to show.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="Go on after an earlier list.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """List courses, newest first."""
    after = {} if cursor is None else {"cursor": cursor}
    with Session.open(url, as_json=as_json) as session:
        found = session.show("/courses", CourseList, lambda c: courses_lines(c.courses), limit=limit, **after)
        if found is not None and found.next_cursor:
            session.hint("More:", "list", "--cursor", found.next_cursor)


# --- books -----------------------------------------------------------------------------------------------


@library.command("list")
def list_books(as_json: AsJson = False, url: Url = None) -> None:
    """List all books with their ids and addresses."""
    with Session.open(url, as_json=as_json) as session:
        session.show("/books", Books, books_lines)


@library.command("show")
def show_book(
    book_id: BookId,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Show one book with its chapters."""
    with Session.open(url, as_json=as_json) as session:
        session.show(session.path("books", book_id), ShownBook, book_lines)


@library.command("search")
def search_books(
    question: Annotated[str, typer.Argument(metavar="Q", help="What it is about.", show_default=False)],
    subject: Annotated[str | None, typer.Option(help="Only books on this subject.")] = None,
    level: Annotated[str | None, typer.Option(help="introductory, intermediate or advanced.")] = None,
    language: Annotated[str | None, typer.Option(help="Only books in this language: en, de, pt-BR …")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Only books under this licence, or one that begins so: CC BY.")
    ] = None,
    own: Annotated[
        bool | None,
        typer.Option("--own/--shipped", help="Only books of your own, or only the shipped ones."),
    ] = None,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Find the chapters about a question, best first."""
    asked = {"subject": subject, "level": level, "language": language, "licence": licence}
    filters = {name: text for name, text in asked.items() if text is not None}
    if own is not None:
        filters["own"] = str(own).lower()
    with Session.open(url, as_json=as_json) as session:
        session.show("/books/search", Hits, hits_lines, q=question, **filters)


@library.command("add")
def add_book(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…|DIR",
            exists=True,
            readable=True,
            help="EPUB, PDF, Markdown or an exported book; of a folder, all of these in it.",
            show_default=False,
        ),
    ],
    title: Annotated[
        str | None, typer.Option(help="Its title, where the file has none or a bad one.")
    ] = None,
    book_url: Annotated[
        str | None, typer.Option(help="Where it can be read; else sources name the file.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Its licence.")] = None,
    language: Annotated[str | None, typer.Option(help="Its language: en, de, pt-BR …")] = None,
    level: Annotated[str | None, typer.Option(help="introductory, intermediate or advanced.")] = None,
    subjects: Annotated[
        list[str] | None, typer.Option("--subject", help="A subject; may be repeated.")
    ] = None,
    direct: Direct = False,
    as_json: AsJson = False,
    url: Url = None,
) -> None:
    """Add books of your own. The same file again is the same book; what was cut short goes on."""
    from server.book_commands import ServerAdder, add_books

    said = {
        "title": title,
        "url": book_url,
        "licence": licence,
        "language": language,
        "level": level,
        "subjects": subjects or None,
    }
    fields = {name: value for name, value in said.items() if value is not None}
    if direct:
        from server.direct_books import run_add

        raise typer.Exit(run_add(Settings.from_environment(), paths, fields, as_json=as_json))
    with ServerAdder.open(url) as adder:
        raise typer.Exit(add_books(adder, paths, fields, as_json=as_json))


@library.command("remove")
def remove_book(book_id: BookId, direct: Direct = False, url: Url = None) -> None:
    """Remove a book of your own. Courses that cite it stay as they are."""
    if direct:
        from server.direct_books import run_remove

        raise typer.Exit(run_remove(Settings.from_environment(), book_id))
    with Session.open(url) as session:
        session.remove_book(book_id)


@library.command("export")
def export_book(
    book_id: BookId,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; else stdout.", dir_okay=False)
    ] = None,
    url: Url = None,
) -> None:
    """Print a book as JSON that `books add` takes back: all that is known of it, not its text."""
    with Session.open(url) as session:
        session.export_book(book_id, to)


@library.command("embed")
def embed_books() -> None:
    """Give every chapter and section its vector of the configured embedder; goes on where it was cut short.

    Works on the database itself (DATABASE_URL, or the embedded one while nothing runs), not on a server.
    """
    from server.embedding import run_embed  # asyncpg and all that: the other commands start faster without

    raise typer.Exit(run_embed(Settings.from_environment()))


if __name__ == "__main__":
    main()
