"""Routes that change the library: add a book of your own, remove one."""

from __future__ import annotations

from pipeline.library.filters import LEVELS
from server.openapi.pieces import (
    RETRY_AFTER,
    TEXT,
    Json,
    answer,
    error,
    header,
    json_of,
    operation,
    ref,
    shared,
)

_ADD = """\
A multipart form with the book as `file`: EPUB 2 or 3, PDF, Markdown, or JSON as `GET /books/{book_id}`
answers it.

The same file again is the same book: 200 instead of 201, and the same id. What was cut short goes on where it
was. A search finds the book once it is whole. A file that cannot be read leaves nothing behind, and
`error.code` says why: `empty_file`, `unsupported_file`, `broken_file`, `encrypted_file`, `unsafe_file`,
`no_text`, `no_chapters`, `reading_limit`.

With `Accept: text/event-stream` or `application/x-ndjson` the answer is a stream once the file has arrived:
`progress` (`BookProgress`) any number of times, `ping` every 15 s where nothing moves, then `book`
(`AddedBook`) or `error` (`Error`). As NDJSON, each line is one of these objects with its name as `event`.
"""
_FIELDS: Json = {
    "file": {"type": "string", "contentMediaType": "application/octet-stream"},
    "title": {**TEXT, "description": "Its title, where the file has none or a bad one.", "maxLength": 500},
    "url": {**TEXT, "description": "Where it can be read; else sources name the file.", "maxLength": 2_000},
    "licence": {**TEXT, "description": "Its licence; else `unknown`.", "maxLength": 500},
    "language": {**TEXT, "description": "Its language, as BCP 47 names it."},
    "level": {**TEXT, "enum": list(LEVELS)},
    "subjects": {
        "type": "array",
        "items": TEXT,
        "description": "Repeated, or separated by commas.",
        "maxItems": 20,
    },
}
_REFUSED = error(
    "Not from another site's page; and only on the server's own machine, while it listens on loopback."
)


def add_book() -> Json:
    """Return ``POST /books``."""
    events = {
        "progress": ref("BookProgress"),
        "ping": {"type": "object"},
        "book": ref("AddedBook"),
        "error": ref("Error"),
    }
    streams = {
        kind: {"schema": TEXT, "x-events": events} for kind in ("text/event-stream", "application/x-ndjson")
    }
    form: Json = {
        "type": "object",
        "properties": _FIELDS,
        "required": ["file"],
        "additionalProperties": False,
    }
    return operation(
        "addBook",
        "library",
        "Add a book of your own",
        {
            "200": answer("It was there already; or the stream.", {**json_of("AddedBook"), **streams}),
            "201": answer("Added.", json_of("AddedBook"), {"Location": header("Path of the book.")}),
            "400": error("Not a form, or no book that can be read; `field` names what is wrong."),
            "403": _REFUSED,
            "413": error("The file is larger than `COURSECAST_MAX_BOOK_BYTES`."),
            "429": error("Too many books are being added at once.", headers=RETRY_AFTER),
            **shared("Unavailable"),
        },
        description=_ADD,
        requestBody={"required": True, "content": {"multipart/form-data": {"schema": form}}},
    )


def remove_book() -> Json:
    """Return ``DELETE /books/{book_id}``."""
    return operation(
        "removeBook",
        "library",
        "Remove a book of your own",
        {
            "204": answer("It is gone. Courses that cite it stay as they are."),
            "403": _REFUSED,
            "409": error("The book is shipped with Coursecast and stays."),
            **shared("NoSuchBook", "Unavailable"),
        },
    )
