"""docs/quality.md: one page, whose halves are written by two measurements that do not know each other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench.report import DOCS

PAGE = DOCS / "quality.md"
HEAD = """# Quality

How good search and plans are, measured. All of it is written by `make bench`; each half says the command that
writes it alone.
"""
ORDER = ("Search", "Plans")


def write_half(heading: str, text: str, page: Path = PAGE) -> None:
    """Write what stands under ``## heading`` (one of :data:`ORDER`); the other half stays as it is.

    Args:
        heading: without its marks.
        text: Markdown; its own headings begin at ``###``.
        page: the page, made where there is none.
    """
    old = page.read_text("utf-8") if page.exists() else ""
    halves = {name: half for name in ORDER if (half := half_of(old, name))}
    halves[heading] = text.strip()
    body = "\n\n".join(f"## {name}\n\n{halves[name]}" for name in ORDER if name in halves)
    page.write_text(f"{HEAD}\n{body}\n", "utf-8")


def half_of(page: str, heading: str) -> str:
    """Return what stands under ``## heading``, up to the next heading of that level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""
