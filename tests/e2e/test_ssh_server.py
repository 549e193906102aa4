"""The SSH side as stock clients and strangers meet it."""
import os
import socket
import subprocess
import threading
import time

import pytest

from harness.system import IS_ROOT, stop, wait_until


def banner(port, host="127.0.0.1"):
    with socket.create_connection((host, port), 10) as link:
        return link.recv(64)


@pytest.mark.asan
def test_many_channels_work_side_by_side_on_one_connection(bastion, agent):
    with agent.master() as shared:
        results = []

        def one(number):
            results.append(shared.psql("-Atc", f"select {number}").stdout.strip())

        threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(results) == [str(n) for n in range(8)]
        assert len(bastion.children("gate")) == 1


def test_a_channel_works_while_another_does_not_read(bastion, agent):
    with agent.master() as shared:
        with shared.running("psql", "bulk", "-Atc", "'select repeat(chr(65), 1000) from generate_series(1, 50000)'") as stuck:
            stuck.stdout.read(1)
            assert shared.psql("-Atc", "select 42").stdout == "42\n"


@pytest.mark.slow
@pytest.mark.skipif(not IS_ROOT, reason="slows down system calls of a process that is not dumpable")
@pytest.mark.parametrize("moment", [0.8, 0.95, 1.1, 1.25])
def test_a_channel_that_is_asked_for_while_another_opens_is_opened_too(bastion, agent, tmp_path, moment):
    """A front polls while it opens a channel, and what it polls then may be the last that it hears: the request has been
    read, and no event tells of it again. Here each of its polls takes a while, and the first client says nothing more."""
    with agent.forward() as forward:
        front, = bastion.children("front")
        slow = subprocess.Popen(["strace", "-qq", "-e", "trace=poll", "-e", "inject=poll:delay_enter=300000", "-o",
                                 tmp_path / "calls", "-p", str(front.pid)], stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: front.status("TracerPid") != "0", "the front is slow", 20)
            with socket.create_connection(("127.0.0.1", forward.port)) as silent:
                silent.sendall(b"\0\0\0\x40")  # of a startup packet, whose rest does not come
                time.sleep(moment)
                assert forward.query("select 1") == "1"
        finally:
            stop(slow)


def test_rekeying_under_load_loses_nothing(bastion, agent):
    words = ["psql", "bulk", "-Atc", "'select i || repeat(chr(65), 1000) from generate_series(1, 20000) as i'"]
    done = agent.ssh(*words, options=["-o", "RekeyLimit=1M"], timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.rstrip("A") for line in lines] == [str(i) for i in range(1, 20001)]
    assert {len(line) - len(line.rstrip("A")) for line in lines} == {1000}


def test_rekeying_while_data_goes_up_loses_nothing(bastion, agent, postgres):
    rows = "".join(f"{100000 + i}\t{'x' * 200}\tn{i}@example.net\tRome\t2026-01-01\n" for i in range(20000))
    with agent.forward("bulk", options=["-o", "RekeyLimit=1M"]) as forward:
        done = forward.psql("-At", "-c", "begin", "-c", "copy customers from stdin", "-c",
                            "select sum(length(name)) from customers where id >= 100000", "-c", "rollback", input=rows)
    assert str(200 * 20000) in done.stdout.split(), done.stderr


@pytest.mark.slow
def test_silent_connections_keep_nobody_from_logging_in(bastion, agent):
    silent = []
    try:
        for _ in range(2000):
            link = socket.socket()
            link.setblocking(False)
            link.connect_ex(("127.0.0.1", bastion.port))
            silent.append(link)
        time.sleep(0.5)
        start = time.monotonic()
        # Penalties hold for strangers of the same address too: a login may need a second try, not more.
        assert "agent-7" in agent.must("whoami")
        assert time.monotonic() - start < 10
    finally:
        for link in silent:
            link.close()
    wait_until(lambda: "agent-7" in agent.ssh("whoami").stdout, "logins work afterwards", 20, 0.5)


@pytest.mark.asan
def test_garbage_on_the_port_ends_that_connection_only(bastion, agent):
    for garbage in (os.urandom(4096), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, b"SSH-2.0-x\r\n" + os.urandom(35000),
                    b"SSH-1.0-old\r\n", b"SSH-2.0-" + b"A" * 70000):
        with socket.create_connection(("127.0.0.1", bastion.port), 10) as link:
            link.settimeout(15)
            try:
                link.sendall(garbage)
                while link.recv(65536):
                    pass
            except (ConnectionError, TimeoutError):
                pass
    wait_until(lambda: agent.ssh("whoami").returncode == 0, "a login works", 30, 0.5)


def test_the_server_says_its_version_and_nothing_of_the_machine(bastion):
    line = banner(bastion.port)
    assert line.startswith(b"SSH-2.0-")
    assert b"Debian" not in line


def test_a_half_closed_connection_is_forgotten(bastion, agent):
    for part in (b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\0\x14", b"S"):
        link = socket.create_connection(("127.0.0.1", bastion.port), 10)
        link.sendall(part)
        link.shutdown(socket.SHUT_WR)
        link.close()
    bastion.wait_idle()
    assert agent.ssh("whoami").returncode == 0


def test_ipv6_is_served(new_bastion, postgres):
    if not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6", encoding="ascii").read().strip():
        pytest.skip("no IPv6 on this machine")
    from harness.system import free_port
    bastion = new_bastion(listen=[f"127.0.0.1:{free_port()}", f"[::1]:{free_port('::1')}"])
    port = bastion.configuration["listen"][1].rsplit(":", 1)[1]
    client = bastion.client(options=["source-address=::1/128"])
    done = client.ssh("whoami", options=["-o", "HostName=::1", "-p", port])
    assert done.returncode == 0 and "agent-7" in done.stdout, done.stderr
    assert client.ssh("whoami").returncode == 255


def test_the_host_key_is_the_one_that_init_made(bastion, agent):
    assert agent.ssh("whoami", options=["-o", "StrictHostKeyChecking=yes"]).returncode == 0
    agent_hosts = agent.known_hosts.read_text()
    assert "ssh-ed25519" in agent_hosts


@pytest.mark.parametrize("options", [["-R", "0:127.0.0.1:1"], ["-o", "ForwardX11=yes", "-X"], ["-A"]])
def test_remote_forwarding_x11_and_agent_forwarding_are_refused(bastion, agent, options):
    done = agent.ssh("whoami", options=options)
    assert "agent-7" in done.stdout
    if options[0] == "-R":
        assert "forwarding failed" in done.stderr


def test_a_forward_to_what_is_no_target_is_refused(bastion, agent, postgres):
    for host, port in (("127.0.0.1", postgres.port), ("nowhere", 5432), ("localhost", 22), ("169.254.169.254", 80)):
        done = agent.ssh(options=["-W", f"{host}:{port}"])
        assert done.returncode != 0 and done.stdout == ""


def test_dynamic_forwarding_reaches_targets_only(bastion, agent, postgres):
    from harness.system import free_port, is_listening
    port = free_port()
    with agent.running(options=["-N", "-D", f"127.0.0.1:{port}"]):
        wait_until(lambda: is_listening(port), "the SOCKS port")
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            link.sendall(b"\x05\x01\x00")
            assert link.recv(2) == b"\x05\x00"
            link.sendall(b"\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + postgres.port.to_bytes(2, "big"))
            assert link.recv(10)[1:2] != b"\x00"


def test_an_unknown_subsystem_is_refused_and_the_connection_lives(bastion, agent):
    with agent.master() as shared:
        assert shared.ssh("no-such-thing", options=["-s"]).returncode != 0
        assert shared.ssh("whoami").returncode == 0


def test_a_command_works_as_a_subsystem_too(bastion, agent):
    assert agent.must("targets", options=["-s"]) == agent.must("targets")


def test_no_shell_is_behind_it(bastion, agent):
    for words in (["sh", "-c", "id"], ["/bin/ls"], ["whoami; id"], ["$(id)"]):
        done = agent.ssh(*words)
        assert done.returncode == 64, (words, done)
        assert "uid=" not in done.stdout



def test_a_client_that_vanishes_takes_its_gate_along(bastion, agent):
    process = agent.start("psql", "bulk", "-Atc", "'select repeat(chr(65), 1000) from generate_series(1, 1000000)'")
    try:
        process.stdout.read(1000)
        assert bastion.children("gate")
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()
    bastion.wait_idle()


def test_stdin_at_end_of_file_is_no_hang(bastion, agent):
    done = agent.ssh("whoami", stdin=subprocess.DEVNULL)
    assert done.returncode == 0
