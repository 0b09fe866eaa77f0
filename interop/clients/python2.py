"""Lists and calls with the Python SDK 2.x. Argument: {"target", "calls"}; prints what it received."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def connect(target):
    if "command" in target:
        return StdioServerParameters(**target)
    http = httpx2.AsyncClient(headers=target.get("headers", {}), timeout=60)
    return streamable_http_client(target["url"], http_client=http)


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def call(client, name, arguments):
    try:
        return plain(await client.call_tool(name, arguments))
    except MCPError as error:
        return {"error": plain(error.error)}


async def main(target, calls):
    async with Client(connect(target), mode="auto") as client:
        tools = [plain(tool) for tool in (await client.list_tools()).tools]
        results = [await call(client, *one) for one in calls]
        version = client.protocol_version
        print(json.dumps({"version": version, "tools": tools, "results": results}))


asyncio.run(main(**json.loads(sys.argv[1])))
