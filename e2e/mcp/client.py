"""A client made with the official Python SDK: lists tools, greets somebody, tells what came of it.

Arguments: the mode (an era's name or revision), the way (http, ws, tcp), the address. TOKEN proves who asks.
"""
import asyncio
import json
import os
import ssl
import sys
from contextlib import asynccontextmanager

import anyio
import httpx2
import websockets
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

MODE, WAY, ADDRESS = sys.argv[1:4]
TOKEN = os.environ["TOKEN"]
TLS = ssl.create_default_context(cafile=os.environ["CA_FILE"])


@asynccontextmanager
async def streams(read, write):
    """Turns reading and writing of texts into the streams of a transport."""
    heard_in, heard_out = anyio.create_memory_object_stream(64)
    said_in, said_out = anyio.create_memory_object_stream(64)

    async def reading():
        async with heard_in:
            async for text in read():
                message = jsonrpc_message_adapter.validate_json(text)
                await heard_in.send(SessionMessage(message))

    async def writing():
        async with said_out:
            async for said in said_out:
                await write(said.message.model_dump_json(by_alias=True, exclude_unset=True))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reading)
        tasks.start_soon(writing)
        yield heard_out, said_in
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def over_websocket():
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with websockets.connect(
        ADDRESS, ssl=TLS, subprotocols=["mcp"], additional_headers=headers
    ) as socket:
        async with streams(lambda: socket, socket.send) as both:
            yield both


@asynccontextmanager
async def over_tcp():
    host, port = ADDRESS.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=TLS, limit=2**24)

    async def write(text):
        writer.write(text.encode() + b"\n")
        await writer.drain()

    hello = {"jsonrpc": "2.0", "id": 0, "method": "authenticate", "params": {"token": TOKEN}}
    await write(json.dumps(hello))
    assert "result" in json.loads(await reader.readline())
    async with streams(lambda: reader, write) as both:
        yield both
    writer.close()


async def main():
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers, verify=TLS) as http:
        transport = {
            "http": lambda: streamable_http_client(ADDRESS, http_client=http),
            "ws": over_websocket,
            "tcp": over_tcp,
        }[WAY]()
        async with Client(transport, mode=MODE) as client:
            tools = (await client.list_tools()).tools
            name = next(tool.name for tool in tools if tool.name.endswith("greet"))
            result = await client.call_tool(name, {"name": "Ada"})
            print(json.dumps({"tools": len(tools), "text": result.content[0].text}))


anyio.run(main)
