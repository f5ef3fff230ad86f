"""What a learner can do after a section: measurable statements that begin with a verb of Bloom's taxonomy.

The verb follows from what the cited heading names (a quantity, a method, code, something to do, a question)
and from the depth asked for; the object is the heading or a key concept in its own words. Nothing is promised
that the cited headings and concepts do not speak of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

from pipeline.authors.phrases import Casing, Phrase, is_plural
from pipeline.authors.planning import Plan, PlannedSection
from pipeline.authors.relevance import Unit
from pipeline.authors.titles import clean, is_order, quoted, shorten
from pipeline.authors.words import Rarity, stems, vocabulary
from pipeline.outline import Depth

MAX_OBJECTIVE = 220


class Kind(StrEnum):
    """What a noun phrase names."""

    QUANTITY = "quantity"
    METHOD = "method"
    CODE = "code"
    CONTRAST = "contrast"
    MATTER = "matter"


_COUNTED_SUBJECTS = vocabulary(
    """
    finance accounting statistics mathematics algebra calculus arithmetic physics chemistry
    economics mechanics quantitative reasoning analysis
    """
)
_CODE_SUBJECTS = frozenset(["programming", "python", "rust", "javascript", "r", "git", "computing"])
_QUANTITY = re.compile(
    r"""\b(?:ratios?|(?:net\ )?present\ value|future\ value|expected\ value|rates?\ of\ return
        |effective\ rates?|mean|median|standard\ deviation|variances?|probabilit(?:y|ies)|elasticity|margin
        |payback|coefficients?
        |amortization|depreciation|cost\ of\ capital|intervals?|annuit(?:y|ies)|perpetuit(?:y|ies)
        |break-even\ point|derivatives?|integrals?|determinants?|unit\ costs?|overhead\ rate
        |cost\ of\ goods\ sold|(?:simple|compound)\ interest|percentiles?|slopes?|areas?|volumes?|velocity
        |acceleration|momentum|averages?|payments?|measures\ of\ (?:center|spread|position))\b""",
    re.VERBOSE,
)
_METHOD = re.compile(
    r"\b(?:methods?|models?|tests?|testing|techniques?|procedures?|algorithms?|approach(?:es)?|analysis|analyses|theorems?"
    r"|rules?|formulas?|strateg(?:y|ies)|frameworks?|equations?|principles?|classification|clustering|regression"
    r"|distributions?|sampling|matrix|matrices)$"
)
_ABOUT = re.compile(
    r"^(?:the )?(?:risks?|roles?|importance|characteristics|types|history|applications|causes|effects)\b"
)
_CONTRAST = re.compile(r"^(.+?) (?:versus|vs\.?) (.+)$")


def kind_of(noun: str, unit: Unit) -> Kind:
    """Return what the noun phrase of a heading names."""
    subjects = {word for subject in unit.chapter.book.subjects for word in subject.casefold().split()}
    bare = re.sub(r"\s*\([^()]*\)", "", noun)
    if _CONTRAST.match(bare):
        return Kind.CONTRAST
    if subjects & _COUNTED_SUBJECTS and _QUANTITY.search(bare) and not _ABOUT.match(bare):
        return Kind.QUANTITY
    if _METHOD.search(bare) and not _ABOUT.match(bare):
        return Kind.METHOD
    if subjects & _CODE_SUBJECTS:
        return Kind.CODE
    return Kind.MATTER


_NOUN_OBJECTIVES: dict[Depth, dict[Kind, tuple[str, ...]]] = {
    Depth.OVERVIEW: {
        Kind.QUANTITY: ("Describe {0} and what {it_tells}", "Describe {0}"),
        Kind.METHOD: ("Describe {0} in plain words", "Summarize {0}"),
        Kind.CODE: ("Describe {0} with a short example", "Identify {0} in a program"),
        Kind.MATTER: (
            "Describe {0}",
            "Summarize {0} in a few sentences",
            "Identify the main points about {0}",
        ),
    },
    Depth.BALANCED: {
        Kind.QUANTITY: ("Explain {0} and calculate a simple example", "Calculate a simple example of {0}"),
        Kind.METHOD: ("Apply {0} to a simple case", "Explain {0} and say when to use {it}"),
        Kind.CODE: ("Use {0} in a short program", "Explain {0} with code of your own"),
        Kind.MATTER: ("Explain {0}", "Describe {0} with an example", "Explain {0} in your own words"),
    },
    Depth.TECHNICAL: {
        Kind.QUANTITY: ("Calculate {0} from given figures", "Calculate {0} for a realistic case"),
        Kind.METHOD: ("Apply {0} to a realistic case", "Apply {0} and interpret the result"),
        Kind.CODE: ("Implement a small program that uses {0}", "Write and test code that uses {0}"),
        Kind.MATTER: ("Analyze {0}", "Analyze a case of {0}", "Explain {0} in detail"),
    },
    Depth.EXPERT: {
        Kind.QUANTITY: (
            "Derive {0} and state the assumptions behind it",
            "Evaluate how far {0} can be relied on",
        ),
        Kind.METHOD: (
            "Evaluate the strengths and limits of {0}",
            "Critique {0} as the chapter presents {it}",
        ),
        Kind.CODE: ("Design a program around {0}", "Evaluate when {0} {is} the right choice in code"),
        Kind.MATTER: (
            "Evaluate the account given of {0}",
            "Critique the chapter's treatment of {0}",
            "Assess {0}",
        ),
    },
}
_TASK_OBJECTIVES = {
    Depth.OVERVIEW: "Describe how to {0}",
    Depth.BALANCED: "{0}",
    Depth.TECHNICAL: "{0} in a realistic case",
    Depth.EXPERT: "Evaluate different ways to {0}",
}
_CLAUSE_VERB = {
    Depth.OVERVIEW: "Describe",
    Depth.BALANCED: "Explain",
    Depth.TECHNICAL: "Analyze",
    Depth.EXPERT: "Evaluate explanations of",
}
_PAIR_OBJECTIVES = {
    Depth.OVERVIEW: "Outline how {0} and {1} belong together",
    Depth.BALANCED: "Explain how {0} and {1} are connected",
    Depth.TECHNICAL: "Analyze how {0} and {1} work together",
    Depth.EXPERT: "Evaluate how {0} bear{s} on {1}",
}
_CONCEPT_OBJECTIVES = {
    Depth.OVERVIEW: "Define {0}",
    Depth.BALANCED: "Define {0} and give an example of each",
    Depth.TECHNICAL: "Solve a problem that calls for {0}",
    Depth.EXPERT: "Design a problem that turns on {0}, and solve it",
}
_SPARE_OBJECTIVES = {
    Depth.OVERVIEW: "Illustrate {0} with an example",
    Depth.BALANCED: "Illustrate {0} with an example of your own",
    Depth.TECHNICAL: "Solve a problem of your own that involves {0}",
    Depth.EXPERT: "Design an example that puts {0} to the test",
}
_BEARS = {
    Depth.OVERVIEW: "Describe how",
    Depth.BALANCED: "Explain how",
    Depth.TECHNICAL: "Analyze how",
    Depth.EXPERT: "Evaluate how far",
}
_AGAIN_OBJECTIVES = (
    "Explain {0} from memory, then check it against the text",
    "Apply {0} to a new case of your own",
    "Compare your notes on {0} with the text and correct them",
)


def objectives(plan: Plan, section: PlannedSection, subject: str) -> tuple[str, ...]:
    """Return two to four objectives of a section.

    Args:
        plan: the whole plan.
        section: the section.
        subject: the course's title.
    """
    wanted = 2 if section.minutes <= 15 else 4 if section.minutes >= 45 or len(section.items) >= 4 else 3
    units = [item.unit for item in section.items]
    phrases = [plan.casing.phrase(unit.heading) for unit in units]
    again = all(item.again for item in section.items)
    made = _again(phrases) if again else _first_time(plan, units, phrases, subject)
    kept: dict[str, str] = {}
    for text in made:
        statement = shorten(text[:1].upper() + text[1:], MAX_OBJECTIVE)
        kept.setdefault(statement.casefold(), statement)
        if len(kept) == wanted:
            break
    return tuple(kept.values())


def _first_time(plan: Plan, units: Sequence[Unit], phrases: Sequence[Phrase], subject: str) -> Iterator[str]:
    """Yield objectives, most telling first: best headings, concepts, what connects them, the rest."""
    ranked = sorted(range(len(units)), key=lambda i: (-units[i].relevance, i))
    lead = sorted(ranked[:2])
    depth = plan.wishes.depth
    for turn, i in enumerate(lead):
        yield _of_heading(units[i], phrases[i], depth, plan.casing, turn)
    if plan.wishes.practical:
        yield _practice(units[lead[0]], phrases[lead[0]])
    concepts = _concepts(units, plan.rarity)
    if concepts:
        yield _of_concepts(concepts, depth)
    nouns = [phrases[i].noun for i in sorted(ranked[:3]) if _stands_in_a_pair(phrases[i])]
    if len(nouns) > 1:
        yield _filled(_PAIR_OBJECTIVES[depth], nouns[0], nouns[1])
    for turn, i in enumerate(ranked[2:]):
        yield _of_heading(units[i], phrases[i], depth, plan.casing, turn)
    # What is always left to ask for, so that a short reading has its two objectives as well.
    first = phrases[lead[0]]
    if kind_of(first.noun, units[lead[0]]) is not Kind.MATTER:
        yield _spare(first, depth)
    plural = is_plural(first.noun) and not first.asks
    yield f"{_BEARS[depth]} {first.noun} {'bear' if plural else 'bears'} on {quoted(subject)}"
    yield f"Summarize the main points about {first.noun} from memory"


def _stands_in_a_pair(phrase: Phrase) -> bool:
    return not (phrase.asks or phrase.task or " and " in phrase.noun or "," in phrase.noun)


def _of_heading(unit: Unit, phrase: Phrase, depth: Depth, casing: Casing, turn: int) -> str:
    if is_order(unit.heading) and depth is not Depth.OVERVIEW:
        return casing.inside(clean(unit.heading))
    if phrase.task:
        return _TASK_OBJECTIVES[depth].format(phrase.task)
    if phrase.asks:
        return f"{_CLAUSE_VERB[depth]} {phrase.noun}"
    kind = kind_of(phrase.noun, unit)
    if kind is Kind.CONTRAST and (match := _CONTRAST.match(phrase.noun)):
        return f"Compare {match[1]} with {match[2]}"
    choices = _NOUN_OBJECTIVES[depth].get(kind) or _NOUN_OBJECTIVES[depth][Kind.MATTER]
    return _filled(choices[turn % len(choices)], phrase.noun)


def _filled(template: str, noun: str, *others: str) -> str:
    """Return `template` with a noun phrase in it and the words that have to agree with it."""
    plural = is_plural(noun)
    return template.format(
        noun,
        *others,
        it="them" if plural else "it",
        it_tells="they tell" if plural else "it tells",
        s="" if plural else "s",
        **{"is": "are" if plural else "is"},
    )


def _practice(unit: Unit, phrase: Phrase) -> str:
    if phrase.task:
        return f"Demonstrate on a case of your own how to {phrase.task}"
    if kind_of(phrase.noun, unit) is Kind.CODE:
        return f"Build a small project of your own that uses {phrase.noun}"
    return (
        f"Apply {phrase.noun} in a small project of your own"
        if not phrase.asks
        else f"Demonstrate {phrase.noun}"
    )


def _spare(phrase: Phrase, depth: Depth) -> str:
    if phrase.task:
        return f"Explain how to {phrase.task}"
    return _SPARE_OBJECTIVES[depth].format(phrase.noun)


def _concepts(units: Sequence[Unit], rarity: Rarity) -> list[str]:
    """Return up to two key concepts that the cited headings speak of, or whose whole chapter is cited."""
    named = frozenset().union(*(unit.stems for unit in units))
    found: list[tuple[float, int, str]] = []
    chapters = {unit.place[:2]: unit.chapter for unit in units}
    for key, chapter in chapters.items():
        cited = sum(unit.place[:2] == key for unit in units)
        whole = cited >= max(1, len(chapter.sections)) * 0.8
        for position, concept in enumerate(chapter.key_concepts):
            shared = rarity.covered(stems(concept), named)
            if shared > 0.75 or whole:
                found.append((-shared, position, concept))
    headings = {frozenset(unit.stems) for unit in units}
    fresh = [concept for _, _, concept in sorted(found) if stems(concept) not in headings]
    return fresh[:2]


def _of_concepts(concepts: Sequence[str], depth: Depth) -> str:
    names = [quoted(concept) for concept in concepts]
    text = _CONCEPT_OBJECTIVES[depth].format(" and ".join(names))
    return text if len(names) > 1 else text.replace(" of each", "")


def _again(phrases: Sequence[Phrase]) -> Iterator[str]:
    for turn in range(len(_AGAIN_OBJECTIVES)):
        for i, phrase in enumerate(phrases):
            yield _AGAIN_OBJECTIVES[(i + turn) % len(_AGAIN_OBJECTIVES)].format(phrase.noun)
