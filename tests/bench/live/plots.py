"""Plots as small SVG files, written by hand: lines over a number, bars beside names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 44, 46
COLOURS = ("#1f5fa8", "#c4541a", "#2f8f4e", "#7a4fa3", "#777777")
_STYLE = "font:12px system-ui,sans-serif"


def lines(
    path: Path, title: str, across: str, up: str, series: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Write a plot of lines.

    Args:
        path: the SVG file.
        title: stands above.
        across: what the x axis shows, with its unit.
        up: what the y axis shows, with its unit.
        series: points of each line, by its name.
    """
    points = [point for line in series.values() for point in line]
    most_x, most_y = max(x for x, _ in points), _round_up(max(y for _, y in points))

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + x / most_x * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM),
        )

    out = [_text(LEFT, 18, title, weight="600"), _text(WIDTH - RIGHT, HEIGHT - 8, across, anchor="end")]
    out.append(_text(8, TOP - 8, up))
    for i in range(5):
        value = most_y * i / 4
        x, y = at(0, value)
        out.append(f'<line x1="{x}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(_text(LEFT - 6, y + 4, f"{value:g}", anchor="end"))
    for x_value in sorted({x for x, _ in points}):
        x, y = at(x_value, 0)
        out.append(_text(x, y + 16, f"{x_value:,.0f}", anchor="middle"))
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path_points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in line))
        out.append(f'<polyline points="{path_points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in (at(*p) for p in line)
        ]
        out.append(_text(WIDTH - RIGHT, 18 + 15 * number, name, anchor="end", colour=colour))
    _write(path, out, HEIGHT)


def bars(path: Path, title: str, unit: str, values: Mapping[str, float]) -> None:
    """Write a plot of bars, one beside each name."""
    most = max(values.values())
    names_wide, row = 300, 26
    out = [_text(10, 18, title, weight="600")]
    for number, (name, value) in enumerate(values.items()):
        y = 34 + number * row
        wide = value / most * (WIDTH - names_wide - 90)
        colour = COLOURS[0] if name.startswith("ours") else COLOURS[-1]
        out.append(_text(names_wide - 8, y + 14, name.replace("`", ""), anchor="end"))
        out.append(f'<rect x="{names_wide}" y="{y}" width="{wide:.1f}" height="18" fill="{colour}"/>')
        out.append(_text(names_wide + wide + 6, y + 14, f"{value:.1f} {unit}"))
    _write(path, out, 44 + len(values) * row)


def _round_up(value: float) -> float:
    step = 10 ** (len(str(int(value))) - 1)
    return float(-(-value // step) * step)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", weight: str = "400", colour: str = "#333"
) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-weight="{weight}" fill="{colour}">{escape(text)}</text>'


def _write(path: Path, parts: Sequence[str], height: int) -> None:
    path.parent.mkdir(exist_ok=True)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{_STYLE}">'
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    path.write_text("\n".join([head, ground, *parts, "</svg>"]) + "\n")
