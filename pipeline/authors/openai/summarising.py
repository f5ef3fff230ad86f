"""What a chapter of a book is about, in a model's words: for books that an operator adds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pipeline.authors.openai import prompts
from pipeline.authors.openai.asking import Question, ask
from pipeline.authors.openai.endpoint import Endpoint
from pipeline.authors.openai.wire import Sentences, Terms, Title, Wire
from pipeline.errors import AuthorMisconfigured, CourseError
from pipeline.ledger import Ledger
from pipeline.library.ingest.reading import Extract, ReadBook, ReadChapter

logger = logging.getLogger(__name__)

CONCEPTS = (3, 10)
QUESTIONS = (4, 10)
AT_ONCE = 8
MOST_CHAPTERS = 300
"""Beyond these, chapters keep their own sentences: nobody expects a bill for thousands."""


class SummaryAnswer(Wire):
    """What a chapter is about."""

    summary: Sentences
    """What the chapter teaches, in one to three sentences. At most 700 characters."""
    key_concepts: list[Title]
    """Its most important terms, as the chapter writes them, the most important first."""
    questions: list[Title]
    """What people ask whom the chapter helps, in everyday words and without its terms."""


class OpenAISummariser:
    """Asks a model about each chapter; a chapter that it cannot tell about keeps its own sentences."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._places = asyncio.Semaphore(AT_ONCE)
        self._misconfigured = False

    async def summarised(self, extract: Extract, progress: Callable[[int, int], None]) -> ReadBook:
        """Return the book with the model's summaries, key concepts and questions."""
        book, ledger = extract.book, Ledger()
        asked = list(zip(book.chapters, extract.openings, strict=True))[:MOST_CHAPTERS]
        done = 0
        progress(done, len(asked))

        async def told(chapter: ReadChapter, opening: str) -> ReadChapter:
            nonlocal done
            async with self._places:
                answer = await self._told(book, chapter, opening, ledger)
            done += 1
            progress(done, len(asked))
            return answer

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(told(chapter, opening)) for chapter, opening in asked]
        chapters = (*(task.result() for task in tasks), *book.chapters[MOST_CHAPTERS:])
        logger.info(
            "book summarised",
            extra={"book": book.title, "model": self._endpoint.model, "tokens": ledger.tokens.total},
        )
        return book.model_copy(update={"chapters": chapters})

    async def _told(self, book: ReadBook, chapter: ReadChapter, opening: str, ledger: Ledger) -> ReadChapter:
        if self._misconfigured:
            return chapter
        question = Question(
            course_id="book",
            task="summary",
            name="summary",
            answer=SummaryAnswer,
            terms=Terms(
                counts={"key_concepts": CONCEPTS, "questions": QUESTIONS},
                tolerated={"key_concepts": (1, CONCEPTS[1]), "questions": (0, QUESTIONS[1])},
            ),
            messages=prompts.for_summary(
                book.title, chapter.title, [section.title for section in chapter.sections], opening
            ),
            ledger=ledger,
        )
        try:
            answer = await ask(self._endpoint, question)
        except CourseError as error:
            self._misconfigured |= isinstance(error, AuthorMisconfigured)
            logger.warning("chapter not summarised", extra={"chapter": chapter.title, "error": error.code})
            return chapter
        return chapter.model_copy(
            update={
                "summary": answer.summary,
                "key_concepts": tuple(dict.fromkeys(answer.key_concepts)),
                "questions": tuple(dict.fromkeys(answer.questions)),
            }
        )

    async def close(self) -> None:
        """Release connections."""
        await self._endpoint.close()
