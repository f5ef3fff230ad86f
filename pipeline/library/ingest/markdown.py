"""Markdown → headings with text. CommonMark, with tables; raw HTML is left out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import BinaryIO

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.library.ingest.errors import BrokenFile, ReadingLimit
from pipeline.library.ingest.reading import Reading
from pipeline.library.ingest.stream import Mark, Stream

MAX_BYTES = 8 * 1024 * 1024
"""Over a million words; reading them takes seconds."""
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FACT = re.compile(r"^(title|author|lang|language|licen[cs]e):[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.MULTILINE)


def read_markdown(file: BinaryIO, name: str) -> Reading:
    """Read Markdown; where it has no title of its own, `name` without its ending is the title.

    Raises:
        BrokenFile: it is not UTF-8.
        ReadingLimit: it is longer than a book.
    """
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ReadingLimit(f"The Markdown has more than {MAX_BYTES:,} bytes, which no book has.")
    text = utf8(data)
    facts: dict[str, str] = {}
    if front := _FRONT_MATTER.match(text):
        facts = {key: value for key, value in _FACT.findall(front[1]) if value}
        text = text[front.end() :]
    stream = _stream(MarkdownIt("commonmark", {"html": False}).enable("table").parse(text))
    return Reading(
        title=facts.get("title", ""),
        authors=(facts["author"],) if "author" in facts else (),
        language=facts.get("lang", facts.get("language", "")),
        licence=facts.get("licence", facts.get("license", "")),
        headings=stream.headings(stream.marks or [_whole(name)]),
    )


def utf8(data: bytes) -> str:
    """Return text as it is meant.

    Raises:
        BrokenFile: it is not UTF-8, or no text at all.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenFile(f"The file is not UTF-8 text (byte {error.start + 1:,} is none of it).") from error
    if "\x00" in text:
        raise BrokenFile("The file is no text: it has NUL characters.")
    return text.replace("\r\n", "\n")


def _whole(name: str) -> Mark:
    return Mark(at=0, level=0, title=PurePath(name).stem or "Text", place="")


def _stream(tokens: list[Token]) -> Stream:
    stream = Stream()
    slugs: Counter[str] = Counter()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            title = _plain(tokens[index + 1])
            if title:
                mark = Mark(
                    at=len(stream.blocks),
                    level=int(token.tag[1:]),
                    title=title[:500],
                    place=_slug(title, slugs),
                )
                stream.marks.append(mark)
        elif token.type == "inline":
            heading = tokens[index - 1].type == "heading_open"
            stream.add("heading" if heading else "prose", _plain(token))
        elif token.type in ("fence", "code_block"):
            stream.add("code", token.content)
    return stream


def _plain(token: Token) -> str:
    """Return the text of an inline token: what is seen, without marks and addresses."""
    words = (
        " " if child.type in ("softbreak", "hardbreak") else child.content
        for child in token.children or ()
        if child.type in ("text", "code_inline", "softbreak", "hardbreak")
    )
    return " ".join("".join(words).split())


def _slug(title: str, seen: Counter[str]) -> str:
    """Return the anchor that most renderers give a heading; a second one of the same name is numbered."""
    slug = re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
    seen[slug] += 1
    return slug if seen[slug] == 1 else f"{slug}-{seen[slug] - 1}"
