"""What language a question is in, as far as it takes to say that it is not understood.

Letters tell scripts apart, small words the languages that share ours. It is only asked about questions that
found nothing, so it may be wrong about a name; it must not be wrong about plain English.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_SCRIPTS = {
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CJK": "Chinese",
    "CYRILLIC": "a language in Cyrillic letters",
    "ARABIC": "a language in Arabic letters",
    "HEBREW": "Hebrew",
    "GREEK": "Greek",
    "DEVANAGARI": "Hindi or another language in Devanagari",
    "BENGALI": "Bengali",
    "TAMIL": "Tamil",
    "THAI": "Thai",
    "GEORGIAN": "Georgian",
    "ARMENIAN": "Armenian",
}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def foreign_language(text: str) -> str | None:
    """Return the language that `text` seems to be in, for a sentence, or None where that may be English."""
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return None
    scripts = Counter(unicodedata.name(letter, "?").split(maxsplit=1)[0].split("-")[0] for letter in letters)
    if "HIRAGANA" in scripts or "KATAKANA" in scripts:
        return _SCRIPTS["HIRAGANA"]  # most of a Japanese sentence may be in characters that came from China
    script, count = scripts.most_common(1)[0]
    if script != "LATIN":
        return _SCRIPTS.get(script, "a language in other letters") if count * 2 > len(letters) else None
    return _by_small_words([word.lower() for word in _WORD.findall(text)])


def _by_small_words(words: list[str]) -> str | None:
    """Return the language with most of the small words; one alone counts where a letter is not English."""
    counts = {
        name: sum(word in small for word in words)
        for name, small in _small_words().items()
        if name != "English"
    }
    best = max(counts, key=lambda name: (counts[name], name))
    english = sum(word in _english() for word in words)
    needed = 1 if any(not word.isascii() for word in words) else 2
    return best if counts[best] >= needed and counts[best] >= english + needed - 1 else None


@cache
def _small_words() -> Mapping[str, frozenset[str]]:
    table: dict[str, str] = json.loads(_read("foreign_words.json"))
    return {name: frozenset(words.split()) for name, words in table.items()}


@cache
def _english() -> frozenset[str]:
    return frozenset(_read("vague_words.txt").split()) | _small_words()["English"]


def _read(name: str) -> str:
    return files("pipeline").joinpath(f"library/{name}").read_text("utf-8")
