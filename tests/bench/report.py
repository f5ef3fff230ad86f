"""Rows of figures, and the page they are written to."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of `values` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__trunc__() - 1)]


@dataclass
class Table:
    """One table of results."""

    title: str
    what: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def markdown(self) -> str:
        """Return the table with its heading."""
        lines = [f"## {self.title}", "", self.what, "", f"| {' | '.join(self.columns)} |"]
        lines.append(f"|{'---|' * len(self.columns)}")
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join(lines)


def ms(seconds: float) -> str:
    """Return a time in milliseconds."""
    return f"{seconds * 1000:.1f} ms"


def spread(values: Sequence[float]) -> tuple[str, str, str]:
    """Return median, p95 and maximum."""
    return ms(statistics.median(values)), ms(percentile(values, 95)), ms(max(values))


def write(page: str, title: str, tables: Sequence[Table], command: str) -> None:
    """Write the page."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    python = platform.python_version()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {python}"
    head = [
        f"# {title}",
        "",
        f"Written by `{command}` on {at} UTC ({machine}). Machines are shared and noisy: the ratios count,",
        "taken within one run; absolute times do not travel. Run the command to repeat all of it.",
        "",
    ]
    body = "\n\n".join(table.markdown() for table in tables)
    (DOCS / page).write_text("\n".join(head) + f"\n{body}\n")
