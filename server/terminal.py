"""Lines for a terminal.

All text comes from a server and is not trusted: :func:`server.plain.clean` takes out whatever could steer a
terminal, and nothing is read as rich's markup. Where the output is no terminal there is no colour and no
wrap.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from pipeline.outline import Section
from server.plain import clean


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
