"""Bodies in protobuf, which stock kubectl sends for `create` and `run`: judged as the API server reads them."""
import base64

import pytest

from harness.kube_bastion import Http, causes, kube_bastion, kubectl_through

SPACE = "protobuf"
PODS, SECRETS = (f"/api/v1/namespaces/{SPACE}/{kind}" for kind in ("pods", "secrets"))
RULES = [
    {"name": "no-host", "targets": ["*"], "action": "deny", "reason": "no pods on the host's network",
     "match": {"verbs": ["create", "update", "patch"], "fields": {"spec.**.hostNetwork": True}}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow",
     "match": {"verbs": ["get", "list", "create"], "namespaces": [SPACE], "resources": ["pods", "configmaps", "secrets", "deployments.apps"]}},
]
PROTOBUF = "application/vnd.kubernetes.protobuf"


def field(number, value):
    """One field of a message: a string, a message's bytes, or a boolean."""
    if isinstance(value, bool):
        return bytes([number << 3, value])
    value = value.encode() if isinstance(value, str) else value
    assert len(value) < 128
    return bytes([number << 3 | 2, len(value)]) + value


def known(kind, body):
    """runtime.Unknown, as clients wrap each object."""
    return b"k8s\0" + field(1, field(1, "v1") + field(2, kind)) + field(2, body)


def pod(name, host_network):
    return known("Pod", field(1, field(1, name)) + field(2, field(2, field(1, "c") + field(2, "i")) + field(11, host_network)))


def secret(name, value):
    return known("Secret", field(1, field(1, name)) + field(2, field(1, "key") + field(2, value)))


@pytest.fixture(scope="module")
def gate(shared_kube):
    shared_kube.namespace(SPACE)
    made = kube_bastion(shared_kube, RULES)
    yield made
    made.end()


@pytest.fixture(scope="module")
def forward(gate):
    with gate.client("agent-7", principals=["agent"]).forward("prod", 443) as made:
        yield made


@pytest.fixture
def api(forward):
    link = Http(forward.port)
    yield link
    link.close()


def test_what_the_body_sets_decides(api, shared_kube):
    assert api("POST", PODS, pod("plain", False), kind=PROTOBUF)[0] == 201
    status, said = api("POST", PODS, pod("spy", True), kind=PROTOBUF)
    assert status == 403 and causes(said)["rule"] == "no-host"
    names = [one["metadata"]["name"] for one in shared_kube.get(PODS)["items"]]
    assert names == ["plain"]


def test_what_is_refused_anyway_never_reaches_the_server(api, shared_kube):
    before = len(shared_kube.audit())
    assert api("POST", "/api/v1/namespaces/default/pods", pod("elsewhere", False), kind=PROTOBUF)[0] == 403
    assert [one for one in shared_kube.audit()[before:] if one["verb"] == "create" and "default/pods" in one["requestURI"]] == []


def test_kubectl_creates(forward, shared_kube):
    for words in (["configmap", "made", "--from-literal=a=b"], ["secret", "generic", "made", "--from-literal=key=hunter2"],
                  ["deployment", "made", "--image=busybox"]):
        done = kubectl_through(shared_kube, forward.port, "-n", SPACE, "create", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert shared_kube.get(f"{SECRETS}/made")["data"] == {"key": base64.b64encode(b"hunter2").decode()}


def test_a_mask_is_not_sent_back_in_protobuf_either(api, shared_kube):
    assert api("POST", SECRETS, secret("whole", "hunter3"), kind=PROTOBUF)[0] == 201
    shown = base64.b64decode(api("GET", f"{SECRETS}/whole")[1]["data"]["key"]).decode()
    assert "hunter3" not in shown
    status, said = api("POST", SECRETS, secret("again", shown), kind=PROTOBUF)
    assert status == 403 and "mask" in said["message"], said


def test_old_kubectl_asks_what_it_may_do(gate):
    """Debian's kubectl sends its review in protobuf."""
    agent = gate.client("agent-8", principals=["agent"])
    for words, answer in ((["create", "pods"], "yes"), (["delete", "pods"], "no")):
        done = agent.ssh("kubectl", "prod", "-n", SPACE, "auth", "can-i", *words, timeout=90)
        assert done.stdout.startswith(answer) and done.returncode == (answer == "no"), done.stdout + done.stderr
