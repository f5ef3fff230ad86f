"""Which author writes: the settings decide."""

from __future__ import annotations

from pipeline.authors import Author
from pipeline.authors.library import LibraryAuthor
from pipeline.settings import AuthorName, Settings, SettingsError


def make_author(settings: Settings) -> Author:
    """Return the author that `settings` name; close it in the end.

    Raises:
        SettingsError: it is ``openai``, and there is neither a key nor an address that may need none.
    """
    if settings.author is not AuthorName.OPENAI:
        return LibraryAuthor()
    if settings.openai_api_key is None and settings.openai_base_url is None:
        raise SettingsError(
            "COURSECAST_AUTHOR=openai needs OPENAI_API_KEY, or OPENAI_BASE_URL of a server without keys"
        )
    # Half a second of imports that the library does not need.
    from pipeline.authors.openai import OpenAIAuthor, Timeouts

    key = settings.openai_api_key
    return OpenAIAuthor(
        base_url=settings.openai_base_url,
        key=key.get_secret_value() if key else None,
        model=settings.openai_model,
        max_calls=settings.max_model_calls,
        timeouts=Timeouts.within(settings.model_timeout_s),
    )
