"""Real server and worker processes for tests: started, killed -9, stopped, continued."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from pipeline.settings import Settings

ROOT = Path(__file__).parent.parent
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


class Process:
    """One process of ours, with what it printed."""

    def __init__(self, module: str, env: Mapping[str, str]) -> None:
        self.module = module
        self.env = dict(env)
        self.popen = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", self.module],
            env={**os.environ, **self.env},
            cwd=ROOT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.popen.kill()
        self.popen.wait()

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> float:
        """SIGTERM, and wait; return how many seconds it took."""
        began = time.monotonic()
        if self.running:
            self.popen.terminate()
            try:
                self.popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return time.monotonic() - began

    def restart(self) -> None:
        """Start it again after it was killed or stopped."""
        assert not self.running
        self.popen = self._start()


class Web(Process):
    """A server process."""

    def __init__(self, env: Mapping[str, str], port: int) -> None:
        super().__init__("server", env)
        self.port = port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self) -> None:
        """Wait until /readyz answers 200; a process that died meanwhile is an error at once."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert self.running, f"the server ended with {self.popen.returncode}"
            try:
                if httpx2.get(f"{self.base_url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            assert time.monotonic() < deadline, "the server did not get ready"
            time.sleep(0.05)  # nothing tells when another process listens


def environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make a process read these settings."""
    env: dict[str, str] = {"PYTHONWARNINGS": "default"}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value is None or value == field.default:
            continue
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        if isinstance(value, tuple):
            value = ",".join(value)
        env[str(field.validation_alias)] = str(value)
    return env


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_web(settings: Settings) -> Iterator[Web]:
    """Run a server with these settings on a free port; ready when yielded, gone afterwards."""
    port = free_port()
    web = Web({**environment(settings), "PORT": str(port)}, port)
    try:
        web.wait_ready()
        yield web
    finally:
        _end(web)


@contextmanager
def run_worker(settings: Settings) -> Iterator[Process]:
    """Run a worker with these settings; it may still be starting when yielded."""
    worker = Process("pipeline.worker", environment(settings))
    try:
        yield worker
    finally:
        _end(worker)


def _end(process: Process) -> None:
    if process.running:
        process.send(signal.SIGCONT)  # a stopped process does not see SIGTERM
        try:
            process.stop()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{process.module} did not stop within {STOP_TIMEOUT_S} s") from None
