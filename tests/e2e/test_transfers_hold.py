"""`action: approve` on file operations and forwards: each waits until somebody has agreed, while others go on."""
import subprocess

import pytest

from harness import hosts
from harness.holding import Operator
from harness.hosts import events
from harness.system import run, wait_until

from test_host_forwards import Server

HOST = "web1@bastion"


def approve(name, match, **how):
    return {"name": name, "roles": ["agent"], "targets": ["web1"], "match": match, "action": "approve",
            "approve": {"by": ["dba"], "wait": "10m", **how}, "reason": f"{name} wants a second pair of eyes"}


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    made = tmp_path_factory.mktemp("held_files")
    (made / "kept").mkdir()
    return made


@pytest.fixture(scope="module")
def held(postgres, sshd, host_place, tree, server):
    rules = [approve("quick", {"paths": [f"{tree}/quick*"]}, wait="1s"),
             approve("later", {"paths": [f"{tree}/later*"]}, mode="retry", **{"for": "5m"}),
             approve("kept", {"paths": [f"{tree}/kept/**"], "operations": ["read", "write", "remove", "rename"]}),
             approve("tunnels", {"channels": ["forward"]}),
             {"name": "agent", "roles": ["agent"], "targets": ["web1"], "match": {"channels": ["exec", "sftp"]}, "action": "allow"},
             {"name": "all", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"}]
    with hosts.bastion_with(postgres, sshd, host_place, rules=rules, target_keys={"forwards": [f"127.0.0.1:{server.port}"]},
                            roles=[{"name": "agent"}, {"name": "dba", "may": ["replay"]}]) as made:
        yield made


@pytest.fixture(scope="module")
def agent(held):
    return held.client("local/agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def anna(held):
    with held.client("local/anna", principals=["dba"]).master() as client:
        yield Operator(client)


def start(who, *words, stdin=b""):
    process = subprocess.Popen([words[0], "-F", str(who.config), *map(str, words[1:])], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(stdin)
    process.stdin.flush()
    return process


def finish(process, seconds=60):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(), err.decode()


def sftp(who, *lines):
    return start(who, "sftp", "-b", "-", HOST, stdin="".join(f"{line}\n" for line in lines).encode())


@pytest.mark.asan
def test_a_file_is_written_once_it_is_approved(agent, anna, tree, tmp_path):
    (tmp_path / "a").write_text("new")
    process = sftp(agent, f"put {tmp_path}/a {tree}/kept/a", f"ls {tree}")
    request = anna.open(f"open {tree}/kept/a")
    assert (request["kind"], request["target"], request["rule"]) == ("file", "web1", "kept")
    assert f"write {tree}/kept/a" in request["effects"]
    assert not (tree / "kept" / "a").exists()
    anna.approve(request["id"])
    status, out, err = finish(process)
    assert status == 0, err
    assert (tree / "kept" / "a").read_text() == "new"
    assert f'gatehouse: waiting for approval {request["id"]} by dba (rule "kept"), up to 10m: open {tree}/kept/a' in err
    assert anna.state(request["id"]) == "consumed"
    [recording] = {one["recording"] for one in anna.list(request["id"])}
    steps = [event["state"] for event in events(anna.client, recording) if event["event"] == "approval"]
    assert steps == ["open", "approved", "consumed"]


def test_a_denied_removal_does_not_happen_and_the_session_goes_on(agent, anna, tree):
    victim = tree / "kept" / "victim"
    victim.write_text("here")
    process = sftp(agent, f"-rm {victim}", f"mkdir {tree}/d1", f"rmdir {tree}/d1")
    request = anna.open(f"remove {victim}")
    anna.deny(request["id"], "--reason", "'not this one'")
    status, _, err = finish(process)
    assert status == 0, err
    assert f'denied by local/anna: not this one: request {request["id"]} (rule kept, code approval_denied)' in err
    assert victim.exists() and "Permission denied" in err


def test_others_go_on_while_one_is_held(agent, anna, tree):
    """asyncssh sends several requests at once over one session."""
    asyncssh_words = f"""
import asyncio, asyncssh, sys
async def main():
    async with asyncssh.connect("bastion", config=["{agent.config}"], username="web1", known_hosts=None) as c:
        async with c.start_sftp_client() as sftp:
            held = asyncio.ensure_future(sftp.remove("{tree}/kept/async"))
            await asyncio.sleep(0)
            await sftp.mkdir("{tree}/free")
            print("free", flush=True)
            await held
            print("held", flush=True)
asyncio.run(main())
"""
    (tree / "kept" / "async").write_text("x")
    process = subprocess.Popen(["/usr/bin/python3", "-c", asyncssh_words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        request = anna.open("remove")
        assert process.stdout.readline() == b"free\n", process.stderr.read()
        assert (tree / "free").is_dir() and (tree / "kept" / "async").exists()
        anna.approve(request["id"])
        assert finish(process)[0] == 0
        assert not (tree / "kept" / "async").exists()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("option", ["-s", "-O"])
def test_scp_waits_for_one_file_and_copies_the_others(agent, anna, tree, tmp_path, option):
    for name in "ab":
        (tmp_path / name).write_text(f"{name}{option}")
    process = start(agent, "scp", option, tmp_path / "a", tmp_path / "b", f"{HOST}:{tree}/kept/")
    for name, answer in (("a", anna.deny), ("b", anna.approve)):
        answer(anna.open(f"{tree}/kept/{name}")["id"])
    status, _, err = finish(process)
    assert status == 1 and "approval_denied" in err
    assert (tree / "kept" / "b").read_text() == f"b{option}"
    assert not (tree / "kept" / "a").exists() or (tree / "kept" / "a").read_text() != f"a{option}"


def test_rsync_waits_before_it_runs(agent, anna, tree, tmp_path):
    (tmp_path / "r").write_text("by rsync")
    process = subprocess.Popen(["rsync", "-e", f"ssh -F {agent.config}", tmp_path / "r", f"{HOST}:{tree}/kept/r"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    request = anna.open("rsync --server")
    assert f"write {tree}/kept/r" in request["effects"]
    anna.approve(request["id"])
    status, _, err = finish(process)
    assert status == 0, err
    assert (tree / "kept" / "r").read_text() == "by rsync"


def test_rsync_that_is_denied_ends(agent, anna, tree, tmp_path):
    (tmp_path / "r").write_text("by rsync")
    process = subprocess.Popen(["rsync", "-e", f"ssh -F {agent.config}", tmp_path / "r", f"{HOST}:{tree}/kept/never"],
                               stderr=subprocess.PIPE, text=True)
    request = anna.open("rsync --server")
    anna.deny(request["id"], "--reason", "'not this one'")
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and "not this one" in errors
    assert not (tree / "kept" / "never").exists()


def test_what_leads_elsewhere_by_then_is_refused(agent, anna, tree):
    link, one, other = tree / "way", tree / "kept" / "one", tree / "kept" / "other"
    one.mkdir()
    other.mkdir()
    for place in (one, other):
        (place / "x").write_text("x")
    link.symlink_to(one)
    process = sftp(agent, f"-rm {link}/x")
    request = anna.open(f"remove {one}/x [asked: {link}/x]")
    link.unlink()
    link.symlink_to(other)
    anna.approve(request["id"])
    assert "Permission denied" in finish(process)[2]
    assert (one / "x").exists() and (other / "x").exists()


def test_a_client_that_leaves_withdraws(agent, anna, tree):
    victim = tree / "kept" / "stays"
    victim.write_text("here")
    process = sftp(agent, f"rm {victim}")
    request = anna.open(f"remove {victim}")
    process.kill()
    process.communicate()
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "withdrawn")
    assert victim.exists()


def test_nobody_decides_in_time(agent, tree, tmp_path):
    (tmp_path / "a").write_text("new")
    assert "code approval_expired" in finish(sftp(agent, f"-put {tmp_path}/a {tree}/quick"))[2]
    assert not (tree / "quick").exists()


def test_retry_is_refused_at_once_and_goes_the_second_time(agent, anna, tree, tmp_path):
    (tmp_path / "a").write_text("new")
    assert "gatehouse: pending: it needs an approval" in finish(sftp(agent, f"-put {tmp_path}/a {tree}/later"))[2]
    request = anna.open(f"open {tree}/later")
    anna.approve(request["id"])
    assert finish(sftp(agent, f"put {tmp_path}/a {tree}/later"))[0] == 0
    assert (tree / "later").read_text() == "new"


@pytest.mark.parametrize("agree", [True, False])
def test_a_forward_waits(agent, anna, server, held, agree):
    process = start(agent, "ssh", "-W", f"127.0.0.1:{server.port}", HOST, stdin=b"abc")
    process.stdin.close()
    process.stdin = None
    request = anna.open(f"127.0.0.1:{server.port}")
    assert (request["kind"], request["rule"]) == ("forward", "tunnels")
    (anna.approve if agree else anna.deny)(request["id"])
    status, out, _ = finish(process)
    assert (status, out[:2]) == ((0, "3 ") if agree else (255, ""))
    assert anna.state(request["id"]) == ("consumed" if agree else "denied")


def test_a_look_at_attributes_is_not_asked_for(agent, anna, tree):
    (tree / "kept" / "seen").write_text("four")
    done = run("sftp", "-F", agent.config, "-b", "-", HOST, timeout=60, input=f"ls -l {tree}/kept/seen\n")
    assert done.returncode == 0 and "seen" in done.stdout
    assert [one for one in anna.list() if one["state"] == "open"] == []
