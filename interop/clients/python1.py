"""Does what a job says with the Python SDK 1.x. Argument: {"target", "steps", "answer"}; prints what
it received at each step."""

import asyncio
import contextlib
import json
import sys

import anyio
import httpx
from mcp import ClientSession, McpError, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

LISTS = {
    "tools": ("list_tools", "tools"),
    "prompts": ("list_prompts", "prompts"),
    "resources": ("list_resources", "resources"),
    "templates": ("list_resource_templates", "resourceTemplates"),
}


@contextlib.asynccontextmanager
async def streams(target):
    headers = target.get("headers", {})
    if "command" in target:
        async with stdio_client(StdioServerParameters(**target)) as (read, write):
            yield read, write
    elif target.get("transport") == "sse":
        async with sse_client(target["url"], headers=headers) as (read, write):
            yield read, write
    else:
        async with httpx.AsyncClient(headers=headers, timeout=60) as http:
            async with streamable_http_client(target["url"], http_client=http) as (read, write, _):
                yield read, write


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def fitting(answer, schema):
    """The answer, with what the form asks for."""
    content = answer.get("content", {}).items()
    return answer | {"content": {name: value for name, value in content if name in schema["properties"]}}


class Steps:
    def __init__(self, session, asked):
        self.session = session
        self.asked = asked

    async def run(self, step):
        self.asked.clear()
        do = step.pop("do")
        seen = {}
        try:
            seen |= await getattr(self, do)(**step)
        except McpError as error:
            seen["error"] = plain(error.error)
        return seen | ({"asked": list(self.asked)} if self.asked else {})

    async def list(self, of):
        method, member = LISTS[of]
        items, cursor = [], None
        while True:
            params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
            page = await getattr(self.session, method)(params=params)
            items += [plain(item) for item in getattr(page, member)]
            cursor = page.nextCursor
            if cursor is None:
                return {"items": items}

    async def call(self, name, arguments, progress=False, until=None):
        reports = []

        async def report(*values):
            reports.append(values)

        for _ in range(100):
            result = plain(await self.session.call_tool(name, arguments, progress_callback=report if progress else None))
            if until is None or until in [block.get("text") for block in result["content"]]:
                break
            await anyio.sleep(0.05)
        return {"result": result} | ({"progress": reports} if progress else {})

    async def cancel(self, name, arguments):
        """Cancels a call when it first reports progress."""
        begun = anyio.Event()

        async def report(*_):
            begun.set()

        number = self.session._request_id
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: self.session.call_tool(name, arguments, progress_callback=report))
            await begun.wait()
            params = types.CancelledNotificationParams(requestId=number, reason="interop")
            cancelled = types.CancelledNotification(params=params)
            await self.session.send_notification(types.ClientNotification(cancelled))
            group.cancel_scope.cancel()
        return {"cancelled": True}

    async def read(self, uri):
        return {"result": plain(await self.session.read_resource(uri))}

    async def get(self, name, arguments):
        return {"result": plain(await self.session.get_prompt(name, arguments))}


async def main(target, steps, answer):
    asked = []

    async def elicit(_, params):
        asked.append(plain(params))
        return types.ElicitResult(**fitting(answer, params.requestedSchema))

    async with streams(target) as (read, write):
        async with ClientSession(read, write, elicitation_callback=elicit) as session:
            version = (await session.initialize()).protocolVersion
            results = [await Steps(session, asked).run(step) for step in steps]
            print(json.dumps({"version": version, "results": results}))


try:
    asyncio.run(main(**json.loads(sys.argv[1])))
except* anyio.BrokenResourceError:
    pass  # A server that still talks while its connection is closed.
