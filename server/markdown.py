"""A finished course as Markdown (CommonMark; what GitHub adds to it is disarmed too).

Whatever models and books wrote is text here: no character of it can become a heading, a link, an image or
HTML. The only links are the sources' own, and only to http and https.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from pipeline.outline import Section, Source
from server.plain import clean, counted, in_hours
from server.wire import FinishedCourse

MAX_NAME_CHARACTERS = 80

_SIGNS = re.compile(r"[\\`*_{}\[\]<>#|~$&@^]")
_BARE_LINK = re.compile(r"(?<=[A-Za-z])://|(?<=www)\.", re.IGNORECASE)
"""GitHub makes a link of a bare address."""
_BLOCK = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")
"""What begins a list at the start of a line, or underlines a heading."""


def document(finished: FinishedCourse) -> str:
    """Return the course as one Markdown document, ending in a newline."""
    return "\n\n".join(_blocks(finished)) + "\n"


def file_name(title: str) -> str:
    """Return the name of a file for a course: its title without what file systems forbid."""
    kept = _one_line(re.sub(r'[/\\:*?"<>|]+', " ", title))
    return (kept[:MAX_NAME_CHARACTERS].strip(" .") or "course") + ".md"


def text(value: str) -> str:
    """Return `value` as one line of Markdown that shows exactly it."""
    escaped = _SIGNS.sub(r"\\\g<0>", _one_line(value))
    escaped = _BARE_LINK.sub(r"\\\g<0>", escaped)
    found = _BLOCK.match(escaped)
    if found is None:
        return escaped
    # A digit cannot be escaped, the sign after it can.
    return found[0] + "\\" + escaped[found.end() :] if found[0].isdigit() else "\\" + escaped


def _one_line(value: str) -> str:
    return " ".join(clean(value).split())


def _blocks(finished: FinishedCourse) -> Iterator[str]:
    course = finished.course
    minutes = sum(part.estimated_minutes for part in finished.parts)
    yield f"# {text(course.title)}"
    yield (
        f"{in_hours(course.estimated_hours)} ({minutes} min) · {counted(len(finished.parts), 'part')} · "
        f"{counted(len(finished.sections), 'section')} · written by {text(course.author)} "
        f"on {course.created_at[:10]}"
    )
    yield f"> {text(course.original_query)}"
    for part in finished.parts:
        yield f"## Part {part.part_index + 1}: {text(part.title)} ({part.estimated_minutes} min)"
        if part.why.strip():
            yield text(part.why)
        for section in part.sections:
            yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    number = f"{section.part_index + 1}.{section.order_index + 1}"
    yield f"### {number} {text(section.title)} ({section.estimated_minutes} min)"
    if section.content_summary.strip():
        yield text(section.content_summary)
    if section.learning_objectives:
        yield "**What you will be able to do**"
        yield _list(map(text, section.learning_objectives))
    if section.prerequisites:
        yield "**Know before**"
        yield _list(map(text, section.prerequisites))
    if section.sources:
        yield "**Read**"
        yield _list(map(_source, section.sources))


def _list(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _source(source: Source) -> str:
    place = f"{source.book_title}, chapter {source.chapter_number}: {source.chapter_title}"
    if source.section_title:
        place += f", {source.section_title}"
    shown = text(place)
    if re.match(r"https?://", source.url, re.IGNORECASE):
        shown = f"[{shown}]({_address(source.url)})"
    elif source.url:
        shown += f" ({text(source.url)})"  # a place in a file of the operator's own
    why = f": {text(source.why)}" if source.why.strip() else ""
    return f"{shown} · {source.minutes} min{why}"


def _address(url: str) -> str:
    """Return a link's destination: nothing in it can end it, or is an entity."""
    return quote(_one_line(url), safe="/:?#@!$+,;=%~&[]'-._").replace("&", "&amp;")
