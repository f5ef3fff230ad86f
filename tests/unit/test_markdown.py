"""A course as Markdown: read again by a Markdown parser, it says what the course says and nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from server import markdown
from server.plain import clean
from server.wire import FinishedCourse
from tests import sample_log

HOSTILE = [
    "# Heading",
    "C#",
    "Setext\n=====",
    "- item",
    "1. item",
    "12) item",
    "> quote",
    "```code```",
    "a | b",
    "| a |\n| - |",
    "<script>alert(1)</script>",
    "<!-- no -->",
    "![x](http://example.org/x.png)",
    "[x](javascript:alert(1))",
    "[x]: http://example.org",
    "<http://example.org>",
    "&lt;b&gt; &copy;",
    "*a* _b_ **c** ~~d~~ `e`",
    "back\\slash \\* \\",
    "- [ ] task",
    "---",
    "***",
    "\u202eright to left\u202c",
    "العربية: *מבוא*",
    "line\u2028separator\x00\x1b[31m",
]


def parsed(source: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)


def words(tokens: list[Token]) -> str:
    """The text of inline tokens that hold nothing but text."""
    (inline,) = [token for token in tokens if token.type == "inline"]
    assert {child.type for child in inline.children or ()} <= {"text"}, inline
    return "".join(child.content for child in inline.children or ())


def shows_exactly(value: str) -> None:
    shown = " ".join(clean(value).split())
    for before in ("", "- ", "> ", "## Part 1: "):
        tokens = parsed(f"{before}{markdown.text(value)}")
        if shown:
            assert words(tokens) == f"{before[3:]}{shown}" if before.startswith("##") else shown
            assert sum(token.nesting == 1 for token in tokens) == {"": 1, "- ": 3, "> ": 2}.get(before, 1)


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_text_is_only_text(value: str) -> None:
    shows_exactly(value)


@given(st.text(st.one_of(st.sampled_from("#*_-+=>|`~[]()<>!&:;.\\ \t\n1a"), st.characters()), max_size=40))
def test_any_text_is_only_text(value: str) -> None:
    shows_exactly(value)


def test_a_bare_address_is_no_link_for_github() -> None:
    assert markdown.text("see https://example.org or www.example.org, or me@example.org") == (
        "see https\\://example.org or www\\.example.org, or me\\@example.org"
    )


def a_course(**source: Any) -> FinishedCourse:
    final = sample_log.messages()
    parts = next(m for m in final if m["type"] == "outline_reviewed")["parts"]
    for part in parts:
        for section in part["sections"]:
            section["sources"][0] |= source
    return sample_log.finished("Discounted *cash* flow", parts)


def test_a_course_is_a_document_with_everything_to_study() -> None:
    text = markdown.document(a_course())
    tokens = parsed(text)
    headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "Discounted \\*cash\\* flow",
        "Part 1: Time value of money (60 min)",
        "1.1 Section 0.0 (30 min)",
        "1.2 Section 0.1 (30 min)",
        "Part 2: Cash flows (60 min)",
        "2.1 Section 1.0 (30 min)",
        "2.2 Section 1.1 (30 min)",
    ]
    assert "2 hours (120 min) · 2 parts · 4 sections · written by library on 2026-01-02" in text
    assert text.count("- Value a perpetuity.") == 4
    assert text.count("](https://example.org/principles-finance) · 6 min: It defines a perpetuity.") == 4
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("url", "href"),
    [
        ("https://example.org/a_(b)?c=1&d=2#e", "https://example.org/a_%28b%29?c=1&d=2#e"),
        ("https://example.org/%7Eé&copy;", "https://example.org/%7E%C3%A9&copy;"),
        ("http://example.org/ a<b>", "http://example.org/%20a%3Cb%3E"),
        ("javascript:alert(1)", None),
        ("", None),
    ],
)
def test_links_are_the_sources_own_and_only_on_the_web(url: str, href: str | None) -> None:
    inline = [t for t in parsed(markdown.document(a_course(url=url))) if t.type == "inline"]
    links = {child.attrs["href"] for t in inline for child in t.children or () if child.type == "link_open"}
    assert links == ({href} if href else set())


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Cash flow: a/b \\ c?", "Cash flow a b c.md"),
        ("../..", "course.md"),
        ("Введение в ИИ", "Введение в ИИ.md"),
        ("x" * 300, "x" * 80 + ".md"),
        ("a\r\nb", "a b.md"),
    ],
)
def test_a_title_names_a_file(title: str, name: str) -> None:
    assert markdown.file_name(title) == name
