"""What the connector of an API server meets, over TLS: as one should be, and as one should not. Prints "NAME PORT" for
each port, then "ready". Works in the directory of the certificates; ends when stdin does."""
import json
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "stored-t0ken"
BIG = bytes(range(256)) * 256


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def seen(self):
        """The request as it came."""
        certificate = self.connection.getpeercert() or {}
        subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
        return json.dumps({"path": self.path, "headers": self.headers.items(), "client": subject.get("commonName")})

    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if "Upgrade" in self.headers:
            return self.switch(url.path != "/no")
        if url.path == "/big":
            return self.big(int(query["blocks"]))
        if url.path == "/last":
            self.close_connection = True
        return self.answer(200, self.seen().encode())

    def big(self, blocks):
        self.send_response(200)
        self.send_header("Content-Length", str(blocks * len(BIG)))
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(blocks):
            self.wfile.write(BIG)
        self.close_connection = True

    def switch(self, willing):
        if not willing:
            return self.answer(403, b"no")
        self.send_response_only(101)
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
        self.connection.sendall(b"<the end>")
        self.close_connection = True
        return None

    def do_PUT(self):
        """How many bytes came, and whether they were as expected."""
        left = total = int(self.headers["Content-Length"])
        while left and (data := self.rfile.read(min(left, len(BIG)))):
            if data != BIG[: len(data)]:
                return self.answer(400, b"other bytes")
            left -= len(data)
        return self.answer(200, b"%d" % (total - left))

    def do_POST(self):
        """TokenRequest; the service account's name says how it is answered."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        account = self.path.split("/")[-2]
        token = f"bounded-{account}-{next_number()}"
        status = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                  "spec": {"audiences": ["x"], "expirationSeconds": body["spec"]["expirationSeconds"]},
                  "status": {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            message = {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"}
            return self.answer(401, json.dumps(message).encode())
        return self.token_answer(account, status)

    def token_answer(self, account, status):
        if account == "missing":
            message = {"kind": "Status", "reason": "NotFound", "message": 'serviceaccounts "missing" not found'}
            return self.answer(404, json.dumps(message).encode())
        if account == "gossip":  # a server that would have the stored token in our log
            message = {"kind": "Status", "reason": "Forbidden", "message": f"not with {TOKEN}"}
            return self.answer(403, json.dumps(message).encode())
        if account == "short":
            status["spec"]["expirationSeconds"] = 20
        if account == "long":
            status["spec"]["expirationSeconds"] = 31536000
        if account == "broken":
            status["status"]["token"] = "two words"
        if account == "endless":
            return self.answer(201, b" " * 1024 * 1024)
        if account == "chunked":
            text = json.dumps(status).encode()
            self.send_response(201)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text[:9], text[9:])))
            return self.wfile.write(b"0\r\n\r\n")
        return self.answer(201, json.dumps(status).encode())


numbers = iter(range(1, 1000000))
number_lock = threading.Lock()


def next_number():
    with number_lock:
        return next(numbers)


def serve(name, certificate, client_ca=None, wrap=True):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if wrap:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
        context.set_alpn_protocols(["h2", "http/1.1"])
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        plain = server.get_request

        def get_request():
            # The handshake is the thread's, at its first read: one client that says nothing must not stop the others.
            connection, address = plain()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        server.get_request = get_request
        server.handle_error = lambda *_: None
    print(name, server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()


def old():
    """TLS 1.1, which nobody accepts any more; and one that accepts and says nothing."""
    listening = socket.create_server(("127.0.0.1", 0))
    print("silent", listening.getsockname()[1])
    return listening


serve("good", "server", client_ca="ca.pem")
serve("expired", "expired")
serve("misnamed", "misnamed")
serve("plain", "", wrap=False)
kept = old()
print("ready", 0, flush=True)
sys.stdin.read()
