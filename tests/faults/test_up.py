"""``coursecast up`` as a person and a machine treat it: Ctrl-C, kill -9, a child that dies or hangs.

The two children are small real programs instead of ours, so that each test decides what they do.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.backing.leftovers import find_leftovers, mark_of

UP = """
import json, sys
from pipeline.settings import Settings
from server.supervisor import run_up
web, worker = json.loads(sys.argv[1])
sys.exit(run_up(Settings.from_environment(), web=web, worker=worker, durable=False))
"""

CHILD = """
import asyncio, os, signal, sys
import asyncpg, redis.asyncio

NAME = sys.argv[1]

def say(line):  # in one write: two children share the output
    os.write(1, f"{line}\\n".encode())

async def use_services():
    connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=5)
    await connection.execute(f"CREATE TABLE IF NOT EXISTS starts_of_{NAME} ()")
    await connection.execute(f"INSERT INTO starts_of_{NAME} DEFAULT VALUES")
    starts = await connection.fetchval(f"SELECT count(*) FROM starts_of_{NAME}")
    await connection.close()
    async with redis.asyncio.Redis.from_url(os.environ["REDIS_URL"]) as client:
        await client.ping()
    return starts

async def answer(reader, writer):
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    writer.close()

async def main():
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    say(f"{NAME} started for the {await use_services()}. time as {os.getpid()}")
    if NAME == "web":
        await asyncio.start_server(answer, os.environ["HOST"], int(os.environ["PORT"]))
    await asked.wait()
    await use_services()
    say(f"{NAME} stopped")

asyncio.run(main())
"""

ENDS_WITH_7 = "import sys; sys.exit(7)"
MISCONFIGURED = "import sys; print('KEY is not set', flush=True); sys.exit(2)"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("worker is deaf", flush=True)
time.sleep(600)
"""
READY = "Coursecast is ready at "
FOREVER_S = 60.0


class Up:
    """A running ``up``, what it says and what runs because of it."""

    def __init__(self, home: Path, port: int, commands: list[list[str]]) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", UP, json.dumps(commands)],
            env=os.environ | {"COURSECAST_HOME": str(home), "PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def hear(self, *words: str, timeout_s: float = FOREVER_S) -> list[str]:
        """Wait until each of the words was said, in any order; return the lines in the order of the words."""
        deadline = time.monotonic() + timeout_s
        heard: dict[str, str] = {}
        while len(heard) < len(words):
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"waited for {words}, heard {self.said}") from None
            self.said.append(line)
            heard |= {word: line for word in words if word in line}
        return [heard[word] for word in words]

    def hear_all_started(self, *, times: int = 1) -> dict[str, psutil.Process]:
        """Wait until both children have started on the data for that time; return them by name."""
        web, worker, _ = self.hear(
            f"web started for the {times}. time", f"worker started for the {times}. time", READY
        )
        return {"web": _process(web), "worker": _process(worker)}

    def ctrl_c(self) -> None:
        """Do what a terminal does: SIGINT to the foreground process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def family(self) -> list[psutil.Process]:
        """Everything that runs because of it, itself not counted."""
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def end(self) -> int:
        """Wait for its end; return the exit code, with all it said in `said`."""
        code = self.process.wait(FOREVER_S)
        self._reader.join(FOREVER_S)  # ends once every process that has its output is gone
        assert not self._reader.is_alive()
        while not self._lines.empty():
            self.said.append(self._lines.get())
        return code

    def close(self) -> None:
        services = working_for(self.home) if self.process.poll() is None and self.home.exists() else []
        self.process.kill()
        self.end()
        psutil.wait_procs(services, timeout=15)  # the folder is about to go
        assert self.process.stdout is not None
        self.process.stdout.close()


StartUp = Callable[..., Up]


@pytest.fixture
def start_up(tmp_path: Path, free_port: int) -> Iterator[StartUp]:
    """Return a function that starts ``up`` on one home, by default with well-behaved children."""
    (tmp_path / "child.py").write_text(CHILD)
    web = [sys.executable, str(tmp_path / "child.py"), "web"]
    well_behaved = [sys.executable, str(tmp_path / "child.py"), "worker"]
    with tempfile.TemporaryDirectory(prefix="cc-") as folder, contextlib.ExitStack() as stack:

        def start(*, worker: str | None = None, port: int = free_port) -> Up:
            command = [sys.executable, "-c", worker] if worker else well_behaved
            up = Up(Path(folder) / "home", port, [web, command])
            stack.callback(up.close)
            return up

        yield start


def _process(line: str) -> psutil.Process:
    return psutil.Process(int(line.split()[-1]))


def all_gone(processes: list[psutil.Process], timeout_s: float) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return not alive


def working_for(home: Path) -> list[psutil.Process]:
    """The processes of Postgres and Redis, ``initdb`` included, that have to do with this home."""
    found = find_leftovers("postgres", mark_of(home)) + find_leftovers("redis-server", mark_of(home))
    return found + find_leftovers("initdb", str(home)) + find_leftovers("postgres", str(home))


# --- a start --------------------------------------------------------------------------------------------


def test_it_says_when_it_is_ready_and_where(start_up: StartUp, free_port: int) -> None:
    up = start_up()
    _, ready = up.hear("Preparing Postgres (first start only) …", READY)
    assert ready == f"Coursecast is ready at http://127.0.0.1:{free_port}"


def test_it_starts_exactly_two_children_beside_the_services(start_up: StartUp) -> None:
    up = start_up()
    children = up.hear_all_started()
    direct = {child.pid: child.name() for child in psutil.Process(up.process.pid).children()}
    for child in children.values():
        del direct[child.pid]
    assert sorted(direct.values()) == ["postgres", "redis-server"]


def test_a_second_up_on_the_same_home_is_one_sentence_and_code_1(start_up: StartUp) -> None:
    up = start_up()
    up.hear_all_started()
    second = start_up()
    assert second.end() == 1
    assert second.said == [f"Coursecast is already running on {up.home.resolve()}: stop it first."]
    assert up.process.poll() is None


def test_a_port_that_is_taken_is_one_sentence_and_code_2(start_up: StartUp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start_up(port=port)
        assert up.end() == 2
    assert up.said[-1] == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Set HOST and PORT to an address that is free."
    )
    assert working_for(up.home) == []


# --- being asked to stop --------------------------------------------------------------------------------


def test_ctrl_c_stops_web_worker_redis_postgres_in_that_order_and_leaves_nothing(start_up: StartUp) -> None:
    up = start_up()
    up.hear_all_started()
    family = up.family()
    up.ctrl_c()
    assert up.end() == 0
    assert all_gone(family, 0)
    # Each child used Postgres and Redis once more after it was asked to stop.
    assert up.said[-3:] == ["Stopping …", "web stopped", "worker stopped"]
    assert (up.home / "redis.log").stat().st_mtime_ns < (up.home / "postgres.log").stat().st_mtime_ns
    assert "database system is shut down" in (up.home / "postgres.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_stops_the_same_way_when_a_machine_asks(start_up: StartUp, number: signal.Signals) -> None:
    up = start_up()
    up.hear_all_started()
    up.process.send_signal(number)
    assert up.end() == 0
    assert up.said[-3:] == ["Stopping …", "web stopped", "worker stopped"]
    assert working_for(up.home) == []


def test_ctrl_c_while_postgres_is_being_prepared_leaves_nothing(start_up: StartUp) -> None:
    up = start_up()
    up.hear("Preparing Postgres")
    up.ctrl_c()
    assert up.end() == 0
    assert working_for(up.home) == []
    start_up().hear_all_started()


def test_a_second_ctrl_c_kills_the_child_that_does_not_listen(start_up: StartUp) -> None:
    up = start_up(worker=DEAF)
    up.hear("worker is deaf", READY)
    family = up.family()
    asked = time.monotonic()
    up.ctrl_c()
    up.hear("web stopped")
    up.ctrl_c()
    assert up.end() == 0
    assert time.monotonic() - asked < 8  # the worker had ten seconds
    assert all_gone(family, 0)


def test_a_child_that_does_not_listen_is_killed_after_ten_seconds(start_up: StartUp) -> None:
    up = start_up(worker=DEAF)
    up.hear("worker is deaf", READY)
    family = up.family()
    asked = time.monotonic()
    up.ctrl_c()
    assert up.end() == 0
    assert 10 <= time.monotonic() - asked < 20
    assert all_gone(family, 0)


# --- being killed ---------------------------------------------------------------------------------------


def test_kill_9_leaves_no_process_and_the_next_start_has_the_data(start_up: StartUp) -> None:
    up = start_up()
    up.hear_all_started()
    family = up.family()
    assert len(family) > 4
    up.process.kill()
    assert all_gone(family, 10)
    start_up().hear_all_started(times=2)


def test_the_next_start_need_not_wait_for_a_killed_one_to_be_gone(start_up: StartUp) -> None:
    up = start_up()
    up.hear_all_started()
    up.process.kill()
    start_up().hear_all_started(times=2)


def test_kill_9_of_everything_at_once_does_not_hinder_the_next_start(start_up: StartUp) -> None:
    up = start_up()
    up.hear_all_started()
    family = up.family()
    up.process.send_signal(signal.SIGSTOP)  # it shall not see the others die
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # sessions end with their Postgres
            process.kill()
    up.process.kill()
    up.end()
    assert (up.home / "postgres" / "postmaster.pid").exists()
    start_up().hear_all_started(times=2)


def test_a_frozen_child_dies_with_a_killed_up(start_up: StartUp) -> None:
    up = start_up()
    worker = up.hear_all_started()["worker"]
    worker.suspend()
    up.process.kill()
    assert all_gone([worker], 10)


# --- children that end by themselves --------------------------------------------------------------------


@pytest.mark.parametrize("who", ["web", "worker"])
def test_a_child_that_dies_is_started_again(start_up: StartUp, who: str) -> None:
    up = start_up()
    up.hear_all_started()[who].kill()
    up.hear(f"{who} was ended by SIGKILL; starting it again in 1 s.", f"{who} started for the 2. time")


def test_a_child_that_keeps_dying_is_started_again_ever_later(start_up: StartUp) -> None:
    up = start_up(worker=ENDS_WITH_7)
    for pause_s in (1, 2, 4):
        up.hear(f"worker ended with code 7; starting it again in {pause_s} s.")
    up.ctrl_c()
    assert up.end() == 0


def test_a_child_that_is_misconfigured_stops_everything_with_code_2(start_up: StartUp) -> None:
    up = start_up(worker=MISCONFIGURED)
    assert up.end() == 2
    assert "KEY is not set" in up.said
    assert "worker cannot run as it is configured; see its message above." in up.said
    assert working_for(up.home) == []
