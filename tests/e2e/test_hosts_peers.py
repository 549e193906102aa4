"""Other SSH programs on both sides: dropbear as a host; paramiko, asyncssh and PuTTY's plink, psftp and pscp as clients. And hosts and clients that die,
hang or flood."""
import os
import signal
import subprocess
import textwrap
import time

import pytest

from harness import hosts, processes
from harness.bastion import Bastion, settings
from harness.hosts import at
from harness.system import must, run, wait_until

PYTHON = "/usr/bin/python3"
BIG = int(os.environ.get("HOSTS_BIG", 64 << 20))  # bytes each way; 2 GB for a long run


def script(client, text):
    """Runs Python that has the connection's words as variables."""
    head = f"host, port, user, key, certificate, host_key = {('127.0.0.1', client.bastion.port, 'web1', str(client.key), str(client.certificate), str(client.known_hosts))!r}\n"
    return must(PYTHON, "-c", head + textwrap.dedent(text), timeout=25, env={**os.environ, "PYTHONUNBUFFERED": "1"})


@pytest.mark.parametrize("size", [0, 100, 5000000])
def test_paramiko(host_bastion, host_ops, size):
    assert script(host_ops, f"""
        import paramiko, warnings
        pkey = paramiko.Ed25519Key.from_private_key_file(key)
        pkey.load_certificate(certificate)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(host, port, user, pkey=pkey, allow_agent=False, look_for_keys=False)
        stdin, stdout, stderr = client.exec_command("cat; echo done >&2; exit 3")
        stdin.write(b"x" * {size}) if {size} < 1000 else None
        stdin.channel.shutdown_write()
        stdin, big, _ = client.exec_command("head -c {size} /dev/zero")
        print(len(big.read()), len(stdout.read()), stderr.read(), stdout.channel.recv_exit_status())
        client.close()
        """).split() == [str(size), str(size if size < 1000 else 0), "b'done\\n'", "3"]


def test_asyncssh(host_bastion, host_ops):
    assert script(host_ops, """
        import asyncio, asyncssh
        async def main():
            async with asyncssh.connect(host, port, username=user, client_keys=[(key, certificate)], known_hosts=None,
                                        agent_path=None, config=None) as connection:
                done = await asyncio.gather(*[connection.run(f"cat; exit {i}", input="in" * i) for i in range(1, 9)])
                print([(d.stdout, d.exit_status) for d in done] == [("in" * i, i) for i in range(1, 9)])
                process = await connection.create_process("cat", term_type="xterm", term_size=(70, 20))
                process.stdin.write("hello\\n")
                print("hello" in await process.stdout.readline(), flush=True)
                process.close()
        asyncio.run(main())
        """).split() == ["True", "True"]


@pytest.mark.skipif(os.geteuid() != 0, reason="dropbear reads the keys of a home directory")
def test_dropbear_is_a_host_too(postgres, host_place, tmp_path):
    home = "/root/.ssh/authorized_keys"
    before = open(home, "rb").read() if os.path.exists(home) else None
    os.makedirs(os.path.dirname(home), mode=0o700, exist_ok=True)
    with open(home, "ab") as keys:
        keys.write((host_place / "vault_key.pub").read_bytes())
    dropbear = hosts.Dropbear(tmp_path / "dropbear")
    bastion = None
    try:
        bastion = Bastion(postgres, settings(postgres, targets=[dropbear.target("web1", credential="web1-key")], rules=hosts.RULES))
        bastion.put_secret("web1-key", (host_place / "vault_key").read_text(), "ssh-key")
        bastion.start()
        ops = bastion.client("olga", principals=["ops"])
        done = ops.ssh("cat; echo err >&2; exit 3", options=at("web1"), input="y" * 1000000)
        assert (len(done.stdout), done.stderr, done.returncode) == (1000000, "err\n", 3), bastion.log()[-2000:]
        assert "/dev/pts/" in ops.must("tty", options=["-tt", *at("web1")])
    finally:
        if bastion:
            bastion.remove()
        dropbear.stop()
        os.remove(home) if before is None else open(home, "wb").write(before)


@pytest.mark.slow
def test_much_goes_both_ways_at_once(host_bastion, host_ops):
    command = f"head -c {BIG} /dev/zero | openssl enc -aes-128-ctr -nosalt -K 0 -iv 0 2>/dev/null"
    line = f"{command} | {' '.join(host_ops.argv(options=at('web1')))} cat | sha256sum; {command} | sha256sum"
    one, two = must("sh", "-c", line, timeout=600).splitlines()
    assert one == two


def resident(process):
    return int(next(line for line in open(f"/proc/{process.pid}/status") if line.startswith("VmRSS")).split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("words", ["head -c 300000000 /dev/zero", "head -c 300000000 /dev/zero >&2"])
def test_a_slow_reader_costs_no_memory(host_bastion, host_ops, words):
    with host_ops.running(words, options=at("web1")) as process:
        stream = process.stderr if ">&2" in words else process.stdout
        most, got = 0, 0
        for _ in range(40):
            got += len(os.read(stream.fileno(), 1 << 20))
            most = max([most, *(resident(one) for one in host_bastion.connections())])
            time.sleep(0.05)
        assert got > 0 and most < 48 << 20, f"{most >> 20} MiB"


@pytest.mark.slow
def test_a_host_that_does_not_read_costs_no_memory(host_bastion, host_ops):
    with host_ops.running("sleep 600", options=at("web1"), stdin=subprocess.PIPE) as process:
        os.set_blocking(process.stdin.fileno(), False)
        sent, quiet = 0, 0
        while quiet < 20:  # until nothing on the way takes any more
            try:
                sent += os.write(process.stdin.fileno(), b"x" * (1 << 20)) or 0
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.05)
            assert sent < 64 << 20
        assert max(resident(one) for one in host_bastion.connections()) < 48 << 20


def test_a_host_that_dies_ends_its_sessions_with_a_word(host_bastion, host_ops):
    with host_ops.running("echo $PPID; sleep 600", options=at("web1")) as process:
        os.kill(int(process.stdout.readline()), signal.SIGKILL)  # the process that serves this connection
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 69 and b"code target_unavailable" in errors
    assert host_ops.must("echo again", options=at("web1")) == "again\n"


def test_a_client_that_dies_ends_its_command(host_bastion, host_ops, host_place):
    pid = host_place / "pid"
    with host_ops.running(f"echo $$ > {pid}; exec cat", options=at("web1"), stdin=subprocess.PIPE) as process:
        wait_until(lambda: pid.exists() and pid.read_text().strip(), "the command runs", 20)
        process.kill()
        # Its parent may end first; then it is ours, and nobody reaps it.
        command = processes.Process(int(pid.read_text()), 0, "cat")
        wait_until(lambda: not command.alive(), "the command ended", 20)
    host_bastion.wait_idle()


@pytest.mark.slow
def test_keys_are_exchanged_anew_under_load(host_bastion, host_ops):
    done = host_ops.ssh(f"head -c {BIG} /dev/zero | sha256sum; head -c {BIG} /dev/zero", options=[*at("web1"), "-o", "RekeyLimit=1M"],
                        bytes=True, timeout=120)
    assert done.returncode == 0 and len(done.stdout) > BIG


@pytest.fixture
def putty(host_bastion, host_ops, tmp_path):
    """What PuTTY's tools need to know, and their environment."""
    ppk = tmp_path / "key.ppk"
    must("puttygen", host_ops.key, "-o", ppk, "-O", "private")
    shown = must("ssh-keygen", "-lf", host_bastion.state / "host_ed25519.pub").split()[1]
    return (["-batch", "-noagent", "-i", ppk, "-cert", host_ops.certificate, "-hostkey", shown, "-P", host_bastion.port],
            {**os.environ, "HOME": str(tmp_path)})


def test_plink(putty):
    words, environment = putty
    plink = ["plink", "-ssh", *words]
    done = run(*plink, "web1@127.0.0.1", "cat; echo err >&2; exit 3", input="z" * 500000, env=environment)
    assert (len(done.stdout), done.returncode) == (500000, 3) and "err\n" in done.stderr, done.stderr[-500:]
    done = run(*plink, "-t", "web1@127.0.0.1", "tty", env=environment)
    assert "/dev/pts/" in done.stdout


def test_psftp(putty, tmp_path):
    words, environment = putty
    data, far, back = tmp_path / "data", tmp_path / "far", tmp_path / "back"
    data.write_bytes(os.urandom(3_000_000))
    batch = tmp_path / "batch"
    batch.write_text(f"put {data} {far}\nget {far} {back}\nls {tmp_path}\nmkdir {tmp_path}/made\nrm {far}\nrmdir {tmp_path}/made\nquit\n")
    done = run("psftp", *words, "-be", "-b", batch, "web1@127.0.0.1", env=environment, timeout=60)
    assert done.returncode == 0 and "far" in done.stdout, done.stdout + done.stderr
    assert back.read_bytes() == data.read_bytes() and not far.exists() and not (tmp_path / "made").exists()


@pytest.mark.parametrize("mode", ["-sftp", "-scp"])
def test_pscp(putty, tmp_path, mode):
    words, environment = putty
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(os.urandom(1_000_000))
    (tmp_path / "there").mkdir()
    for source, target in ((tree, f"web1@127.0.0.1:{tmp_path}/there"), (f"web1@127.0.0.1:{tmp_path}/there/tree", tmp_path / "back")):
        (tmp_path / "back").mkdir(exist_ok=True)
        done = run("pscp", mode, "-q", "-r", *words, source, target, env=environment, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "back" / "tree" / "sub" / "file").read_bytes() == (tree / "sub" / "file").read_bytes()


@pytest.mark.parametrize("way", ["paramiko", "asyncssh"])
def test_libraries_move_files(host_bastion, host_ops, tmp_path, way):
    (tmp_path / "data").write_bytes(os.urandom(3_000_000))
    script(host_ops, f"""
        import paramiko
        pkey = paramiko.Ed25519Key.from_private_key_file(key)
        pkey.load_certificate(certificate)
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(host, port, user, pkey=pkey, allow_agent=False, look_for_keys=False)
        sftp = client.open_sftp()
        sftp.put("{tmp_path}/data", "{tmp_path}/far")
        sftp.get("{tmp_path}/far", "{tmp_path}/back")
        client.close()
        """ if way == "paramiko" else f"""
        import asyncio, asyncssh
        async def main():
            async with asyncssh.connect(host, port, username=user, client_keys=[(key, certificate)], known_hosts=None,
                                        agent_path=None, config=None) as connection:
                async with connection.start_sftp_client() as sftp:
                    await sftp.put("{tmp_path}/data", "{tmp_path}/far")
                    await sftp.get("{tmp_path}/far", "{tmp_path}/back")
        asyncio.run(main())
        """)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "data").read_bytes()
