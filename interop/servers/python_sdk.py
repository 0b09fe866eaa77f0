"""A server of the Python SDK, 1.x or 2.x, over streamable HTTP; prints its port."""

import base64
import socket

import uvicorn
from pydantic import BaseModel

try:
    from mcp.server import MCPServer as Server
    from mcp.server.mcpserver import Image
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server, Image

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
server = Server("interop")


class Measured(BaseModel):
    place: str
    celsius: float


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def measure(place: str) -> Measured:
    """Says how warm it is at a place: größer 🜂."""
    return Measured(place=place, celsius=21.50)


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("it never works")


@server.tool()
def picture() -> Image:
    """Gives a picture of one point."""
    return Image(data=PIXEL, format="png")


listener = socket.create_server(("127.0.0.1", 0))
print(f"port {listener.getsockname()[1]}", flush=True)
uvicorn.run(server.streamable_http_app(), fd=listener.fileno(), log_level="warning")
