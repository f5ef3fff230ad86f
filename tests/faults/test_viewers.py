"""The soaks of the live layer, small: cuts everywhere, a storm, viewers that vanish, peers that never read.

They run once for all tests here, because one of them waits half a minute for nothing to happen.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.backing.redis import find_server
from pipeline.settings import Settings
from tests.bench.live import silent, soaks
from tests.bench.live.world import world

MB = 2**20
SILENT_PEERS = 20
CUTS = soaks.Cuts(viewers=200, courses=20, entries=16, seconds=6, cuts=5, kills=2)


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What each of the soaks led to."""

    cuts: soaks.CutsOutcome
    storm: soaks.StormOutcome
    vanish: soaks.VanishOutcome
    silent: silent.SilentOutcome


async def soak(settings: Settings) -> Outcomes:
    """One beside the others, which come one after another: a server has twenty connections to Postgres."""
    async with world(settings, Path(await find_server())) as found, asyncio.TaskGroup() as group:
        peers = silent.silent(found, peers=SILENT_PEERS, courses=1, entries=600, padding=4_000)
        gone = group.create_task(peers)
        cuts = await soaks.cuts(found, CUTS)
        storm = await soaks.storm(found, viewers=300, courses=30, poll_s=3)
        vanish = await soaks.vanish(found, viewers=200, rounds=2)
    return Outcomes(cuts=cuts, storm=storm, vanish=vanish, silent=gone.result())


@pytest.fixture(scope="module")
def outcomes(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """A database and a Redis of this module's own: Redis has its connections killed."""
    settings = Settings(database_url=module_database_url, home=tmp_path_factory.mktemp("home"))
    return asyncio.run(soak(settings))


def test_what_every_viewer_received_equals_the_log_however_often_it_was_cut(outcomes: Outcomes) -> None:
    got = outcomes.cuts
    assert got.faultless, got.counts
    assert got.counts["deliveries"] == CUTS.viewers * CUTS.entries
    assert got.counts["cuts"] == CUTS.viewers * CUTS.cuts
    assert not [name for name in got.counts if name.startswith("unexpected")], got.counts


def test_viewers_cut_at_once_all_catch_up_and_polling_goes_on(outcomes: Outcomes) -> None:
    assert outcomes.storm.caught_up_s < 15
    assert set(outcomes.storm.polls.statuses) == {"200"}


def test_viewers_that_vanish_leave_memory_and_sockets_as_they_were(outcomes: Outcomes) -> None:
    (first_bytes, first_sockets), (second_bytes, second_sockets) = outcomes.vanish.after
    assert max(first_sockets, second_sockets) <= soaks.SPARE_SOCKETS
    assert second_bytes - first_bytes < 2 * MB


def test_peers_that_never_read_are_ended_and_do_not_hold_up_the_exit(outcomes: Outcomes) -> None:
    got = outcomes.silent
    assert got.sockets_left <= soaks.SPARE_SOCKETS
    assert got.gone_s < 35
    assert got.exit_s < 10
