"""What the library author did with preferences and reading, said honestly in the quality report."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.authors.planning import Plan
from pipeline.authors.titles import listed, shorten
from pipeline.authors.wishes import Flavour, words_for
from pipeline.authors.words import stems

A_NAME = 2
"""Topic words of a query that is no more than the name of something."""
_FOLLOWED = {
    Flavour.PRACTICE: "less reading and more practice",
    Flavour.EXAMPLES: "sections with cases and examples first",
    Flavour.PICTURES: "sections with graphs and displays first",
    Flavour.RECALL: "practice as recall",
    Flavour.DISCUSSION: "practice as discussion",
}


def remarks(plan: Plan) -> list[str]:
    """Return sentences on what of the brief was followed, and what could not be."""
    return [*_style(plan), *_notes(plan), *_unnamed(plan), *_repetition(plan)]


def _style(plan: Plan) -> Iterator[str]:
    wishes = plan.wishes
    followed = [_FOLLOWED[flavour] for flavour in Flavour if flavour in wishes.flavours]
    if followed:
        yield f"Presentation followed as far as a plan of readings can: {listed(followed)}."
    elif wishes.style:
        yield (
            f"The presentation style “{shorten(wishes.style, 80)}” was not used: "
            "this author chooses readings and does not rewrite them."
        )


def _notes(plan: Plan) -> Iterator[str]:
    wishes = plan.wishes
    if not wishes.notes:
        return
    cited = frozenset().union(*(stems(item.unit.heading) for part in plan.parts for item in part.items))
    followed = words_for(wishes.wanted & cited, wishes.notes)
    missing = words_for(wishes.wanted - cited, wishes.notes)
    if followed:
        yield f"Your notes moved sections that name {listed(followed[:6])} to the front of the choice."
    elif wishes.wanted:
        named = " or ".join(missing[:6])
        yield f"No section of the relevant reading names {named}, which your notes speak of."
    if wishes.unwanted:
        avoided = listed(words_for(wishes.unwanted, wishes.notes)[:6])
        yield f"What your notes ask to leave out ({avoided}) was avoided where other reading was left."
    if not wishes.wanted and not wishes.unwanted and not wishes.flavours:
        yield "Your notes name no topic that could guide the choice of sections."


def _unnamed(plan: Plan) -> Iterator[str]:
    """Say so where a topic has no heading of its name: then what is read comes near it, or touches it."""
    asked = plan.wishes.asked
    if len(asked) > A_NAME:
        return  # a question in words of its own, which no heading has to have
    said: set[str] = set()
    for item in (item for part in plan.parts for item in part.items):
        chapter = item.unit.chapter
        for text in (item.unit.heading, chapter.title, chapter.book.title, *chapter.book.subjects):
            said |= stems(text)
        said |= set().union(*map(stems, chapter.key_concepts))
    if asked and not asked & said:
        named = listed(words_for(asked, plan.brief.query))
        yield f"No heading or key concept of what is cited names {named}: it is what comes nearest."


def _repetition(plan: Plan) -> Iterator[str]:
    if any(item.again for part in plan.parts for item in part.items):
        yield (
            "The relevant reading is shorter than the hours asked for, so it is gone through again to "
            "practice: sections off the topic would be worse."
        )
