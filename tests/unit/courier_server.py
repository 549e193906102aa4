#!/usr/bin/python3
"""A provider for tests/unit/courier.c, good and hostile: what it does is in the path. Certificates are in the current
directory. Prints its ports, one "NAME PORT" a line, then "ready"."""
import itertools
import socket
import ssl
import struct
import sys
import threading
import warnings

FIRST, LAST = 21300, 21399
PARALLEL = 50
together = threading.Barrier(PARALLEL, timeout=30)


reserved = []  # sockets that only keep others from a port


def reserve():
    """A port that nobody else gets, in neither family: "localhost" is both. What is bound and does not listen refuses."""
    for port in range(FIRST, LAST):
        pair = {socket.AF_INET: socket.socket(socket.AF_INET), socket.AF_INET6: socket.socket(socket.AF_INET6)}
        pair[socket.AF_INET6].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            pair[socket.AF_INET].bind(("127.0.0.1", port))
            pair[socket.AF_INET6].bind(("::1", port))
        except OSError:
            for sock in pair.values():
                sock.close()
            continue
        reserved.extend(pair.values())
        return port, pair
    sys.exit("no free port")


def listen(family):
    _, pair = reserve()
    pair[family].listen(128)
    return pair[family]


def context(name, oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_3):
    warnings.simplefilter("ignore")  # old versions are meant to be old
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{name}.pem", f"{name}.key")
    if newest < ssl.TLSVersion.TLSv1_2:
        made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = oldest, newest
    return made


def read_request(stream):
    head = b""
    while b"\r\n\r\n" not in head:
        more = stream.recv(65536)
        if not more:
            return None
        head += more
    head, body = head.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    while len(body) < int(fields.get("content-length", 0)):
        body += stream.recv(65536)
    method, path, _ = lines[0].split(" ")
    return method, path, fields, body


def answer(stream, body, *extra, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra, "", ""]
    stream.sendall("\r\n".join(lines).encode() + body)


def endless(stream, head, part):
    stream.sendall(head)
    for _ in itertools.count():
        stream.sendall(part)


def hook(stream, method, path, fields, body):
    """Writes down what was posted, then answers with the status in the path, and with what follows it."""
    with open("posted", "wb") as file:
        file.write(f"{method} {path}\n".encode())
        for name in sorted(fields):
            if name not in ("host", "user-agent"):
                file.write(f"{name}: {fields[name]}\n".encode())
        file.write(b"\n" + body)
    status, how = path.split("?")[0].split("/")[2:4]
    head = f"HTTP/1.1 {status} Whatever\r\n".encode()
    if how == "plain":
        answer(stream, b"ok", status=status + " Whatever")
    elif how == "moved":
        answer(stream, b"", "Location: /hook/200/plain", status=status + " Whatever")
    elif how == "announced":
        stream.sendall(head + b"Content-Length: 99999999\r\n\r\n")
        stream.recv(1)
    elif how == "endless":
        endless(stream, head + b"\r\n", b"x" * 65536)
    elif how == "half":
        stream.sendall(head + b"Content-Length: 100\r\n\r\n")


def behave(stream, method, path, fields, body):
    what = path.split("/")[1].split("?")[0]
    ok = b"HTTP/1.1 200 OK\r\n"
    if what == "json":
        answer(stream, b'{"hello":1}', "Content-Type: application/json; charset=utf-8",
               "Cache-Control: public, max-age=600, must-revalidate", "Age: 100", "Set-Cookie: seen=1; Secure")
    elif what == "echo":
        text = "\n".join([method, path, fields.get("content-type", ""), fields.get("cookie", ""),
                          fields.get("accept", ""), body.decode()])
        answer(stream, text.encode())
    elif what == "hook":
        hook(stream, method, path, fields, body)
    elif what == "empty":
        answer(stream, b"")
    elif what == "status":
        answer(stream, b'{"error":"authorization_pending"}', status=path.split("/")[2] + " Whatever")
    elif what == "redirect":
        answer(stream, b"", "Location: /json", status="302 Found")
    elif what == "exact":
        answer(stream, b"x" * int(path.split("/")[2]))
    elif what == "announced":
        stream.sendall(ok + b"Content-Length: 99999999\r\n\r\n")
        stream.recv(1)
    elif what == "endless":
        endless(stream, ok + b"\r\n", b"x" * 65536)
    elif what == "chunks":
        endless(stream, ok + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n")
    elif what == "headers":
        endless(stream, ok, b"X-Filler: " + b"y" * 4000 + b"\r\n")
    elif what == "line":
        endless(stream, ok + b"X-Filler: ", b"y" * 4096)
    elif what == "continue":
        endless(stream, b"", b"HTTP/1.1 100 Continue\r\nX-Filler: yyy\r\n\r\n")
    elif what == "garbage":
        stream.sendall(b"\x00\xff\x1b[31mSSH-2.0-what\r\n" * 100)
    elif what == "silent":
        stream.recv(1)
    elif what == "half":
        stream.sendall(ok + b"Content-Length: 100\r\n\r\nhalf")
    elif what == "reset":
        stream.sendall(ok + b"Content-Length: 100\r\n\r\nhalf")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif what == "together":
        together.wait()
        answer(stream, b"all of us")
    else:
        answer(stream, b"", status="404 Not Found")


def serve_one(raw, tls):
    try:
        stream = tls.wrap_socket(raw, server_side=True) if tls else raw
        request = read_request(stream)
        if request:
            behave(stream, *request)
        stream.close()
    except (OSError, ValueError):
        raw.close()


def serve(sock, tls):
    while True:
        raw, _ = sock.accept()
        threading.Thread(target=serve_one, args=(raw, tls), daemon=True).start()


def main():
    old = ssl.TLSVersion.TLSv1_1
    for name, family, tls in [
            ("good", socket.AF_INET, context("server")),
            ("six", socket.AF_INET6, context("server")),
            ("expired", socket.AF_INET, context("expired")),
            ("misnamed", socket.AF_INET, context("misnamed")),
            ("old", socket.AF_INET, context("server", ssl.TLSVersion.TLSv1, old)),
            ("plain", socket.AF_INET, None)]:
        sock = listen(family)
        threading.Thread(target=serve, args=(sock, tls), daemon=True).start()
        print(name, sock.getsockname()[1])
    print("closed", reserve()[0])
    print("ready", 0, flush=True)
    sys.stdin.read()  # until the test closes it


main()
