"""Ask for a course and follow it: ``python watch.py http://localhost:8000 "Learn DCF valuation"``."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

server, query = sys.argv[1:]
seq = 0


def follow(http: httpx.Client, events_url: str) -> bool:
    """Print what happens until the connection ends; return whether the course is over."""
    global seq
    with connect_sse(http, "GET", events_url, headers={"Last-Event-ID": str(seq)}) as stream:
        if stream.response.status_code == 204:  # we have everything, and nothing follows
            return True
        stream.response.raise_for_status()
        for event in stream.iter_sse():
            if event.event == "update":
                message = json.loads(event.data)
                seq = message["seq"]
                print(seq, message["type"], message["progress"]["percent"], flush=True)
            if event.event == "end":
                return True
    return False


# The server pings every 15 s: 40 s of silence are a dead connection.
with httpx.Client(base_url=server, timeout=httpx.Timeout(10, read=40)) as http:
    accepted = http.post("/courses", json={"query": query, "hours": 2}).raise_for_status().json()
    is_over = False
    while not is_over:
        try:
            is_over = follow(http, accepted["events_url"])
        except httpx.TransportError as error:
            print("lost the connection:", error, file=sys.stderr)
        if not is_over:
            time.sleep(2)
