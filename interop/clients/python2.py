"""Does what a job says with the Python SDK 2.x. Argument: {"target", "steps", "answer"}; prints what
it received at each step."""

import asyncio
import json
import sys

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

LISTS = {
    "tools": ("list_tools", "tools"),
    "prompts": ("list_prompts", "prompts"),
    "resources": ("list_resources", "resources"),
    "templates": ("list_resource_templates", "resource_templates"),
}


def connect(target):
    headers = target.get("headers", {})
    if "command" in target:
        return StdioServerParameters(**target)
    if target.get("transport") == "sse":
        return sse_client(target["url"], headers=headers)
    return streamable_http_client(target["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def fitting(answer, schema):
    """The answer, with what the form asks for."""
    content = answer.get("content", {}).items()
    return answer | {"content": {name: value for name, value in content if name in schema["properties"]}}


class Steps:
    def __init__(self, client, asked):
        self.client = client
        self.asked = asked

    async def run(self, step):
        self.asked.clear()
        do = step.pop("do")
        seen = {}
        try:
            seen |= await getattr(self, do)(**step)
        except MCPError as error:
            seen["error"] = plain(error.error)
        return seen | ({"asked": list(self.asked)} if self.asked else {})

    async def list(self, of):
        method, member = LISTS[of]
        items, cursor = [], None
        while True:
            page = await getattr(self.client, method)(cursor=cursor)
            items += [plain(item) for item in getattr(page, member)]
            cursor = page.next_cursor
            if cursor is None:
                return {"items": items}

    async def call(self, name, arguments, progress=False, until=None):
        reports = []

        async def report(*values):
            reports.append(values)

        for _ in range(100):
            result = plain(await self.client.call_tool(name, arguments, progress_callback=report if progress else None))
            if until is None or until in [block.get("text") for block in result["content"]]:
                break
            await anyio.sleep(0.05)
        return {"result": result} | ({"progress": reports} if progress else {})

    async def cancel(self, name, arguments):
        """Cancels a call when it first reports progress."""
        begun = anyio.Event()

        async def report(*_):
            begun.set()

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: self.client.call_tool(name, arguments, progress_callback=report))
            await begun.wait()
            group.cancel_scope.cancel()
        return {"cancelled": True}

    async def read(self, uri):
        return {"result": plain(await self.client.read_resource(uri))}

    async def get(self, name, arguments):
        return {"result": plain(await self.client.get_prompt(name, arguments))}


async def main(target, steps, answer):
    asked = []

    async def elicit(_, params):
        asked.append(plain(params))
        return types.ElicitResult(**fitting(answer, params.requested_schema))

    async with Client(connect(target), mode="auto", elicitation_callback=elicit) as client:
        results = [await Steps(client, asked).run(step) for step in steps]
        print(json.dumps({"version": client.protocol_version, "results": results}))


asyncio.run(main(**json.loads(sys.argv[1])))
