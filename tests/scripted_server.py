"""A server over real sockets that answers as it is told, byte for byte: for what no proper server sends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests import sample_log


class ScriptedServer:
    """Answers each connection with the next of its answers, then closes it."""

    def __init__(self, answers: Sequence[Sequence[bytes]]) -> None:
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[dict[str, str]] = []
        """What was asked, in order: the headers by lower-case name, and ``:line``."""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for chunks in self._answers:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.requests.append(_read_request(connection))
                for chunk in chunks:
                    connection.sendall(chunk)
        self._listening.close()

    def close(self) -> None:
        self._listening.close()
        self._thread.join(10)


def _read_request(connection: socket.socket) -> dict[str, str]:
    with connection.makefile("rb") as file:
        found = {":line": file.readline().decode().strip()}
        while name_and_value := file.readline().decode().strip():
            name, _, value = name_and_value.partition(":")
            found[name.lower()] = value.strip()
        found[":body"] = file.read(int(found.get("content-length", 0))).decode()
        return found


@contextmanager
def scripted(*answers: Sequence[bytes]) -> Iterator[ScriptedServer]:
    """Run a scripted server; it is gone afterwards, its address then refuses connections."""
    server = ScriptedServer(answers)
    try:
        yield server
    finally:
        server.close()


def answer(status: str, body: bytes | dict[str, Any] = b"", *, kind: str = "application/json") -> list[bytes]:
    """One whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
    return [f"{head}Connection: close\r\n\r\n".encode() + content]


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"


def event(name: str, data: Any, *, line_end: str = "\n") -> bytes:
    """One SSE event."""
    seq = f"id: {data['seq']}{line_end}" if name == "update" else ""
    text = json.dumps(data, ensure_ascii=False)
    return f"{seq}event: {name}{line_end}data: {text}{line_end}{line_end}".encode()


def updates(first: int, last: int, *, line_end: str = "\n") -> bytes:
    """Entries of the sample log, as SSE."""
    chosen = sample_log.messages()[first - 1 : last]
    return b"".join(event("update", message, line_end=line_end) for message in chosen)


def end(seq: int, status: str = "complete") -> bytes:
    return event("end", {"course_id": sample_log.COURSE_ID, "seq": seq, "status": status})
