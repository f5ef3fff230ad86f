"""``make demo-llm``: the whole of it, with a model that writes slowly; drafts are seen, Ctrl-C ends all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import httpx2

from tests.processes import ROOT

START_S = 90


def test_the_demonstration_shows_drafts_without_a_key(tmp_path: Path, free_port: int) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "tests.openai_server.demo"],
        cwd=ROOT,
        env={**os.environ, "COURSECAST_HOME": str(tmp_path / "home"), "PORT": str(free_port)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{free_port}"
        deadline = time.monotonic() + START_S
        while not _ready(address):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)  # nothing tells when another process listens
        accepted = httpx2.post(f"{address}/courses", json={"query": "Learn DCF valuation"}, timeout=10).json()
        titles: list[str] = []  # of all parts, as far as they are written
        with httpx2.stream("GET", address + accepted["events_url"], timeout=60) as stream:
            event = ""
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    event = line.removeprefix("event: ")
                elif event == "draft" and line.startswith("data: "):
                    value = json.loads(line.removeprefix("data: "))["value"]
                    titles.append(
                        "\n".join(part["title"] for part in value.get("parts", ()) if "title" in part)
                    )
                    if len(set(titles)) >= 4:
                        break
        assert len(set(titles)) >= 4, "the titles are seen to grow"
        assert all(later.startswith(earlier) for earlier, later in pairwise(titles))
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(30) == 0


def _ready(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/readyz", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
