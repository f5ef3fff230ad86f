"""An OpenAI-compatible server over real HTTP, for tests and demonstrations.

``python -m tests.openai_server --port 8099 --delay-s 1.5 --chunk-delay-s 0.05`` serves
``http://127.0.0.1:8099/v1``. It answers every JSON schema with a valid instance, deterministically from the
request, and fails on demand. Beside the OpenAI routes:

* ``POST /control`` sets any field of :class:`Behaviour` while it runs; ``{"reset": true}`` forgets all.
* ``GET /calls?after=VERSION&wait_s=S`` is the journal: the calls that changed after VERSION, waiting up to S
  seconds for one.
* ``GET /calls/{id}`` is one call with the request it was sent.

A call says which course and task it is for in the header ``X-Coursecast-Task: {course_id}/{task}``.
"""

from tests.openai_server.behaviour import Behaviour, Fault
from tests.openai_server.client import OpenAIServer
from tests.openai_server.journal import Call

__all__ = ["Behaviour", "Call", "Fault", "OpenAIServer"]
