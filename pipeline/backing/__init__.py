"""Postgres and Redis for one machine: started with the app, stopped with it, data kept in between.

With ``DATABASE_URL`` and ``REDIS_URL`` set nothing is started. Else the missing ones run as children of this
process, on unix sockets, with everything they write in one folder, ``COURSECAST_HOME``::

    lock            held by the one `coursecast up` that uses the folder
    postgres/       the data
    run             the sockets; where this path would be too long, a link to a private folder elsewhere
    postgres.log    what they had to say
    redis.log
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.backing.postgres import Postgres
from pipeline.backing.process import BackingError, Say, kept, raise_fd_limit
from pipeline.backing.redis import Redis
from pipeline.settings import Settings

__all__ = ["Backing", "BackingError", "raise_fd_limit", "urls_or_exit"]

LONGEST_SOCKET_FOLDER_BYTES = 80  # sockaddr_un holds 104 (macOS) or 108 bytes, the socket's name included
TEMPORARY_PREFIX = "coursecast-"
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")  # what every URL parser leaves alone


def urls_or_exit(settings: Settings) -> tuple[str, str]:
    """Return database and Redis URL for a process that owns neither; without them one sentence, exit 2."""
    if settings.database_url and settings.redis_url:
        return settings.database_url, settings.redis_url
    missing = [
        name
        for name, url in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url))
        if not url
    ]
    print(
        f"{' and '.join(missing)} not set: start everything with `coursecast up`, "
        "or set both DATABASE_URL and REDIS_URL to your own Postgres and Redis.",
        file=sys.stderr,
    )
    raise SystemExit(2)


class Backing:
    """The services behind the app: use it as ``async with``, from the main thread.

    A service that dies is started again with backoff while the block runs; its URL stays the same. Cancelling
    the end of the block hastens it.

    Args:
        settings: which URLs are given, and the folder for what is embedded.
        say: tells the operator what takes long or went wrong.
        durable: False gives up ``fsync``, for tests.

    Raises:
        BackingError: on entering, when a piece is missing, does not start, or the folder is in use.
    """

    def __init__(
        self, settings: Settings, *, say: Say = lambda _sentence: None, durable: bool = True
    ) -> None:
        self._settings = settings
        self._say = say
        self._durable = durable
        self._stack = contextlib.AsyncExitStack()
        self.database_url = settings.database_url or ""
        self.redis_url = settings.redis_url or ""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            if not (self.database_url and self.redis_url):
                await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        with _clear_errors(self._settings.home):
            home = _make_home(self._settings.home)
            stack.enter_context(_locked(home))
            sockets = stack.enter_context(_socket_folder(home))
            if not self.database_url:
                postgres = Postgres(home, sockets, say=self._say, durable=self._durable)
                await stack.enter_async_context(kept(postgres.program, say=self._say))
                self.database_url = postgres.url
            if not self.redis_url:
                redis = Redis(home, sockets, say=self._say)
                await stack.enter_async_context(kept(redis.program, say=self._say))
                self.redis_url = redis.url


@contextlib.contextmanager
def _clear_errors(home: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence."""
    try:
        yield
    except OSError as error:
        where = error.filename or home
        raise BackingError(f"COURSECAST_HOME {home} cannot be used: {error.strerror} ({where}).") from error


def _make_home(path: Path) -> Path:
    home = path.expanduser().absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home.resolve()


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the lock of `home`; it is the kernel's, so it ends with us however we end."""
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackingError(f"Coursecast is already running on {home}: stop it first.") from None
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _socket_folder(home: Path) -> Iterator[Path]:
    """Make a fresh folder for sockets that only we can enter; remove it at the end.

    ``run`` is a folder, or a link to one elsewhere, so that the next start finds and removes what a killed
    one left behind.
    """
    run = home / "run"
    _remove_sockets(run)
    if len(os.fsencode(run)) <= LONGEST_SOCKET_FOLDER_BYTES and PLAIN_PATH.fullmatch(str(run)):
        run.mkdir(mode=0o700)
        folder = run
    else:
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=_short_temporary_folder()))
        run.symlink_to(folder)
    try:
        yield folder
    finally:
        _remove_sockets(run)


def _short_temporary_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    fits = len(os.fsencode(usual)) <= LONGEST_SOCKET_FOLDER_BYTES - 20 and PLAIN_PATH.fullmatch(str(usual))
    return usual if fits else Path("/tmp")  # noqa: S108 -- mkdtemp makes a private folder below it


def _remove_sockets(run: Path) -> None:
    if run.is_symlink():
        if run.readlink().name.startswith(TEMPORARY_PREFIX):
            shutil.rmtree(run.readlink(), ignore_errors=True)
        run.unlink()
    elif run.exists():
        shutil.rmtree(run)
