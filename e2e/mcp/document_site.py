"""A site with the document of a client that nobody registered, over TLS with a certificate of its own. Tells the document's
address and the file of its authority.
"""
import datetime
import http.server
import ipaddress
import json
import ssl
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FOLDER = Path(sys.argv[1])
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "documents")])


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    own = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    (FOLDER / "site.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (FOLDER / "site.key").write_bytes(pem)


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        document = {
            "client_id": address,
            "client_name": "Editor of many files",
            "redirect_uris": ["http://127.0.0.1/cb"],
            "token_endpoint_auth_method": "none",
        }
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


certificate()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(FOLDER / "site.pem", FOLDER / "site.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
address = f"https://127.0.0.1:{server.server_port}/client.json"
print(json.dumps({"address": address, "ca": str(FOLDER / "site.pem")}), flush=True)
server.serve_forever()
