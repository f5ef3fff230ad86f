"""Text from outside, and figures, as plain words for a person: whatever they are then put into."""

from __future__ import annotations

import unicodedata

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Return text from outside as one line: no controls, nothing that turns the direction of what follows."""
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in ("Zl", "Zp"):
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cc" or character in _BIDI_CONTROLS else character


def in_hours(value: float) -> str:
    """Return hours for a person."""
    return f"{value:g} {'hour' if value == 1 else 'hours'}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
