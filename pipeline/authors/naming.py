"""Titles of parts and sections: they name the topic, each only once in a course.

A section is called after the book sections it reads. A part is called after what its chapters share, or after
its weightiest readings, never after a chapter alone: what it takes from the chapter follows the colon.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.authors.concepts import concepts_in
from pipeline.authors.planning import Item, Plan, PlannedPart, PlannedSection
from pipeline.authors.relevance import Unit
from pipeline.authors.titles import (
    MAX_TITLE,
    capitalised,
    clean,
    is_question,
    listed,
    shorten,
    split_topic,
    title_case,
    topic,
    without_acronym,
)
from pipeline.authors.words import BOOK_WORDS, stem, stems
from pipeline.outline import Chapter

SECTION_TITLE = 90
PART_TITLE = 100
FACET = 45
HEAD_WORDS = 8
NOTABLE = 0.18  # of a part: what a chapter has to give to be in the title
WHOLE_CHAPTER = 0.7  # of its sections: from here on a part may be called after the chapter whatever its title
MUCH_OF_A_CHAPTER = 0.4  # of its sections: from here on a part may carry the chapter's own topic

_SAYS_LITTLE = frozenset(stem(word) for word in BOOK_WORDS) | stems(
    "strengths limitations software interpretation update likelihood prior estimation background evidence"
    " overview terminology methods functions approaches application applications characteristics basics"
    " problem solution further extensions alternatives definition definitions facts names sentences"
    " arguments expressions multiple various other additional general model prior strategy"
)
_TAIL = re.compile(
    r"\s+(?:in|for|[Uu]sing|to|with|within|under|through|That|on|from|across|at|by"
    r"|and (?:Its|Their|How|the Role))\s.*$"
)
_TO_PREPOSITION = re.compile(r"(.+? )(?=(?:with|of|in|for|from|on) )")
_NUMBERS = frozenset(["one", "two", "three", "four", "first", "second", "third"])
_EMPTY_GERUND = re.compile(r"^(?:Experiencing|Exploring|Discovering|Rethinking|Looking at)\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Names:
    """The titles of a plan."""

    parts: tuple[str, ...]
    sections: tuple[tuple[str, ...], ...]


def name_plan(plan: Plan) -> Names:
    """Return a title for every part and every section; no two sections, and no two parts, share one."""
    taken: set[str] = set()
    sections = tuple(
        tuple(_unused(_section_titles(section), taken) for section in part.sections) for part in plan.parts
    )
    alone = {titles[0].casefold() for titles in sections if len(titles) == 1}
    parts = tuple(_unused(_part_titles(part), alone) for part in plan.parts)
    return Names(parts, sections)


def _unused(candidates: Sequence[str], taken: set[str]) -> str:
    """Return the first candidate that is not taken, and take it."""
    for title in candidates:
        if title.casefold() not in taken:
            taken.add(title.casefold())
            return title
    number = 2
    while (title := f"{shorten(candidates[0], MAX_TITLE - 6)} ({number})").casefold() in taken:
        number += 1
    taken.add(title.casefold())
    return title


# --- topics ---------------------------------------------------------------------------------------------


def unit_topic(unit: Unit) -> str:
    """Return what a unit is about, with its chapter's topic before it where its heading says too little."""
    own = re.sub(r"(?<=\S \S)(\S*) Basics$", r"\1", topic(unit.heading))
    if unit.section is None or stems(own) - _SAYS_LITTLE:
        return own
    around = chapter_topic(unit.chapter)
    return own if around.casefold() == own.casefold() else f"{around}: {own}"


def chapter_topic(chapter: Chapter) -> str:
    """Return a short noun phrase for a chapter: of its title, or of the key concept that says most of it."""
    head, _ = split_topic(_EMPTY_GERUND.sub("", topic(chapter.title)))
    if not is_question(head) and len(head.split()) <= HEAD_WORDS:
        return head
    body = stems(chapter.title) | stems(chapter.summary)
    for section in chapter.sections:
        body |= stems(section.title)
    concepts = [without_acronym(concept) for concept in chapter.key_concepts if 1 < len(concept.split()) <= 4]
    headings = [stems(section.title) for section in chapter.sections]
    broad = [concept for concept in concepts if not any(stems(concept) <= heading for heading in headings)]
    fitting = [concept for concept in broad if stems(concept) & body]
    return title_case((fitting or broad or concepts or [head])[0])


def compact(text: str) -> str:
    """Return a topic short enough to stand beside another: without brackets, what follows a colon, and
    what only says where or how.
    """
    head, tail = split_topic(text)
    if len(text) > FACET and tail:
        text = head if stems(head) - _SAYS_LITTLE else tail
    if len(text) > FACET:
        text = without_acronym(text)
    if len(text) > FACET:
        cut = _TAIL.sub("", text)
        text = cut if stems(cut) - _SAYS_LITTLE and len(cut.split()) > 1 else text
    return text


def _best(units: Sequence[Unit], count: int) -> list[Unit]:
    """Return the `count` most relevant units, in their own order."""
    ranked = sorted(range(len(units)), key=lambda i: (-units[i].relevance, i))[:count]
    return [units[i] for i in sorted(ranked)]


def _units(items: Iterable[Item]) -> list[Unit]:
    return list({id(item.unit): item.unit for item in items}.values())


# --- sections -------------------------------------------------------------------------------------------


def _section_titles(section: PlannedSection) -> list[str]:
    """Return titles to choose from, best first."""
    units = _units(section.items)
    again = min(item.again for item in section.items)
    room = SECTION_TITLE - len(_again(again, ""))
    titles = [_joined(_best(units, count)) for count in (3, 2) if len(units) >= count]
    titles += [unit_topic(unit) for unit in sorted(units, key=lambda unit: -unit.relevance)]
    titles += _by_terms(titles[-1], units)
    fitting = _not_pasted([title for title in titles if title and len(title) <= room], units)
    candidates = fitting or [shorten(compact(titles[-1]), room)]
    around = chapter_topic(units[0].chapter)
    candidates += [f"{around}: {title}" for title in candidates if not title.startswith(around)]
    candidates += [f"{title} ({units[0].chapter.book.title})" for title in candidates[:1]]
    return [shorten(_again(again, title)) for title in candidates]


def _again(times: int, title: str) -> str:
    """Return a title for something that was read `times` times before."""
    if not times:
        return title
    return f"{'Practice with' if times == 1 else 'Review of'} {_inner(title)}"


def _joined(units: Sequence[Unit]) -> str:
    """Return one title for several units; empty where they do not go into one."""
    heads = [split_topic(unit_topic(unit)) for unit in units]
    if len({head for head, _ in heads}) == 1 and all(tail for _, tail in heads):
        return f"{heads[0][0]}: {_row([tail for _, tail in heads])}"
    return _row(_without_repeats([compact(unit_topic(unit)) for unit in units]))


def _row(topics: Sequence[str]) -> str:
    """Return topics as one list; empty where they do not read well as one."""
    if any(len(name) > FACET or is_question(name) or ":" in name for name in topics):
        return ""
    if len(topics) > 2 and any(" and " in name or "," in name for name in topics):
        return ""
    return listed([*topics[:1], *(_inner(_without_start(name, topics[0])) for name in topics[1:])])


def _without_start(name: str, first: str) -> str:
    """Return `name` without what it begins with like `first`: *… with One Sample and with Two Samples*."""
    one, other = _TO_PREPOSITION.match(first), _TO_PREPOSITION.match(name)
    same = one is not None and other is not None and one[1] == other[1]
    return name[len(other[1]) :].lstrip() if same and other else name


def _inner(title: str) -> str:
    """Return a title for the middle of another: its article loses the capital."""
    first, _, rest = title.partition(" ")
    return f"{first.casefold()} {rest}" if first in {"The", "A", "An"} and rest else title


def _without_repeats(titles: Sequence[str]) -> list[str]:
    """Drop a title whose words another one has."""
    kept: list[str] = []
    for title in titles:
        if not any(_says_all(other, title) for other in kept):
            kept = [other for other in kept if not _says_all(title, other)] + [title]
    return kept


def _says_all(title: str, other: str) -> bool:
    """Return whether `title` has all the words of `other`, and it has more than one to lose."""
    own, others = stems(title), stems(other)
    if _NUMBERS & {*title.casefold().split()} != _NUMBERS & {*other.casefold().split()}:
        return False  # *… with One Sample* and *… with Two Samples*
    return others == own or (len(others) > 1 and others < own)


def _not_pasted(titles: list[str], units: Sequence[Unit]) -> list[str]:
    """Put titles that are a chapter's own last: they promise the whole chapter."""
    pasted = {clean(unit.chapter.title).casefold() for unit in units}
    return sorted(titles, key=lambda title: title.casefold() in pasted)


# --- parts ----------------------------------------------------------------------------------------------


def _part_titles(part: PlannedPart) -> list[str]:
    """Return titles to choose from, best first."""
    again = min(item.again for item in part.items)
    units = _units(part.items)
    labels, named = _labels(units)
    titles = _of_one(labels[0], named) if len(labels) == 1 else _of_several(labels, named)
    titles = _not_pasted([title for title in titles if title], units)
    return [shorten(capitalised(_again(again, title)), MAX_TITLE) for title in titles]


def _labels(units: Sequence[Unit]) -> tuple[list[str], list[Unit]]:
    """Return a topic for each chapter that gives the part a notable share, in order, and their units.

    The chapter's own topic where much of it is read, else that of the best reading from it.
    """
    weights: dict[tuple[str, int], float] = defaultdict(float)
    of_chapter: dict[tuple[str, int], list[Unit]] = defaultdict(list)
    for unit in units:
        weights[unit.place[:2]] += unit.minutes * unit.relevance
        of_chapter[unit.place[:2]].append(unit)
    total = sum(weights.values())
    notable = [key for key in of_chapter if weights[key] >= NOTABLE * total] or list(of_chapter)[:1]
    labels = []
    for key in notable:
        own = of_chapter[key]
        much = len(own) >= MUCH_OF_A_CHAPTER * len(own[0].chapter.sections)
        labels.append(chapter_topic(own[0].chapter) if much or len(notable) == 1 else _best_topic(own))
    for i, (key, label) in enumerate(zip(notable, labels, strict=True)):
        others = frozenset().union(*(stems(other) for other in labels if other != label))
        if " " not in label and stems(label) <= others:  # *Testing* beside *Hypothesis Testing* says nothing
            labels[i] = _best_topic(of_chapter[key])
    shared = _numbered(of_chapter, notable)
    labels = _without_repeats([shared.get(key, label) for key, label in zip(notable, labels, strict=True)])
    return labels, [unit for key in notable for unit in of_chapter[key]]


def _best_topic(units: Sequence[Unit]) -> str:
    return compact(unit_topic(_best(units, 1)[0]))


def _numbered(
    of_chapter: dict[tuple[str, int], list[Unit]], notable: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """Return the topic of chapters that a book numbers (*Time Value of Money I, II*), where two are there."""
    heads = {key: split_topic(topic(of_chapter[key][0].chapter.title)) for key in notable}
    names = [head for head, tail in heads.values() if tail]
    return {key: head for key, (head, tail) in heads.items() if tail and names.count(head) > 1}


def _of_one(head: str, units: Sequence[Unit]) -> list[str]:
    joined = [title for count in (3, 2, 1) if len(units) >= count and (title := _joined(_best(units, count)))]
    titles = [*_with_facets(head, units), *(title for title in joined if len(title) <= PART_TITLE)]
    if not _carries(head, units):  # the chapter holds other things, too
        titles = [title for title in titles if title in joined] or titles
        head = joined[-1] if joined and ":" not in joined[-1] else head
    return [*titles, *_by_terms(head, units), f"{head}: Reading and Practice"]


def _by_terms(head: str, units: Sequence[Unit]) -> list[str]:
    """Return titles of the form *head: key concept and key concept*, longest first."""
    terms = [title_case(without_acronym(term)) for term in concepts_in(units) if stems(term) - stems(head)]
    fitting = [term for term in terms if len(term) <= FACET and ":" not in term]
    rows = [_row(fitting[:count]) for count in (2, 1) if len(fitting) >= count]
    return [f"{head}: {row}" for row in rows if row and ":" not in head]


def _carries(head: str, units: Sequence[Unit]) -> bool:
    """Return whether a part may be called after a chapter: much of it is read, or they speak of its title."""
    much = len(units) >= WHOLE_CHAPTER * len(units[0].chapter.sections)
    return much or any(stems(head) & unit.stems for unit in units)


def _with_facets(head: str, units: Sequence[Unit]) -> list[str]:
    """Return titles of the form *head: facet and facet*, longest first."""
    worth: dict[str, float] = {}
    for unit in units:
        facet = without_acronym(compact(topic(unit.heading)))
        fits = len(facet) <= FACET and not is_question(facet) and ":" not in facet
        if fits and stems(facet) - stems(head) - _SAYS_LITTLE:
            worth[facet] = max(unit.relevance, worth.get(facet, 0.0))
    names = _without_repeats(list(worth))
    titles = []
    for count in (3, 2, 1):
        best = sorted(names, key=lambda name: -worth[name])[:count]
        row = _row([name for name in names if name in best]) if len(best) == count else ""
        if row:
            titles.append(f"{head}: {row}")
    return [title for title in titles if len(title) <= PART_TITLE]


def _of_several(labels: Sequence[str], units: Sequence[Unit]) -> list[str]:
    titles = []
    if len(labels) <= 3:
        titles.append(_row(labels))
    titles.append(f"From {_inner(labels[0])} to {_inner(labels[-1])}")
    titles += [_row(labels[:2]), _row([labels[0], labels[-1]])]
    titles += [title for label in labels for title in _with_facets(label, units)]
    fitting = [title for title in titles if title and len(title) <= PART_TITLE]
    return [*fitting, f"{labels[0]}: Reading and Practice"]
