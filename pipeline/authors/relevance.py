"""How well each part of the reading answers the query.

A :class:`Unit` is what can be cited once. Its relevance comes from how well its chapter answers
(:mod:`pipeline.authors.answers`), from the section's own similarity to the query and the query's words in its
heading, and from the wishes: depth, style and notes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.authors.answers import Answers, answer, book_stems, chapter_stems, covered, ways_of_asking
from pipeline.authors.quality import Place
from pipeline.authors.titles import topic
from pipeline.authors.wishes import Wishes, flavour_stems
from pipeline.authors.words import BOOK_WORDS, Rarity, stem, stems
from pipeline.outline import BookSection, Chapter, Depth, Source, reading_minutes

FOCUS_COUNTS = 0.7  # how much less a section is carried by a chapter whose title is about something else
ON_TOPIC = 0.4  # of the best relevance; below it the leading book, or one called after the query, is filler
OTHER_ON_TOPIC = 0.6  # the same for other books: one where one is enough
TITLED = 0.2  # of the query in a chapter's title: then all its sections are about it
NEAR = 0.45  # of the best likeness: a section that names nothing asked for has to be this near by itself
NEAR_NEXT = 0.55  # the same for one that stands right beside a section that does name it
NEAR_ELSEWHERE = {Depth.OVERVIEW: 0.8, Depth.BALANCED: 0.75, Depth.TECHNICAL: 0.65, Depth.EXPERT: 0.55}
"""The same for the rest of such a chapter: who wants depth reads on in it."""
ASIDE = 0.25
ASKED_FOR = 0.5  # of the query's words in a heading: then it is no aside, whatever it looks like
BOOK_WORD_ONLY = 0.6  # of a likeness that comes from a word which the whole book is about
SAYS_NOTHING = 0.06  # a heading of which nothing is left without words such as *theory* or *example*
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
    aside: bool
    """It surrounds the teaching text: a portrait, a lab, a sample essay, careers."""
    answers: bool
    """It is about the query by itself, or its chapter's title is; else only its company speaks for it."""
    relevance: float
    """To the query and the wishes; only its order and its share of the best unit's count."""

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
    asked = ways_of_asking(wishes.asked, reading)
    answers = answer(reading, asked, rarity)
    units = _units(reading, wishes, asked, answers, rarity)
    units.sort(key=lambda unit: (-unit.relevance, unit.place[0], unit.chapter.number, unit.index))
    best = units[0].relevance
    leading = answers.leading.book_id
    close = answers.called | {leading}
    about = tuple(
        unit
        for unit in units
        if unit.relevance >= best * (ON_TOPIC if unit.chapter.book.book_id in close else OTHER_ON_TOPIC)
        and unit.answers
        and not unit.aside
    )
    about = about or tuple(units[:1])
    return Relevant(units=about, companions=_companions(units, about, leading))


def _companions(units: Sequence[Unit], about: Sequence[Unit], leading: str) -> tuple[Unit, ...]:
    """Return what the leading book has right before and after its sections that are about the query."""
    taken = {unit.place for unit in about}
    own = [unit for unit in units if unit.chapter.book.book_id == leading and not unit.aside]
    beside = {(*unit.place[:2], unit.index + step) for unit in about for step in (-1, 1)}
    return tuple(unit for unit in own if unit.place not in taken and (*unit.place[:2], unit.index) in beside)


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the sections of one chapter have in common."""

    chapter: Chapter
    around: frozenset[str]
    asked: tuple[frozenset[str], ...]
    """The query without the words that the whole book is about: in a book on Rust, Rust says nothing."""
    carried: float
    """What the chapter's answer gives each of its sections."""
    focus: float
    """How much the chapter as a whole is about the query, 0 to 1."""
    titled: float
    """How much its title has of the query, 0 to 1."""
    named: frozenset[int]
    """Positions of its sections that name something asked for."""
    elsewhere: float
    """How near its other sections have to be."""
    along: float
    """Place of the chapter among those found of its book, 0 to 1."""

    def near(self, section: BookSection | None) -> float:
        """Return how near a section that names nothing asked for has to be: a share of the best likeness."""
        if section is None or not self.named:
            return NEAR
        beside = {section.index - 1, section.index + 1} & self.named
        return NEAR_NEXT if beside else self.elsewhere


def _units(
    reading: Sequence[Chapter],
    wishes: Wishes,
    asked: Sequence[frozenset[str]],
    answers: Answers,
    rarity: Rarity,
) -> list[Unit]:
    top_similarity = max((s.similarity for c in reading for s in c.sections), default=0.0)
    last_number: dict[str, int] = defaultdict(int)
    for chapter in reading:
        last_number[chapter.book.book_id] = max(last_number[chapter.book.book_id], chapter.number)
    units: dict[Place, Unit] = {}
    for chapter, value in zip(reading, answers.of_chapter, strict=True):
        if value <= 0:
            continue
        along = chapter.number / max(1, last_number[chapter.book.book_id])
        setting = _setting(chapter, value, along, wishes, asked, top_similarity, rarity)
        for section in chapter.sections or (None,):
            unit = _unit(setting, section, wishes, answers, top_similarity, rarity)
            units.setdefault(unit.place, unit)  # two sections of a chapter may share a heading: cited once
    return list(units.values())


def _setting(
    chapter: Chapter,
    value: float,
    along: float,
    wishes: Wishes,
    asked: Sequence[frozenset[str]],
    top_similarity: float,
    rarity: Rarity,
) -> _Setting:
    own_asked = tuple(way - book_stems(chapter) or way for way in asked)
    likeness = [_likeness(section, top_similarity) for section in chapter.sections]
    mean = sum(likeness) / len(likeness) if likeness else 1.0
    focus = max(covered(asked, stems(chapter.title), rarity), mean)
    titled = max(rarity.overlap(way, stems(topic(chapter.title))) for way in own_asked)
    carried = 0.45 * value * (1 - FOCUS_COUNTS + FOCUS_COUNTS * focus) + 0.12 * titled
    named = frozenset(
        section.index for section in chapter.sections if covered(own_asked, stems(section.title), rarity) > 0
    )
    return _Setting(
        chapter,
        chapter_stems(chapter),
        own_asked,
        carried,
        focus,
        titled,
        named,
        NEAR_ELSEWHERE[wishes.depth],
        along,
    )


def _unit(
    setting: _Setting,
    section: BookSection | None,
    wishes: Wishes,
    answers: Answers,
    top_similarity: float,
    rarity: Rarity,
) -> Unit:
    chapter = setting.chapter
    heading = section.title if section else chapter.title
    found = stems(heading)
    says_topic = found - _GENERIC
    names = covered(setting.asked, found, rarity)
    like = _likeness(section, top_similarity) if section else setting.focus
    if not names and found & book_stems(chapter) & wishes.asked:
        like *= BOOK_WORD_ONLY
    aside = bool(_NO_READING.search(heading)) or (_surrounds(heading, chapter) and names < ASKED_FOR)
    relevance = (
        setting.carried
        + 0.27 * like
        + 0.18 * names
        + 0.10 * rarity.covered(found, answers.core)
        + _pull(wishes, rarity, found, chapter)
        + _tilt(wishes.depth, chapter, section, heading, found, setting.along)
        - (ASIDE if aside else 0.0)
        - (0.0 if says_topic else SAYS_NOTHING)
    )
    return Unit(
        chapter=chapter,
        section=section,
        minutes=reading_minutes(section.words if section else chapter.words),
        stems=says_topic or found,
        around=setting.around,
        focus=setting.focus,
        aside=aside,
        answers=names > 0
        or setting.titled > TITLED
        or like >= setting.near(section)
        or bool(wishes.wanted & found),
        relevance=relevance,
    )


def _surrounds(heading: str, chapter: Chapter) -> bool:
    """Return whether a heading is of something around the teaching text, not of the text."""
    lab = _ON_DATA.match(heading)
    return bool(_APPARATUS.search(heading)) or (lab is not None and stems(lab[1]) <= stems(chapter.title))


def _likeness(section: BookSection, top_similarity: float) -> float:
    return max(0.0, section.similarity) / top_similarity if top_similarity > 0 else 0.5


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
