"""Books that no one here made have the chapters of their own tables of contents, read here in another way."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pypdfium2
import pytest

from pipeline.library.ingest.extracting import extract
from pipeline.library.ingest.reading import ReadBook
from tests.book_files import (
    LIVE_EPUB,
    MAINT_PDF,
    POLICY_EPUB,
    POLICY_PDF,
    REFERENCE_EPUB,
    REFERENCE_PDF,
    needs_debian_books,
    real,
)

pytestmark = needs_debian_books
XHTML = "{http://www.w3.org/1999/xhtml}"
NCX = "{http://www.daisy.org/z3986/2005/ncx/}"
NO_CHAPTERS = {"License", "Index"}
Contents = list[tuple[str, list[str]]]


def text(element: ET.Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def nav_of(path: Path) -> Contents:
    """The navigation document's two upper levels."""
    with zipfile.ZipFile(path) as archive:
        root = ET.fromstring(archive.read("nav.xhtml"))
    top = root.find(f".//{XHTML}nav/{XHTML}ol")
    assert top is not None
    return [
        (text(item.find(f"{XHTML}a")), [text(a) for a in item.findall(f"{XHTML}ol/{XHTML}li/{XHTML}a")])
        for item in top
    ][1:]  # the first is the title page


def numbered_of(path: Path) -> Contents:
    """The NCX's numbered lines: `1. About`, and below it `1.1 Terms`."""
    with zipfile.ZipFile(path) as archive:
        root = ET.fromstring(archive.read("OEBPS/toc.ncx"))

    def points() -> Iterator[tuple[str, list[str]]]:
        for point in root.iter(f"{NCX}navPoint"):
            label = text(point.find(f"{NCX}navLabel"))
            if re.match(r"\d+\. ", label) and "index.xhtml" not in point.find(f"{NCX}content").attrib["src"]:  # type: ignore[union-attr]
                below = [text(p.find(f"{NCX}navLabel")) for p in point.findall(f"{NCX}navPoint")]
                yield label, below

    return [(plain(title), [plain(section) for section in below]) for title, below in points()]


def plain(title: str) -> str:
    return re.sub(r"^[\d.]+ ", "", title)


def outline_of(path: Path) -> Contents:
    """The outline's two upper levels."""
    found: Contents = []
    document = pypdfium2.PdfDocument(real(path))
    for mark in document.get_toc():
        if mark.level == 0:
            found.append((mark.get_title(), []))
        elif mark.level == 1:
            found[-1][1].append(mark.get_title())
    document.close()
    return found


def read(path: Path) -> ReadBook:
    name = path.name.removesuffix(".gz")
    return extract(io.BytesIO(real(path)), name, lambda _done, _all: None).book


@pytest.mark.parametrize(
    ("path", "contents", "title", "words"),
    [
        (POLICY_EPUB, nav_of, "Debian Policy Manual", 60_000),
        (POLICY_PDF, outline_of, "Debian Policy Manual", 60_000),
        (REFERENCE_EPUB, nav_of, "Debian Developer's Reference", 40_000),
        (REFERENCE_PDF, outline_of, "Debian Developer's Reference", 40_000),
        (LIVE_EPUB, numbered_of, "Live Systems Manual", 20_000),
        (MAINT_PDF, outline_of, "Debian New Maintainers' Guide", 20_000),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_a_real_book_has_the_chapters_of_its_table_of_contents(
    path: Path, contents: Callable[[Path], Contents], title: str, words: int
) -> None:
    book = read(path)
    own = [line for line in contents(path) if line[0] not in NO_CHAPTERS]
    assert len(own) > 8
    assert [chapter.title for chapter in book.chapters] == [title for title, _ in own]
    assert [chapter.number for chapter in book.chapters] == list(range(1, len(own) + 1))
    assert book.title == title
    assert book.language == "en"
    assert sum(chapter.words for chapter in book.chapters) > words
    for chapter, (_, sections) in zip(book.chapters, own, strict=True):
        told = [section.title for section in chapter.sections]
        # A heading without a word below it is nothing to read; a table of contents may stop at chapters.
        assert set(told) <= set(sections) or not sections
        assert len(told) >= 0.9 * len(sections)
        assert sum(section.words for section in chapter.sections) <= chapter.words
        assert all(section.words and section.url for section in chapter.sections)
    assert all(chapter.key_concepts for chapter in book.chapters if chapter.words > 500)
    assert all(chapter.summary for chapter in book.chapters if chapter.words > 500)


def test_the_same_book_as_epub_and_as_pdf_reads_alike() -> None:
    epub, pdf = read(POLICY_EPUB), read(POLICY_PDF)
    assert [c.title for c in epub.chapters] == [c.title for c in pdf.chapters]
    for one, other in zip(epub.chapters, pdf.chapters, strict=True):
        if one.words > 500:  # tables and drawings are told apart by their words only in a PDF
            assert other.words == pytest.approx(one.words, rel=0.15)
        shared = [s for s in one.sections if s.title in {o.title for o in other.sections}]
        assert len(shared) >= 0.9 * len(one.sections)
