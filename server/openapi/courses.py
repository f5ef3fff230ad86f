"""Routes that ask for courses, stop them and fetch them."""

from __future__ import annotations

from server.openapi.pieces import (
    COURSE,
    RETRY_AFTER,
    REVALIDATE,
    TEXT,
    UUID,
    Json,
    answer,
    error,
    header,
    json_of,
    operation,
    parameter,
    shared,
)

_CREATE = """\
Durable before it is answered: from then on the course is being written, whatever restarts. The body is read
as JSON whatever its content type.
"""
_DELETE = """\
One that is being written is cancelled first: its viewers get `course_failed` with `cancelled`, and `end`.
Deleted twice it is 404. Its idempotency key is forgotten: the same request sent again asks for a new course.
"""
_KEY = "Names this request for 24 h: with the same body you get the original answer, with another one 422."
_TOO_MANY = error("Too many courses of this caller are being written.", headers=RETRY_AFTER)
_LIMIT: Json = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}


def paths() -> Json:
    """Return the paths."""
    return {
        "/courses": {"post": _create(), "get": _list()},
        "/courses/{course_id}": {
            "parameters": [COURSE],
            "get": operation("getCourse", "courses", "Fetch the finished course", _finished()),
            "delete": _delete(),
        },
        "/courses/{course_id}.md": {"parameters": [COURSE], "get": _markdown()},
        "/course": {
            "get": operation(
                "getCourseByQuery",
                "courses",
                "The same, with the id in the query",
                shared("BadRequest") | _finished(),
                parameters=(parameter("query", "courseId", "A course.", UUID, required=True),),
            ),
        },
        "/courses/{course_id}/cancel": {"parameters": [COURSE], "post": _cancel()},
        "/courses/{course_id}/retry": {"parameters": [COURSE], "post": _retry()},
    }


def _create() -> Json:
    location = {"Location": header("Path of the course.")}
    return operation(
        "createCourse",
        "courses",
        "Ask for a course",
        {
            "202": answer("It is being written.", json_of("Accepted"), location),
            **shared("BadRequest", "Forbidden", "TooLarge"),
            "422": error("The idempotency key was used with another body."),
            "429": _TOO_MANY,
            **shared("Unavailable"),
        },
        description=_CREATE,
        parameters=(
            parameter("header", "Idempotency-Key", _KEY, {**TEXT, "minLength": 1, "maxLength": 255}),
        ),
        requestBody={"required": True, "content": json_of("CourseRequest")},
    )


def _list() -> Json:
    return operation(
        "listCourses",
        "courses",
        "List courses, newest first",
        {
            "200": answer("A page of courses.", json_of("CourseList"), REVALIDATE),
            **shared("BadRequest"),
            "403": error("Courses are listed only while the server listens on a loopback address."),
            **shared("Unavailable"),
        },
        parameters=(
            parameter("query", "limit", "Most courses.", _LIMIT),
            parameter("query", "cursor", "`next_cursor` of an earlier page.", TEXT),
        ),
    )


def _finished() -> Json:
    return {
        "200": answer("The course.", json_of("FinishedCourse"), REVALIDATE),
        **shared("NoSuchCourse"),
        "409": error("It is still being written, or it stopped.", schema="Unfinished"),
        **shared("Unavailable"),
    }


def _markdown() -> Json:
    content: Json = {"text/markdown": {"schema": TEXT}}
    name = header("`inline`, with the title as the name of a file.")
    found = answer("The course as Markdown.", content, REVALIDATE | {"Content-Disposition": name})
    return operation(
        "getCourseAsMarkdown",
        "courses",
        "The finished course as Markdown",
        _finished() | {"200": found},
        description="What models and books wrote is escaped: it is text, the links are the sources' own.",
    )


def _delete() -> Json:
    return operation(
        "deleteCourse",
        "courses",
        "Delete a course, whatever state it is in",
        {
            "204": answer("It is gone, with its log."),
            **shared("Forbidden", "NoSuchCourse", "Unavailable"),
        },
        description=_DELETE,
    )


def _cancel() -> Json:
    return operation(
        "cancelCourse",
        "courses",
        "Stop a course that is being written",
        {
            "200": answer("It is cancelled, now or before.", json_of("StatusView")),
            **shared("Forbidden", "NoSuchCourse"),
            "409": error("It is over already."),
            **shared("Unavailable"),
        },
    )


def _retry() -> Json:
    return operation(
        "retryCourse",
        "courses",
        "Let a stopped course go on where it stopped",
        {
            "202": answer("It is being written.", json_of("StatusView")),
            **shared("Forbidden", "NoSuchCourse"),
            "409": error("It is complete, or its failure is none that another try can cure."),
            "429": _TOO_MANY,
            **shared("Unavailable"),
        },
    )
