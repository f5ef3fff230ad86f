"""The command line's way to a server: requests with clear errors and explicit timeouts."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any
from uuid import uuid4

import httpx2

from server.access import is_loopback

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
BACKOFF_S = (0.5, 10.0)
CREATE_ATTEMPTS = 3
MAX_SHOWN_CHARACTERS = 300


class ClientError(Exception):
    """What a person is told instead of a traceback.

    ::

        ClientError
        ├── Unreachable        no answer, or not all of it
        │   └── NobodyThere    nothing listens at the address
        ├── NotCoursecast      something answers, but not as a Coursecast server does
        └── Refused            an error of the API
    """


class Unreachable(ClientError):
    """No answer came, or not all of it."""


class NobodyThere(Unreachable):
    """Nothing listens at the address."""


class NotCoursecast(ClientError):
    """What answers at the address does not speak our language."""


class Refused(ClientError):
    """The server's error.

    Args:
        status: HTTP status.
        code: a word for programs.
        message: a sentence for people.
        field: the part of the request that is wrong.
    """

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        said = status != 400 or field is None or field in message  # a 404's field is just the id asked for
        super().__init__(message if said else f"{field}: {message}")
        self.status = status
        self.code = code
        self.field = field


class Client:
    """One server, as the command line sees it. Use as a context manager.

    Args:
        url: address of the server, ``http://host:port``.

    Raises:
        ClientError: the address is none.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            parsed = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            raise ClientError(f"{url} is not an address: {error}") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ClientError(f"{url} is not an address; one looks like http://127.0.0.1:8000")
        self.http = httpx2.Client(
            base_url=parsed,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            headers={"User-Agent": f"coursecast/{metadata.version('coursecast')}"},
            # A proxy of the environment cannot reach the loopback address of this machine.
            trust_env=not is_loopback(parsed.host),
        )
        self.heard_at: float | None = None
        """When the server last said something, on the monotonic clock; None: never yet."""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, **params: str | int) -> dict[str, Any]:
        """Return the JSON object at `path`.

        Raises:
            ClientError: there is none.
        """
        return self._call("GET", path, params=params)

    def post(self, path: str) -> dict[str, Any]:
        """Return the answer to a POST without a body.

        Raises:
            ClientError: it was refused.
        """
        return self._call("POST", path)

    def text(self, path: str) -> str:
        """Return the text at `path`.

        Raises:
            ClientError: there is none.
        """
        return self._answer("GET", path).text

    def delete(self, path: str) -> None:
        """Delete what is at `path`.

        Raises:
            ClientError: it was refused.
        """
        self._answer("DELETE", path)

    def create(self, brief: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a course; return the body of the 202.

        Tries again where the answer got lost; the idempotency key makes that one course.

        Raises:
            ClientError: it was refused.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        for attempt in range(1, CREATE_ATTEMPTS):
            try:
                return self._call("POST", "/courses", json=brief, headers=headers)
            except Refused as error:
                if error.status not in (502, 503, 504):
                    raise
            except Unreachable as error:
                if attempt == 1 and isinstance(error, NobodyThere):
                    raise
            time.sleep(backoff_s(attempt))
        return self._call("POST", "/courses", json=brief, headers=headers)

    def heard(self) -> None:
        """Note that the server said something just now."""
        self.heard_at = time.monotonic()

    @contextmanager
    def transport_errors(self) -> Iterator[None]:
        """Translate what httpx2 raises where no answer comes."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NobodyThere(
                f"No Coursecast server answers at {self.url}: start one with `coursecast up`"
            ) from error
        except httpx2.TimeoutException as error:
            raise Unreachable(f"The server at {self.url} is there but does not answer") from error
        except httpx2.RequestError as error:
            raise Unreachable(f"The server at {self.url} did not answer in full: {error}") from error

    def parsed(self, text: str | bytes) -> dict[str, Any]:
        """Return the JSON object in `text`.

        Raises:
            NotCoursecast: it is none.
        """
        value = _object(text)
        if value is None:
            raise NotCoursecast(f"What answers at {self.url} is not a Coursecast server")
        return value

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        return self.parsed(self._answer(method, path, **request).content)

    def _answer(self, method: str, path: str, **request: Any) -> httpx2.Response:
        with self.transport_errors():
            response = self.http.request(method, path, **request)
        self.heard()
        if not response.is_success:
            raise refusal(response)
        return response


def refusal(response: httpx2.Response) -> Refused:
    """Return the error in an answer that was read; a proxy's page has only its status line."""
    error = (_object(response.content) or {}).get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        field = error.get("field")
        return Refused(
            response.status_code,
            str(error.get("code")),
            error["message"][:MAX_SHOWN_CHARACTERS],
            str(field) if field is not None else None,
        )
    line = f"The server answered {response.status_code} {response.reason_phrase}"
    return Refused(response.status_code, "http_error", line[:MAX_SHOWN_CHARACTERS])


def backoff_s(failures: int) -> float:
    """Return how long to wait after so many failures in a row: doubling, with jitter."""
    first, longest = BACKOFF_S
    return min(longest, first * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)


def _object(text: str | bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
