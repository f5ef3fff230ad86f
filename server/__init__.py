"""How the world talks to Coursecast: HTTP, SSE, WebSocket, polling, and the command line."""
