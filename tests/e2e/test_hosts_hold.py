"""`action: approve` on hosts: a command or a shell waits until somebody has agreed, and runs once."""
import json
import signal

import pytest

from harness import hosts
from harness.holding import Operator
from harness.hosts import at, events, last_recording
from harness.system import wait_until
from harness.terminal import Terminal


def approve(name, match, **how):
    return {"name": name, "roles": ["agent"], "targets": ["web1"], "match": match, "action": "approve",
            "approve": {"by": ["dba"], "wait": "10m", **how}, "reason": f"{name} wants a second pair of eyes"}


RULES = [approve("quick", {"commands": ["mkdir *"]}, wait="1s"),
         approve("later", {"commands": ["rmdir *"]}, mode="retry", **{"for": "5m"}),
         approve("removal", {"commands": ["rm *"]}),
         approve("shells", {"channels": ["shell"]}),
         {"name": "agent", "roles": ["agent"], "targets": ["web1"], "match": {"channels": ["exec"]}, "action": "allow"},
         {"name": "all", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"}]


@pytest.fixture(scope="module")
def held(postgres, sshd, host_place):
    with hosts.bastion_with(postgres, sshd, host_place, rules=RULES,
                            roles=[{"name": "agent"}, {"name": "dba", "may": ["replay"]}]) as made:
        yield made


@pytest.fixture(scope="module")
def agent(held):
    return held.client("local/agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def anna(held):
    with held.client("local/anna", principals=["dba"]).master() as client:
        yield Operator(client)


@pytest.fixture
def victim(held):
    made = held.directory / "victim"
    made.write_text("here")
    made.chmod(0o666)
    yield made
    made.unlink(missing_ok=True)


def finish(process, seconds=30):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.asan
def test_a_command_waits_and_runs_once_it_is_approved(agent, anna, victim):
    with agent.running(f"rm {victim}; echo done", options=at("web1")) as process:
        request = anna.open(f"rm {victim}")
        assert victim.exists()
        assert (request["kind"], request["target"], request["rule"]) == ("command", "web1", "removal")
        assert f"run rm {victim}" in request["effects"]
        anna.approve(request["id"], "--reason", "'tidy up'")
        status, out, err = finish(process)
    assert (status, out) == (0, "done\n")
    assert not victim.exists()
    assert f'gatehouse: waiting for approval {request["id"]} by dba (rule "removal"), up to 10m' in err
    assert anna.state(request["id"]) == "consumed"
    steps = [event for event in events(anna.client, last_recording(anna.client)) if event["event"] == "approval"]
    assert [step["state"] for step in steps] == ["open", "approved", "consumed"]


@pytest.mark.asan
def test_a_denied_command_never_runs(agent, anna, victim):
    with agent.running(f"rm {victim}", options=at("web1")) as process:
        request = anna.open(f"rm {victim}")
        anna.deny(request["id"], "--reason", "'not this one'")
        status, out, err = finish(process)
    assert status == 77 and out == ""
    assert f'denied by local/anna: not this one: request {request["id"]} (rule removal, code approval_denied)' in err
    assert "gatehouse: next: ask that person" in err
    assert victim.exists()


def test_nobody_decides_in_time(agent, held):
    done = agent.ssh(f"mkdir {held.directory}/never", options=at("web1"))
    assert done.returncode == 77 and "code approval_expired" in done.stderr
    assert not (held.directory / "never").exists()


def test_who_asks_can_not_approve(agent, anna, victim):
    with agent.running(f"rm {victim}", options=at("web1")) as process:
        request = anna.open(f"rm {victim}")
        assert agent.ssh("approve", request["id"]).returncode == 77
        anna.deny(request["id"])
        assert finish(process)[0] == 77


def test_a_client_that_leaves_withdraws(agent, anna, victim):
    with agent.running(f"rm {victim}", options=at("web1")) as process:
        request = anna.open(f"rm {victim}")
        process.send_signal(signal.SIGINT)
        process.wait(20)
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "withdrawn")
    assert anna.client.ssh("approve", request["id"]).returncode == 77
    assert victim.exists()


def test_interrupt_at_a_terminal_withdraws(agent, anna, victim):
    with Terminal(agent.argv(f"rm {victim}", options=["-t", *at("web1")])) as terminal:
        terminal.expect("waiting for approval")
        request = anna.open(f"rm {victim}")
        terminal.send("x\x03")
        terminal.expect("cancelled")
        assert terminal.wait() == 77
    assert anna.state(request["id"]) == "withdrawn"
    assert victim.exists()


def test_a_shell_waits_as_well(agent, anna):
    with Terminal(agent.argv(options=["-t", *at("web1")])) as terminal:
        terminal.expect("waiting for approval")
        request = anna.open()
        assert request["kind"] == "shell"
        anna.approve(request["id"])
        terminal.expect(r"[$#] $")  # what is typed while it waits is not kept for the shell
        terminal.line("echo fort''y-two")
        terminal.expect("forty-two")
        terminal.line("exit 3")
        assert terminal.wait() == 3


def test_retry_is_refused_at_once_and_runs_the_second_time(agent, anna, held):
    place = held.directory / "empty"
    place.mkdir()
    place.chmod(0o777)
    held.directory.chmod(0o755)
    first = agent.ssh(f"rmdir {place}", options=at("web1"))
    assert first.returncode == 75 and "code pending" in first.stderr and "gatehouse: next:" in first.stderr
    request = anna.open(f"rmdir {place}")
    assert request["id"] in first.stderr
    anna.approve(request["id"])
    assert place.exists()
    assert agent.ssh(f"rmdir  {place}", options=at("web1")).returncode == 75  # another line: asked anew
    second = agent.ssh(f"rmdir {place}", options=at("web1"))
    assert second.returncode == 0, second.stderr
    assert not place.exists()
    assert agent.ssh(f"rmdir {place}", options=at("web1")).returncode == 75  # used up
    for left in anna.list():
        if left["state"] == "open":
            anna.deny(left["id"])


def test_other_sessions_of_the_connection_go_on(held, anna, victim):
    with held.client("local/agent-7", principals=["agent"]).master() as client:
        with client.running("ssh", "web1", f"rm {victim}") as process:
            request = anna.open(f"rm {victim}")
            assert client.must("ssh", "web1", "echo free") == "free\n"
            anna.approve(request["id"])
            assert finish(process)[0] == 0


def test_describe_tells_who_is_asked(agent):
    told = json.dumps(json.loads(agent.must("describe", "--json")))
    assert "removal" in told and "approve" in told
