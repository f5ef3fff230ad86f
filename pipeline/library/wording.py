"""What a text is about, in the words that books use.

Word vectors and full text both take words as they come, so "Learn DCF valuation" would be found under
learning and not under cash flows. Two small remedies, for every text alike: what only asks ("I want to
learn …", "… for beginners") is left out, and abbreviations are written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_ASKING = re.compile(
    r"""^(?:(?:
      i(?:\ am|'m|’m)\ (?:trying|looking|hoping)\ to
    | i(?:\ would|'d|’d)?\ (?:want|need|like|wish)\ to
    | (?:can|could)\ you | please | help\ me(?:\ to)?
    | (?:teach|show|tell|explain\ to)\ me
    | how\ (?:do|can|should)\ i | how\ to
    | learn(?:ing\ about|\ about|\ how\ to|\ to)? | study | understand | master
    | get\ (?:started\ with|better\ at)
    | (?:an?|the|some|my)
    | (?:(?:crash|short|quick|beginner(?:'s|’s)?|online)\ )?
      (?:course|tutorial|class|lesson|guide)s?\ (?:on|in|about|to|of|for)
    | (?:intro(?:duction)?|primer)\ (?:to|on)
    | (?:basics|fundamentals|foundations|essentials)\ of
    | (?:everything|more|all)?\ ?about
    )\s+)+""",
    re.IGNORECASE | re.VERBOSE,
)
_ASIDE = re.compile(
    r"""\s+(?:
      (?:for|as)\ (?:absolute\ |complete\ |total\ )?(?:beginners?|dummies|newbies)
    | from\ scratch | step\ by\ step
    | (?:the\ )?basics | fundamentals | tutorials? | (?:crash\ |short\ )?courses? | lessons? | 101
    )[\s.!?]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_WORD = re.compile(r"\w+(?:&\w+)?")
_SPOKEN_WORD = re.compile(r"\w+(?:[-/.'’]\w+)*")


def subject(text: str) -> str:
    """Return `text` without what only asks, abbreviations written out; never less than one word of it."""
    return spell_out(without_asking(text))


def topic_words(text: str) -> str:
    """Return the words of `text` that can name a topic, for full text.

    Words like "better" or "want" are rare in tables of contents and frequent in requests, so that their
    rarity would make them count most. Empty if there is no other word.
    """
    words = _SPOKEN_WORD.findall(subject(text))
    return " ".join(w for w in words if re.split("['’]", w.lower(), maxsplit=1)[0] not in _vague())


def without_asking(text: str) -> str:
    """Return `text` without the phrases that request, at its start and end; all of it if none is left."""
    rest = _ASKING.sub("", _ASIDE.sub("", " ".join(text.split())))
    return rest if _WORD.search(rest) else text


def spell_out(text: str) -> str:
    """Return `text` with each abbreviation replaced by what it stands for."""
    table = _abbreviations()

    def written(match: re.Match[str]) -> str:
        word = match[0]
        return table.get(word) or table.get(word.lower(), word)

    return _WORD.sub(written, text)


@cache
def _abbreviations() -> Mapping[str, str]:
    """Return the table. A key in lower case stands for any case, one with capitals for itself (US, us)."""
    table: dict[str, str] = json.loads(_read("abbreviations.json"))
    return table


@cache
def _vague() -> frozenset[str]:
    return frozenset(_read("vague_words.txt").split())


def _read(name: str) -> str:
    return files("pipeline").joinpath(f"library/{name}").read_text("utf-8")
