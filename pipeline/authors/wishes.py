"""What the preferences ask of a plan: figures and flags instead of words.

Depth shifts what is chosen and what objectives ask for; pace shifts how many sections there are and how much
of each is reading; style and notes pull the choice of book sections toward their words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pipeline.authors.titles import plain
from pipeline.authors.words import stems, topic_stems, words
from pipeline.outline import Brief, Depth, Pace

SECTION_TARGET_MINUTES = {Pace.QUICK: 18, Pace.MODERATE: 28, Pace.THOROUGH: 48}
PART_TARGET_FACTOR = {Pace.QUICK: 0.8, Pace.MODERATE: 1.0, Pace.THOROUGH: 1.15}
READING_SHARE = {Pace.QUICK: 0.94, Pace.MODERATE: 0.86, Pace.THOROUGH: 0.7}
"""Share of the minutes that is planned as reading where there is enough of it."""
PRACTICE_TAKES = 0.12
"""Share of the minutes that moves from reading to practice when practice is asked for."""


class Flavour(StrEnum):
    """What a presentation style asks for, as far as a plan of readings can follow it."""

    PRACTICE = "practice"
    EXAMPLES = "examples"
    PICTURES = "pictures"
    RECALL = "recall"
    DISCUSSION = "discussion"


_FLAVOUR_WORDS = {
    Flavour.PRACTICE: "hands-on practical practice exercise project doing applied worked workshop lab",
    Flavour.EXAMPLES: "example case story stories real-world real-life scenario anecdote",
    Flavour.PICTURES: "visual diagram picture chart graph drawing illustrated illustration infographic",
    Flavour.RECALL: "exam quiz flashcard revise revision recall memorise memorize certification",
    Flavour.DISCUSSION: "discussion discuss debate socratic seminar dialogue",
}
_FLAVOUR_STEMS = {flavour: stems(said.replace("-", "")) for flavour, said in _FLAVOUR_WORDS.items()}
_TITLE_STEMS = {
    Flavour.PRACTICE: stems("using applications applying project experiment practice solving building"),
    Flavour.EXAMPLES: stems("case cases example examples history"),
    Flavour.PICTURES: stems(
        "graph graphs chart visualization visualizing diagram diagrams plots display displays"
    ),
    Flavour.RECALL: frozenset[str](),
    Flavour.DISCUSSION: stems("ethics ethical debate issues perspectives critiques"),
}
_CLAUSE = re.compile(r"[.;:!?\n,]| but | and (?=(?:no|not|don|skip|avoid|without|less)\b)", re.IGNORECASE)
_REFUSED = re.compile(
    r"\b(?:avoid|skip|without|exclude|excluding|except|omit|leave out|no|not|don[’']?t|less|rather than"
    r"|instead of)\b(?!\s+only)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The brief as a planner reads it."""

    asked: frozenset[str]
    """Stems of the query."""
    minutes: int
    """Of the course."""
    depth: Depth
    pace: Pace
    wanted: frozenset[str]
    """Stems the notes ask for, or the style leads to."""
    unwanted: frozenset[str]
    """Stems the notes ask to leave out."""
    flavours: frozenset[Flavour]
    style: str
    notes: str

    @property
    def practical(self) -> bool:
        """Practice was asked for."""
        return Flavour.PRACTICE in self.flavours

    @property
    def reading_share(self) -> float:
        """Share of the minutes to plan as reading."""
        return READING_SHARE[self.pace] - (PRACTICE_TAKES if self.practical else 0.0)


def read_wishes(brief: Brief) -> Wishes:
    """Return what `brief` asks of a plan."""
    preferences = brief.preferences
    style = plain(preferences.presentation_style or "")
    notes = plain(preferences.additional_notes or "")
    wanted, unwanted = _pulls(notes)
    said = stems(style.replace("-", "")) | stems(notes.replace("-", ""))
    flavours = frozenset(flavour for flavour, cues in _FLAVOUR_STEMS.items() if cues & said - unwanted)
    query = plain(brief.query)
    return Wishes(
        asked=topic_stems(query) or stems(query),
        minutes=brief.budget_minutes,
        depth=preferences.depth or Depth.BALANCED,
        pace=preferences.pace or Pace.MODERATE,
        wanted=wanted - unwanted,
        unwanted=unwanted,
        flavours=flavours,
        style=style,
        notes=notes,
    )


def flavour_stems(wishes: Wishes) -> frozenset[str]:
    """Return stems of headings that suit the style asked for."""
    return frozenset().union(*(_TITLE_STEMS[flavour] for flavour in wishes.flavours))


def _pulls(notes: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return what notes ask for and what they ask to leave out, clause by clause."""
    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    for clause in _CLAUSE.split(notes):
        refusal = _REFUSED.search(clause)
        if refusal is None:
            wanted |= topic_stems(clause)
        else:
            wanted |= topic_stems(clause[: refusal.start()])
            unwanted |= topic_stems(clause[refusal.end() :])
    return wanted, unwanted


def words_for(found: frozenset[str], text: str) -> list[str]:
    """Return the words of `text`, as written there, whose stems are in `found`."""
    return list(dict.fromkeys(word for word in words(text) if stems(word) & found))
