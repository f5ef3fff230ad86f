"""From what a model answered to what a course is made of: ids become sources, weights become minutes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.authors import section_id
from pipeline.authors.openai.prompts import section_number
from pipeline.authors.openai.shelf import Shelf
from pipeline.authors.openai.wire import ReviewAnswer, WirePart, WireSection
from pipeline.outline import PART_MINUTES, SECTION_MINUTES, Part, Section, WrittenPart, allocate


def parts_of(budget_minutes: int, planned: Sequence[WirePart]) -> list[Part]:
    """Return the parts as planned; their minutes add up to the budget."""
    minutes = shares(budget_minutes, [part.weight for part in planned], PART_MINUTES)
    return [
        Part(part_index=index, title=part.title, why=part.why, estimated_minutes=minutes[index])
        for index, part in enumerate(planned)
    ]


def shares(total: int, weights: Sequence[int], bounds: tuple[int, int]) -> tuple[int, ...]:
    """Return minutes for weights; one share is the total, whatever its bounds."""
    if len(weights) == 1:
        return (total,)
    least, most = bounds
    return allocate(total, weights, least=least, most=most)


def sections_of(course_id: str, part: Part, written: Sequence[WireSection], shelf: Shelf) -> list[Section]:
    """Return the sections of a part as written; their minutes add up to the part's.

    Args:
        course_id: a UUID; section ids are derived from it.
        part: the part.
        written: what the model answered, every id one of `shelf`.
        shelf: where the ids lead.
    """
    minutes = shares(part.estimated_minutes, [section.weight for section in written], SECTION_MINUTES)
    titles = [section.title for section in written]
    return [
        Section(
            section_id=section_id(course_id, part.part_index, index),
            part_index=part.part_index,
            order_index=index,
            title=section.title,
            content_summary=section.summary,
            learning_objectives=tuple(dict.fromkeys(o.objective for o in section.objectives)),
            prerequisites=tuple(titles[at - 1] for at in sorted(set(section.builds_on)) if 1 <= at <= index),
            estimated_minutes=minutes[index],
            sources=tuple(
                shelf.places[id_].source(why)
                for id_, why in reversed({s.source: s.why for s in reversed(section.sources)}.items())
            ),
        )
        for index, section in enumerate(written)
    ]


def by_number(parts: Iterable[WrittenPart]) -> dict[str, Section]:
    """Return the sections by their number in a prompt, such as ``2.1``."""
    return {
        section_number(section.part_index, section.order_index): section
        for part in parts
        for section in part.sections
    }


def rename(
    parts: Sequence[WrittenPart], verdict: ReviewAnswer
) -> tuple[tuple[WrittenPart, ...], tuple[str, ...]]:
    """Return the parts with the verdict's titles and summaries, and a sentence for each new title.

    A title that another section has is not taken; prerequisites go on naming the same sections.
    """
    sections = by_number(parts)
    titles = {number: section.title for number, section in sections.items()}
    summaries: dict[str, str] = {}
    for wish in verdict.renamed:
        others = {title.casefold() for number, title in titles.items() if number != wish.section}
        if wish.title.casefold() not in others:
            titles[wish.section] = wish.title
            summaries[wish.section] = wish.summary
    new_names = {section.title: titles[number] for number, section in sections.items()}
    changes = [f"“{old}” is now called “{new}”." for old, new in new_names.items() if old != new]

    def changed(section: Section) -> Section:
        number = section_number(section.part_index, section.order_index)
        return section.model_copy(
            update={
                "title": titles[number],
                "content_summary": summaries.get(number, section.content_summary),
                "prerequisites": tuple(new_names.get(name, name) for name in section.prerequisites),
            }
        )

    standing = tuple(
        part.model_copy(update={"sections": tuple(map(changed, part.sections))}) for part in parts
    )
    return standing, tuple(changes)
