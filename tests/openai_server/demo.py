"""``make demo-llm``: Coursecast with the test model as its author, slow enough to be watched.

It runs the model's server and ``coursecast up`` beside it, on a data folder of its own, so that made-up
courses do not get among real ones. Ctrl-C ends both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import platformdirs

from tests.openai_server.client import ROOT

DELAY_S = 1.5
CHUNK_DELAY_S = 0.06


def main() -> int:
    """Run the demonstration until it is stopped; return the exit code of ``coursecast up``."""
    model = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.openai_server", "--end-with-parent"),
            *("--delay-s", str(DELAY_S), "--chunk-delay-s", str(CHUNK_DELAY_S)),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for `up`; this one ends with us
    )
    assert model.stdout
    port = json.loads(model.stdout.readline())["port"]
    home = Path(platformdirs.user_data_dir("coursecast", appauthor=False)) / "demo-llm"
    environment = {
        "COURSECAST_HOME": str(home),
        **os.environ,
        "COURSECAST_AUTHOR": "openai",
        "OPENAI_API_KEY": "demo",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "OPENAI_MODEL": "made-up",
    }
    for url in ("DATABASE_URL", "REDIS_URL"):  # never the operator's own
        environment.pop(url, None)
    up = subprocess.Popen([str(Path(sys.executable).with_name("coursecast")), "up"], env=environment)
    while True:
        try:
            code = up.wait()
            break
        except KeyboardInterrupt:
            continue  # `up` got it too, and stops its services in order
    model.kill()
    return code


if __name__ == "__main__":
    sys.exit(main())
