"""exec and cp by `ssh bastion kubectl TARGET …`: through the same gate, recorded as the terminal of the tool."""
import io
import json
import os
import tarfile

import pytest

from harness.client import quote
from harness.kube_bastion import kube_bastion
from harness.system import random_bytes, wait_until
from harness.terminal import Terminal

SPACE = "toolexec"
RULES = [
    {"name": "no-rm", "targets": ["*"], "action": "deny", "reason": "nothing is removed", "match": {"commands": ["rm *"]}},
    {"name": "all", "targets": ["prod"], "match": "anything", "action": "allow"},
]


@pytest.fixture(scope="module")
def pod(shared_kube):
    shared_kube.namespace(SPACE)
    shared_kube.pod(SPACE, "web")
    return shared_kube.pod_directory(SPACE, "web")


@pytest.fixture(scope="module", params=["kubectl", "kubectl-newer"])
def gate(request, shared_kube, pod):
    program = shared_kube.newer_kubectl() if request.param == "kubectl-newer" else request.param
    made = kube_bastion(shared_kube, RULES, kubectl=shared_kube.kubectl_for_bastion(program),
                        masks=[{"name": "found", "detect": ["email"], "with": "redact"}])
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(gate):
    with gate.client("agent-7", principals=["agent"]).master() as shared:
        yield shared


@pytest.fixture
def kubectl(agent, kube):
    return lambda *words, **options: agent.ssh("kubectl", "prod", "-n", SPACE, *map(quote, words), **options)


def test_a_command_runs_and_is_masked(kubectl):
    done = kubectl("exec", "-i", "web", "--", "sh", "-c", "cat; echo jane@example.com; echo err >&2; exit 7", input="typed\n")
    assert (done.returncode, done.stdout) == (7, "typed\n[masked:email]\n"), done.stderr
    assert "err\n" in done.stderr


def test_a_command_that_a_rule_denies_does_not_run(kubectl, pod):
    (pod / "kept").write_text("x")
    done = kubectl("exec", "web", "--", "rm", pod / "kept")
    assert done.returncode != 0 and "nothing is removed" in done.stderr and (pod / "kept").exists()


def test_a_terminal_reaches_the_container(agent):
    mark = "mark" + os.urandom(4).hex()
    words = ["kubectl", "prod", "-n", SPACE, "exec", "-it", "web", "--", "sh"]
    with Terminal(agent.argv(*words, options=["-t"]), rows=30, columns=90) as terminal:
        terminal.expect(r"[$#] ", 60)
        terminal.line(f"echo {mark[:4]}''{mark[4:]}; stty size")
        terminal.expect(mark)
        terminal.expect("30 90")
        terminal.line("exit 5")
        assert terminal.wait(30) == 5

    def found():
        for one in map(json.loads, reversed(agent.must("sessions", "--json").splitlines())):
            if one.get("state", "sealed") != "live" and mark in agent.must("replay", one["id"], "--text"):
                return one
        return None
    assert "exec -it web" in wait_until(found, "the tool's terminal is recorded", 30, pause=0.3)["command"]


def test_files_are_copied_as_archives(kubectl, pod):
    content = random_bytes(1 << 20)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("there")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    done = kubectl("cp", "-", f"web:{pod}", input=archive.getvalue(), bytes=True)
    assert done.returncode == 0, done.stderr
    assert (pod / "there").read_bytes() == content
    done = kubectl("cp", f"web:{pod}/there", "-", bytes=True)
    assert done.returncode == 0, done.stderr
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        assert [tar.extractfile(one).read() for one in tar if one.isfile()] == [content]
