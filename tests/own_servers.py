"""A Redis and a Postgres over TCP, as an operator would have them: not started by Coursecast."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis.asyncio as redis

from pipeline.backing.postgres import DATABASE, ROLE, Postgres
from pipeline.backing.process import kept
from pipeline.backing.redis import find_server
from tests.processes import free_port


class OwnRedis:
    """A Redis of this test's own, over TCP, to stop and start."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            str(binary),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        async with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                    return
                except redis.ConnectionError:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.02)  # nothing tells when another process listens

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def flush(self) -> None:
        async with redis.Redis.from_url(self.url) as client:
            await client.flushall()


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    server = OwnRedis(Path(await find_server()), tmp_path)
    await server.start()
    yield server
    server.stop()


class TcpPostgres(Postgres):
    """A Postgres that listens on a loopback port."""

    tcp_port = 0

    @property
    def tcp_url(self) -> str:
        return f"postgresql://{ROLE}@127.0.0.1:{self.tcp_port}/{DATABASE}"

    def _options(self) -> list[str]:
        listen = {"listen_addresses": "127.0.0.1", "port": str(self.tcp_port)}
        return [
            *super()._options(),
            *(word for name, value in listen.items() for word in ("-c", f"{name}={value}")),
        ]

    def _url(self, database: str) -> str:
        if not self.tcp_port:
            self.tcp_port = free_port()
        return f"postgresql://{ROLE}@127.0.0.1:{self.tcp_port}/{database}"


@pytest.fixture
async def own_postgres_url(tmp_path: Path) -> AsyncIterator[str]:
    """URL of a Postgres over TCP with an empty database."""
    home, sockets = tmp_path / "pg", tmp_path / "s"
    home.mkdir()
    sockets.mkdir()
    server = TcpPostgres(home, sockets, say=lambda _: None, durable=False)
    async with kept(server.program, say=lambda _: None):
        yield server.tcp_url
