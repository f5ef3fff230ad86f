"""The environment, read once, typed.

Every variable Coursecast reads is a field of :class:`Settings`; the table in ``docs/settings.md`` is
generated from it (``python -m pipeline.settings``) and a test fails when the two drift. Nothing else in the
project looks at ``os.environ`` for configuration.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import AliasChoices, AliasPath, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class SettingsError(Exception):
    """A variable in the environment has a value that cannot be used; the message names it."""


class AuthorName(StrEnum):
    """Who writes parts, sections and the review."""

    LIBRARY = "library"
    OPENAI = "openai"


class EmbedderName(StrEnum):
    """What turns text into vectors."""

    STATIC = "static"
    OPENAI = "openai"


def _env(name: str, default: Any, description: str, **limits: Any) -> Any:
    """Return a field read from the variable `name`."""
    if callable(default):
        return Field(default_factory=default, validation_alias=name, description=description, **limits)
    return Field(default=default, validation_alias=name, description=description, **limits)


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("coursecast", appauthor=False))


class Settings(BaseSettings):
    """Everything that can be configured. Times are seconds (``_s``) or milliseconds (``_ms``)."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    host: str = _env("HOST", "127.0.0.1", "Address the web server listens on.")
    port: int = _env("PORT", 8000, "Port the web server listens on.", ge=0, le=65535)
    database_url: str | None = _env(
        "DATABASE_URL", None, "PostgreSQL with pgvector, as `postgresql://…`. Unset: embedded."
    )
    redis_url: str | None = _env(
        "REDIS_URL", None, "Redis 6.2 or newer, as `redis://`, `rediss://` or `unix://`. Unset: embedded."
    )
    openai_api_key: SecretStr | None = _env(
        "OPENAI_API_KEY",
        None,
        "Key of an OpenAI-compatible endpoint; a key makes `openai` the default author.",
    )
    openai_base_url: str | None = _env("OPENAI_BASE_URL", None, "Base URL of an OpenAI-compatible endpoint.")
    openai_model: str = _env("OPENAI_MODEL", "gpt-4.1-mini", "Chat model of the `openai` author.")
    openai_embedding_model: str = _env(
        "OPENAI_EMBEDDING_MODEL", "text-embedding-3-small", "Model of the `openai` embedder."
    )
    embedding_dimensions: int | None = _env(
        "COURSECAST_EMBEDDING_DIMENSIONS",
        None,
        "Dimensions of the `openai` embedder, where its model can shorten vectors. Unset: the model's own.",
        ge=1,
        le=16_000,
    )
    home: Path = _env("COURSECAST_HOME", _default_home, "Folder of the embedded Postgres and Redis data.")
    author_choice: AuthorName | None = _env(
        "COURSECAST_AUTHOR", None, "`library` or `openai`. Unset: `openai` when a key is set, else `library`."
    )
    embedder: EmbedderName = _env("COURSECAST_EMBEDDER", EmbedderName.STATIC, "`static` or `openai`.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = _env(
        "COURSECAST_ALLOWED_ORIGINS",
        (),
        "Comma-separated origins of sites whose pages may call us, and under whose names we may be asked.",
    )
    max_active_courses: int = _env(
        "COURSECAST_MAX_ACTIVE_COURSES",
        1_000,
        "Courses one caller may have in the making; then 429.",
        ge=1,
    )
    max_viewers: int = _env("COURSECAST_MAX_VIEWERS", 10_000, "Streams one web process serves at once.", ge=1)
    max_book_bytes: int = _env(
        "COURSECAST_MAX_BOOK_BYTES", 104_857_600, "Bytes that a book's file may have (100 MiB).", ge=1
    )
    max_model_calls: int = _env(
        "COURSECAST_MAX_MODEL_CALLS", 256, "Model calls one worker makes at once.", ge=1
    )
    model_timeout_s: float = _env(
        "COURSECAST_MODEL_TIMEOUT_S",
        300.0,
        "Longest time one model call may take, in seconds; it also ends after silence for 40 % of that.",
        gt=0,
    )
    max_tokens_per_course: int | None = _env(
        "COURSECAST_MAX_TOKENS_PER_COURSE",
        None,
        "Tokens, prompt and completion, that a course may spend on a model. Unset: no limit.",
        ge=1,
    )
    course_timeout_s: float = _env(
        "COURSECAST_COURSE_TIMEOUT_S", 3_600.0, "Longest time one run of a course may take, in seconds.", gt=0
    )
    log_level: str = _env("COURSECAST_LOG_LEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`.")

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @cached_property
    def author(self) -> AuthorName:
        """The author in force: the explicit choice, else `openai` when there is a key."""
        if self.author_choice is not None:
            return self.author_choice
        return AuthorName.OPENAI if self.openai_api_key else AuthorName.LIBRARY

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment.

        Raises:
            SettingsError: a variable has an unusable value; one line per variable, naming it.
        """
        try:
            return cls()
        except ValidationError as error:
            lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
            raise SettingsError("\n".join(lines)) from error


def table() -> str:
    """Return the Markdown table of all variables, one row a variable, for the docs."""
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        assert not isinstance(alias, (AliasPath, AliasChoices))
        if field.default_factory is not None:
            default = "the user's data folder"
        elif field.default in (None, ()):
            default = "unset"
        else:
            default = f"`{field.default}`"
        rows.append(f"| `{alias}` | {default} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
