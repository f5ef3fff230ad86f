"""The process that reads one strange file: ``python -m pipeline.library.ingest.child NAME``.

The file is its standard input, opened by the parent; the parent has no path to give away and this process has
nothing else open. What it finds goes to standard output, a JSON object a line: ``{"progress": [done, all]}``
any number of times, then ``{"extract": …}`` or ``{"error": [code, message]}``.

Limits are set before anything of the file is looked at: memory, processor time, and no file may grow. A file
that gets past a parser's own guards kills this process and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from typing import Any

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_S = 120
PR_SET_PDEATHSIG = 1
PROGRESS_EVERY_S = 0.1


def main() -> int:
    """Read the file; return 0 also where it is refused."""
    with contextlib.suppress(ValueError):  # macOS has no such limit
        _limit(resource.RLIMIT_AS, MEMORY_BYTES)
    _limit(resource.RLIMIT_CPU, CPU_S)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":  # killed with its parent, however that ends
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    from pipeline.library.ingest.errors import BookError, ReadingLimit
    from pipeline.library.ingest.extracting import extract

    told = 0.0

    def progress(done: int, whole: int) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            _say({"progress": [done, whole]})

    try:
        with os.fdopen(os.dup(0), "rb") as file:
            file.seek(0)
            found = extract(file, sys.argv[1], progress)
        _say({"extract": found.model_dump(mode="json")})
    except BookError as error:
        _say({"error": [error.code, error.message]})
    except (MemoryError, RecursionError):
        _say({"error": [ReadingLimit.code, "Reading the file took more memory than a book may take."]})
    return 0


def _limit(what: int, most: int) -> None:
    _soft, hard = resource.getrlimit(what)
    top = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (top, top))


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what, ensure_ascii=True) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
