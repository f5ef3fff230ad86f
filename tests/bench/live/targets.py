"""The servers that are measured, ours and its peers: started on the serving core, ended by their id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import Settings
from tests.bench.live import machine
from tests.bench.live.publish import NchanPublisher, Publisher, RedisPublisher, SendLoopPublisher
from tests.processes import ROOT, free_port, run_web

NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
START_TIMEOUT_S = 20.0
PEER_PREFIX = b"bench:"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running server.

    Args:
        name: what the tables call it.
        pids: the serving processes.
        ports: where they listen; viewers are dealt out among them.
        path: where a channel is watched.
        ready: what a viewer has seen when what is published next will reach it.
        publisher: opens a publisher for it.
        socket_path: where a channel is watched over WebSocket, if it can be.
        socket_ready: as `ready`, over WebSocket.
    """

    name: str
    pids: tuple[int, ...]
    ports: tuple[int, ...]
    path: str
    ready: str
    publisher: Callable[[], Publisher]
    socket_path: str | None = None
    socket_ready: str = "\r\n\r\n"


@contextmanager
def run(
    command: list[str], *, core: int, port: int, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on one core; it listens when yielded, and is gone afterwards."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # inherited, by its threads and children too
    try:
        popen = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        os.sched_setaffinity(0, before)
    try:
        _until_listening(popen, port)
        yield popen
    finally:
        popen.terminate()
        try:
            popen.wait(10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


def _until_listening(popen: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert popen.poll() is None, f"{popen.args!r} ended with {popen.returncode}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, f"{popen.args!r} does not listen"
        time.sleep(0.05)  # nothing tells when another process listens


@contextmanager
def redis_server(binary: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a Redis for the measurements, on the other core; yields its port and pid."""
    port = free_port()
    options = {"--port": port, "--bind": "127.0.0.1", "--save": "", "--dir": folder, "--maxclients": 12_000}
    words = [str(word) for option in options.items() for word in option]
    with run([str(binary), *words], core=machine.OTHER_CORE, port=port) as popen:
        yield port, popen.pid


@contextmanager
def ours(settings: Settings, redis_port: int, *, processes: int = 1) -> Iterator[Target]:
    """Run our server, once or more."""
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(run_web(settings)) for _ in range(processes)]
        for web in webs:
            machine.pin(web.pid, machine.SERVING_CORE)
        yield Target(
            name="ours" if processes == 1 else f"ours, {processes} processes",
            pids=tuple(web.pid for web in webs),
            ports=tuple(web.port for web in webs),
            path="/courses/{}/events",
            ready='"seq":1,',
            publisher=lambda: RedisPublisher(redis_port),
            socket_path="/courses/{}/ws?after=0",
            socket_ready='"seq":1,',
        )


@contextmanager
def python_peer(name: str, redis_port: int, database_url: str = "") -> Iterator[Target]:
    """Run one of :mod:`tests.bench.live.peers`."""
    port = free_port()
    env = {"REDIS_URL": f"redis://127.0.0.1:{redis_port}", "DATABASE_URL": database_url}
    command = [sys.executable, "-m", "tests.bench.live.peers", name, str(port)]
    with run(command, core=machine.SERVING_CORE, port=port, env=env) as popen:
        yield Target(
            name={
                "event-source-own": "EventSourceResponse, a subscription for each client",
                "event-source-shared": "EventSourceResponse, one shared subscription",
                "bare-send": "bare ASGI `send` loop",
            }.get(name, name),
            pids=(popen.pid,),
            ports=(port,),
            path="/sub/{}",
            ready="ready",
            publisher=lambda: RedisPublisher(redis_port, prefix=PEER_PREFIX),
        )


@contextmanager
def send_loop(folder: Path) -> Iterator[Target]:
    """Compile and run the send loop in C."""
    binary = folder / "sendloop"
    compiler = shutil.which("cc") or "cc"
    subprocess.run(
        [compiler, "-O2", "-o", str(binary), str(Path(__file__).parent / "sendloop.c")], check=True
    )
    port = free_port()
    with run([str(binary), str(port)], core=machine.SERVING_CORE, port=port) as popen:
        yield Target(
            name="bare `send` loop in C, no Redis",
            pids=(popen.pid,),
            ports=(port,),
            path="/{}",
            ready="ready",
            publisher=lambda: SendLoopPublisher(port),
        )


# --- nginx + nchan ------------------------------------------------------------------------------------


def has_nchan() -> bool:
    """Whether nginx with nchan is installed (Debian: nginx-core, libnginx-mod-nchan)."""
    return shutil.which("nginx") is not None and NCHAN_MODULE.exists()


@contextmanager
def nchan(folder: Path, redis_port: int, *, posts_elsewhere: bool) -> Iterator[Target]:
    """Run nginx with nchan on Redis.

    Args:
        folder: for its files.
        redis_port: its Redis.
        posts_elsewhere: whether a second nginx, whose CPU is not counted, takes what is published; else the
            one that serves the viewers does, as where an application posts to the nginx in front of it.
    """
    with contextlib.ExitStack() as stack:
        master, port = stack.enter_context(_nginx(folder, redis_port, machine.SERVING_CORE))
        posts_port = port
        if posts_elsewhere:
            _, posts_port = stack.enter_context(_nginx(folder, redis_port, machine.OTHER_CORE))
        yield Target(
            name="nginx + nchan + Redis" + (", posts to another nginx" if posts_elsewhere else ""),
            pids=tuple(machine.children(master.pid)),
            ports=(port,),
            path="/sub/{}",
            ready="\r\n\r\n",
            publisher=lambda: NchanPublisher(posts_port),
            socket_path="/sub/{}",
        )


@contextmanager
def _nginx(folder: Path, redis_port: int, core: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    folder = folder / f"nginx-{port}"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(
        NGINX.format(folder=folder, module=NCHAN_MODULE, port=port, redis=redis_port, user=_user())
    )
    command = [shutil.which("nginx") or "nginx", "-c", str(config), "-e", str(folder / "error.log")]
    with run(command, core=core, port=port) as popen:
        time.sleep(0.5)  # its worker's connections to Redis are made after it listens
        yield popen, port


def _user() -> str:
    return "user root;" if os.geteuid() == 0 else ""


NGINX = """
load_module {module};
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16000;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 15000; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream redis {{ nchan_redis_server redis://127.0.0.1:{redis}; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location ~ ^/sub/(.+)$ {{
      nchan_subscriber eventsource websocket;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
      nchan_redis_pass redis;
    }}
    location ~ ^/pub/(.+)$ {{
      nchan_publisher http;
      nchan_channel_id $1;
      nchan_message_buffer_length 5;
      nchan_redis_pass redis;
    }}
  }}
}}
"""
