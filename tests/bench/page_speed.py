"""What the page costs a browser: a 40-hour course streams into Chromium, without and with drafts.

Chromium counts by itself (DevTools ``Performance.getMetrics``): script time, and all of the main thread's.
Long tasks (over 50 ms) and layout shifts are those that the page's own observers report.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from playwright.async_api import Browser, CDPSession, Page, async_playwright
from pydantic import SecretStr

from pipeline.settings import AuthorName, Settings
from tests.bench.report import Table
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.openai_server import OpenAIServer
from tests.processes import run_web, run_worker

HOURS = 40
COURSE_S = 120
SETTLE_S = 2
QUERY = "Learn DCF valuation"
DESK = {"width": 1280, "height": 900}
VIEWERS: dict[str, dict[str, Any]] = {
    "1280 px": {"viewport": DESK},
    "360 px": {"viewport": {"width": 360, "height": 780}},
    "1280 px, reduced motion": {"viewport": DESK, "reduced_motion": "reduce"},
}
"""One run each."""
OBSERVE = """
  window.shifted = 0;
  window.longest = 0;
  window.shifts = [];
  const name = (node) => node ? node.nodeName.toLowerCase() + (node.id && `#${node.id}`) : "gone";
  const box = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
  const observe = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note))
    .observe({ type, buffered: true });
  observe("layout-shift", ({ hadRecentInput, value, startTime, sources }) => {
    if (hadRecentInput) return;
    window.shifted += value;
    const moved = sources.map((it) => `${name(it.node)} ${box(it.previousRect)} → ${box(it.currentRect)}`);
    window.shifts.push(`${value.toFixed(4)} at ${Math.round(startTime)} ms: ${moved.join(", ")}`);
  });
  observe("longtask", (entry) => { window.longest = Math.max(window.longest, entry.duration); });
"""


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """What one course cost the page."""

    updates: int
    drafts: int
    script_s: float
    thread_s: float
    longest_task_ms: float
    shifted: float
    shifts: list[str]
    """Each with what moved, from where to where (x, y, width, height in CSS pixels)."""


async def measure(settings: Settings) -> list[Table]:
    """Measure the page on a server and a worker of its own.

    Args:
        settings: with the URLs of an empty database and a Redis.
    """
    table = Table(
        "The page while a course streams in",
        f"A course of {HOURS} hours in Debian's Chromium, from the opening of its page to the last event; "
        "the start page was open before, so that starting a browser is not in it. "
        "*Main thread* is script, style, layout and paint; each figure is divided by the events that came, "
        "drafts included. A long task is one of more than 50 ms. "
        f"Of {len(VIEWERS)} viewers ({'; '.join(VIEWERS)}): the costs of the slowest, the longest task "
        "and the largest shift of all.",
        (
            "author",
            "events",
            "drafts",
            "script per event",
            "main thread per event",
            "longest task",
            "layout shift",
        ),
    )
    if CHROMIUM is None:
        table.add("no Chromium on this machine", *["–"] * 6)
        return [table]
    with run_web(settings) as web, run_worker(settings):
        table.add("library, as fast as it writes", *_cells(await _worst(web.base_url, warm=True)))
    async with await OpenAIServer.start(delay_s=0.1, chunk_delay_s=0.02) as model:
        by_model = settings.model_copy(
            update={
                "author_choice": AuthorName.OPENAI,
                "openai_api_key": SecretStr("none"),
                "openai_base_url": model.base_url,
            }
        )
        with run_web(by_model) as web, run_worker(by_model):
            table.add("test model, in pieces", *_cells(await _worst(web.base_url)))
    return [table]


def _cells(got: Streamed) -> list[str]:
    events = got.updates + got.drafts
    longest = f"{got.longest_task_ms:.0f} ms" if got.longest_task_ms else "≤ 50 ms"
    return [
        str(got.updates),
        str(got.drafts),
        f"{got.script_s / events * 1000:.2f} ms",
        f"{got.thread_s / events * 1000:.2f} ms",
        longest,
        f"{got.shifted:.3f}",
    ]


async def _worst(base_url: str, *, warm: bool = False) -> Streamed:
    """Let a course stream in to each viewer, in a browser of its own; print every shift."""
    runs = [await _stream(base_url, viewer, warm=warm) for viewer in VIEWERS.values()]
    for name, run in zip(VIEWERS, runs, strict=True):
        for shift in run.shifts:
            print(f"page, {name}: layout shift {shift}")
    slowest = max(runs, key=lambda run: run.thread_s / (run.updates + run.drafts))
    return replace(
        slowest,
        longest_task_ms=max(run.longest_task_ms for run in runs),
        shifted=max(run.shifted for run in runs),
    )


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


async def _stream(base_url: str, viewer: dict[str, Any], *, warm: bool = False) -> Streamed:
    """Let a course stream into the page; `warm`: after a first one, which compiles the script.

    The start page comes first, as for a learner: a browser that has just begun waits for itself.
    """
    async with _browser() as browser:
        page = await browser.new_page(base_url=base_url, **viewer)
        await page.add_init_script(OBSERVE)
        await page.goto("/")
        await asyncio.sleep(SETTLE_S)  # no event tells that a browser has nothing more to start
        for _ in range(2 if warm else 1):
            got = await _one(page, base_url)
        return got


async def _one(page: Page, base_url: str) -> Streamed:
    async with httpx2.AsyncClient(base_url=base_url, timeout=30) as http:
        accepted = await http.post("/courses", json={"query": QUERY, "hours": HOURS})
        course_id = accepted.json()["course_id"]
        devtools = await page.context.new_cdp_session(page)
        seen = {"update": 0, "draft": 0}

        def count(message: dict[str, str]) -> None:
            if message["eventName"] in seen:
                seen[message["eventName"]] += 1

        devtools.on("Network.eventSourceMessageReceived", count)
        await devtools.send("Network.enable")
        await devtools.send("Performance.enable")
        await page.goto("about:blank")
        before = await _spent(devtools)
        await page.goto(f"/c/{course_id}")
        # Not by looking at the page: Playwright's script in it would be measured, too.
        async with asyncio.timeout(COURSE_S):
            async with http.stream("GET", f"/courses/{course_id}/events") as response:
                async for _ in response.aiter_lines():
                    pass  # the stream ends with the course
        await asyncio.sleep(SETTLE_S)  # what was drawn last settles: long tasks are reported after they were
        after = await _spent(devtools)
        longest, shifted, shifts, status = await page.evaluate(
            "[longest, shifted, shifts, document.getElementById('course').dataset.status]"
        )
        assert status == "complete", status
        await devtools.detach()
    return Streamed(
        updates=seen["update"],
        drafts=seen["draft"],
        script_s=after["ScriptDuration"] - before["ScriptDuration"],
        thread_s=after["TaskDuration"] - before["TaskDuration"],
        longest_task_ms=longest,
        shifted=shifted,
        shifts=shifts,
    )


async def _spent(devtools: CDPSession) -> dict[str, float]:
    answer = await devtools.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in answer["metrics"]}
