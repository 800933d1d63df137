"""A client made with the official Python SDK that comes by OAuth: it tells where a person is to be sent, hears what
their browser brings, and calls a tool. Arguments: the mode (an era's name or revision), the address, the client's id
or the address of its document.
"""
import asyncio
import json
import os
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

MODE, ADDRESS, CLIENT_ID = sys.argv[1:4]
DOCUMENT = CLIENT_ID if CLIENT_ID.startswith("https://") else None
TLS = ssl.create_default_context(cafile=os.environ["CA_FILE"])
PAGE = b"<!doctype html><html lang=en><title>Client</title><h1>Back in the client</h1>"


class Kept:
    """What the client keeps: it is known already, unless it has a document."""

    def __init__(self, redirect):
        self.tokens = None
        self.client = None
        if not DOCUMENT:
            self.client = OAuthClientInformationFull(
                client_id=CLIENT_ID, redirect_uris=[redirect], token_endpoint_auth_method="none"
            )

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def main():
    brought = asyncio.get_running_loop().create_future()

    async def hear(reader, writer):
        path = (await reader.readline()).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n" + PAGE)
        await writer.drain()
        writer.close()
        if path.startswith("/cb") and not brought.done():
            brought.set_result({key: value[0] for key, value in parse_qs(urlsplit(path).query).items()})

    async def tell(url):
        print(json.dumps({"authorize": url}), flush=True)

    async def callback():
        found = await brought
        return AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    redirect = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/cb"
    about = OAuthClientMetadata(client_name="Client", redirect_uris=[redirect], token_endpoint_auth_method="none")
    kept = Kept(redirect)
    provider = OAuthClientProvider(
        ADDRESS, about, kept, redirect_handler=tell, callback_handler=callback, client_metadata_url=DOCUMENT
    )
    async with httpx2.AsyncClient(auth=provider, verify=TLS) as http:
        async with Client(streamable_http_client(ADDRESS, http_client=http), mode=MODE) as client:
            tools = (await client.list_tools()).tools
            result = await client.call_tool("test_simple_text", {})
            said = {"tools": len(tools), "text": result.content[0].text, "scope": kept.tokens.scope}
            print(json.dumps(said), flush=True)


anyio.run(main)
