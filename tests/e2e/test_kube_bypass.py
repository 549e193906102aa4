"""Ways around masks and rules at a cluster, each tried on a real API server: refused, or nothing is told."""
import base64
import http.server
import json
import ssl
import threading

import pytest

from harness.kube_bastion import Http, causes, kube_bastion
from harness.system import wait_until

SPACE = "bypass"
API = f"/api/v1/namespaces/{SPACE}"
APPS = f"/apis/apps/v1/namespaces/{SPACE}"
THINGS = f"/apis/bypass.example/v1/namespaces/{SPACE}/things"
DRY = "?dryRun=All"
JSON_PATCH, MERGE, STRATEGIC = (f"application/{kind}+json" for kind in ("json-patch", "merge-patch", "strategic-merge-patch"))
APPLY = "application/apply-patch+yaml"
MARK = "WOMBAT"  # begins every value that is masked
CONTAINER = {"name": "main", "image": "busybox:1", "env": [{"name": "A", "value": MARK + "env"}, {"name": "B", "value": "y"}]}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [CONTAINER]}}
DEFINITION = {
    "metadata": {"name": "things.bypass.example"},
    "spec": {"group": "bypass.example", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
             "versions": [{"name": "v1", "served": True, "storage": True,
                           "additionalPrinterColumns": [{"name": "Secret", "type": "string", "jsonPath": ".spec.secret"}],
                           "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]},
}
MASKS = [{"name": "masked", "targets": ["prod"], "with": "redact",
          "columns": ["pods.spec.containers[*].env[*].value", "jobs.batch.spec.template.spec.containers[*].env[*].value",
                      "deployments.apps.spec.template.spec.containers[*].env[*].value", "configmaps.data.*",
                      "things.bypass.example.spec.secret"]},
         {"name": "found", "targets": ["prod"], "with": "redact", "detect": ["email"]}]
RULES = [
    {"name": "no-evil", "roles": ["limited"], "targets": ["*"], "action": "deny", "reason": "evil",
     "match": [{"fields": {"spec.template.spec.containers[*].image": "evil*"}}, {"fields": {"metadata.annotations.run": "rm -rf /"}}]},
    {"name": "no-db", "roles": ["limited"], "targets": ["*"], "action": "deny", "reason": "not db",
     "match": {"resources": ["services/proxy", "pods/proxy"], "names": ["db"]}},
    {"name": "no-vip", "roles": ["limited"], "targets": ["*"], "action": "deny", "reason": "not vips",
     "match": {"resources": ["configmaps"], "names": ["vip-*"]}},
    {"name": "all", "targets": ["*"], "match": "anything", "action": "allow"},
]


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def cluster(shared_kube):
    shared_kube.namespace(SPACE)
    shared_kube.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    shared_kube.must("POST", f"{API}/secrets", {"metadata": {"name": "s"}, "data": {"a": encoded(MARK + "secret"), "b": encoded("y")}})
    shared_kube.must("POST", f"{API}/configmaps", {"metadata": {"name": "c"}, "data": {"a": MARK + "map"}})
    shared_kube.pod(SPACE, "p", containers=(CONTAINER,))
    shared_kube.must("POST", f"{APPS}/deployments", {"metadata": {"name": "d"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}})
    shared_kube.must("POST", f"/apis/batch/v1/namespaces/{SPACE}/jobs", {"metadata": {"name": "j"}, "spec": {
        "parallelism": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}})
    thing = {"apiVersion": "bypass.example/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"secret": MARK + "thing"}}
    wait_until(lambda: shared_kube.request("POST", THINGS, thing)[0] == 201, "the API server has the new resource", 60)
    return shared_kube


@pytest.fixture(scope="module")
def gate(cluster):
    made = kube_bastion(cluster, RULES, roles=[{"name": "agent"}, {"name": "limited"}, {"name": "ops", "may": ["replay"]}], masks=MASKS)
    yield made
    made.end()


@pytest.fixture(scope="module")
def ask(gate):
    with gate.client("agent-7", principals=["agent"]).forward("prod", 443) as forward:
        yield asker(forward.port)


@pytest.fixture(scope="module")
def ask_limited(gate):
    with gate.client("limited-7", principals=["limited"]).forward("prod", 443) as forward:
        yield asker(forward.port)


def asker(port):
    """(status, text) of one request on a connection of its own."""
    def ask(method, path, body=None, **more):
        link = Http(port)
        try:
            answer = link.send(method, path, body, **more)
            return answer.status, answer.read().decode()
        finally:
            link.close()
    return ask


def tells(text):
    return [mark for mark in (MARK, encoded(MARK + "secret")[:8]) if mark in text]


TABLES = [f"application/json;{how};g=meta.k8s.io;v=v1" for how in ("as=Table", " as = Table", "as= Table", "as =Table", "AS=Table", 'as="Table"')]


@pytest.mark.parametrize("accept", [*TABLES, "*/*;as=Table;g=meta.k8s.io;v=v1", "application/yaml", "application/vnd.kubernetes.protobuf",
                                    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"])
def test_no_form_of_an_answer_shows_more(ask, accept):
    for path in (THINGS, f"{API}/secrets", f"{API}/configmaps", f"{APPS}/deployments", f"{API}/pods"):
        for query in ("?includeObject=Object", "?watch=1&timeoutSeconds=1&includeObject=Object" if path == THINGS else "?limit=1"):
            status, text = ask("GET", path + query, Accept=accept)
            assert status in (200, 406) and not tells(text), (path, query, text)


@pytest.mark.parametrize("path", [
    "/api/v1/watch/namespaces/bypass/secrets?timeoutSeconds=1", "/api/v1/watch/namespaces/bypass/secrets/s?timeoutSeconds=1",
    f"{API}/secrets/s/", f"{API}/secrets/s?export=true", f"{API}/secrets/s/log", f"{API}/%73ecrets/s",
    "/api/v1/proxy/namespaces/bypass/secrets/s", f"{API}/pods/p/status", f"{APPS}/deployments/d/status"])
def test_no_way_to_an_object_shows_more(ask, path):
    status, text = ask("GET", path)
    assert status in (200, 404) and not tells(text), text


@pytest.mark.parametrize("path, body, kind", [
    (f"{API}/secrets/s", {"data": {"z": "!"}}, MERGE), (f"{API}/secrets/s", {"immutable": "x"}, MERGE),
    (f"{API}/secrets/s", {"data": {"z": "!"}}, STRATEGIC), (f"{API}/secrets/s", [{"op": "add", "path": "/data/z", "value": 5}], JSON_PATCH),
    (f"{API}/configmaps/c", {"data": {"z": 5}}, MERGE), (f"{API}/configmaps/c", {"binaryData": {"z": "!"}}, MERGE),
    (f"{API}/pods/p", {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "z"}]}]}}, STRATEGIC),
    (f"/apis/batch/v1/namespaces/{SPACE}/jobs/j", {"spec": {"template": {"metadata": {"labels": {"q": "r"}}}}}, STRATEGIC),
    (f"{APPS}/deployments/d", [{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": 5}}], JSON_PATCH)])
def test_what_the_server_says_of_a_bad_patch_tells_nothing(cluster, ask, path, body, kind):
    status, text = ask("PATCH", path + DRY, body, kind=kind)
    assert status == 422 and not tells(text), text
    said = json.loads(text)
    assert "redacted" in said["message"] and said["reason"] == "Invalid" and said["details"]["causes"][0]["field"], said


SECRET_ASKED = [{"op": op, "path": path, "value": encoded(guess)} for op, path in
                (("test", "/data/a"), ("test", "x/data/a"), ("test", "data/a"), ("test", "x/data/~0a"))
                for guess in (MARK + "secret", "wrong")]
ENV_ASKED = [{"op": "test", "path": f"/spec/containers/{i}/env/{i}/value", "value": guess} for i in ("0", "+0", "-0", "00", "+00", "-1")
             for guess in (MARK + "env", "wrong")]


@pytest.mark.parametrize("path, operation", [(f"{API}/secrets/s", one) for one in SECRET_ASKED] + [(f"{API}/pods/p", one) for one in ENV_ASKED])
def test_no_test_of_a_patch_is_answered(ask, path, operation):
    status, text = ask("PATCH", path + DRY, [operation], kind=JSON_PATCH)
    assert status == 403 and causes(json.loads(text))["code"] in ("masked_predicate", "unparsable"), text


@pytest.mark.parametrize("path, source", [(f"{API}/secrets/s", one) for one in ("/data/a", "x/data/a", "/data", "x/data", "")] +
                         [(f"{API}/pods/p", f"/spec/containers/{i}/env/{i}/value") for i in ("0", "+0", "-0", "-1")])
def test_nothing_is_copied_out(ask, path, source):
    for op in ("copy", "move"):
        body = [{"op": "add", "path": "/metadata/annotations", "value": {}}, {"op": op, "from": source, "path": "/metadata/annotations/x"}]
        status, text = ask("PATCH", path + DRY, body, kind=JSON_PATCH)
        assert status == 403 and causes(json.loads(text))["code"] in ("masked_predicate", "unparsable") and not tells(text), text


def applied(image):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}


EVIL = [({"spec": applied("evil:1")["spec"]}, STRATEGIC), (json.dumps(applied("evil:1")), APPLY), ("image: evil:1", APPLY),
        (b"\xef\xbb\xbf" + json.dumps(applied("evil:1")).encode(), APPLY),
        (json.dumps(applied("x")).replace('"image"', '"image": "evil:1", "image"'), STRATEGIC),
        (json.dumps(applied("\\u0065vil:1")).replace("\\\\", "\\").replace('"image"', '"im\\u0061ge"'), STRATEGIC),
        ('{"metadata": {"annotations": {"run": "rm\u0085-rf\u0085/"}}}'.encode(), APPLY),
        ([{"op": "copy", "from": "/metadata/labels/a", "path": "/spec/template/spec/containers/0/image"}], JSON_PATCH)] + [
            ([{"op": "replace", "path": path, "value": "evil:1"}], JSON_PATCH)
            for path in [f"/spec/template/spec/containers/{i}/image" for i in ("0", "+0", "-0", "00", "+00", "-1")] +
            ["x/spec/template/spec/containers/0/image", "spec/template/spec/containers/0/image"]]


@pytest.mark.parametrize("body, kind", EVIL)
def test_no_writing_of_a_field_gets_past_a_rule_about_it(ask_limited, body, kind):
    status, text = ask_limited("PATCH", f"{APPS}/deployments/d{DRY}&fieldManager=x" if kind == APPLY else f"{APPS}/deployments/d{DRY}", body, kind=kind)
    assert status == 403 and causes(json.loads(text)).get("rule") == "no-evil", text


@pytest.mark.parametrize("method, path, body, rule", [
    *[("GET", f"{API}/{resource}/{name}/proxy/", None, "no-db") for resource in ("services", "pods")
      for name in ("db", "db:80", "db:", "http:db:80", "https:db:")],
    ("POST", f"{API}/configmaps{DRY}", {"metadata": {"generateName": "vip-"}}, "no-vip"),
    ("POST", f"{API}/configmaps{DRY}", {"kind": "List", "apiVersion": "v1", "items": []}, "no-vip"),
    ("GET", f"{API}/configmaps/%76ip-a", None, "no-vip"), ("GET", "/api/v1/watch/namespaces/bypass/configmaps/vip-a", None, "no-vip"),
    ("GET", f"{API}/configmaps?fieldSelector=metadata.name%3D%3Dvip-a", None, "no-vip"),
    ("GET", f"{API}/configmaps?fieldSelector=metadata.name!%3Dx", None, "no-vip"), ("DELETE", f"{API}/configmaps{DRY}", None, "no-vip")])
def test_no_writing_of_a_name_gets_past_a_rule_about_it(ask_limited, method, path, body, rule):
    status, text = ask_limited(method, path, body)
    assert status == 403 and causes(json.loads(text)).get("rule") == rule, text


class Sham(http.server.BaseHTTPRequestHandler):
    """What a program behind a proxy may answer."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        said = b'{"to": "wombat@example.com"}'
        self.send_response(200)
        self.send_header("Content-Type", self.path.partition("?type=")[2])
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def node(cluster):
    """A node whose kubelet is a sham."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sham)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki = cluster.authority.directory
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster.must("POST", "/api/v1/nodes", {"metadata": {"name": "sham"}})
    cluster.must("PATCH", "/api/v1/nodes/sham/status", {"status": {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}}}}, kind=STRATEGIC)
    yield "sham"
    cluster.must("DELETE", "/api/v1/nodes/sham")
    server.shutdown()
    server.server_close()


def test_detectors_look_at_whatever_comes_from_behind_a_proxy_and_what_goes_there_is_recorded(gate, node):
    client = gate.client("agent-8", principals=["agent"])
    with client.forward("prod", 443) as forward:
        for kind in ("text/plain", "application/json", "application/x-anything", "image/png"):
            status, text = asker(forward.port)("POST", f"/api/v1/nodes/{node}/proxy/x?type={kind}", "sent on")
            assert status == 200 and "wombat@" not in text, (kind, text)
    ops = gate.client("ops-1", principals=["ops"])

    def recorded():
        sessions = [json.loads(line) for line in ops.must("sessions", "--json", "--identity", "agent-8").splitlines()]
        return sessions and ops.must("replay", sessions[0]["id"], "--text").count("-- 7 bytes of the body") == 4
    wait_until(recorded, "what went through the proxy is in the recording", 30)
