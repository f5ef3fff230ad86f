"""Lines for a terminal.

All text comes from a server and is not trusted: :func:`clean` takes out whatever could steer a terminal,
and nothing is read as rich's markup. Where the output is no terminal there is no colour and no wrap.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from pipeline.outline import Section

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Return text from outside as one line that a terminal only prints."""
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in ("Zl", "Zp"):
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cc" or character in _BIDI_CONTROLS else character


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return where lines go; nowhere if `quiet`."""
    return Console(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False)


def line(*pieces: str | tuple[str, str], indent: int = 0) -> Text:
    """Return a line of cleaned pieces, each a text or a (text, style)."""
    cleaned = [clean(p) if isinstance(p, str) else (clean(p[0]), p[1]) for p in pieces]
    return Text.assemble(" " * indent, *cleaned)


def put(to: Console, lines: Iterable[Text]) -> None:
    """Print lines: wrapped at words on a terminal, but for addresses; as they are elsewhere."""
    for text in lines:
        to.print(text, soft_wrap=bool(text.no_wrap) or not to.is_terminal)


def section_line(section: Section) -> Text:
    """Return a section of an outline: its number, title and minutes."""
    number = f"{section.part_index + 1}.{section.order_index + 1} "
    return line(number, section.title, f" · {section.estimated_minutes} min", indent=2)


def in_hours(value: float) -> str:
    """Return hours for a person."""
    return f"{value:g} {'hour' if value == 1 else 'hours'}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
