"""Why a part is there, and why a source serves its section: one sentence each.

Only what headings, key concepts and the catalogue's summaries say is said; everything else is left unsaid.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.authors.planning import Item, Plan, PlannedPart, PlannedSection
from pipeline.authors.relevance import Unit
from pipeline.authors.titles import clean, listed, quoted, topic
from pipeline.authors.wishes import words_for
from pipeline.authors.words import stems

# --- parts ----------------------------------------------------------------------------------------------


def core_part(plan: Plan) -> int:
    """Return the index of the part that holds the best answer to the query."""
    best = max(
        ((item.unit.relevance, -index) for index, part in enumerate(plan.parts) for item in part.items),
        default=(0, 0),
    )
    return -best[1]


def part_why(plan: Plan, index: int, subject: str) -> str:
    """Return one sentence: how part `index` serves the query.

    Args:
        plan: the whole plan.
        index: of the part.
        subject: the course's title.
    """
    part = plan.parts[index]
    topics = _quoted(_leading(part, 2))
    asked = quoted(subject)
    if min(item.again for item in part.items):
        return f"Goes through {topics} once more, now to practice what {asked} asks for."
    core = core_part(plan)
    if len(plan.parts) == 1:
        return f"Takes up {asked} with {topics}."
    if index == core:
        return f"Takes up {asked} most directly of all parts, with {topics}."
    if index > core:
        if index == len(plan.parts) - 1 or plan.parts[index + 1].items[0].again:
            return f"Closes the way through {asked} with {topics}."
        return _AFTER[(index - core) % len(_AFTER)].format(asked=asked, topics=topics)
    if terms := _returning(part, plan.parts[core]):
        return f"Prepares {asked} with {topics}; {listed(terms)} come back in part {core + 1}."
    if index == core - 1:
        return f"Leads up to {_quoted(_leading(plan.parts[core], 1))} with {topics}."
    return _BEFORE[index % len(_BEFORE)].format(asked=asked, topics=topics, core=core + 1)


_BEFORE = (
    "Lays the ground for {asked} with {topics}.",
    "Goes on with {topics}, still on the way to {asked}.",
    "Adds {topics} to what part {core} will need.",
)
_AFTER = (
    "Goes on from there to {topics}.",
    "Takes {asked} further, to {topics}.",
    "Adds {topics} to {asked}.",
)


def _returning(part: PlannedPart, core: PlannedPart) -> list[str]:
    """Return up to two key concepts of a part's chapters that the core part speaks of, too."""
    later = frozenset().union(
        *(stems(text) for item in core.items for text in (item.unit.heading, *item.unit.chapter.key_concepts))
    )
    own = frozenset().union(*(item.unit.stems for item in part.items))
    theirs = {item.unit.place[:2] for item in core.items}
    terms: dict[str, frozenset[str]] = {}
    for chapter in {item.unit.place[:2]: item.unit.chapter for item in part.items}.values():
        if (chapter.book.book_id, chapter.number) in theirs:
            continue
        for concept in chapter.key_concepts:
            words = stems(concept)
            new = not any(words <= told or told <= words for told in terms.values())
            if len(words) > 1 and words <= later and words & own and new:
                terms[quoted(concept)] = words
    return list(terms)[:2] if len(terms) > 1 else []


def _leading(part: PlannedPart, count: int) -> list[Unit]:
    units = list({id(item.unit): item.unit for item in part.items}.values())
    ranked = sorted(range(len(units)), key=lambda i: (-units[i].relevance, i))[:count]
    return [units[i] for i in sorted(ranked)]


def _quoted(units: Sequence[Unit]) -> str:
    return " and ".join(quoted(topic(unit.heading)) for unit in units)


# --- sources --------------------------------------------------------------------------------------------


def source_why(plan: Plan, section: PlannedSection, position: int, first_read_in: str) -> str:
    """Return one plain sentence: why source number `position` serves its section.

    Args:
        plan: the whole plan.
        section: the section it is cited in.
        position: of the source in the section.
        first_read_in: title of the section that cited it first, where this is not the first time.
    """
    item = section.items[position]
    unit = item.unit
    if item.again:
        where = f" in {quoted(first_read_in)}" if first_read_in else ""
        return f"Read before{where}; cited again for a second pass: recall it first, then check and practice."
    noun = plan.casing.phrase(unit.heading).noun
    wishes = plan.wishes
    if noted := words_for(wishes.wanted & stems(unit.heading), unit.heading):
        return f"Its heading names {listed(noted[:3])}, which your notes ask for."
    if plan.chosen.asked_about(unit) > 0.5:
        return f"Deals with {noun}, which your question names."
    if unit is plan.chosen.units[0]:
        return f"Of all sections found it is the closest to your question: {noun}."
    return _by_place(section.items, position, noun, unit)


def _by_place(items: Sequence[Item], position: int, noun: str, unit: Unit) -> str:
    before = items[position - 1].unit if position else None
    if before is not None and before.chapter.book.book_id != unit.chapter.book.book_id:
        return f"Adds, from {unit.chapter.book.title}, {noun}."
    if before is not None and before.chapter is unit.chapter:
        return f"Comes after {quoted(clean(before.heading))} in the same chapter and goes on to {noun}."
    concepts = [c for c in unit.chapter.key_concepts if stems(c) < unit.stems][:2]
    if concepts:
        return f"Covers {noun}, with terms such as {listed([quoted(concept) for concept in concepts])}."
    if unit.section is None:
        return f"The chapter as a whole is about {noun}."
    return f"Covers {noun}, as part of the chapter {quoted(clean(unit.chapter.title))}."
