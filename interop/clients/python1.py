"""Lists and calls with the Python SDK 1.x. Argument: {"target", "calls"}; prints what it received."""

import asyncio
import contextlib
import json
import sys

import httpx
from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


@contextlib.asynccontextmanager
async def streams(target):
    if "command" in target:
        parameters = StdioServerParameters(**target)
        async with stdio_client(parameters) as (read, write):
            yield read, write
        return
    async with httpx.AsyncClient(headers=target.get("headers", {}), timeout=60) as http:
        async with streamable_http_client(target["url"], http_client=http) as (read, write, _):
            yield read, write


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def call(session, name, arguments):
    try:
        return plain(await session.call_tool(name, arguments))
    except McpError as error:
        return {"error": plain(error.error)}


async def main(target, calls):
    async with streams(target) as (read, write), ClientSession(read, write) as session:
        version = (await session.initialize()).protocolVersion
        tools = [plain(tool) for tool in (await session.list_tools()).tools]
        results = [await call(session, *one) for one in calls]
        print(json.dumps({"version": version, "tools": tools, "results": results}))


asyncio.run(main(**json.loads(sys.argv[1])))
