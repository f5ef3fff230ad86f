"""Steps of a caller's journey over HTTP, and what every log must be."""

import asyncio
from collections import Counter
from typing import Any

import httpx2

COURSE_S = 60.0


async def start(http: httpx2.AsyncClient, hours: float = 3) -> str:
    response = await http.post("/courses", json={"query": "Learn DCF valuation", "hours": hours})
    assert response.status_code == 202, response.text
    return str(response.json()["course_id"])


async def log_until_over(http: httpx2.AsyncClient, course_id: str) -> list[dict[str, Any]]:
    """Long-poll until the course is over; return its whole log, proven to be well-formed."""
    log: list[dict[str, Any]] = []
    async with asyncio.timeout(COURSE_S):
        while True:
            view = (await http.get(f"/courses/{course_id}/status?after={len(log)}&wait_s=20")).json()
            log += view["events"]
            if view["status"] != "processing" and not view["more"]:
                break
    assert_well_formed(log)
    return log


async def log_now(http: httpx2.AsyncClient, course_id: str) -> list[dict[str, Any]]:
    return list((await http.get(f"/courses/{course_id}/status?after=0")).json()["events"])


def assert_well_formed(log: list[dict[str, Any]]) -> None:
    assert [message["seq"] for message in log] == list(range(1, len(log) + 1))
    types = Counter(message["type"] for message in log)
    for once in ("course_requested", "embedding_generated", "book_summaries_found", "parts_generated",
                 "all_parts_complete", "outline_reviewed", "course_stored"):  # fmt: skip
        assert types[once] <= 1, once
    parts = [message["part_index"] for message in log if message["type"] == "part_sections_generated"]
    assert len(parts) == len(set(parts))
    percents = [message["progress"]["percent"] for message in log]
    assert percents == sorted(percents)


def tasks_in(log: list[dict[str, Any]]) -> set[str]:
    """The model's tasks whose results are in a log."""
    names = {"parts_generated": "parts", "outline_reviewed": "review"}
    tasks = {names[m["type"]] for m in log if m["type"] in names}
    return tasks | {f"sections:{m['part_index']}" for m in log if m["type"] == "part_sections_generated"}
