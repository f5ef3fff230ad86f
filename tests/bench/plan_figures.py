"""The figures of many plans, in a table: one column an author."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.authors.quality import all_sections
from pipeline.outline import WrittenPart
from tests.bench import plan_metrics as metrics
from tests.bench.judged_sections import judged_sections
from tests.bench.plan_courses import Course
from tests.bench.plan_metrics import Judged
from tests.bench.report import Table, ms, percentile

QUALITY = (
    ("sources valid", "sources_valid", "1"),
    ("budget exact", "budget_exact", "1"),
    ("parts and sections within their bounds", "within_bounds", "1"),
    ("reading ÷ hours", "reading_coverage", "–"),
    ("books cited", "books_used", "–"),
    ("redundancy: sources that cite a book section again", "redundancy", "low"),
    ("key concepts of the best chapters covered", "concept_coverage", "high"),
    ("order agreement with the books (Kendall's τ)", "order_agreement", "high"),
    ("parts balanced: shortest ÷ longest", "parts_balance", "high"),
)
"""What the course's own quality report says: name here, key there, what is wanted."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one plan; its mean over all plans is shown."""

    name: str
    wanted: str
    of: Callable[[Course, Judged], float]


FIGURES = (
    Figure(
        "cited minutes in chapters judged to answer",
        "high",
        lambda c, j: metrics.judged_share(parts_of(c), j),
    ),
    Figure(
        "nearness of what is cited to the query, ÷ the nearest there is",
        "high",
        lambda c, _: metrics.similarity_share(parts_of(c), c.work.reading),
    ),
    Figure(
        "the query's topic words in the outline",
        "high",
        lambda c, _: metrics.query_coverage(c.work.brief.query, parts_of(c)),
    ),
    *(
        Figure(name, wanted, lambda c, _, key=key: float(c.review.quality[key]))  # type: ignore[misc]
        for name, key, wanted in QUALITY
    ),
    Figure(
        "pairs from books of two levels that have the easier first",
        "high",
        lambda c, _: metrics.levels_in_order(parts_of(c), c.work.reading),
    ),
    Figure("headings cited that say what another says", "low", lambda c, _: metrics.said_twice(parts_of(c))),
    Figure(
        "titles of parts and sections that name their topic",
        "1",
        lambda c, _: 1 - len(metrics.title_faults(parts_of(c), c.work.reading)) / titles_in(parts_of(c)),
    ),
    Figure(
        "objectives that begin with a measurable verb",
        "1",
        lambda c, _: metrics.measurable_share(parts_of(c)),
    ),
    Figure(
        "objectives that are another's sentence with the topic changed",
        "low",
        lambda c, _: metrics.frames_repeated(parts_of(c)),
    ),
)


def parts_of(course: Course) -> Sequence[WrittenPart]:
    """Return the parts as they were stored."""
    return course.review.parts


def titles_in(parts: Sequence[WrittenPart]) -> int:
    """Return how many titles an outline has below its own."""
    return len(parts) + sum(1 for _ in all_sections(parts))


def figures_table(
    title: str, what: str, by_author: Mapping[str, Sequence[Course]], judged: Mapping[str, Judged]
) -> Table:
    """Return the means of every figure, one column an author.

    Args:
        title: of the table.
        what: how it was measured.
        by_author: the courses of each author, by its name in the heading.
        judged: the chapters that answer each query.
    """
    table = Table(title, what, ("mean over plans", *by_author, "wanted"))
    table.add("plans", *(str(len(courses)) for courses in by_author.values()), "")
    for figure in FIGURES:
        means = (
            statistics.fmean(figure.of(course, judged[course.work.brief.query]) for course in courses)
            for courses in by_author.values()
        )
        table.add(figure.name, *(f"{mean:.3f}".removesuffix(".000") for mean in means), figure.wanted)
    seconds = [[course.seconds for course in courses] for courses in by_author.values()]
    table.add("time to write, p95", *(ms(percentile(own, 95)) for own in seconds), "")
    return table


def sections_table(title: str, what: str, by_author: Mapping[str, Sequence[Course]]) -> Table:
    """Return what a teacher would say of the sections cited: one row an author and set of queries."""
    table = Table(title, what, ("", "plans", "struck out", "core", "core found", "reading"))
    for author, courses in by_author.items():
        for part, name in SETS.items():
            own = [c for c in courses if _set_of(c) == part]
            found = [
                metrics.graded_minutes(parts_of(c), c.work.reading, judged_sections()[_query(c)].grades)
                for c in own
            ]
            table.add(
                f"{author}, {name}",
                str(len(own)),
                f"{statistics.fmean(one.struck_out_share for one in found):.1%}",
                f"{statistics.fmean(one.core_share for one in found):.1%}",
                f"{_core_found(own, found):.1%}",
                f"{statistics.fmean(int(c.review.quality['reading_minutes']) for c in own):.0f} min",
            )
    return table


SETS = {"tuning": "queries fitted on", "test": "held out", "outlines": "of the outlines below, held out"}
GOAL = 0.8
"""Of the hours: reading that a plan of moderate pace has room for."""


def _core_found(courses: Sequence[Course], found: Sequence[metrics.GradedMinutes]) -> float:
    goals = [GOAL * course.work.brief.budget_minutes for course in courses]
    return statistics.fmean(
        one.core_found(goal) for one, goal in zip(found, goals, strict=True) if one.core_there
    )


def _query(course: Course) -> str:
    return course.work.brief.query


def _set_of(course: Course) -> str:
    judged = judged_sections().get(_query(course))
    return judged.part if judged else ""


def worst(courses: Sequence[Course], judged: Mapping[str, Judged], most: int = 12) -> list[tuple[float, str]]:
    """Return the queries whose plans cite least of what was judged to answer them, worst first."""
    shares = [
        (metrics.judged_share(parts_of(c), judged[c.work.brief.query]), c.work.brief.query) for c in courses
    ]
    return sorted(shares)[:most]
