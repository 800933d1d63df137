"""A program of others, made with authlib: asks a person in a browser, and uses what it was granted.

Takes its settings as JSON on standard input and answers in lines of JSON: first the address to which the person is
sent, then what came of it. One setting, `acts_alone`, makes it ask nobody.
"""

import http.server
import json
import os
import sys

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

ASKED_SECONDS_MAX = 60


def tell(**what):
    print(json.dumps(what), flush=True)


def metadata_of(issuer):
    """The server's metadata, held to RFC 8414 by the library."""
    found = requests.get(get_well_known_url(issuer, external=True), timeout=10)
    found.raise_for_status()
    metadata = AuthorizationServerMetadata(found.json())
    metadata.validate()
    assert metadata["issuer"] == issuer, metadata["issuer"]
    return metadata


class Callback(http.server.BaseHTTPRequestHandler):
    """Hears once what the browser brings."""

    def do_GET(self):
        self.server.brought = self.path
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><html lang=en><title>Chart Room</title><h1>Back in the Chart Room</h1>")

    def log_message(self, *_):
        pass


def grants(session, metadata, settings):
    """Asks the person and exchanges what their browser brings."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Callback)
    server.timeout = ASKED_SECONDS_MAX
    server.brought = None
    back = f"http://127.0.0.1:{server.server_port}/cb"
    session.redirect_uri = back
    verifier = generate_token(64)
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, resource=settings["resource"]
    )
    tell(authorize=address)
    while server.brought is None or not server.brought.startswith("/cb"):
        server.handle_request()
    server.server_close()
    brought = requests.compat.urlparse(server.brought)
    query = dict(pair.split("=", 1) for pair in brought.query.split("&"))
    if "error" in query:
        tell(error=query["error"])
        sys.exit(0)
    assert requests.compat.unquote(query["iss"]) == metadata["issuer"], query
    token = session.fetch_token(
        metadata["token_endpoint"],
        authorization_response=back + "?" + brought.query,
        state=state,
        code_verifier=verifier,
        resource=settings["resource"],
    )
    return token


def main():
    settings = json.load(sys.stdin)
    os.environ["REQUESTS_CA_BUNDLE"] = settings["ca"]
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # for the redirection to this machine
    metadata = metadata_of(settings["issuer"])
    session = OAuth2Session(
        settings["client_id"],
        settings.get("client_secret"),
        scope=settings["scope"],
        code_challenge_method="S256",
        token_endpoint_auth_method=settings["method"],
        revocation_endpoint_auth_method=settings["method"],
    )
    if settings.get("acts_alone"):
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    else:
        token = grants(session, metadata, settings)
    status = lambda path: session.get(settings["issuer"] + path).status_code
    seen = {"scope": token["scope"], "runs": status("/api/v1/runs"), "nodes": status("/api/v1/nodes")}
    seen["refreshable"] = "refresh_token" in token
    if seen["refreshable"]:
        fresh = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
        seen["rotated"] = fresh["refresh_token"] != token["refresh_token"]
        seen["runs_after_refresh"] = status("/api/v1/runs")
        if settings.get("keeps"):
            tell(**seen)
            return
        revoked = session.revoke_token(
            metadata["revocation_endpoint"], token=fresh["refresh_token"], token_type_hint="refresh_token"
        )
        seen["revoked"] = revoked.status_code
        seen["runs_after_revocation"] = status("/api/v1/runs")
    tell(**seen)


main()
