"""A program on a leash: it is the program, and it dies with whoever started it."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.backing import leash

LEASH = [sys.executable, "-I", "-S", leash.__file__]
ON_ANOTHER_SYSTEM = """
import runpy, subprocess, sys
sys.platform = "darwin"
path = sys.argv.pop(1)
runpy.run_path(path, run_name="__main__")
"""
ELSEWHERE = [sys.executable, "-I", "-S", "-c", ON_ANOTHER_SYSTEM, leash.__file__]
SLEEP = [sys.executable, "-c", "import time; print('asleep', flush=True); time.sleep(600)"]

OWNER = """
import json, os, subprocess, sys
leash, command = json.loads(sys.argv[1])
child = subprocess.Popen([*leash, str(os.getpid()), "15", "-", *command], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def run(*arguments: str, starter: list[str] = LEASH) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*starter, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("starter", [LEASH, ELSEWHERE], ids=["linux", "elsewhere"])
def test_the_program_ends_with_its_own_code(starter: list[str]) -> None:
    done = run(str(os.getpid()), "15", "-", "/bin/sh", "-c", "echo hello; exit 7", starter=starter)
    assert (done.stdout, done.returncode) == ("hello\n", 7)


@pytest.mark.parametrize("starter", [LEASH, ELSEWHERE], ids=["linux", "elsewhere"])
def test_the_program_dies_with_a_killed_owner(starter: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, json.dumps([starter, SLEEP])], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        started = psutil.Process(int(owner.stdout.readline()))
        family = [started, *started.children(recursive=True)]
        assert any("asleep" in " ".join(process.cmdline()) for process in family)
        owner.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive


def test_signals_reach_the_program_where_the_leash_stays_beside_it() -> None:
    command = [*ELSEWHERE, str(os.getpid()), str(int(signal.SIGKILL)), "-", *SLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as beside:
        assert beside.stdout is not None
        assert beside.stdout.readline() == "asleep\n"
        beside.terminate()
        assert beside.wait(10) == 128 + signal.SIGTERM


def test_an_owner_that_is_gone_already_is_noticed() -> None:
    never_ours = "1" if os.getppid() != 1 else "2"
    done = run(never_ours, "15", "-", "/bin/sh", "-c", "echo started")
    assert (done.stdout, done.returncode) == ("", 1)


def test_root_becomes_somebody_who_keeps_one_capability(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("reached\n")
    nobody = pwd.getpwnam("nobody")
    user = f"{nobody.pw_uid}:{nobody.pw_gid}"
    script = f"id -u; grep -E 'Cap(Inh|Prm|Eff|Amb)|Groups' /proc/self/status; cat {private}/file"
    done = run(str(os.getpid()), "15", user, "/bin/sh", "-c", script)
    if os.geteuid() != 0:
        assert "Operation not permitted" in done.stderr
        return
    uid, groups, *capabilities, file = done.stdout.splitlines()
    assert uid == str(nobody.pw_uid)
    assert groups.split() == ["Groups:"]
    assert {line.split()[1] for line in capabilities} == {f"{1 << leash.CAP_DAC_OVERRIDE:016x}"}
    assert file == "reached"
