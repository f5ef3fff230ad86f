"""``coursecast books embed``: give every chapter and section its vector of the configured embedder.

A worker does the same when it starts. Doing it before shows how far it is, costs no time of a service that
should be running, and goes on where it was when it was cut short.
"""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.library.catalogue import load_catalogue
from pipeline.settings import Settings
from server.library_here import library_here, run_here
from server.terminal import console, line, put


def run_embed(settings: Settings) -> int:
    """Embed what has no vector yet; return the exit code."""
    return run_here(_embed(settings))


async def _embed(settings: Settings) -> int:
    async with library_here(settings) as (pool, embedder):
        out = console()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=out) as bar:
            task = bar.add_task(embedder.model, total=None)
            changed = await load_catalogue(
                pool, embedder, lambda done, all_: bar.update(task, completed=done, total=all_)
            )
        said = "Now all is embedded with" if changed else "Nothing to do: all is embedded with"
        put(out, [line(f"{said} {embedder.model}.")])
    return 0
