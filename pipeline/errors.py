"""What can go wrong while a course is written.

::

    CourseError                     one base; `code` for programs, `str()` for people
    ├── NoRelevantBooks             no_relevant_books        the library does not cover the query
    ├── AuthorError
    │   ├── AuthorUnavailable       author_unavailable       retryable: connect, timeout, 429, 5xx
    │   ├── AuthorRefused           author_refused           the model or its filter declined
    │   ├── AuthorMisconfigured     author_misconfigured     key, model or address is wrong
    │   └── AuthorInvalidOutput     author_invalid_output    retryable: not of the shape we asked for
    ├── EmbedderUnavailable         embedder_unavailable     retryable
    ├── LibraryUnavailable          library_unavailable      retryable: embeddings missing or of another model
    ├── BudgetExceeded              token_budget_exceeded    COURSECAST_MAX_TOKENS_PER_COURSE is spent
    ├── CourseTimeout               timeout                  the whole run took too long
    └── InternalError               internal                 a bug of ours; the log has the traceback

    LostCourse                      not a failure of the course: another run owns it now, or nobody does

``retryable`` says whether the same task may simply be tried again by the machine;
``resumable`` whether a person may ask for it with ``POST …/retry``. Errors of libraries are translated
into these once, at the adapter, with the cause chained.
"""

from __future__ import annotations

from typing import ClassVar


class CourseError(Exception):
    """Base of everything that makes a course fail.

    Args:
        message: a sentence for the learner; no keys, addresses or tracebacks.
        retry_after_s: the least wait before another try that the failing side asked for, in seconds.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    resumable: ClassVar[bool] = True

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message


class NoRelevantBooks(CourseError):
    """Nothing in the library is about the query; asking again gives the same answer."""

    code = "no_relevant_books"
    resumable = False


class AuthorError(CourseError):
    """The author could not write what it was asked for."""


class AuthorUnavailable(AuthorError):
    """The model could not be reached or is overloaded."""

    code = "author_unavailable"
    retryable = True


class AuthorRefused(AuthorError):
    """The model, or its content filter, declined to answer."""

    code = "author_refused"


class AuthorMisconfigured(AuthorError):
    """Key, model name or address are not accepted: the operator has to act."""

    code = "author_misconfigured"


class AuthorInvalidOutput(AuthorError):
    """The model's answer is not of the shape asked for, also after asking again."""

    code = "author_invalid_output"
    retryable = True


class EmbedderUnavailable(CourseError):
    """Text could not be turned into a vector."""

    code = "embedder_unavailable"
    retryable = True


class LibraryUnavailable(CourseError):
    """The library cannot be searched as it is: not loaded, or embedded with another model."""

    code = "library_unavailable"
    retryable = True


class BudgetExceeded(CourseError):
    """The course spent the tokens it may spend."""

    code = "token_budget_exceeded"


class CourseTimeout(CourseError):
    """One run of the course took longer than COURSECAST_COURSE_TIMEOUT_S."""

    code = "timeout"


class InternalError(CourseError):
    """A bug: what the learner sees instead of a traceback."""

    code = "internal"
    retryable = True


class LostCourse(Exception):
    """This run may not write any more: its fence is old, or the course is not processing.

    Raised by the log, caught by the runner, which ends quietly: the course itself is fine.
    """
