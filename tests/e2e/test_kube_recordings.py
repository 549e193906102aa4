"""What an SSH connection does at one cluster is one recording, however many connections a client opens for it."""
import json

import pytest

from harness.kube_bastion import Http, kube_bastion, kubectl_through
from harness.system import wait_until

SPACE = "recordings"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
RULES = [
    {"name": "read", "roles": ["agent"], "targets": ["prod"], "action": "allow", "match": {"verbs": ["get", "list", "watch"], "namespaces": [SPACE]}},
    {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
]


@pytest.fixture(scope="module")
def gate(shared_kube):
    shared_kube.namespace(SPACE)
    made = kube_bastion(shared_kube, RULES, roles=[{"name": "agent"}, {"name": "ops", "may": ["replay", "kill"]}])
    yield made
    try:
        made.stop()
        assert made.leaks() == [] and made.trouble() == []
        done = made.gatehouse("verify", "-c", made.file)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        made.remove()


@pytest.fixture(scope="module")
def ops(gate):
    return gate.client("ops-1", principals=["ops"])


def sessions_of(ops, name):
    return [json.loads(line) for line in ops.must("sessions", "--json", "--identity", name).splitlines()]


def test_a_client_of_many_connections_has_one_recording(gate, shared_kube, ops):
    agent = gate.client("agent-many", principals=["agent"])
    with agent.forward("prod", 443) as forward:
        assert kubectl_through(shared_kube, forward.port, "get", "configmaps", "-n", SPACE).returncode == 0
        links = [Http(forward.port) for _ in range(12)]
        for n, link in enumerate(links):
            assert link("GET", f"{MAPS}/one-{n}")[0] == 404
        for link in links:
            link.close()
        session, = sessions_of(ops, "agent-many")
        assert session["state"] == "live"
    session = wait_until(lambda: [s for s in sessions_of(ops, "agent-many") if s["state"] == "complete"], "it is sealed", 20)
    assert len(session) == 1
    said = ops.must("replay", session[0]["id"], "--text")
    assert all(f"GET {MAPS}/one-{n}" in said for n in range(12))


def test_a_killed_one_ends_all_of_them_and_the_next_begins_anew(gate, ops):
    agent = gate.client("agent-killed", principals=["agent"])
    with agent.forward("prod", 443) as forward:
        links = [Http(forward.port) for _ in range(3)]
        for link in links:
            assert link("GET", f"{MAPS}/one")[0] == 404
        session, = sessions_of(ops, "agent-killed")
        ops.must("kill", session["id"])
        for link in links:
            assert link.link.sock.recv(1) == b"", "a connection outlived its session"
        again = Http(forward.port)
        assert again("GET", f"{MAPS}/two")[0] == 404
        again.close()
    both = wait_until(lambda: (lambda all_: all_ if len(all_) == 2 and all(s["state"] == "complete" for s in all_) else None)(
        sessions_of(ops, "agent-killed")), "both are sealed", 20)
    assert {s["id"] for s in both} > {session["id"]}
