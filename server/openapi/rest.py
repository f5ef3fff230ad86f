"""Routes of the library, of operations, and of the pages."""

from __future__ import annotations

from pipeline.library.filters import LEVELS
from server.openapi import own_books
from server.openapi.pieces import (
    ETAG,
    TEXT,
    Json,
    answer,
    error,
    json_of,
    operation,
    parameter,
    shared,
)

_PLAIN: Json = {"text/plain": {"schema": TEXT}}
_OBJECT: Json = {"application/json": {"schema": {"type": "object"}}}
_READY = "Whether Postgres answers, the schema is there and the catalogue is loaded"

_FILTERS = (
    parameter("query", "subject", "Only books with this subject, in any case.", {**TEXT, "maxLength": 100}),
    parameter("query", "level", "Only books of this level.", {**TEXT, "enum": list(LEVELS)}),
    parameter("query", "language", "Only books in this language: a tag; `en` stands for `en-GB` too.", TEXT),
    parameter(
        "query",
        "licence",
        "Only books under this licence, or one that begins with it in whole words: `CC BY` stands for "
        "`CC BY 4.0`, not for `CC BY-SA 4.0`.",
        {**TEXT, "maxLength": 100},
    ),
    parameter(
        "query",
        "own",
        "`true`: only what the operator added. `false`: only shipped books.",
        {"type": "boolean"},
    ),
)


def library() -> Json:
    """Return the paths of the library."""
    question = parameter("query", "q", "The question.", {**TEXT, "maxLength": 2_000}, required=True)
    return {
        "/books": _get(
            "listBooks",
            "library",
            "All books",
            {"200": answer("The books.", json_of("Books"))},
            "Unavailable",
        )
        | {"post": own_books.add_book()},
        "/books/search": _get(
            "searchBooks",
            "library",
            "Chapters about a question, best first",
            {"200": answer("The chapters.", json_of("Hits"))},
            *("BadRequest", "Unavailable"),
            parameters=(question, *_FILTERS),
        ),
        "/books/{book_id}": _get(
            "getBook",
            "library",
            "One book with its chapters",
            {"200": answer("The book.", json_of("ShownBook"))},
            *("NoSuchBook", "Unavailable"),
        )
        | {
            "parameters": [parameter("path", "book_id", "A book.", TEXT)],
            "delete": own_books.remove_book(),
        },
    }


def operations() -> Json:
    """Return the paths for those who run the server."""
    ready = {
        "200": answer("It is; `degraded` names what is away without harm.", json_of("Readiness")),
        "503": answer("It is not; `missing` says why.", json_of("Readiness")),
    }
    health = {"200": answer("It does.", json_of("Health"))}
    return {
        "/healthz": _get("getLiveness", "operations", "Whether this process answers", health),
        "/readyz": _get("getReadiness", "operations", _READY, ready),
        "/metrics": _get(
            *("getMetrics", "operations", "Gauges for Prometheus"),
            {"200": answer("Prometheus text format.", _PLAIN)},
            "Unavailable",
        ),
        "/openapi.json": _get(
            *("getOpenApi", "operations", "The OpenAPI document"), {"200": answer("OpenAPI 3.1.", _OBJECT)}
        ),
    }


def pages() -> Json:
    """Return the paths that a browser opens."""
    course = parameter("path", "course_id", "A course.", TEXT)
    file = parameter("path", "name", "A file.", TEXT)
    page = _file("The page.", "text/html")
    found = _file("The file.", "*/*") | {"404": error("There is no such file.")}
    return {
        "/": _get("getPage", "pages", "The page", page),
        "/c/{course_id}": _get(
            "getCoursePage", "pages", "The page on one course", page, parameters=(course,)
        ),
        "/docs": _get("getDocs", "pages", "The API reference as a page", page),
        "/static/{name}": _get("getFile", "pages", "A file of the pages", found, parameters=(file,)),
    }


def _file(description: str, media_type: str) -> Json:
    return {
        "200": answer(description, {media_type: {"schema": TEXT}}, ETAG),
        "304": answer("As your `If-None-Match` has it."),
    }


def _get(
    operation_id: str,
    tag: str,
    summary: str,
    responses: Json,
    *errors: str,
    parameters: tuple[Json, ...] = (),
) -> Json:
    answers = responses | shared(*errors)
    return {"get": operation(operation_id, tag, summary, answers, parameters=parameters)}
