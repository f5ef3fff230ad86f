"""What is there, for a person to read: a finished course, the list of courses, the books."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from pipeline.library.views import ListedBook, ShownBook
from pipeline.outline import Source
from server.plain import counted, in_hours
from server.terminal import line, section_line
from server.wire import Books, FinishedCourse, Hits, ListedCourse


def course_lines(finished: FinishedCourse) -> Iterable[Text]:
    """Yield a finished course: its parts, their sections, what to read and where."""
    course = finished.course
    minutes = sum(part.estimated_minutes for part in finished.parts)
    yield line((course.title, "bold"))
    yield line(
        f"{in_hours(course.estimated_hours)} ({minutes} min) · {counted(len(finished.parts), 'part')} · "
        f"{counted(len(finished.sections), 'section')} · written by {course.author}"
    )
    for part in finished.parts:
        yield Text()
        yield line(f"Part {part.part_index + 1} ", (part.title, "bold"), f" · {part.estimated_minutes} min")
        yield line((part.why, "dim"), indent=2)
        for section in part.sections:
            yield section_line(section)
            yield line((section.content_summary, "dim"), indent=6)
            for source in section.sources:
                yield from _source_lines(source)


def _source_lines(source: Source) -> Iterable[Text]:
    place = f"{source.chapter_number} {source.chapter_title}"
    if source.section_title:
        place += f", {source.section_title}"
    yield line("- ", (source.book_title, "italic"), f", {place} · {source.minutes} min", indent=6)
    address = line((source.url, "underline"), indent=8)
    address.no_wrap = True  # a broken address cannot be opened
    yield address


def courses_lines(courses: Iterable[ListedCourse]) -> Iterable[Text]:
    """Yield one line a course."""
    for course in courses:
        percent = f"{course.progress.percent} %"
        state = {"complete": "ready", "error": "stopped"}.get(course.status, percent)
        day, minute = course.created_at[:10], course.created_at[11:16]
        title = (course.title or course.query, "bold")
        yield line(f"{course.course_id}  {state:>7}  {day} {minute}  ", title, f" · {in_hours(course.hours)}")


def books_lines(books: Books) -> Iterable[Text]:
    """Yield two lines a book."""
    for book in books.books:
        yield line((book.title, "bold"), f" · {counted(book.chapters_count, 'chapter')} · {book.licence}")
        yield line((f"{book.book_id}  {book.url}", "dim"), indent=2)


def book_lines(book: ShownBook) -> Iterable[Text]:
    """Yield a book and its chapters."""
    yield from _facts(book)
    for chapter in book.chapters:
        yield line(f"{chapter.number:>3}  ", (chapter.title, "bold"), f" · {chapter.minutes} min")
        if chapter.summary:
            yield line((chapter.summary, "dim"), indent=5)


def _facts(book: ListedBook) -> Iterable[Text]:
    yield line((book.title, "bold"))
    yield line(", ".join(book.authors) or "no named author", f" · {book.licence}")
    yield line((book.url, "underline"))
    yield Text()


def hits_lines(hits: Hits) -> Iterable[Text]:
    """Yield the chapters that answer a search, best first, or why there are none."""
    if not hits.results:
        yield line(hits.message or "The library has no chapter about this.")
    for hit in hits.results:
        chapter = f": {hit.chapter_number} {hit.chapter_title}"
        yield line(f"{hit.score:.2f}  ", (hit.book_title, "italic"), chapter)
        yield line((hit.url, "dim"), indent=6)
