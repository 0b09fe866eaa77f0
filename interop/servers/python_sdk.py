"""A server of the Python SDK, 1.x or 2.x, over streamable HTTP, whose port it prints, or over stdio."""

import base64
import socket
import sys
from typing import Annotated

import anyio
import uvicorn
from pydantic import BaseModel

try:
    from mcp.server import MCPServer as Server
    from mcp.server.mcpserver import Context, Elicit, Image, Resolve
except ImportError:
    from mcp.server.fastmcp import Context, FastMCP as Server, Image

    Elicit = Resolve = None

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
server = Server("interop")
cancelled = set()


class Measured(BaseModel):
    place: str
    celsius: float


class Person(BaseModel):
    name: str
    years: int = 7


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


@server.tool()
async def count(ctx: Context) -> str:
    """Counts to three and reports each step."""
    for step in (1, 2, 3):
        await ctx.report_progress(step, 3, f"step {step}")
        await anyio.sleep(0.02)
    return "counted"


@server.tool()
async def wait(key: str, seconds: int, ctx: Context) -> str:
    """Waits, reporting progress, until it is cancelled or the time is over."""
    try:
        for step in range(1, seconds * 10):
            await ctx.report_progress(step, seconds * 10)
            await anyio.sleep(0.1)
    except anyio.get_cancelled_exc_class():
        cancelled.add(key)
        raise
    return "the time is over"


@server.tool()
def was_cancelled(key: str) -> str:
    """Says whether the wait with this key has been cancelled."""
    return "cancelled" if key in cancelled else "not cancelled"


if Resolve:

    async def who() -> Elicit[Person]:
        return Elicit("Who are you?", Person)

    @server.tool()
    async def ask(person: Annotated[Person, Resolve(who)]) -> str:
        """Asks the user who they are."""
        return f"{person.name}, {person.years}"

else:

    @server.tool()
    async def ask(ctx: Context) -> str:
        """Asks the user who they are."""
        person = (await ctx.elicit("Who are you?", Person)).data
        return f"{person.name}, {person.years}"


@server.resource("sample://text", mime_type="text/plain")
def text() -> str:
    """A text that never changes."""
    return "Grüße 🜂\n"


@server.resource("sample://picture", mime_type="image/png")
def point() -> bytes:
    """A picture of one point."""
    return PIXEL


@server.resource("sample://items/{number}")
def item(number: str) -> str:
    """One item for each number."""
    return f"item {number}"


@server.prompt()
def greeting(name: str) -> str:
    """Greets somebody."""
    return f"Please greet {name} 🜂."


if sys.argv[1:] == ["stdio"]:
    server.run("stdio")
else:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"port {listener.getsockname()[1]}", flush=True)
    uvicorn.run(server.streamable_http_app(), fd=listener.fileno(), log_level="warning")
