"""How good a plan is, in figures: pure functions of an outline, its reading and the query.

What the quality report of every course says (``pipeline.authors.quality``) is not measured again here; these
are the figures that need a judge beside the course: the books that answer the query, a table of contents, a
sense of what a title should be.

Heading soft recall is the outline metric of STORM (Shao et al. 2024, "Assisting in Writing Wikipedia-like
Articles From Scratch with Large Language Models"), on the soft cardinality of Fränti and
Mariescu-Istodor (2023): a heading counts the less the more others resemble it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.authors.frames import MEASURABLE
from pipeline.authors.quality import Place, all_sections, all_sources, place_of
from pipeline.authors.titles import clean
from pipeline.authors.words import BOOK_WORDS, stem, stems, topic_stems
from pipeline.library.wording import subject
from pipeline.outline import Chapter, Source, WrittenPart, reading_minutes
from tests.bench.judged_sections import CORE, STRUCK_OUT, WORTH_READING

Vectors = NDArray[np.float64]
"""One unit vector a row."""

LEVELS = {"introductory": 0, "intermediate": 1, "advanced": 2}
SAME = 0.8
"""Shared stems of two headings (Dice) from which they say the same."""
_COUNTS = re.compile(
    r"^(?:part|section|unit|week|day|lesson|module|chapter|step|session)\s*(?:\d+|[ivx]+|one|two|three|four)\b"
    r"\s*[:.–-]?\s*(?:$|introduction\b|overview\b)"
    r"|^(?:introduction|overview|conclusion|basics|background|summary|practice|review|next steps"
    r"|getting started|advanced topics|further topics|miscellaneous)$",
    re.IGNORECASE,
)
_GENERIC = frozenset(stem(word) for word in BOOK_WORDS) | stems(
    "introduction overview basics practice review"
)


# --- headings against a table of contents ------------------------------------------------------------------


def soft_cardinality(vectors: Vectors) -> float:
    """Return how many different things unit vectors stand for: of *n* alike 1, of *n* unrelated ones *n*.

    Each counts 1 ÷ the sum of its cosines to all (itself included); cosines below 0 count as 0.
    """
    if not len(vectors):
        return 0.0
    return float((1.0 / np.clip(vectors @ vectors.T, 0.0, None).sum(axis=1)).sum())


def heading_soft_recall(outline: Vectors, contents: Vectors) -> float:
    """Return how much of a table of contents an outline's headings cover, 0 to about 1.

    Args:
        outline: vectors of the outline's headings.
        contents: vectors of the headings to be covered, at least one.
    """
    wanted = soft_cardinality(contents)
    both = wanted + soft_cardinality(outline) - soft_cardinality(np.vstack([contents, outline]))
    return both / wanted


# --- what is cited ---------------------------------------------------------------------------------------


Judged = Mapping[str, frozenset[int]]
"""The chapters that answer a query, by book; an empty set: all of the book's."""


def judged_share(parts: Sequence[WrittenPart], answers: Judged) -> float:
    """Return the share of the cited reading minutes that lies in chapters judged to answer the query."""
    minutes = [(source.minutes, _is_judged(source, answers)) for source in all_sources(parts)]
    total = sum(m for m, _ in minutes)
    return sum(m for m, fits in minutes if fits) / total if total else 0.0


def _is_judged(source: Source, answers: Judged) -> bool:
    numbers = answers.get(source.book_id)
    return numbers is not None and (not numbers or source.chapter_number in numbers)


@dataclass(frozen=True, slots=True)
class GradedMinutes:
    """The reading that a plan cites, each section once, by what a teacher would say of it."""

    struck_out: int
    worth_reading: int
    core: int
    core_there: int
    """Of the core, all that the reading has, cited or not."""

    @property
    def struck_out_share(self) -> float:
        """Return the share of the cited minutes that a teacher would strike out."""
        return self.struck_out / max(1, self.struck_out + self.worth_reading + self.core)

    @property
    def core_share(self) -> float:
        """Return the share of the cited minutes that is the core."""
        return self.core / max(1, self.struck_out + self.worth_reading + self.core)

    def core_found(self, minutes: float) -> float:
        """Return how much of the core is cited, of what there is or, where that is more, of `minutes`."""
        wanted = min(self.core_there, minutes)
        return min(1.0, self.core / wanted) if wanted else 1.0


def graded_minutes(
    parts: Sequence[WrittenPart], reading: Sequence[Chapter], grades: Mapping[tuple[str, int, int], int]
) -> GradedMinutes:
    """Return the minutes that a plan cites by grade (:mod:`tests.bench.judged_sections`).

    Sections that nobody graded are left out.
    """
    cited = {place_of(source) for source in all_sources(parts)}
    minutes, core_there = Counter[int](), 0
    for chapter in reading:
        for index, title, words in _citable(chapter):
            grade = grades.get((chapter.book.book_id, chapter.number, index))
            if grade is None:
                continue
            core_there += reading_minutes(words) if grade == CORE else 0
            if (chapter.book.book_id, chapter.number, title) in cited:
                minutes[grade] += reading_minutes(words)
    return GradedMinutes(minutes[STRUCK_OUT], minutes[WORTH_READING], minutes[CORE], core_there)


def _citable(chapter: Chapter) -> list[tuple[int, str | None, int]]:
    sections = [(section.index, section.title, section.words) for section in chapter.sections]
    return [*sections] or [(0, None, chapter.words)]


def similarity_share(parts: Sequence[WrittenPart], reading: Sequence[Chapter]) -> float:
    """Return how near the cited book sections are to the query, 1 being the nearest that this many can be.

    The mean similarity of what is cited ÷ that of as many sections of the reading with the highest.
    """
    similarity: dict[Place, float] = {}
    for chapter in reading:
        for section in chapter.sections:
            similarity.setdefault((chapter.book.book_id, chapter.number, section.title), section.similarity)
    cited = [similarity[p] for p in {place_of(s) for s in all_sources(parts)} if p in similarity]
    best = sorted(similarity.values(), reverse=True)[: len(cited)]
    return max(0.0, sum(cited)) / sum(best) if best and sum(best) > 0 else 1.0


def said_twice(parts: Sequence[WrittenPart]) -> float:
    """Return the share of cited book sections whose heading says what an earlier one's says."""
    headings = [
        stems(place[2] or "") for place in dict.fromkeys(place_of(source) for source in all_sources(parts))
    ]
    twice = sum(
        any(_dice(heading, earlier) >= SAME for earlier in headings[:i]) for i, heading in enumerate(headings)
    )
    return twice / len(headings) if headings else 0.0


def levels_in_order(parts: Sequence[WrittenPart], reading: Sequence[Chapter]) -> float:
    """Return the share of pairs of citations from books of two levels that have the easier first."""
    level = {chapter.book.book_id: LEVELS.get(chapter.book.level, 0) for chapter in reading}
    cited = [level.get(source.book_id, 0) for source in all_sources(parts)]
    pairs = [(earlier, later) for earlier, later in itertools.combinations(cited, 2) if earlier != later]
    return sum(earlier < later for earlier, later in pairs) / len(pairs) if pairs else 1.0


def query_coverage(query: str, parts: Sequence[WrittenPart]) -> float:
    """Return the share of the query's topic words that the outline speaks of, 0 to 1.

    It speaks of them in titles, objectives and in what it cites, abbreviations written out on either side.
    """
    asked = topic_stems(subject(query)) or stems(query)
    said: set[str] = set()
    texts = [part.title for part in parts]
    for section in all_sections(parts):
        texts += [section.title, *section.learning_objectives]
        for source in section.sources:
            texts += [source.section_title or "", source.chapter_title, source.book_title]
    for text in texts:
        said |= stems(text) | stems(subject(text))
    return len(asked & said) / len(asked) if asked else 1.0


# --- words -----------------------------------------------------------------------------------------------


def title_fault(title: str, chapter_titles: Collection[str], said: frozenset[str]) -> str:
    """Return what is wrong with a title, or nothing.

    Args:
        title: of a part or section.
        chapter_titles: of the chapters that are cited under it, as the books have them.
        said: stems of what is cited under this title.

    Returns:
        ``counts`` (*Part 1*, *Introduction*), ``pasted`` (a chapter's title), ``names nothing`` (no word of
        it is a topic of what is cited) or an empty string.
    """
    bare = title.strip()
    if _COUNTS.match(bare):
        return "counts"
    if bare.casefold() in {clean(chapter).casefold() for chapter in chapter_titles}:
        return "pasted"
    if not (stems(bare) - _GENERIC) & said:
        return "names nothing"
    return ""


def title_faults(parts: Sequence[WrittenPart], reading: Sequence[Chapter]) -> list[tuple[str, str]]:
    """Return every title of a part or section that is wrong, with what is."""
    concepts = {
        (chapter.book.book_id, chapter.number): frozenset().union(*map(stems, chapter.key_concepts))
        for chapter in reading
    }

    def fault(title: str, sources: Sequence[Source]) -> tuple[str, str]:
        said: frozenset[str] = frozenset()
        for source in sources:
            said |= stems(source.section_title or "") | stems(source.chapter_title)
            said |= concepts.get((source.book_id, source.chapter_number), frozenset())
        return title, title_fault(title, {source.chapter_title for source in sources}, said)

    faults = []
    for part in parts:
        faults += [fault(section.title, section.sources) for section in part.sections]
        faults.append(fault(part.title, [source for section in part.sections for source in section.sources]))
    return [(title, wrong) for title, wrong in faults if wrong]


def measurable_share(parts: Sequence[WrittenPart]) -> float:
    """Return the share of objectives that begin with a verb whose doing can be seen."""
    first = [o.split()[0].casefold() for s in all_sections(parts) for o in s.learning_objectives]
    return sum(verb in MEASURABLE for verb in first) / len(first) if first else 0.0


def frames_repeated(parts: Sequence[WrittenPart]) -> float:
    """Return the share of objectives that are an earlier one's sentence with another topic put in.

    The frame of an objective is what is left of it without the words of the section's cited headings, its
    chapters' titles and quoted terms.
    """
    frames: list[str] = []
    for section in all_sections(parts):
        topics: set[str] = set()
        for source in section.sources:
            topics |= {
                w.casefold() for w in re.findall(r"\w+", f"{source.section_title} {source.chapter_title}")
            }
        for objective in section.learning_objectives:
            bare = re.sub(r"“[^”]*”", "…", objective).casefold()
            frame = [word if word not in topics else "…" for word in re.findall(r"\w+|…", bare)]
            frames.append(re.sub(r"…(?: …)*", "…", " ".join(frame)))
    counted = Counter(frames)
    return sum(n - 1 for n in counted.values()) / len(frames) if frames else 0.0


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0
