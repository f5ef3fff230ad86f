"""A start that cannot succeed: one sentence, and an exit code that says whether a restart may help."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.processes import ROOT

REDIS = "redis://127.0.0.1:1/0"


def run(module: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, "PORT": "0", **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", ["server", "pipeline.worker"])
def test_without_urls_it_is_one_sentence_and_exit_2(module: str, tmp_path: Path) -> None:
    ended = run(module, COURSECAST_HOME=str(tmp_path))
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "DATABASE_URL" in ended.stderr
    assert "REDIS_URL" in ended.stderr


@pytest.mark.parametrize("module", ["server", "pipeline.worker"])
@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "eighty"), ("COURSECAST_MAX_VIEWERS", "0"), ("COURSECAST_AUTHOR", "nobody")]
)
def test_a_setting_that_cannot_be_is_named_and_exit_2(module: str, name: str, value: str) -> None:
    ended = run(module, DATABASE_URL="postgresql://127.0.0.1:1/x", REDIS_URL=REDIS, **{name: value})
    assert ended.returncode == 2
    assert name in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("module", ["server", "pipeline.worker"])
def test_a_role_that_may_not_create_pgvector_is_told_so(module: str, database_url: str) -> None:
    name = f"plain_{module.replace('.', '_')}"
    url = database_url.replace("postgres@", f"{name}@", 1)
    _execute(database_url, f"CREATE ROLE {name} LOGIN")
    try:
        ended = run(module, DATABASE_URL=url, REDIS_URL=REDIS)
    finally:
        _execute(database_url, f"DROP ROLE {name}")
    assert ended.returncode == 2
    assert "CREATE EXTENSION vector" in ended.stderr
    assert "Traceback" not in ended.stderr


def _execute(database_url: str, statement: str) -> None:
    async def execute() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute())
