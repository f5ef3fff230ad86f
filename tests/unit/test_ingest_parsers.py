"""Each kind of file becomes the chapters that it has, with its names and places; each bad one an error."""

import io
import json
from pathlib import Path

import pytest

from pipeline.library.catalogue import shipped
from pipeline.library.ingest.errors import BY_CODE, BookError
from pipeline.library.ingest.extracting import extract
from pipeline.library.ingest.reading import Extract, Kind
from tests.bad_book_files import bad_files
from tests.book_files import (
    FHS_PDF,
    PROSE,
    SOUND,
    Line,
    chapter,
    epub,
    lines_of_text,
    needs_debian_books,
    page,
    pdf,
    real,
    small_epub,
)

BAD = bad_files()


def read(data: bytes, name: str = "book.epub") -> Extract:
    return extract(io.BytesIO(data), name, lambda _done, _all: None)


def titles(found: Extract) -> list[tuple[str, list[str]]]:
    return [(c.title, [s.title for s in c.sections]) for c in found.book.chapters]


# --- EPUB ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [2, 3])
def test_an_epub_has_the_chapters_of_its_table_of_contents(version: int) -> None:
    found = read(small_epub(version))
    assert found.kind is Kind.EPUB
    assert titles(found) == [
        ("Pilots", ["Currents", "Sandbanks"]),
        ("Tides", ["Tide tables", "Spring tides"]),  # named by headings alone
    ]
    first = found.book.chapters[0]
    assert (first.number, first.url) == (1, "OEBPS/c1.xhtml")
    assert [s.url for s in first.sections] == ["OEBPS/c1.xhtml#s1", "OEBPS/c1.xhtml#s2"]
    words = len(PROSE.split()) + 1
    assert [s.words for s in first.sections] == [words, words]
    assert first.words == 3 * words
    assert found.book.title == "Harbours of the World"
    assert found.book.authors == ("Ada Quay",)
    assert found.book.language == "en"
    assert found.book.licence == "unknown"
    assert found.book.subjects == ("shipping",)


def test_parts_are_opened_and_what_only_wraps_a_chapter_is_left_out() -> None:
    found = read(
        epub(
            {
                "p1.xhtml": page("<h1>Part One: Water</h1>"),
                "c1.xhtml": chapter("1. Pilots", "1.1 Currents", "1.2 Sandbanks"),
                "c2.xhtml": chapter("2. Tides", "2.1 Tables", "2.2 Springs"),
                "c3.xhtml": chapter("3. Wind", "3.1 Gusts", "3.2 Calms"),
            },
            [
                Line(
                    title="Part One: Water",
                    href="p1.xhtml",
                    below=(
                        Line(
                            title="Pilots",
                            href="c1.xhtml",
                            below=(Line(title="1. Pilots", href="c1.xhtml"),),
                        ),
                        Line(title="2. Tides", href="c2.xhtml"),
                    ),
                ),
                Line(title="Part Two: Air", below=(Line(title="3. Wind", href="c3.xhtml"),)),
            ],
        )
    )
    assert [c.title for c in found.book.chapters] == ["Pilots", "Tides", "Wind"]
    assert [c.number for c in found.book.chapters] == [1, 2, 3]


def test_without_a_table_of_contents_the_headings_are_it() -> None:
    assert [title for title, _ in titles(read(epub(SOUND)))] == ["Pilots", "Tides"]


def test_what_the_guide_calls_a_copyright_page_is_no_chapter() -> None:
    lines = [Line(title="Pilots", href="c1.xhtml"), Line(title="Tides", href="c2.xhtml")]
    rights = {"rights.xhtml": page(f"<h1>Who may copy</h1><p>{PROSE * 3}</p>")}
    found = read(epub({**SOUND, **rights}, lines, guide={"rights.xhtml": "copyright-page"}))
    assert found.book == read(epub(SOUND, lines)).book  # nor is it the end of the last one


def test_documents_without_any_headings_are_chapters() -> None:
    found = read(epub({"pilots.xhtml": page(f"<p>{PROSE}</p>"), "tides.xhtml": page(f"<p>{PROSE}</p>")}))
    assert [(c.title, c.url) for c in found.book.chapters] == [
        ("pilots", "OEBPS/pilots.xhtml"),
        ("tides", "OEBPS/tides.xhtml"),
    ]


def test_text_is_read_whatever_the_markup() -> None:
    body = (
        "<h1>Pilots</h1><p>A&nbsp;harbour caf&eacute; <b>br</b>oken <br/>at a tag. "
        f"{PROSE}</p><script>alert('no')</script><pre>code = 1</pre><p>Unclosed"
    )
    found = read(epub({"c1.xhtml": page(body), "c2.xhtml": SOUND["c2.xhtml"]}))
    (opening, _) = found.openings
    assert opening.startswith("A harbour café broken at a tag.")
    assert "alert" not in opening
    assert "code" not in opening
    assert found.book.chapters[0].words == len(opening.split()) + 3


# --- PDF ----------------------------------------------------------------------------------------------------


def test_a_pdf_has_the_chapters_of_its_outline() -> None:
    pages = [
        lines_of_text(40),
        [(11.0, "Pilots"), *lines_of_text(80, start=3)],
        [(11.0, "Tides"), *lines_of_text(60, start=5)],
    ]
    found = read(pdf(pages, [("Pilots", 1), ("Tides", 2)]), "harbour.pdf")
    assert found.kind is Kind.PDF
    assert [(c.title, c.url, c.words) for c in found.book.chapters] == [
        ("Pilots", "page=2", 80),
        ("Tides", "page=3", 60),
    ]


def test_a_pdf_without_an_outline_has_its_large_lines() -> None:
    def numbered(number: int, *lines: tuple[float, str]) -> list[tuple[float, str]]:
        return [(9.0, "Harbours of the World"), *lines, *lines_of_text(60, start=number), (9.0, f"{number}")]

    pages = [
        [(30.0, "Harbours of the World"), (14.0, "Ada Quay")],
        numbered(2, (22.0, "Chapter 1. Pilots"), (16.0, "1.1 Currents of"), (16.0, "the harbour")),
        numbered(3, (16.0, "1.2 Sandbanks")),
        numbered(4, (22.0, "Chapter 2. Tides"), (16.0, "2.1 Tables")),
        numbered(5, (16.0, "2.2 Springs")),
    ]
    found = read(pdf(pages), "harbour.pdf")
    assert found.book.title == "Harbours of the World"
    assert titles(found) == [
        ("Pilots", ["Currents of the harbour", "Sandbanks"]),
        ("Tides", ["Tables", "Springs"]),
    ]
    assert [c.words for c in found.book.chapters] == [120, 120]  # without heads and page numbers
    assert [s.url for s in found.book.chapters[0].sections] == ["page=2", "page=3"]


def test_a_pdf_without_any_headings_is_told_by_its_pages() -> None:
    found = read(pdf([lines_of_text(60, start=number) for number in range(12)]), "letters.pdf")
    assert [(c.title, c.url) for c in found.book.chapters] == [
        ("Pages 1 to 10", "page=1"),
        ("Pages 11 to 12", "page=11"),
    ]


@needs_debian_books
def test_a_real_pdf_without_an_outline_has_the_chapters_of_its_printed_contents() -> None:
    assert [c.title for c in read(real(FHS_PDF), "fhs.pdf").book.chapters] == [
        "Introduction",
        "The Filesystem",
        "The Root Filesystem",
        "The /usr Hierarchy",
        "The /var Hierarchy",
        "Operating System Specific Annex",
        "Appendix",
    ]


# --- Markdown and JSON --------------------------------------------------------------------------------------


def test_markdown_has_its_headings() -> None:
    text = f"""---
title: "Harbours"
author: Ada Quay
lang: en-GB
license: CC BY 4.0
---
# Pilots

{PROSE}

## Currents and `tides`

{PROSE} [A link](https://example.org) in it.

```python
# not a heading
```

Sandbanks
---------
{PROSE}

# Tides

{PROSE}

## Currents and `tides`
{PROSE}
"""
    found = read(text.encode(), "harbours.md")
    assert found.kind is Kind.MARKDOWN
    assert titles(found) == [
        ("Pilots", ["Currents and tides", "Sandbanks"]),
        ("Tides", ["Currents and tides"]),
    ]
    places = [s.url for c in found.book.chapters for s in c.sections]
    assert places == ["currents-and-tides", "sandbanks", "currents-and-tides-1"]
    book = found.book
    assert (book.title, book.authors, book.language, book.licence) == (
        "Harbours",
        ("Ada Quay",),
        "en-GB",
        "CC BY 4.0",
    )


def test_a_single_first_heading_is_the_title() -> None:
    found = read(f"# Harbours\n\nFew words.\n\n## Pilots\n\n{PROSE}\n\n## Tides\n\n{PROSE}".encode(), "x.md")
    assert found.book.title == "Harbours"
    assert [c.title for c in found.book.chapters] == ["Pilots", "Tides"]


def test_a_shipped_book_can_be_read_as_json() -> None:
    source = next(book for book in shipped() if book.book_id == "pro-git")
    found = read(source.text.encode(), "pro-git.json")
    facts = json.loads(source.text)
    assert found.kind is Kind.JSON
    assert found.book.book_id == "pro-git"
    assert [c.title for c in found.book.chapters] == [c["title"] for c in facts["chapters"]]
    assert [c.summary for c in found.book.chapters] == [c["summary"] for c in facts["chapters"]]


# --- what it is about ---------------------------------------------------------------------------------------


def test_summaries_are_sentences_of_the_text_and_concepts_are_its_words() -> None:
    found = read(small_epub())
    for one, opening in zip(found.book.chapters, found.openings, strict=True):
        assert one.summary
        for sentence in one.summary.split(". "):
            assert sentence.rstrip(".") in opening
        assert one.key_concepts
        assert all(concept.lower() in opening.lower() for concept in one.key_concepts)
    assert "pilot" in {c.lower() for c in found.book.chapters[0].key_concepts}


@pytest.mark.parametrize(
    ("text", "language"),
    [(PROSE, "en"), ("Der Lotse kennt jede Strömung und jede Sandbank des Hafens. " * 5, "und")],
)
def test_a_language_that_nobody_names_is_english_or_unknown(text: str, language: str) -> None:
    assert read(f"# Lotse\n\n{text}".encode(), "x.md").book.language == language


# --- bad files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_has_its_error(what: str) -> None:
    name, data, code = BAD[what]
    with pytest.raises(BookError) as caught:
        read(data, name)
    assert caught.value.code == code, caught.value
    assert caught.value.message.endswith(".")
    assert "Traceback" not in caught.value.message


def test_every_error_is_documented() -> None:
    told = (Path(__file__).parents[2] / "docs/own-books.md").read_text("utf-8")
    of_files = set(BY_CODE) - {"book_not_found", "shipped_book"}
    assert [code for code in sorted(of_files) if f"| `{code}` |" not in told] == []
    assert {code for _, _, code in BAD.values()} == of_files - {"file_too_large"}


def test_a_fonts_only_encryption_keeps_no_book_out() -> None:
    fonts = (
        b'<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/>'
        b"</EncryptedData></encryption>"
    )
    assert read(epub(SOUND, further={"META-INF/encryption.xml": fonts})).book.chapters
