"""How well each part of the reading answers the query.

A :class:`Unit` is what can be cited once. Its relevance comes from how well its chapter answers
(:mod:`pipeline.authors.answers`) and from what speaks for the section itself (:mod:`pipeline.authors.signs`),
and from the wishes: depth, style and notes.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.authors.answers import Answers, answer, book_stems, chapter_stems, covered, ways_of_asking
from pipeline.authors.quality import Place
from pipeline.authors.signs import Signs, chance
from pipeline.authors.wishes import Wishes, flavour_stems
from pipeline.authors.words import BOOK_WORDS, Rarity, stem, stems
from pipeline.outline import BookSection, Chapter, Depth, Pace, Source, reading_minutes

LIKELY = {Depth.OVERVIEW: 0.4, Depth.BALANCED: 0.35, Depth.TECHNICAL: 0.3, Depth.EXPERT: 0.25}
"""The least chance of a section to be read in courses of :data:`SHORT` minutes at most: depth reads on."""
SHORT = 120
LEAST_LIKELY = 0.12
"""In the longest courses: what is not read in two hours may well be in ten."""
GOES_FURTHER = {Pace.QUICK: 0.75, Pace.MODERATE: 1.0, Pace.THOROUGH: 1.25}
"""What the pace makes of that: who is quick gets further, who is thorough stays with the core."""
POSSIBLE = 0.06
"""The least chance of what may be cited where an author, a model mostly, cites something twice."""
OTHER_BOOK = 0.15
"""What a section of another book needs more, however long the course, and a word of the query besides: one
book where one is enough. A book that is called after what is asked is no other."""
CALLED = 0.6  # of the query's words in a book's title or subjects: then it is called after what is asked
BOOK_WORD_ONLY = 0.6
"""What is left of a heading's likeness if all that it shares with the query is what its book is about."""
COMPANION = 0.2
"""The same of what stands beside such a section, where there is time left."""
ASKED_FOR = 0.5  # of the query's words in a heading: then it is no aside, whatever it looks like
_GENERIC = frozenset(stem(word) for word in BOOK_WORDS)

_APPARATUS = re.compile(
    r"""\b(?:Portfolio|Trailblazer|Annotated\ (?:Student\ )?Sample|Careers?\b|Case\ in\ Point|The\ Case\ of
        |Key\ Terms|Glossary|Exercises|Chapter\ (?:Review|Summary)|Further\ (?:Reading|extensions)|Epilogue
        |Final\ thoughts|How\ to\ read|Trends\ in|Lab\b|Lab\ \d|Spotlight\ on|Evaluation:|Appendix
        |Ethics\ and\ National\ Culture|Acknowledge?ments|About\ the\ Author|Editing\ Focus)
      | ^(?:Software(?:\ and\ alternatives)?|Background|Summary|Examples?|Comments|Strengths|Limitations
        |Installation|(?:Sampling|Data\ Collection)\ Experiment|References|Bibliography)$
      | \ Reviewed$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What surrounds the teaching text in textbooks: portraits, labs, careers, sample essays."""
_NO_READING = re.compile(
    r"\b(?:Annotated (?:Student )?Sample|Trailblazer|Portfolio|Lab \d|Lab:|Spotlight on)", re.IGNORECASE
)
"""Of these, what is so even where it names what is asked: *Lab 2: Chi-Square Test of Independence*."""
_ON_DATA = re.compile(r"^(.+) \([A-Z][\w’']*(?: \w+)+\)$")
"""A lab named after its data: *Confidence Interval (Home Costs)* in the chapter *Confidence Intervals*."""
_OPENING = re.compile(
    r"^(?:What (?:Is|Are)|Introduc|An? (?:Introduction|Overview)|Overview|The (?:Importance|Role|Concept)"
    r"|Why |Definition|Basics|Welcome|Getting Started|Now versus)|\bBasics$",
    re.IGNORECASE,
)
_WORKING = stems(
    "calculating compute method methods model models algorithm equation analysis using solving measuring"
    " estimating testing implementing deriving proof theorem valuation forecasting application optimization"
    " design"
)


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Something that can be cited: a section of a chapter, or a whole chapter where it has none."""

    chapter: Chapter
    section: BookSection | None
    minutes: int
    stems: frozenset[str]
    """Of its heading."""
    around: frozenset[str]
    """Stems of all that its chapter says about itself."""
    focus: float
    """How much its chapter as a whole is about the query, 0 to 1."""
    signs: Signs
    """What speaks for it."""
    chance: float
    """How likely a teacher is to put it into a course on the query, 0 to 1."""
    relevance: float
    """To the query and the wishes; only its order and its share of the best unit's count."""

    @property
    def aside(self) -> bool:
        """Return whether it surrounds the teaching text: a portrait, a lab, a sample essay, careers."""
        return self.signs.aside > 0

    @property
    def heading(self) -> str:
        """Return the heading, as the book has it."""
        return self.section.title if self.section else self.chapter.title

    @property
    def index(self) -> int:
        """Return the position in the chapter."""
        return self.section.index if self.section else 0

    @property
    def place(self) -> Place:
        """Return what a source would cite."""
        return self.chapter.book.book_id, self.chapter.number, self.section.title if self.section else None

    def source(self, why: str) -> Source:
        """Return the citation of this, with its honest reading time and the reason `why`."""
        return Source(
            book_id=self.chapter.book.book_id,
            book_title=self.chapter.book.title,
            chapter_number=self.chapter.number,
            chapter_title=self.chapter.title,
            section_title=self.section.title if self.section else None,
            url=self.chapter.address(self.section.title if self.section else None),
            minutes=self.minutes,
            why=why,
        )


@dataclass(frozen=True, slots=True)
class Relevant:
    """The reading that is about the query, best first."""

    units: tuple[Unit, ...]
    """About the query; at least one."""
    companions: tuple[Unit, ...]
    """What stands beside it in the leading book: worth reading where there is time left."""


def relevant_units(reading: Sequence[Chapter], wishes: Wishes, rarity: Rarity) -> Relevant:
    """Return what in the reading is about the query.

    Args:
        reading: at least one chapter.
        wishes: what the brief asks for.
        rarity: how much each word says in this reading.
    """
    answers, units = weighed(reading, wishes, rarity)
    units.sort(key=lambda unit: (-unit.relevance, unit.place[0], unit.chapter.number, unit.index))
    leading, least = answers.leading.book_id, _least(wishes)

    def is_about(unit: Unit) -> bool:
        likely = unit.chance >= least
        if unit.chapter.book.book_id != leading and not _is_called(unit.chapter, wishes):
            likely = unit.chance >= LIKELY[wishes.depth] + OTHER_BOOK and unit.signs.says > 0
        named = stems(unit.heading)
        return (likely or bool(wishes.wanted & named)) and not wishes.unwanted & named

    about = tuple(unit for unit in units if not unit.aside and is_about(unit)) or tuple(units[:1])
    return Relevant(units=about, companions=_companions(units, about, leading))


def readable_units(reading: Sequence[Chapter], wishes: Wishes, rarity: Rarity) -> list[Unit]:
    """Return all that somebody might put into a course, best first, with arguments as above."""
    _, units = weighed(reading, wishes, rarity)
    return sorted(
        (unit for unit in units if unit.chance >= POSSIBLE and not unit.aside),
        key=lambda unit: -unit.relevance,
    )


def _is_called(chapter: Chapter, wishes: Wishes) -> bool:
    return len(wishes.asked & book_stems(chapter)) >= CALLED * len(wishes.asked)


def _least(wishes: Wishes) -> float:
    """Return the least chance of a section to be read: the longer and the quicker the course, the lower."""
    hours = math.sqrt(SHORT / max(SHORT, wishes.minutes))
    return max(LEAST_LIKELY, LIKELY[wishes.depth] * hours * GOES_FURTHER[wishes.pace])


def _companions(units: Sequence[Unit], about: Sequence[Unit], leading: str) -> tuple[Unit, ...]:
    """Return what the leading book has right before and after its sections that are about the query."""
    taken = {unit.place for unit in about}
    beside = {(*unit.place[:2], unit.index + step) for unit in about for step in (-1, 1)}
    return tuple(
        unit
        for unit in units
        if unit.chapter.book.book_id == leading
        and unit.place not in taken
        and (*unit.place[:2], unit.index) in beside
        and unit.chance >= COMPANION
        and not unit.aside
    )


def weighed(reading: Sequence[Chapter], wishes: Wishes, rarity: Rarity) -> tuple[Answers, list[Unit]]:
    """Return how the chapters answer, and all that can be cited, with what speaks for it."""
    asked = ways_of_asking(wishes.asked, reading)
    answers = answer(reading, asked, rarity)
    nearest = _Nearest(
        heading=max((s.similarity for c in reading for s in c.sections), default=0.0),
        asked=max((s.answers or 0.0 for c in reading for s in c.sections), default=0.0),
    )
    last_number: dict[str, int] = defaultdict(int)
    for chapter in reading:
        last_number[chapter.book.book_id] = max(last_number[chapter.book.book_id], chapter.number)
    units: dict[Place, Unit] = {}
    for chapter, value in zip(reading, answers.of_chapter, strict=True):
        along = chapter.number / max(1, last_number[chapter.book.book_id])
        setting = _setting(chapter, value, along, asked, answers, nearest, rarity)
        for section in chapter.sections or (None,):
            unit = _unit(setting, section, wishes, nearest, rarity)
            units.setdefault(unit.place, unit)  # two sections of a chapter may share a heading: cited once
    return answers, list(units.values())


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The highest cosines to the query in a reading, of headings and of questions."""

    heading: float
    asked: float

    def likeness(self, section: BookSection) -> float:
        """Return how near a section's heading is, 0 to 1."""
        return max(0.0, section.similarity) / self.heading if self.heading > 0 else 0.5

    def answering(self, section: BookSection) -> float:
        """Return how near the nearest question is that a section answers, 0 to 1; 0 where there is none."""
        return max(0.0, section.answers or 0.0) / self.asked if self.asked > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the sections of one chapter have in common."""

    chapter: Chapter
    around: frozenset[str]
    asked: tuple[frozenset[str], ...]
    """The query without the words that the whole book is about: in a book on Rust, Rust says nothing."""
    core: frozenset[str]
    """Of all chapters that answer best."""
    value: float
    """How well it answers."""
    focus: float
    """How much it is about the query as a whole, 0 to 1."""
    said: Mapping[int, frozenset[str]]
    """What :func:`said_by_section` returns."""
    along: float
    """Place of the chapter among those found of its book, 0 to 1."""


def _setting(
    chapter: Chapter,
    value: float,
    along: float,
    asked: Sequence[frozenset[str]],
    answers: Answers,
    nearest: _Nearest,
    rarity: Rarity,
) -> _Setting:
    likeness = [nearest.likeness(section) for section in chapter.sections]
    mean = sum(likeness) / len(likeness) if likeness else 1.0
    return _Setting(
        chapter=chapter,
        around=chapter_stems(chapter),
        asked=tuple(way - book_stems(chapter) or way for way in asked),
        core=answers.core,
        value=value,
        focus=max(covered(asked, stems(chapter.title), rarity), mean),
        said=said_by_section(chapter),
        along=along,
    )


def said_by_section(chapter: Chapter) -> dict[int, frozenset[str]]:
    """Return by position of each section the stems of its heading, and of the key concepts and questions that
    are known to be its own.
    """
    said = {section.index: stems(section.title) for section in chapter.sections}
    for texts, places in (
        (chapter.key_concepts, chapter.key_concept_sections),
        (chapter.questions, chapter.question_sections),
    ):
        for text, index in zip(texts, places, strict=False):  # no places: nobody said it
            if index in said:
                said[index] |= stems(text)
    return said


def _unit(
    setting: _Setting, section: BookSection | None, wishes: Wishes, nearest: _Nearest, rarity: Rarity
) -> Unit:
    chapter = setting.chapter
    heading = section.title if section else chapter.title
    found = stems(heading)
    signs = _signs(setting, section, heading, nearest, wishes, rarity)
    likely = chance(signs)
    relevance = (
        likely
        + _pull(wishes, rarity, found, chapter)
        + _tilt(wishes.depth, chapter, section, heading, found, setting.along)
    )
    return Unit(
        chapter=chapter,
        section=section,
        minutes=reading_minutes(section.words if section else chapter.words),
        stems=found - _GENERIC or found,
        around=setting.around,
        focus=setting.focus,
        signs=signs,
        chance=likely,
        relevance=relevance,
    )


def _signs(
    setting: _Setting,
    section: BookSection | None,
    heading: str,
    nearest: _Nearest,
    wishes: Wishes,
    rarity: Rarity,
) -> Signs:
    chapter = setting.chapter
    found = said = stems(heading)
    near = asked = nearest.likeness(section) if section else setting.focus
    is_asked, along = 1.0, 0.0
    if section:
        along = section.index / max(1, len(chapter.sections) - 1)
        said = setting.said[section.index]
        if chapter.question_sections:
            asked = nearest.answering(section)
            is_asked = 0.0 if section.answers is None else 1.0
    names = covered(setting.asked, found, rarity)
    says = covered(setting.asked, said, rarity)
    if not says and found & book_stems(chapter) & wishes.asked:
        near *= BOOK_WORD_ONLY
    aside = bool(_NO_READING.search(heading)) or (_surrounds(heading, chapter) and names < ASKED_FOR)
    return Signs(
        heading=near,
        asked=asked,
        is_asked=is_asked,
        says=says,
        core=rarity.covered(found, setting.core),
        chapter=setting.value,
        found=chapter.score,
        aside=1.0 if aside else 0.0,
        along=along,
    )


def _surrounds(heading: str, chapter: Chapter) -> bool:
    """Return whether a heading is of something around the teaching text, not of the text."""
    lab = _ON_DATA.match(heading)
    return bool(_APPARATUS.search(heading)) or (lab is not None and stems(lab[1]) <= stems(chapter.title))


def _pull(wishes: Wishes, rarity: Rarity, heading: frozenset[str], chapter: Chapter) -> float:
    """Return what notes and style add to a unit, or take from it."""
    around = stems(chapter.title).union(*(stems(concept) for concept in chapter.key_concepts))
    pull = 0.0
    if wishes.wanted & heading:
        pull += 0.32
    elif wishes.wanted & around:
        pull += 0.12
    if flavour_stems(wishes) & heading:
        pull += 0.08
    if wishes.unwanted & heading:
        pull -= 0.45
    elif wishes.unwanted & around and rarity.covered(wishes.unwanted, around) > 0.5:
        pull -= 0.25
    return pull


def _tilt(
    depth: Depth,
    chapter: Chapter,
    section: BookSection | None,
    heading: str,
    found: frozenset[str],
    place: float,
) -> float:
    """Return what the depth asked for adds to a unit: introductions for an overview, the rest for experts."""
    level = {"introductory": 0.0, "intermediate": 0.5, "advanced": 1.0}.get(chapter.book.level, 0.3)
    within = section.index / max(1, len(chapter.sections) - 1) if section else 0.0
    opening = 1.0 if _OPENING.search(heading) else 0.0
    working = 1.0 if found & _WORKING else 0.0
    match depth:
        case Depth.OVERVIEW:
            return 0.10 * opening - 0.12 * level - 0.06 * place - 0.08 * within - 0.05 * working
        case Depth.TECHNICAL:
            return 0.08 * working + 0.05 * level + 0.03 * within - 0.06 * opening
        case Depth.EXPERT:
            return 0.14 * level + 0.08 * place + 0.10 * within + 0.04 * working - 0.20 * opening
        case _:
            return 0.02 * opening
