"""What goes wrong at an endpoint, in our own words: the one place where the openai library's errors end.

===================================================== ========================================================
what happened                                         becomes
===================================================== ========================================================
401, 403; 404; 429 for an empty account               AuthorMisconfigured
400 or 422 for a content policy                       AuthorRefused
400, 422, 501 otherwise                               Unsupported: asked again with less, else misconfigured
429; 503 and 529 with ``Retry-After``                 Limited: the gate closes, then AuthorUnavailable
408, 409, 425, 5xx otherwise                          AuthorUnavailable
no connection, a timeout, a stream that was cut       AuthorUnavailable
an error or nonsense in the middle of a stream        AuthorUnavailable
===================================================== ========================================================

The cause stays chained, with the key struck out of whatever the other side repeated of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai

from pipeline.errors import AuthorMisconfigured, AuthorRefused, AuthorUnavailable, CourseError

_TRANSIENT = frozenset({408, 409, 425, 429})
_OVERLOADED = frozenset({503, 529})
_SHAPE = frozenset({400, 422, 501})
_POLICY_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
_EMPTY_ACCOUNT_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})

UNREACHABLE = "The model that writes the course could not be reached."
BUSY = "The model that writes the course is busy just now."
SLOW = "The model that writes the course took too long to answer."
BROKEN_OFF = "The model that writes the course broke off in the middle of its answer."
REFUSED = "The model declined to write about this."
KEY_REJECTED = "The model's service does not accept our key; whoever runs this server has to look at it."
UNKNOWN_MODEL = "The model or its address is not known; whoever runs this server has to look at it."
NO_CREDIT = "The account at the model's service has nothing left; whoever runs this server has to look at it."
TOO_LONG = "The model cannot take in a request of this length; whoever runs this server has to look at it."
NOT_ACCEPTED = "The model's service does not accept our requests; whoever runs this server has to look at it."
NO_SUCH_SERVICE = "At the model's address something else answers; whoever runs this server has to look at it."


class Unsupported(AuthorMisconfigured):
    """The endpoint does not accept some part of the request.

    Args:
        blamed: the field of the request that it complains about; empty where it does not say.
    """

    def __init__(self, blamed: str) -> None:
        super().__init__(NOT_ACCEPTED)
        self.blamed = blamed


class Limited(AuthorUnavailable):
    """The endpoint has too many calls: all of this process's have to wait, not only this one."""


@contextmanager
def translated(key: str) -> Iterator[None]:
    """Turn whatever the openai library raises into the tree of :mod:`pipeline.errors`.

    Args:
        key: the API key, struck out of every message.
    """
    try:
        yield
    except openai.APIStatusError as error:
        strike_out(error, key)
        raise _from_status(error) from error
    except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError) as error:
        raise AuthorUnavailable(SLOW) from error
    except (openai.APIConnectionError, httpx2.RequestError) as error:
        strike_out(error, key)
        raise AuthorUnavailable(UNREACHABLE) from error
    except openai.APIError as error:  # an error object in the middle of a stream
        strike_out(error, key)
        raise _from_stream(error) from error
    except (openai.OpenAIError, ValueError, RecursionError) as error:  # no JSON, no UTF-8, too deep
        strike_out(error, key)
        raise AuthorUnavailable(BROKEN_OFF) from error


def _from_status(error: openai.APIStatusError) -> CourseError:
    status, code = error.status_code, error.code or ""
    if status in (401, 403):
        return AuthorMisconfigured(KEY_REJECTED)
    if status == 404:
        return AuthorMisconfigured(UNKNOWN_MODEL)
    if code in _EMPTY_ACCOUNT_CODES:
        return AuthorMisconfigured(NO_CREDIT)
    if code in _POLICY_CODES:
        return AuthorRefused(REFUSED)
    if code in _TOO_LONG_CODES or status == 413:
        return AuthorMisconfigured(TOO_LONG)
    if status in _SHAPE:
        return Unsupported(_blamed(error))
    if status in _TRANSIENT or status >= 500:
        wait_s = retry_after_s(error.response.headers)
        limited = status == 429 or (status in _OVERLOADED and wait_s is not None)
        return (Limited if limited else AuthorUnavailable)(BUSY, retry_after_s=wait_s)
    return AuthorMisconfigured(NOT_ACCEPTED)


def _from_stream(error: openai.APIError) -> CourseError:
    if error.code in _POLICY_CODES:
        return AuthorRefused(REFUSED)
    if error.code in _EMPTY_ACCOUNT_CODES:
        return AuthorMisconfigured(NO_CREDIT)
    return AuthorUnavailable(BROKEN_OFF)


def _blamed(error: openai.APIStatusError) -> str:
    """Return the field that the server names, in ``param`` or in its message."""
    said = f"{error.param or ''} {error.message}".split()
    named = {word.strip("\"'`.,:;()[]{}").partition(".")[0] for word in said}
    if named & {"response_format", "json_schema", "json_object"}:
        return "response_format"
    return next((field for field in ("stream_options", "stream") if field in named), "")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a response asks for, in seconds; None where it asks for none.

    ``Retry-After`` in seconds or as a date (RFC 9110, section 10.2.3), or ``retry-after-ms``.
    """
    for name, per_second in (("retry-after-ms", 1_000), ("retry-after", 1)):
        try:
            wait_s = float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
        return wait_s if math.isfinite(wait_s) and wait_s >= 0 else None
    try:
        at = parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
    return max(0.0, at - time.time())


def strike_out(error: BaseException, key: str) -> None:
    """Remove the key from an error's texts: some gateways repeat it in their answer to a wrong one."""
    if len(key) < 4:  # a placeholder; striking it out would only garble the message
        return
    error.args = tuple(_without(argument, key) for argument in error.args)
    for name in ("message", "body"):
        if hasattr(error, name):
            setattr(error, name, _without(getattr(error, name), key))


def _without(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value.replace(key, "***")
    if isinstance(value, Mapping):
        return {name: _without(inner, key) for name, inner in value.items()}
    return [_without(inner, key) for inner in value] if isinstance(value, list) else value
