"""The quality report computed once more, from what the routes give and the design says; not from the code."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.authors.words import stems

Json = dict[str, Any]


def figures(course: Json, books: Mapping[str, Json], found: Sequence[Json], hours: float) -> Json:
    """Return the figures of a finished course.

    Args:
        course: as ``GET /courses/{id}`` gives it.
        books: as ``GET /books/{id}`` gives them, by id.
        found: ``books`` of the event ``book_summaries_found``.
        hours: as asked for.
    """
    budget = math.floor(hours * 60 + 0.5)
    parts, sections = course["parts"], course["sections"]
    assert [s for part in parts for s in part["sections"]] == sections
    sources = [source for section in sections for source in section["sources"]]
    cited = [(s["book_id"], s["chapter_number"], s["section_title"]) for s in sources]
    once = dict(zip(cited, (s["minutes"] for s in sources), strict=True))
    minutes = [part["estimated_minutes"] for part in parts]
    titles = [section["title"].casefold() for section in sections]
    reading = sum(once.values())
    return {
        "budget_exact": sum(minutes) == budget
        and all(_sum(part["sections"]) == part["estimated_minutes"] for part in parts),
        "within_bounds": _within_bounds(budget, parts),
        "minutes": sum(minutes),
        "parts_count": len(parts),
        "sections_count": len(sections),
        "sources_count": len(sources),
        "sources_valid": round(sum(_exists(s, books) for s in sources) / len(sources), 3),
        "reading_minutes": reading,
        "reading_coverage": round(min(1, reading / budget), 3),
        "books_used": len({book for book, _, _ in cited}),
        "redundancy": round(1 - len(once) / len(cited), 3),
        "titles_repeated": len(titles) - len(set(titles)),
        "concept_coverage": round(_concepts(sections, cited, books, found), 3),
        "order_agreement": round(_order(list(once), books), 3),
        "parts_balance": round(min(minutes) / max(minutes), 3),
    }


def _sum(sections: Sequence[Json]) -> int:
    return sum(section["estimated_minutes"] for section in sections)


def _within_bounds(budget: int, parts: Sequence[Json]) -> bool:
    """Below 2 h one part; 2 to 4 h two or three; above, at least three of 30-120 min; sections 10-90 min."""
    if budget < 120:
        right = len(parts) == 1
    elif budget <= 240:
        right = len(parts) in (2, 3)
    else:
        right = len(parts) >= 3 and all(30 <= part["estimated_minutes"] <= 120 for part in parts)
    return right and all(10 <= s["estimated_minutes"] <= 90 for part in parts for s in part["sections"])


def _chapter(books: Mapping[str, Json], book_id: str, number: int) -> Json | None:
    chapters = books[book_id]["chapters"] if book_id in books else ()
    return next((chapter for chapter in chapters if chapter["number"] == number), None)


def _exists(source: Json, books: Mapping[str, Json]) -> bool:
    chapter = _chapter(books, source["book_id"], source["chapter_number"])
    if chapter is None or books[source["book_id"]]["title"] != source["book_title"]:
        return False
    title = source["section_title"]
    sections = [s for s in chapter["sections"] if s["title"] == title] if title else [chapter]
    return (
        chapter["title"] == source["chapter_title"]
        and source["url"] == chapter["url"]
        and bool(sections)
        and sections[0]["minutes"] == source["minutes"]
    )


def _concepts(
    sections: Sequence[Json], cited: Sequence[Any], books: Mapping[str, Json], found: Sequence[Json]
) -> float:
    """Key concepts of the best four chapters found (those near the best) that the outline covers."""
    scored = sorted(
        ((c["score"], book["book_id"], c["chapter_number"]) for book in found for c in book["chapters"]),
        key=lambda chapter: (-chapter[0], chapter[1], chapter[2]),
    )
    best = [chapter for chapter in scored[:4] if chapter[0] >= 0.75 * scored[0][0]]
    said: set[str] = set()
    for section in sections:
        read = [s["section_title"] or s["chapter_title"] for s in section["sources"]]
        for text in (section["title"], section["content_summary"], *section["learning_objectives"], *read):
            said |= stems(text)
    covered: list[float] = []
    for _, book_id, number in best:
        chapter = _chapter(books, book_id, number)
        assert chapter is not None
        places = [(book_id, number, s["title"]) for s in chapter["sections"]] or [(book_id, number, None)]
        share = sum(place in cited for place in places) / len(places)
        covered += [1.0 if stems(concept) <= said else share for concept in chapter["key_concepts"]]
    return sum(covered) / len(covered) if covered else 1.0


def _order(cited: Sequence[Any], books: Mapping[str, Json]) -> float:
    """Kendall's tau of citation against the books' own order, over pairs from one book."""

    def position(place: Any) -> tuple[int, int]:
        book_id, number, title = place
        chapter = _chapter(books, book_id, number)
        assert chapter is not None
        return number, [None, *(s["title"] for s in chapter["sections"])].index(title)

    signs = [
        1 if position(earlier) < position(later) else -1
        for earlier, later in itertools.combinations(cited, 2)
        if earlier[0] == later[0]
    ]
    return sum(signs) / len(signs) if signs else 1.0
