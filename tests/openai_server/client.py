"""What a test holds of the test model: its address, its controls and its journal."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.openai_server.journal import Call

ROOT = Path(__file__).parents[2]
_LONG_POLL_S = 10.0


class ModelProcess:
    """The server as a process of its own, which ends with ours."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.openai_server", "--end-with-parent"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the test model did not start"
        self.address = f"http://127.0.0.1:{json.loads(line)['port']}"

    def stop(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


class OpenAIServer:
    """A running server, as one test uses it.

    Args:
        address: ``http://host:port``.
        process: the process to end with :meth:`stop`, where it is ours.
    """

    def __init__(self, address: str, process: ModelProcess | None = None) -> None:
        self.address = address
        self.base_url = f"{address}/v1"
        self._process = process
        self._http = httpx2.AsyncClient(base_url=address, timeout=_LONG_POLL_S + 10, trust_env=False)

    @classmethod
    async def start(cls, **behaviour: Any) -> Self:
        """Start a server of one's own; end it with :meth:`stop`."""
        process = await asyncio.to_thread(ModelProcess)
        server = cls(process.address, process)
        await server.configure(**behaviour)
        return server

    async def stop(self) -> None:
        """Close the connections, and end the server where it is ours."""
        await self._http.aclose()
        if self._process:
            await asyncio.to_thread(self._process.stop)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def configure(self, **behaviour: Any) -> None:
        """Set fields of :class:`tests.openai_server.Behaviour`, for the calls that begin from now on."""
        response = await self._http.post("/control", json=behaviour)
        assert response.is_success, response.text

    async def reset(self) -> None:
        """Make it behave as it did at the start, and forget the calls."""
        await self.configure(reset=True)

    async def calls(self, task: str = "", *, course_id: str = "") -> list[Call]:
        """Return the calls so far, oldest first, whose task begins with `task`, of one course or all."""
        _, calls = await self._changed_after(0, wait_s=0)
        return [c for c in calls if c.task.startswith(task) and course_id in ("", c.course_id)]

    async def request(self, call: Call) -> dict[str, Any]:
        """Return what a call asked: the JSON body of its request."""
        response = await self._http.get(f"/calls/{call.id}")
        assert response.is_success, f"no call {call.id}"
        request: dict[str, Any] = response.json()["request"]
        return request

    async def wait_for_call(self, predicate: Callable[[Call], bool], *, timeout_s: float = 20.0) -> Call:
        """Return the first call, so far or to come, that `predicate` is true of, as soon as it is.

        ``await server.wait_for_call(lambda call: call.task == "parts" and call.status == "dropped")``

        Raises:
            AssertionError: there was none within `timeout_s`; it lists the calls there were.
        """
        deadline = time.monotonic() + timeout_s
        version = 0
        while (left_s := deadline - time.monotonic()) > 0:
            version, calls = await self._changed_after(version, wait_s=min(left_s, _LONG_POLL_S))
            for call in calls:
                if predicate(call):
                    return call
        seen = "\n".join(f"{c.task} {c.status} {c.fault}" for c in await self.calls())
        raise AssertionError(f"no such call within {timeout_s:g} s; the calls were:\n{seen}")

    async def _changed_after(self, version: int, *, wait_s: float) -> tuple[int, list[Call]]:
        response = await self._http.get("/calls", params={"after": version, "wait_s": wait_s})
        journal = response.json()
        return journal["version"], [Call.model_validate(call) for call in journal["calls"]]
