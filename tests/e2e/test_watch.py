"""`ssh bastion watch ID`: somebody looks on while a session lasts."""
import json
import threading

import pytest

from harness import hosts
from harness.hosts import at
from harness.system import wait_until


@pytest.fixture(scope="module")
def watched(postgres, sshd, host_place):
    with hosts.bastion_with(postgres, sshd, host_place,
                            rules=[{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}],
                            roles=[{"name": "agent"}, {"name": "guard", "may": ["watch"]}, {"name": "auditor", "may": ["replay"]}]) as made:
        yield made


def read_until(stream, word, seconds=20):
    """What came up to the word; a thread of its own reads, so that nothing hangs."""
    seen = []

    def read():
        while word not in b"".join(seen):
            chunk = stream.read1(4096)
            if not chunk:
                return
            seen.append(chunk)
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(seconds)
    assert word in b"".join(seen), seen
    return b"".join(seen)


@pytest.mark.asan
def test_a_session_is_followed_while_it_lasts(watched):
    agent, guard = watched.client("agent-7", principals=["agent"]), watched.client("grace", principals=["guard"])
    other, auditor = watched.client("agent-8", principals=["agent"]), watched.client("olga", principals=["auditor"])
    go = watched.directory / "go"
    with agent.running(f"printf 'one\\n'; while ! [ -e {go} ]; do sleep 0.1; done; printf 'two\\n'", options=at("web1")) as session:
        assert session.stdout.read1(100) == b"one\n"
        live = json.loads(auditor.must("sessions", "--json").splitlines()[-1])["id"]
        assert other.ssh("watch", live).returncode == 77
        assert guard.ssh("replay", live).returncode == 77  # that is another permission
        with guard.running("watch", live) as looking:
            read_until(looking.stdout, b"one")
            assert looking.poll() is None
            go.touch()
            read_until(looking.stdout, b"two")
            assert session.wait(20) == 0
            assert looking.wait(20) == 0
    wait_until(lambda: guard.ssh("watch", live).returncode == 77, "a session that is over is not watched")
    assert "watch" in guard.must("describe") and "watch" not in agent.must("describe")


def test_watch_needs_an_id(watched):
    assert watched.client("grace", principals=["guard"]).ssh("watch").returncode == 64
