"""Make the shipped catalogue: ``python -m pipeline.library.make_catalogue FACTS.json --summaries DIR``.

Facts (titles, authors, licences, addresses, sections, word counts, key terms) come from FACTS.json and are
copied as they are; nothing is composed or corrected. Summaries, key concepts and questions per chapter are
our own words and come from ``DIR/<book_id>.json``: ``{"chapters": [{"number", "summary", "key_concepts",
"key_concept_sections", "questions", "question_sections"}]}``. Questions are what people ask whom the chapter
helps, in everyday words; the search goes by them. The two lists of sections say for each concept and each
question which section explains or answers it, by position from 0, null for the chapter as a whole. The
result is one file per book in ``catalogue/``. Without ``--summaries`` what is already there is kept, so that
the facts can be refreshed; with ``--check`` nothing is written and a difference is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parent / "catalogue"

BOOK_FACTS = (
    "id",
    "title",
    "subtitle",
    "authors",
    "edition",
    "publisher",
    "year",
    "licence",
    "url",
    "source",
    "language",
    "subjects",
    "level",
)
"""In the order of the shipped file. A book without one of them (two name no authors) is shipped without."""

CHAPTER_LINES = (
    "number",
    "title",
    "words",
    "summary",
    "key_concepts",
    "key_concept_sections",
    "terms",
    "questions",
    "question_sections",
)
"""What the shipped file says of a chapter before its sections."""

Json = dict[str, Any]


class Incomplete(Exception):
    """A book cannot be shipped; the message says what it lacks."""


def merge(facts: Json, written: Json) -> Json:
    """Return the shipped form of a book: its facts, with the written summaries chapter by chapter.

    Raises:
        Incomplete: a chapter has no summary, no key concepts or no list of questions (which may be empty), or
            a summary belongs to no chapter.
    """
    by_number: Mapping[Any, Json] = {chapter["number"]: chapter for chapter in written.get("chapters", ())}
    chapters = [_merge_chapter(chapter, by_number) for chapter in facts["chapters"]]
    if left_over := by_number.keys() - {chapter["number"] for chapter in chapters}:
        raise Incomplete(f"summaries of chapters that the book does not have: {sorted(left_over)}")
    return {name: facts[name] for name in BOOK_FACTS if name in facts} | {"chapters": chapters}


def _merge_chapter(facts: Json, by_number: Mapping[Any, Json]) -> Json:
    written = by_number.get(facts["number"], {})
    summary = " ".join(written.get("summary", "").split())
    concepts = [concept.strip() for concept in written.get("key_concepts", ())]
    if not summary or not concepts or not all(concepts) or "questions" not in written:
        raise Incomplete(
            f"chapter {facts['number']} ({facts['title']}) has no summary, no key concepts or no questions"
        )
    chapter = {
        "number": facts["number"],
        "title": facts["title"],
        "words": facts["words"],
        "summary": summary,
        "key_concepts": concepts,
        "sections": facts["sections"],
    }
    chapter["questions"] = [" ".join(question.split()) for question in written["questions"]]
    for name, placed in (("key_concept_sections", concepts), ("question_sections", chapter["questions"])):
        places = written.get(name, [])
        if problem := _misplaced(places, len(placed), len(facts["sections"])):
            raise Incomplete(f"chapter {facts['number']} ({facts['title']}): {name} {problem}")
        if places:
            chapter[name] = places
    if "terms" in facts:
        chapter["terms"] = facts["terms"]
    return chapter


def _misplaced(places: Sequence[int | None], placed: int, sections: int) -> str | None:
    if len(places) not in (0, placed):
        return f"has {len(places)} positions for {placed}"
    if any(place is not None and not 0 <= place < sections for place in places):
        return "names a section that the chapter does not have"
    return None


def as_text(book: Json) -> str:
    """Return the shipped file's text: one line per section, so that a change shows as such in a diff."""
    head = [f"  {_json(name)}: {_json(book[name])}," for name in BOOK_FACTS if name in book]
    chapters = ",\n".join("\n".join(_chapter_lines(chapter)) for chapter in book["chapters"])
    return "\n".join(["{", *head, '  "chapters": [', chapters, "  ]", "}", ""])


def _chapter_lines(chapter: Json) -> Iterator[str]:
    yield "    {"
    for name in CHAPTER_LINES:
        if name in chapter:
            yield f"      {_json(name)}: {_json(chapter[name])},"
    if chapter["sections"]:
        yield '      "sections": ['
        yield ",\n".join(f"        {_json(section)}" for section in chapter["sections"])
        yield "      ]"
    else:
        yield '      "sections": []'
    yield "    }"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> Json:
    value = json.loads(path.read_text("utf-8")) if path.exists() else {}
    assert isinstance(value, dict), path
    return value


def make(facts_file: Path, summaries: Path, out: Path, *, check: bool = False) -> list[str]:
    """Write every book that is complete into `out`; return what keeps the others from being shipped.

    Args:
        facts_file: the facts of all books.
        summaries: folder with what was written per book; `out` itself to keep what is shipped.
        out: folder of the shipped catalogue. Books that are no longer in the facts are removed.
        check: write nothing; name the files that would change instead.
    """
    problems: list[str] = []
    books: list[Json] = _read(facts_file)["books"]
    for facts in books:
        path = out / f"{facts['id']}.json"
        try:
            text = as_text(merge(facts, _read(summaries / path.name)))
        except Incomplete as error:
            problems.append(f"{facts['id']}: {error}")
            continue
        if not check:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            problems.append(f"{facts['id']}: {path.name} is not what the facts say")
    known = {f"{facts['id']}.json" for facts in books}
    for path in sorted(out.glob("*.json")):
        if path.name in known:
            continue
        if check:
            problems.append(f"{path.stem}: not in the facts")
        else:
            path.unlink()
    return problems


def main() -> int:
    """Make the catalogue; return 1 when a book could not be shipped or, with --check, differs."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.library.make_catalogue", description=__doc__)
    parser.add_argument("facts", type=Path, metavar="FACTS.json")
    parser.add_argument("--summaries", type=Path, metavar="DIR", help="default: keep the shipped summaries")
    parser.add_argument("--out", type=Path, default=CATALOGUE, help="default: the shipped catalogue")
    parser.add_argument("--check", action="store_true", help="write nothing, report differences")
    args = parser.parse_args()
    problems = make(args.facts, args.summaries or args.out, args.out, check=args.check)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(list(args.out.glob('*.json')))} books in {args.out.name}/, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
