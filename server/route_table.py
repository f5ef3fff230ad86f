"""The table of routes for the documents: ``python -m server.route_table``.

Which routes there are comes from the route table itself, what each is for from the OpenAPI document; a route
that the document does not describe is an error.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.routing import Route, WebSocketRoute

from server.app import routes
from server.openapi import document


def addresses() -> Iterator[tuple[str, str]]:
    """Yield (method, path) of everything the server answers; a WebSocket's method is ``WS``."""
    for route in routes():
        if isinstance(route, WebSocketRoute):
            yield "WS", route.path
        elif isinstance(route, Route):
            # A class endpoint answers any method by itself; the one such stream is read with GET.
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, route.path


def table() -> str:
    """Return the Markdown table of all routes, in the order of the OpenAPI document."""
    paths = document()["paths"]
    order = list(paths)
    rows = ["| route | what |", "| --- | --- |"]
    for method, path in sorted(addresses(), key=lambda address: order.index(address[1])):
        summary = paths[path]["get" if method == "WS" else method.lower()]["summary"]
        rows.append(f"| `{method} {path}` | {summary} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
