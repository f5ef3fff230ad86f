"""The command: serve until stopped; the port is the first line of standard output, as JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import threading

import uvicorn
import uvloop

from tests.openai_server.app import Model
from tests.openai_server.behaviour import Behaviour


def _end_with_parent(server: uvicorn.Server) -> None:
    """Stop once standard input closes: whoever started us is gone."""
    sys.stdin.buffer.read()
    server.should_exit = server.force_exit = True


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="An OpenAI-compatible model that makes everything up.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--delay-s", type=float, default=0.0, help="before each answer begins")
    parser.add_argument(
        "--chunk-delay-s", type=float, default=0.0, help="between pieces of a streamed answer"
    )
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    options = parser.parse_args()
    behaviour = Behaviour(delay_s=options.delay_s, chunk_delay_s=options.chunk_delay_s)
    with socket.create_server((options.host, options.port), backlog=4096) as listener:
        config = uvicorn.Config(
            Model(behaviour).app,
            # A response that a test wants cut is an exception to uvicorn: not worth a line.
            log_level=os.environ.get("TEST_MODEL_LOG_LEVEL", "critical"),
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=75,
        )
        server = uvicorn.Server(config)
        if options.end_with_parent:
            threading.Thread(target=_end_with_parent, args=[server], daemon=True).start()
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
