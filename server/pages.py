"""The pages and their files: read once, served with a policy that allows nothing from elsewhere."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from server.responses import NOSNIFF, ApiError

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:; require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE_HEADERS = {
    **NOSNIFF,
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def static_folder() -> Traversable:
    """Return where the files are: in a checkout beside the package, in a wheel inside it."""
    beside = Path(__file__).parent.parent / "static"
    return beside if (beside / "index.html").is_file() else files("server").joinpath("static")


def reference_folder() -> Traversable:
    """Return where the files of ``/docs`` are."""
    return files("server").joinpath("reference")


@dataclass(frozen=True)
class File:
    """A file that pages are made of."""

    body: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """A strong ETag from the content."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    def response(self, request: Request) -> Response:
        """Answer with the file, or 304."""
        headers = {**PAGE_HEADERS, "ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media_type, headers=headers)


class Pages:
    """All files of some folders, in memory: they are small, and nothing outside can be named."""

    def __init__(self, *folders: Traversable) -> None:
        self._files = {
            item.name: File(item.read_bytes(), mimetypes.guess_type(item.name)[0] or "text/plain")
            for folder in folders
            for item in folder.iterdir()
            if item.is_file()
        }

    async def index(self, request: Request) -> Response:
        """``GET /`` and ``GET /c/{course_id}``: the page itself, which asks for its course by itself."""
        return self._files["index.html"].response(request)

    async def docs(self, request: Request) -> Response:
        """``GET /docs``: the reference, from ``/openapi.json``."""
        return self._files["docs.html"].response(request)

    async def file(self, request: Request) -> Response:
        """``GET /static/{name}``."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise ApiError(404, "not_found", "There is no such file.")
        return found.response(request)
