"""`ssh bastion kubectl TARGET …`: the real client in the launcher's sandbox, both generations of it."""
import json

import pytest

from harness.client import quote
from harness.kube_bastion import kube_bastion
from harness.system import wait_until

SPACE = "tool"
RULES = [
    {"name": "no-nodes", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "nodes are not for agents",
     "match": {"resources": ["nodes"]}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow", "match": "anything"},
]


@pytest.fixture(scope="module")
def space(shared_kube):
    name = shared_kube.namespace(SPACE)
    shared_kube.pod(name, "web")
    return name


@pytest.fixture(scope="module", params=["kubectl", "kubectl-newer"])
def tool_bastion(request, shared_kube, space):
    program = shared_kube.newer_kubectl() if request.param == "kubectl-newer" else request.param
    made = kube_bastion(shared_kube, RULES, kubectl=shared_kube.kubectl_for_bastion(program))
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(tool_bastion):
    with tool_bastion.client("agent-7", principals=["agent"]).master() as shared:
        yield shared


@pytest.fixture
def kubectl(agent, kube):
    """kubectl(words…), in the tests' namespace."""
    return lambda *words, **options: agent.ssh("kubectl", "prod", "-n", SPACE, *map(quote, words), **options)


def scratch(bastion):
    return [path for path in (bastion.state / "scratch").rglob("*") if path.is_file()]


@pytest.mark.asan
def test_get_prints_what_is_there(kubectl):
    done = kubectl("get", "pods")
    assert done.returncode == 0 and "Running" in done.stdout, done.stderr
    assert json.loads(kubectl("get", "pod", "web", "-o", "json").stdout)["metadata"]["name"] == "web"


def test_many_commands_at_once_on_connections_of_their_own(tool_bastion, kube):
    """Each looks for all that the API server has, by dozens of connections."""
    client = tool_bastion.client("agent-7", principals=["agent"])
    started = [client.start("kubectl", "prod", "get", "pods", "-n", SPACE, text=True) for _ in range(4)]
    for process in started:
        out, errors = process.communicate(timeout=90)
        assert process.returncode == 0 and "Running" in out and errors == ""


def test_files_come_by_standard_input(kube, kubectl):
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sky": "blue"}})
    done = kubectl("create", "-f", "-", input=text)
    assert done.returncode == 0 and "configmap/colours created" in done.stdout, done.stderr
    done = kubectl("patch", "configmap", "colours", "-p", '{"data": {"sky": "grey"}}')
    assert done.returncode == 0, done.stderr
    assert kube.get(f"/api/v1/namespaces/{SPACE}/configmaps/colours")["data"] == {"sky": "grey"}
    assert kubectl("delete", "configmap", "colours").returncode == 0


def test_the_programs_own_exit_status_and_words_come_through(agent, kubectl):
    done = kubectl("get", "pod", "nobody")
    assert done.returncode == 1 and 'pods "nobody" not found' in done.stderr
    done = agent.ssh("kubectl", "prod", "frobnicate")
    assert done.returncode == 1 and "unknown command" in done.stderr


def test_a_refusal_by_rule_is_printed_as_the_servers_own(kubectl):
    done = kubectl("get", "nodes")
    assert done.returncode == 1 and "no-nodes" in done.stderr and "nodes are not for agents" in done.stderr


def test_logs_are_followed_until_the_client_leaves(agent, tool_bastion, kube):
    with agent.running("kubectl", "prod", "-n", SPACE, "logs", "-f", "web") as process:
        assert process.stdout.readline() == b"tool/web/main line 0\n"
        assert process.stdout.readline() == b"tool/web/main line 1\n"
    wait_until(lambda: not [p for p in tool_bastion.processes() if p.kind.startswith("kubectl")], "kubectl ends", 20)


@pytest.mark.parametrize("words, says", [
    (["get", "pods", "--server=http://127.0.0.1:1"], "--server is not offered: the target decides"),
    (["--kubeconfig", "/x", "get", "pods"], "--kubeconfig is not offered"),
    (["get", "pods", "--as=root"], "Gatehouse tells the API server who you are"),
    (["apply", "-f", "/etc/passwd"], "use -f -"),
    (["edit", "pod", "web"], "no editor"),
    (["proxy"], "ssh -N -L 8001"),
    (["cp", "web:/etc/hosts", "here"], "tar archive"),
    (["plugin", "list"], "no plug-ins"),
    (["diff", "-f", "-"], "--dry-run=server"),
], ids=lambda value: value[0] if isinstance(value, list) else "")
def test_what_can_not_work_here_is_refused_with_what_does(kubectl, words, says):
    done = kubectl(*words)
    assert done.returncode == 77 and done.stdout == ""
    assert done.stderr.startswith("gatehouse: denied: kubectl: ") and says in done.stderr


def test_files_and_the_network_are_out_of_reach_however_they_are_asked_for(kubectl):
    for words in (["get", "pods", "-o", "jsonpath-file=/etc/passwd"], ["get", "pods", "-o", "custom-columns-file=/etc/passwd"]):
        done = kubectl(*words)
        assert done.returncode == 1 and "permission denied" in done.stderr and "root" not in done.stderr
    # In a spelling that is not looked for: it reaches the gate, and nothing else.
    done = kubectl("get", "pods", "-As", "http://127.0.0.1:1")
    assert done.returncode == 0 and "Running" in done.stdout


def test_what_was_found_out_is_kept_for_the_connection_alone(tool_bastion, kube):
    with tool_bastion.client("agent-9", principals=["agent"]).master() as client:
        before = set(scratch(tool_bastion))
        assert client.ssh("kubectl", "prod", "get", "pods", "-n", SPACE).returncode == 0
        made = set(scratch(tool_bastion)) - before
        assert any("discovery" in path.parts for path in made)
    wait_until(lambda: not any(path.exists() for path in made), "the connection's directory goes", 20)


def test_it_is_for_clusters_and_for_those_who_may_reach_them(agent, kubectl):
    done = agent.ssh("kubectl", "nowhere", "get", "pods")
    assert done.returncode == 77 and 'no target "nowhere" for you' in done.stderr
    done = agent.ssh("kubectl")
    assert done.returncode == 64 and "kubectl TARGET" in done.stderr


def test_a_recording_has_the_command_its_requests_and_what_it_printed(agent, kubectl):
    assert kubectl("get", "pod", "web", "-o", "name").stdout == "pod/web\n"
    last = json.loads(agent.must("sessions", "--json", "--target", "prod").splitlines()[-1])
    events = [json.loads(line) for line in agent.must("replay", last["id"], "--events").splitlines()]
    text = json.dumps(events)
    assert "get" in text and f"/api/v1/namespaces/{SPACE}/pods/web" in text and "pod/web" in text
