"""Which author the settings name."""

from __future__ import annotations

import pytest

from pipeline.authors.choose import make_author
from pipeline.settings import AuthorName, Settings, SettingsError


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Settings(), "library"),
        (Settings(openai_api_key="sk-test", openai_model="a-model"), "a-model"),
        (Settings(openai_api_key="sk-test", author_choice=AuthorName.LIBRARY), "library"),
        (
            Settings(
                author_choice=AuthorName.OPENAI,
                openai_base_url="http://127.0.0.1:1/v1",
                openai_model="local",
            ),
            "local",
        ),
    ],
)
async def test_the_settings_name_the_author(settings: Settings, name: str) -> None:
    author = make_author(settings)
    assert author.name == name
    await author.close()


def test_a_model_without_key_and_address_cannot_be_asked() -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        make_author(Settings(author_choice=AuthorName.OPENAI))
