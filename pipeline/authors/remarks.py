"""What the library author did with preferences and reading, said honestly in the quality report."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.authors.planning import Plan
from pipeline.authors.titles import listed, shorten
from pipeline.authors.wishes import Flavour, words_for
from pipeline.authors.words import stems

_FOLLOWED = {
    Flavour.PRACTICE: "less reading and more practice",
    Flavour.EXAMPLES: "sections with cases and examples first",
    Flavour.PICTURES: "sections with graphs and displays first",
    Flavour.RECALL: "practice as recall",
    Flavour.DISCUSSION: "practice as discussion",
}


def remarks(plan: Plan) -> list[str]:
    """Return sentences on what of the preferences was followed, and what could not be."""
    return [*_style(plan), *_notes(plan), *_repetition(plan)]


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


def _repetition(plan: Plan) -> Iterator[str]:
    if any(item.again for part in plan.parts for item in part.items):
        yield (
            "The relevant reading is shorter than the hours asked for, so it is gone through again to "
            "practice: sections off the topic would be worse."
        )
