"""What surrounds a book's text and is no chapter: covers, licences, tables of contents, indexes."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NUMBERING = re.compile(
    r"^(?:(?:chapter|appendix|annex|section|part|unit|lesson|kapitel|anhang|teil|chapitre|annexe|partie|capítulo"
    r"|apéndice|capitolo|appendice|parte)\s+)?"
    r"(?:(?:\d+|[A-Za-z])(?:\.\d+)+[.:)]?|\d+\s*[.:)–—-]|\d+|[A-Z]\s*[.:)]|[IVXLC]+\s*[.:)–—-])\s+",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"^(?:chapter|appendix|annex|unit|lesson|kapitel|anhang|chapitre|annexe|capítulo|apéndice|capitolo|appendice)"
    r"\s+(?:\d+|[A-Z]|[IVXLC]+)(?:\s*[.:–—-]\s*|\s+)(?=\S)",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"[^\w\s-]+")


def is_apparatus(title: str) -> bool:
    """Tell whether a heading is that of no chapter."""
    plain = " ".join(_SIGNS.sub(" ", unnumbered(title)).lower().split())
    return plain in _titles()


def unnumbered(title: str) -> str:
    """Return a title without its number: ``1.2 Scope`` and ``Chapter 3: Scope`` are ``Scope``."""
    for numbering in (_NAMED, _NUMBERING):
        rest = numbering.sub("", title, count=1).strip()
        if rest and rest != title.strip():
            return rest
    return title


def number_of(title: str) -> int | None:
    """Return the whole number that a title begins with, or None."""
    match = re.match(r"^(?:[A-Za-zÀ-ÿ]+\s+)?(\d{1,4})(?![\w.,]*\d)[\s.:)–—-]", title)
    return int(match[1]) if match and unnumbered(title) != title else None


@cache
def _titles() -> frozenset[str]:
    text = files("pipeline").joinpath("library/ingest/apparatus.txt").read_text("utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line and not line.startswith("#"))
