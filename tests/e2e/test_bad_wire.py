"""Clients that lie, stop, or never stop."""
import socket
import struct

import pytest

from harness import wire
from harness.wire import Wire, error_of, rows_of


def works(forward):
    with Wire(forward.port) as link:
        _, seen = link.login().ask(wire.query("select 1"))
        return rows_of(seen) == [["1"]]


@pytest.mark.parametrize("packet", [
    struct.pack("!II", 0x7fffffff, wire.PROTOCOL_3_0) + b"user\0x\0\0",
    struct.pack("!II", 4, wire.PROTOCOL_3_0),
    struct.pack("!II", 0, wire.PROTOCOL_3_0),
    struct.pack("!II", 9, wire.PROTOCOL_3_0) + b"\0",
    struct.pack("!II", 20, wire.PROTOCOL_3_0) + b"user\0no end!",
    struct.pack("!II", 16, 0x00020000) + b"\0" * 8,
    struct.pack("!II", 8, 0xdeadbeef),
    struct.pack("!II", 12000, wire.PROTOCOL_3_0) + b"a\0b\0" * 2999,
    b"GET / HTTP/1.1\r\nHost: orders\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
    b"\x05\x01\x00",
])
@pytest.mark.asan
def test_a_startup_packet_that_lies_is_refused(forward, packet):
    with Wire(forward.port) as link:
        link.send(packet)
        link.socket.shutdown(socket.SHUT_WR)
        assert link.ended()
    assert works(forward)


@pytest.mark.parametrize("packet", [
    b"Q" + struct.pack("!I", 3),
    b"Q" + struct.pack("!I", 0xffffffff) + b"select 1",
    b"Q" + struct.pack("!I", 8) + b"abcd",
    wire.message(b"P", b"name\0select 1\0" + struct.pack("!H", 500)),
    wire.message(b"B", b"p\0s\0" + struct.pack("!HHi", 0, 60000, 100)),
    wire.message(b"B", b"p\0s\0" + struct.pack("!HHi", 0, 1, -2)),
    wire.message(b"E", b"portal without end"),
    wire.message(b"D", b"Xname\0"),
    wire.message(b"z", b"what is this"),
    wire.message(b"p", b"password\0"),
    b"\0" * 100,
    b"Q",
])
@pytest.mark.asan
def test_a_message_that_lies_ends_that_session_only(forward, packet):
    with Wire(forward.port) as link:
        link.login()
        link.send(packet)
        link.socket.shutdown(socket.SHUT_WR)
        assert link.ended()
    assert works(forward)


def test_a_client_that_closes_in_the_middle_of_each_message_harms_nobody(forward):
    whole = [wire.query("select 1"), wire.parse("select 1"), wire.bind(), wire.describe(), wire.execute(), wire.SYNC]
    for packet in whole:
        for cut in {1, 4, len(packet) - 1}:
            with Wire(forward.port) as link:
                link.login()
                link.send(packet[:cut])
    first = wire.startup()
    for cut in range(1, len(first), 7):
        with Wire(forward.port) as link:
            link.send(first[:cut])
    assert works(forward)


def test_a_message_that_arrives_byte_by_byte_is_the_same_message(forward):
    with Wire(forward.port) as link:
        link.login()
        for byte in wire.query("select 'slow'"):
            link.send(bytes([byte]))
        assert rows_of(link.until()) == [["slow"]]


@pytest.mark.asan
def test_a_newer_protocol_is_negotiated(forward):
    with Wire(forward.port) as link:
        link.send(wire.startup(version=wire.PROTOCOL_3_0 + 2, **{"_pq_.wonder": "on"}))
        seen = link.until()
        assert "v" in dict(seen)
        version, count = struct.unpack("!II", dict(seen)["v"][:8])
        assert version == wire.PROTOCOL_3_0 and count == 1
        assert b"_pq_.wonder" in dict(seen)["v"]


def test_ssl_and_gss_requests_before_startup_get_one_n_each(forward):
    with Wire(forward.port) as link:
        for code in (wire.GSS_REQUEST, wire.SSL_REQUEST):
            link.send(struct.pack("!II", 8, code))
            assert link.read(1) == b"N"
        link.login()


def test_bytes_stuffed_behind_an_ssl_request_are_not_taken_for_a_login(forward):
    # CVE-2021-23214's shape: what follows must be answered in order, or the connection ends.
    with Wire(forward.port) as link:
        link.send(struct.pack("!II", 8, wire.SSL_REQUEST) + wire.startup() + wire.query("select 1"))
        try:
            assert link.read(1) == b"N"
            link.until()
        except (EOFError, ConnectionError):
            pass
    assert works(forward)


def test_endless_ssl_requests_end(forward):
    with Wire(forward.port) as link:
        try:
            for _ in range(1000):
                link.send(struct.pack("!II", 8, wire.SSL_REQUEST))
            link.socket.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        assert link.ended()
    assert works(forward)


def test_too_deep_a_statement_is_refused_and_nothing_crashes(forward):
    with Wire(forward.port) as link:
        link.login()
        for sql in ("select " + "1+" * 100000 + "1", "select 1" + "::int" * 50000, "select 1" + " union select 1" * 30000,
                    "select " + "(" * 50000 + "1" + ")" * 50000, "select " + "-" * 1 + "- comment\n" * 1000 + "1"):
            _, seen = link.ask(wire.query(sql))
            kinds = [kind for kind, _ in seen]
            assert "E" in kinds or "D" in kinds
        _, seen = link.ask(wire.query("select 'alive'"))
        assert rows_of(seen) == [["alive"]]


@pytest.mark.slow
def test_a_hundred_thousand_prepared_statements_are_bounded(bastion, agent):
    with agent.forward("bulk") as forward, Wire(forward.port, 120) as link:
        link.login()
        fault = None
        for start in range(0, 100000, 1000):
            link.send(*[wire.parse(f"select {n}", f"s{n}") for n in range(start, start + 1000)], wire.SYNC)
            seen = link.until()
            if "E" in dict(seen):
                fault = error_of(seen)
                break
        assert all(p.memory_kib() < 200 * 1024 for p in bastion.children("gate"))
        if fault:
            assert "limit" in fault["D"] + fault["M"], fault
            _, seen = link.ask(wire.query("select 'alive'"))
            assert rows_of(seen) == [["alive"]]
        else:
            _, seen = link.ask(wire.bind("s99999"), wire.execute(), wire.SYNC)
            assert rows_of(seen) == [["99999"]]


def test_a_client_that_never_reads_stops_only_itself(bastion, agent, forward):
    with agent.forward("bulk") as stuck, Wire(stuck.port) as link:
        link.login()
        link.send(wire.query("select repeat('x', 1000) from generate_series(1, 300000)"))
        assert works(forward)
        assert all(p.memory_kib() < 120 * 1024 for p in bastion.connections())


def test_a_client_that_never_sends_stops_nobody(forward):
    silent = [socket.create_connection(("127.0.0.1", forward.port)) for _ in range(10)]
    try:
        assert works(forward)
    finally:
        for link in silent:
            link.close()
