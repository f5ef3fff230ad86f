"""What ``coursecast up`` runs: everything for one machine, from one process that serves nothing itself.

It owns the embedded Postgres and Redis (unless their URLs are set) and two children, ``python -m server`` and
``python -m pipeline.worker``. Whatever dies is started again with backoff; a child that ends with exit code 2
says that only the operator can help, and everything stops. Ctrl-C reaches this process alone, because each of
the others leads a session of its own; it stops web, worker, Redis and Postgres in that order. A second
Ctrl-C kills the one it is waiting for and gives the others a second each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from pipeline.backing import Backing, BackingError, raise_fd_limit
from pipeline.backing.process import NeedsOperator, Process, Program, Say, kept
from pipeline.settings import Settings

WEB = (sys.executable, "-m", "server")
WORKER = (sys.executable, "-m", "pipeline.worker")

CONFIGURATION_ERROR = 2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_POLL_S = 0.1
READY_TIMEOUT_S = 2.0
PATIENCE_S = 30.0  # after this long without an answer we say that we are still waiting


def run_up(
    settings: Settings, *, web: Sequence[str] = WEB, worker: Sequence[str] = WORKER, durable: bool = True
) -> int:
    """Run everything until a signal says stop; return the exit code.

    Args:
        settings: the environment of all parts; unset URLs mean embedded services.
        web: command of the web process.
        worker: command of the worker process.
        durable: False gives up ``fsync`` in the embedded Postgres, for tests.

    Returns:
        0 after a signal, 1 when something could not be started, 2 when the configuration is at fault.
    """
    raise_fd_limit()
    return asyncio.run(_run(_Up(settings, web, worker, durable=durable)))


def say(sentence: str) -> None:
    """Tell the operator; a terminal that is gone is no reason to stop."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


async def _run(up: _Up) -> int:
    serving = asyncio.create_task(up.serve())
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, _stop, serving)
    try:
        await serving
    except asyncio.CancelledError:
        return 0
    except BackingError as error:
        with contextlib.suppress(OSError):
            print(error, file=sys.stderr, flush=True)
        return CONFIGURATION_ERROR if isinstance(error, NeedsOperator) else 1
    return 0


def _stop(serving: asyncio.Task[None]) -> None:
    if not serving.cancelling():
        say("Stopping …")
    serving.cancel()


class _Up:
    """Everything that runs, nested in the order in which it is stopped."""

    def __init__(
        self, settings: Settings, web: Sequence[str], worker: Sequence[str], *, durable: bool
    ) -> None:
        self._settings = settings
        self._web = web
        self._worker = worker
        self._durable = durable
        self._port = settings.port or _free_port()

    async def serve(self) -> None:
        """Start everything and keep it running; ends only by cancellation or an error."""
        async with Backing(self._settings, say=say, durable=self._durable) as backing:
            _require_free(self._settings.host, self._port)
            env = self._environment(backing)
            worker = _child("worker", self._worker, env)
            web = _child("web", self._web, env)
            async with kept(worker, say=say) as worker_task, kept(web, say=say) as web_task:
                announcing = asyncio.create_task(announce(self._settings.host, self._port, say=say))
                try:
                    done, _ = await asyncio.wait([worker_task, web_task], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    announcing.cancel()
                for ended in done:
                    await ended  # raises why

    def _environment(self, backing: Backing) -> dict[str, str]:
        return os.environ | {
            "HOST": self._settings.host,
            "PORT": str(self._port),
            "DATABASE_URL": backing.database_url,
            "REDIS_URL": backing.redis_url,
            "PYTHONSAFEPATH": "1",  # a folder named `server` where we were called is not our server
        }


def _require_free(host: str, port: int) -> None:
    """Refuse an address that the web process could not listen on, before somebody else answers for it there.

    Raises:
        NeedsOperator: it is taken, not ours, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise NeedsOperator(
            f"Cannot listen on {host}:{port}: {reason}. Set HOST and PORT to an address that is free."
        ) from error


def _child(name: str, command: Sequence[str], env: Mapping[str, str]) -> Program:
    # Killed without us it gets no time to drain: Postgres is going down beside it, the log has everything,
    # and one that hangs would hold the port against the next start.
    launch = partial(Process.start, command, death_signal=signal.SIGKILL, env=env)
    return Program(name=name, launch=launch, final_codes=frozenset({CONFIGURATION_ERROR}))


async def announce(host: str, port: int, *, say: Say) -> None:
    """Say once that the web process is ready, as soon as its ``/readyz`` answers 200."""
    loop = asyncio.get_running_loop()
    patient_until = loop.time() + PATIENCE_S
    while not await _is_ready(_reachable(host), port):
        if loop.time() > patient_until:
            say("Still starting …")
            patient_until = float("inf")
        await asyncio.sleep(READY_POLL_S)  # another process: nothing to await
    name = _reachable(host)
    say(f"Coursecast is ready at http://{f'[{name}]' if ':' in name else name}:{port}")


def _reachable(host: str) -> str:
    """Return an address that reaches a server bound to `host`: a wildcard is none."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


async def _is_ready(host: str, port: int) -> bool:
    request = f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request.encode())
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status_line.split()[1:2] == [b"200"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
