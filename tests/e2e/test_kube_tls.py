"""TLS on a forwarded port, with a certificate of the bastion's own; and clients that take the kubeconfig of `config --kubeconfig`:
kubectl of two generations, curl, python3-kubernetes, npm's @kubernetes/client-node.

The programs in tests/e2e/kube/ each run once, and every thing that they do is a test."""
import json
import socket
import ssl
from pathlib import Path

import pytest
import yaml

from harness import node
from harness.client import clean_environment
from harness.kube_bastion import hello, kube_bastion
from harness.system import must, run

HERE = Path(__file__).parent / "kube"
SPACE = "tls"
FEATURES = {"python": ["list", "objects", "watch", "logs", "refusal", "pages", "exec", "stdin", "port_forward"],
            "node": ["list", "objects", "watch", "logs", "refusal", "exec", "stdin"]}
RULES = [
    {"name": "no-nodes", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "nodes are not for agents",
     "match": {"resources": ["nodes"]}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow", "match": "anything"},
]


@pytest.fixture(scope="module")
def space(shared_kube):
    name = shared_kube.namespace(SPACE)
    shared_kube.pod(name, "web")
    shared_kube.pod(name, "other")
    with hello() as port:
        shared_kube.must("POST", f"/api/v1/namespaces/{name}/configmaps", {"metadata": {"name": "ports"}, "data": {"hello": str(port)}})
        yield name


@pytest.fixture(scope="module")
def tls_bastion(shared_kube, space):
    made = kube_bastion(shared_kube, RULES)
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(tls_bastion):
    return tls_bastion.client("agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def port(agent):
    with agent.forward("prod", 443) as forward:
        yield forward.port


@pytest.fixture(scope="module")
def kubeconfig(agent, port, tmp_path_factory):
    """What `ssh bastion config --kubeconfig` gives, in a file."""
    place = tmp_path_factory.mktemp("kubeconfig") / "config"
    place.write_text(agent.must("config", "--kubeconfig", "prod", "--port", port))
    return place


@pytest.fixture(scope="module")
def ca(agent, tmp_path_factory):
    place = tmp_path_factory.mktemp("ca") / "ca.crt"
    place.write_text(agent.must("config", "--tls-ca"))
    return place


# -- the certificate


def test_the_certificate_names_the_clients_own_machine_and_the_target(port, ca):
    for name in ("localhost", "127.0.0.1", "prod"):
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", port), 20) as link, context.wrap_socket(link, server_hostname=name) as tls:
            assert tls.selected_alpn_protocol() == "http/1.1" and tls.version() == "TLSv1.3"
    with socket.create_connection(("127.0.0.1", port), 20) as link, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context(cafile=str(ca)).wrap_socket(link, server_hostname="evil.example")


def test_the_ca_is_the_same_whenever_it_is_asked_for(tls_bastion, ca):
    def key(text):
        return must("openssl", "x509", "-noout", "-pubkey", input=text)
    other = tls_bastion.client("agent-8", principals=["agent"])
    assert key(other.must("config", "--tls-ca")) == key(ca.read_text())


@pytest.mark.asan
def test_a_client_that_speaks_something_else_inside_of_tls_gets_an_error_and_the_rest_goes_on(port, ca):
    context = ssl.create_default_context(cafile=str(ca))
    with socket.create_connection(("127.0.0.1", port), 20) as link, context.wrap_socket(link, server_hostname="localhost") as tls:
        tls.sendall(b"SSH-2.0-x\r\n\r\n")
        assert tls.recv(100).startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", port), 20) as link:
        link.sendall(b"\x16\x03\x01\x00\x05hello")
        assert link.recv(100)[:1] in (b"\x15", b"")  # an alert
    done = run("curl", "-sS", "--cacert", ca, f"https://localhost:{port}/version")
    assert json.loads(done.stdout)["major"] == "1", done.stderr


def test_an_old_version_of_tls_is_refused(port):
    done = run("curl", "-sS", "-k", "--tls-max", "1.1", f"https://localhost:{port}/version")
    assert done.returncode == 35


@pytest.mark.asan
def test_a_large_answer_arrives_whole_and_a_large_body_too(kube, port, ca, space):
    big = "x" * 900_000
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": big}})
    maps = f"https://localhost:{port}/api/v1/namespaces/{space}/configmaps"
    done = run("curl", "-sS", "--cacert", ca, "-H", "Content-Type: application/json", "--data-binary", "@-", maps, input=body)
    assert json.loads(done.stdout)["data"]["x"] == big, done.stderr
    done = run("curl", "-sS", "--cacert", ca, f"{maps}/big")
    assert json.loads(done.stdout)["data"]["x"] == big
    kube.must("DELETE", f"/api/v1/namespaces/{space}/configmaps/big")


# -- config


def test_the_kubeconfig_is_whole(kubeconfig, port):
    text = kubeconfig.read_text()
    whole = yaml.safe_load(text)
    assert whole["current-context"] == "prod" and whole["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{port}"
    assert f"ssh -N -L {port}:prod:443 bastion" in text


@pytest.mark.parametrize("words, status, says", [
    (["--kubeconfig", "nowhere"], 77, 'no cluster "nowhere" for you'),
    (["--kubeconfig", "prod", "--port", "0"], 64, "config ["),
    (["--kubeconfig", "prod", "--port", "65536"], 64, "config ["),
    (["--port", "8001"], 64, "--port is for --kubeconfig"),
    (["--kubeconfig", "prod", "--json"], 64, "at a time"),
    (["--kubeconfig"], 64, "config ["),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_config_does_not_understand_it_says(agent, words, status, says):
    done = agent.ssh("config", *words)
    assert done.returncode == status and says in done.stderr and done.stdout == ""


def test_config_tells_of_clusters(agent):
    assert "# prod: ssh -N -L 8001:prod:443 bastion" in agent.must("config")


# -- clients


@pytest.mark.parametrize("client", ["kubectl", "kubectl-newer"])
def test_kubectl_takes_the_kubeconfig_as_it_is(kube, kubeconfig, client):
    program = kube.newer_kubectl() if client == "kubectl-newer" else client
    def kubectl(*words, **options):
        return run(kube.bin / program, f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent}/{client}", "-n", SPACE, *words,
                   env=kube.environment(), **options)
    done = kubectl("get", "pods")
    assert done.returncode == 0 and "Running" in done.stdout, done.stderr
    done = kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": client},
                                                         "data": {"sky": "blue"}}))
    assert done.returncode == 0 and f"configmap/{client} created" in done.stdout, done.stderr
    assert kubectl("delete", "configmap", client).returncode == 0
    done = kubectl("get", "nodes")
    assert done.returncode == 1 and "nodes are not for agents" in done.stderr


@pytest.fixture(scope="module")
def outcomes(kubeconfig):
    """outcomes(client): {feature: "" or why not}, by one run of its program."""
    kept = {}

    def outcome(client):
        if client not in kept:
            argv = ["/usr/bin/python3", HERE / "features.py", kubeconfig, SPACE] if client == "python" else \
                ["node", HERE / "features.mjs", kubeconfig, SPACE, node.modules(HERE)]
            environment = {**clean_environment(), "HOME": str(kubeconfig.parent)}
            done = run(*argv, timeout=150, env=environment)
            lines = [line.partition(" ")[2].partition(": ") for line in done.stdout.splitlines()]
            kept[client] = {name: why or "" for name, _, why in lines}, f"exit {done.returncode}\n{done.stderr[-3000:]}"
        return kept[client]
    return outcome


@pytest.mark.parametrize("client, feature", [(client, feature) for client, all_ in FEATURES.items() for feature in all_])
def test_libraries_do_what_they_do_directly(outcomes, client, feature):
    found, said = outcomes(client)
    assert found.get(feature, "the program did not come to it") == "", said
