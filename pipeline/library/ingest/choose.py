"""Who writes the summaries of an added book: a model where one is the author, else the book itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.library.ingest.adding import Summariser
from pipeline.settings import AuthorName, Settings


@asynccontextmanager
async def summariser_for(settings: Settings) -> AsyncIterator[Summariser | None]:
    """Open the summariser that `settings` choose; None: a book is told in its own sentences."""
    key, url = settings.openai_api_key, settings.openai_base_url
    if settings.author is not AuthorName.OPENAI or (key is None and url is None):
        yield None
        return
    # Half a second of imports that nobody else needs.
    from pipeline.authors.openai.endpoint import Endpoint, Timeouts
    from pipeline.authors.openai.summarising import OpenAISummariser

    summariser = OpenAISummariser(
        Endpoint(
            base_url=url,
            key=key.get_secret_value() if key else None,
            model=settings.openai_model,
            max_calls=settings.max_model_calls,
            timeouts=Timeouts.within(settings.model_timeout_s),
        )
    )
    try:
        yield summariser
    finally:
        await summariser.close()
