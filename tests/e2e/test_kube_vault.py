"""What the vault and its connectors do for a real API server: whom that takes a session for, by which credential, and what
happens when something about it is wrong."""
import json
import re
import socket
from types import SimpleNamespace

import pytest

from harness.bastion import Bastion, settings
from harness.kube_bastion import causes, http_to
from harness.system import GATEHOUSE, free_port, run, wait_until

SPACE = "vaulted"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
RULES = [{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
OTHER_CA = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=other", "-keyout", "/dev/null", "-out"]


def grant(kube, name, rules, *subjects, namespace=None):
    """A role and its binding, for the whole cluster or one namespace."""
    kind = "Role" if namespace else "ClusterRole"
    place = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
    kube.must("POST", f"{place}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
    kube.must("POST", f"{place}/{kind.lower()}bindings", {
        "metadata": {"name": name}, "subjects": list(subjects),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}})


def user(kind, name):
    return {"kind": kind, "apiGroup": "rbac.authorization.k8s.io", "name": name}


@pytest.fixture(scope="module")
def cluster(shared_kube):
    """Agents may read pods; the service account `deployer` may speak for others; `plain` may get tokens of it, and no more."""
    kube = shared_kube
    kube.namespace(SPACE)
    account = {"kind": "ServiceAccount", "name": "deployer", "namespace": SPACE}
    kube.must("POST", f"/api/v1/namespaces/{SPACE}/serviceaccounts", {"metadata": {"name": "deployer"}})
    grant(kube, "vaulted-agents", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
          user("Group", "gatehouse:agent"), namespace=SPACE)
    grant(kube, "vaulted-speaker", [{"apiGroups": [""], "resources": ["users", "groups"], "verbs": ["impersonate"]}], account)
    grant(kube, "vaulted-issuer", [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"],
                                    "resourceNames": ["deployer"]}], user("User", "plain"), namespace=SPACE)
    return kube


@pytest.fixture(scope="module")
def gate(cluster, tmp_path_factory):
    at = tmp_path_factory.mktemp("ca")
    at.chmod(0o755)
    assert run(*OTHER_CA, at / "other.crt").returncode == 0
    (at / "other.crt").chmod(0o644)
    bounded = {"namespace": SPACE, "service_account": "deployer"}

    def target(name, credential, **more):
        return {**cluster.target(name, **more), "credential": credential}

    targets = [
        target("prod", "admin-token", impersonate=True),
        target("direct", "admin-token"),
        target("cert", "cert", impersonate={"user": "via:{identity}", "groups": []}),
        target("bounded", "plain-token", impersonate=True, token_request=bounded),
        target("cert-bounded", "cert", token_request=dict(bounded)),
        target("unbound", "plain-token", token_request={**bounded, "service_account": "default"}),
        target("claims", "admin-token", impersonate={"user": "{username}"}),
        target("wrong-token", "no-token"),
        target("wrong-ca", "admin-token", tls_ca=str(at / "other.crt")),
        target("wrong-name", "admin-token", tls_server_name="elsewhere.example"),
        target("right-name", "admin-token", tls_server_name="kubernetes.default.svc"),
        target("away", "admin-token", address=f"https://127.0.0.1:{free_port()}"),
        target("no-entry", "not-there"),
    ]
    nobody = SimpleNamespace(port=free_port(), password=cluster.admin_token)  # what must be nowhere
    made = Bastion(nobody, settings(nobody, targets=targets, rules=RULES, roles=[{"name": "agent"}]), credentials=False)
    made.put_secret("admin-token", cluster.admin_token + "\n", "token")
    made.put_secret("plain-token", cluster.plain_token, "token")
    made.put_secret("no-token", "tok-of-nobody", "token")
    import_certificate(made, cluster)
    made.start()
    yield made
    try:
        made.stop()
        assert made.leaks() == [] and made.trouble() == []
        nobody.password = cluster.plain_token
        assert made.leaks() == []
    finally:
        made.remove()


def import_certificate(made, kube):
    """`vault set --type kubeconfig` with kubectl's own flattened output, where certificate and key were in files."""
    config = kube.kubeconfig_with(**{"client-certificate": str(kube.admin_certificate), "client-key": str(kube.admin_key)})
    text = json.dumps(config)
    words = (GATEHOUSE, "vault", "set", "-c", made.file, "cert", "--type", "kubeconfig")
    refused = run(*words, input=text)
    assert refused.returncode == 65 and "kubectl config view --raw --flatten --minify" in refused.stderr
    path = kube.directory / "with-files.kubeconfig"
    path.write_text(text)
    flat = run(kube.bin / "kubectl", f"--kubeconfig={path}", "config", "view", "--raw", "--flatten", "--minify")
    taken = run(*words, input=flat.stdout)
    assert taken.returncode == 0, taken.stderr
    assert taken.stdout == kube.ca.read_text()[kube.ca.read_text().index("-----BEGIN"):]
    assert f"address: {kube.url}\n    credential: cert\n    tls_ca: cert-ca.crt\n" in taken.stderr
    listed = run(GATEHOUSE, "vault", "list", "-c", made.file).stdout
    assert re.search(r"^cert +client-cert ", listed, re.M) and "PRIVATE" not in taken.stderr + listed


@pytest.fixture(scope="module")
def agent(gate):
    return gate.client("agent-7", principals=["agent"])


def once(agent, target, path, method="GET", body=None):
    with http_to(agent, target) as api:
        return api(method, path, body)


def seen(kube, path, **wanted):
    """The API server's own audit entry for the newest request there of which all that holds."""
    def found():
        for entry in reversed(kube.audit()):
            flat = {"user": entry["user"]["username"], "as": entry.get("impersonatedUser", {}).get("username"), "verb": entry["verb"]}
            if entry["requestURI"].startswith(path) and all(flat[key] == value for key, value in wanted.items()):
                return entry
        return None
    return wait_until(found, f"the API server's audit log has {path} with {wanted}", 20)


# -- who it was

def test_the_cluster_sees_and_judges_the_person(agent, cluster, gate, kube):
    assert once(agent, "prod", PODS)[0] == 200
    entry = seen(cluster, PODS, user="admin", **{"as": "agent-7"})
    assert set(entry["impersonatedUser"]["groups"]) == {"gatehouse:agent", "system:authenticated"}
    status, said = once(agent, "prod", MAPS)  # by the cluster's RBAC; the bastion's rules allow it
    assert (status, said["reason"]) == (403, "Forbidden")
    assert 'User "agent-7" cannot list resource "configmaps"' in said["message"]
    gate.wait_log(r"target_login .*target=prod user=agent-7 .*outcome=ok")


def test_without_impersonation_it_is_the_credential(agent, cluster, kube):
    assert once(agent, "direct", MAPS)[0] == 200
    assert "impersonatedUser" not in seen(cluster, MAPS, user="admin", **{"as": None})


def test_an_imported_certificate_speaks_for_the_person(agent, cluster, kube):
    status, said = once(agent, "cert", PODS)
    assert status == 403 and 'User "via:agent-7" cannot list' in said["message"]
    entry = seen(cluster, PODS, user="cert-admin", **{"as": "via:agent-7"})
    assert entry["impersonatedUser"].get("groups", []) in ([], ["system:authenticated"])


def test_who_can_not_be_told_is_denied(agent, kube):
    status, said = once(agent, "claims", PODS)
    assert status == 403 and causes(said)["code"] == "denied"
    assert "your certificate says no username" in said["message"]


@pytest.mark.parametrize("name", ["system:admin", "system:serviceaccount:kube-system:default"])
def test_no_certificate_makes_somebody_of_kubernetes_own(gate, cluster, kube, name):
    someone = gate.client(name, principals=["agent"])
    status, said = once(someone, "prod", PODS)
    assert status == 403 and "Kubernetes' own" in said["message"]
    assert not [entry for entry in cluster.audit() if entry.get("impersonatedUser", {}).get("username") == name]


def test_names_arrive_as_they_are(gate, cluster, kube):
    someone = gate.client("corp/Zoë Müller <z@example.com>", principals=["agent"])
    assert once(someone, "prod", PODS)[0] == 200
    seen(cluster, PODS, **{"as": "corp/Zoë Müller <z@example.com>"})


# -- bounded tokens

def test_sessions_use_tokens_of_a_service_account(agent, cluster, gate, kube):
    with http_to(agent, "bounded") as one, http_to(agent, "bounded") as other:
        assert one("GET", PODS)[0] == 200
        assert other("GET", PODS)[0] == 200
        assert one("GET", PODS)[0] == 200
    account = f"system:serviceaccount:{SPACE}:deployer"
    seen(cluster, PODS, user=account, **{"as": "agent-7"})
    asked = [entry for entry in cluster.audit() if entry["user"]["username"] == "plain"]
    assert {(entry["verb"], entry["objectRef"]["subresource"]) for entry in asked
            if entry["objectRef"]["name"] == "deployer"} == {("create", "token")}
    gate.wait_log(rf"target_token .*target=bounded service_account={SPACE}/deployer outcome=ok lifetime=10m")
    assert len(re.findall(r"target_token .*target=bounded", gate.log())) == 1
    assert "eyJ" not in gate.log()  # how such tokens begin


def test_a_certificate_gets_such_tokens_too(agent, cluster, kube):
    path = f"{PODS}/with-a-certificate"
    status, said = once(agent, "cert-bounded", path)
    assert status == 403 and f'User "system:serviceaccount:{SPACE}:deployer" cannot get' in said["message"]
    asked = seen(cluster, f"/api/v1/namespaces/{SPACE}/serviceaccounts/deployer/token", user="cert-admin")
    assert asked["responseStatus"]["code"] == 201


def test_a_token_that_the_api_server_does_not_give_is_no_way_around(agent, cluster, gate, kube):
    status, said = once(agent, "unbound", PODS)
    assert status == 503 and causes(said)["code"] == "target_unavailable"
    gate.wait_log(r"target_token .*target=unbound .*outcome=failed .*answered 403 Forbidden: serviceaccounts")


# -- what may be wrong

@pytest.mark.parametrize("target, log", [
    ("wrong-ca", "TLS: certificate verify failed: "),
    ("wrong-name", "TLS: certificate verify failed: hostname mismatch"),
    ("away", "127.0.0.1 port \\d+: Connection refused"),
])
def test_a_server_that_is_not_the_one_is_unavailable(agent, gate, kube, target, log):
    status, said = once(agent, target, PODS)
    assert status == 503 and causes(said)["code"] == "target_unavailable"
    assert "the log says why" in said["message"] and "TLS" not in said["message"] and "127.0.0.1" not in said["message"]
    gate.wait_log(rf"target_login .*target={target} .*outcome=failed .*{log}")


def test_an_entry_that_is_not_in_the_vault_is_said_in_the_log(agent, gate, kube):
    status, said = once(agent, "no-entry", PODS)
    assert status == 503 and causes(said)["code"] == "target_unavailable" and "not-there" not in said["message"]
    gate.wait_log(r"login_refused .*target=no-entry .*the vault has no entry")


def test_a_name_of_the_server_may_be_another_than_its_address(agent, kube):
    assert once(agent, "right-name", PODS)[0] == 200


def test_a_wrong_token_is_the_api_servers_to_refuse(agent, kube):
    status, said = once(agent, "wrong-token", PODS)
    assert (status, said["reason"]) == (401, "Unauthorized") and "tok-of-nobody" not in json.dumps(said)


def test_a_token_changed_in_the_vault_counts_from_the_next_connection(agent, gate, kube):
    gate.put_secret("no-token", kube.admin_token, "token")
    assert once(agent, "wrong-token", PODS)[0] == 200


def test_a_sealed_vault_lets_nobody_in(agent, gate, kube):
    key = gate.state / "vault" / "key"
    aside = key.rename(key.with_name("key.aside"))
    try:
        status, said = once(agent, "bounded", PODS)  # though it has a token
        assert status == 503 and causes(said)["code"] == "vault_sealed"
    finally:
        aside.rename(key)
    assert once(agent, "bounded", PODS)[0] == 200


# -- streams

def exchange(link, head):
    """Sends it on the connection; what came up to the end of the answer's head and a little more."""
    link.sendall(head.replace("\n", "\r\n").encode())
    got = b""
    while b"\r\n\r\n" not in got:
        more = link.recv(65536)
        assert more, got
        got += more
    return got


def test_a_stream_behind_requests_gets_a_connection_of_its_own(agent, cluster, gate, kube):
    """The connector lets only the first request of a connection ask for another protocol."""
    name = cluster.pod(SPACE, "streamed")
    with agent.forward("direct", 443) as forward, socket.create_connection(("127.0.0.1", forward.port), 60) as link:
        got = exchange(link, "GET /version HTTP/1.1\nHost: prod\n\n")
        assert got.startswith(b"HTTP/1.1 200 ")
        while b"}" not in got.split(b"\r\n\r\n", 1)[1]:
            got += link.recv(65536)
        got = exchange(link, f"GET {PODS}/{name}/exec?command=echo&command=hello-there&stdout=1 HTTP/1.1\nHost: prod\n"
                       "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: v4.channel.k8s.io\n\n")
        assert got.startswith(b"HTTP/1.1 101 "), got
        while b"hello-there" not in got:
            more = link.recv(65536)
            assert more, got
            got += more
    assert "target_request_refused" not in gate.log()
