"""What is masked in a cluster's answers, with the real kubectl on one side and a real API server on the other."""
import base64
import json

import pytest

from harness.kube_bastion import Http, causes, http_to, kube_bastion, kubectl_through
from harness.system import run, wait_until

SPACE = "masks"
REDACTED = base64.b64encode(b"[redacted]").decode()
SECRETS = f"/api/v1/namespaces/{SPACE}/secrets"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
RULES = [{"name": "all", "targets": ["*"], "action": "allow"}]
MASKS = [
    {"name": "environment", "roles": ["agent"], "targets": ["prod"], "columns": ["**.env[*].value"], "with": "redact"},
    {"name": "settings", "roles": ["agent"], "targets": ["prod"], "columns": ["configmaps.data.*"], "with": "partial"},
    {"name": "things", "roles": ["agent"], "targets": ["prod"], "columns": ["things.example.com.spec.secret"], "with": "hash"},
]
THINGS = {
    "metadata": {"name": "things.example.com"},
    "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
             "versions": [{"name": "v1", "served": True, "storage": True,
                           "additionalPrinterColumns": [{"name": "Secret", "type": "string", "jsonPath": ".spec.secret"}],
                           "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]},
}


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def cluster(shared_kube):
    shared_kube.namespace(SPACE)
    shared_kube.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", THINGS)
    return shared_kube


@pytest.fixture(scope="module")
def gate(cluster):
    made = kube_bastion(cluster, RULES, target={"show_secrets": ["ops"]}, masks=MASKS)
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


@pytest.fixture
def kubectl(cluster, forward):
    return lambda *words, **options: kubectl_through(cluster, forward.port, "-n", SPACE, *words, **options)


def real(cluster, name):
    return cluster.get(f"{SECRETS}/{name}")


def test_no_way_of_printing_shows_the_data_of_a_secret(cluster, kubectl):
    value = "wombat-in-the-vault"
    cluster.must("POST", SECRETS, {"metadata": {"name": "printed", "labels": {"a": "b"}}, "data": {"tls.key": encoded(value), "user": ""}})
    for words in (["get", "secret", "printed", "-o", "yaml"], ["get", "secrets", "-o", "json"], ["get", "secrets"],
                  ["get", "secret", "printed", "-o", r"jsonpath={.data.tls\.key}"], ["describe", "secret", "printed"],
                  ["get", "secrets", "-o", "go-template={{range .items}}{{.data}}{{end}}"], ["get", "secrets", "-l", "a=b", "-o", "wide"],
                  ["get", "--raw", f"{SECRETS}/printed"], ["get", "--raw", "/api/v1/secrets"],
                  ["label", "secret", "printed", "c=d", "-o", "yaml"],
                  ["annotate", "secret", "printed", "c=d", "-o", "json", "--overwrite"],
                  ["patch", "secret", "printed", "-p", '{"metadata":{"labels":{"e":"f"}}}', "-o", "yaml"],
                  ["delete", "secret", "printed", "--dry-run=server", "-o", "name"]):
        done = kubectl(*words)
        assert done.returncode == 0 and done.stdout, (words, done.stderr)
        assert value not in done.stdout and encoded(value) not in done.stdout, words
        assert "jsonpath" not in words[-1] or done.stdout == REDACTED
    assert real(cluster, "printed")["data"] == {"tls.key": encoded(value), "user": ""}


def test_apply_goes_on_to_work_on_masked_secrets(cluster, kubectl):
    def manifest(**data):
        return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "applied"}, "stringData": data})
    assert kubectl("apply", "-f", "-", input=manifest(a="one", b="two")).returncode == 0
    shown = kubectl("get", "secret", "applied", "-o", "yaml").stdout
    assert "last-applied-configuration" in shown and "one" not in shown and encoded("one") not in shown
    for data in ({"a": "changed", "b": "two"}, {"a": "changed"}):
        done = kubectl("apply", "-f", "-", input=manifest(**data))
        assert done.returncode == 0, done.stderr
    assert real(cluster, "applied")["data"]["a"] == encoded("changed")
    done = kubectl("apply", "--server-side", "--force-conflicts", "-o", "yaml", "-f", "-", input=manifest(a="by the server"))
    assert done.returncode == 0 and "by the server" not in done.stdout and encoded("by the server") not in done.stdout, done.stderr
    assert real(cluster, "applied")["data"]["a"] == encoded("by the server")


def test_what_is_sent_back_never_overwrites_a_value(cluster, kubectl, api):
    cluster.must("POST", SECRETS, {"metadata": {"name": "kept"}, "data": {"a": encoded("the real one")}})
    shown = kubectl("get", "secret", "kept", "-o", "json").stdout
    for words in (["replace", "-f", "-"], ["apply", "-f", "-"], ["apply", "--server-side", "--force-conflicts", "-f", "-"]):
        done = kubectl(*words, input=shown)
        assert done.returncode != 0 and "mask" in done.stderr, (words, done.stdout, done.stderr)
    status, said = api("PATCH", f"{SECRETS}/kept", [{"op": "replace", "path": "/data/a", "value": REDACTED}], kind="application/json-patch+json")
    assert status == 403 and causes(said)["code"] == "denied"
    status, said = api("PUT", f"{SECRETS}/kept", f"data: {{a: {REDACTED}}}", kind="application/yaml")
    assert status == 403 and causes(said)["code"] == "unparsable"
    assert real(cluster, "kept")["data"] == {"a": encoded("the real one")}
    edited = kubectl("patch", "secret", "kept", "-p", json.dumps({"stringData": {"b": "new"}}))
    assert edited.returncode == 0, edited.stderr
    assert real(cluster, "kept")["data"] == {"a": encoded("the real one"), "b": encoded("new")}


def test_edit_changes_what_it_changes_and_nothing_else(cluster, forward, tmp_path):
    cluster.must("POST", SECRETS, {"metadata": {"name": "edited"}, "data": {"a": encoded("the real one"), "b": encoded("another")}})

    def edit(script):
        editor = tmp_path / "editor"
        editor.write_text(f"#!/bin/sh\nsed -i '{script}' \"$1\"\n")
        editor.chmod(0o755)
        return run(cluster.bin / "kubectl", f"--server=http://127.0.0.1:{forward.port}", "-n", SPACE, "edit", "secret", "edited",
                   env={**cluster.environment(), "KUBE_EDITOR": str(editor)})
    done = edit("s/^type:.*/&\\nstringData: {c: new}/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert real(cluster, "edited")["data"] == {"a": encoded("the real one"), "b": encoded("another"), "c": encoded("new")}
    done = edit(f"s/a: {REDACTED}/a: {encoded('changed')}/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert real(cluster, "edited")["data"] == {"a": encoded("changed"), "b": encoded("another"), "c": encoded("new")}


def test_deployments_are_applied_and_their_environment_set(cluster, kubectl):
    def manifest(**variables):
        env = [{"name": name, "value": value} for name, value in variables.items()]
        spec = {"containers": [{"name": "c", "image": "i", "env": env}]}
        return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "applied"},
                           "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "a"}},
                                    "template": {"metadata": {"labels": {"app": "a"}}, "spec": spec}}})

    def environment():
        there = cluster.get(f"/apis/apps/v1/namespaces/{SPACE}/deployments/applied")["spec"]["template"]["spec"]
        return {one["name"]: one.get("value") for one in there["containers"][0]["env"]}
    for variables in ({"A": "one", "B": "two"}, {"A": "changed", "B": "two"}, {"A": "changed"}):
        done = kubectl("apply", "-f", "-", input=manifest(**variables))
        assert done.returncode == 0, done.stderr
        assert environment() == variables
    done = kubectl("set", "env", "deployment/applied", "C=three")
    assert done.returncode == 0, done.stderr
    assert environment() == {"A": "changed", "C": "three"}
    listed = kubectl("set", "env", "deployment/applied", "--list")
    assert "A=[masked:environment]" in listed.stdout, listed.stdout + listed.stderr
    restarted = kubectl("rollout", "restart", "deployment/applied")
    assert restarted.returncode == 0, restarted.stderr
    assert environment() == {"A": "changed", "C": "three"}


def test_no_patch_and_no_selector_tells_a_value(cluster, api):
    cluster.must("POST", SECRETS, {"metadata": {"name": "asked"}, "data": {"a": encoded("guess")}})
    for operation in ({"op": "test", "path": "/data/a", "value": encoded("guess")},
                      {"op": "copy", "from": "/data/a", "path": "/metadata/labels"},
                      {"op": "move", "from": "/data", "path": "/metadata/annotations"}):
        status, said = api("PATCH", f"{SECRETS}/asked", [operation], kind="application/json-patch+json")
        assert (status, causes(said)["code"]) == (403, "masked_predicate"), operation
    assert api("GET", "/apis/example.com/v1/things?fieldSelector=spec.secret%3Dx")[0] == 403
    assert real(cluster, "asked")["data"] == {"a": encoded("guess")}


def test_a_token_of_a_service_account_is_masked(cluster, api):
    path = f"/api/v1/namespaces/{SPACE}/serviceaccounts/default/token"
    status, said = api("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}})
    assert (status, said["status"]["token"]) == (201, "[redacted]")


def test_environments_are_masked_in_pods_and_in_what_makes_pods(cluster, kubectl, api):
    variables = [{"name": "PASSWORD", "value": "hunter2-env"}, {"name": "REF", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    template = {"metadata": {"labels": {"app": "e"}}, "spec": {"containers": [{"name": "c", "image": "i", "env": variables}]}}
    cluster.must("POST", f"/apis/apps/v1/namespaces/{SPACE}/deployments",
                 {"metadata": {"name": "env"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "e"}}, "template": template}})
    cluster.must("POST", PODS, {"metadata": {"name": "env"}, **{"spec": template["spec"]}})
    for words in (["get", "pod", "env", "-o", "yaml"], ["get", "deployments", "-o", "json"], ["describe", "pod", "env"],
                  ["describe", "deployment", "env"]):
        done = kubectl(*words)
        assert done.returncode == 0 and "PASSWORD" in done.stdout, done.stderr
        assert "hunter2-env" not in done.stdout and "[masked:environment]" in done.stdout, words
    assert "READY" in kubectl("get", "pods").stdout  # a Table: no cell shows any of it
    scaled = kubectl("scale", "deployment", "env", "--replicas=0")
    assert scaled.returncode == 0, scaled.stderr
    image = kubectl("set", "image", "deployment/env", "c=other")
    assert image.returncode == 0, image.stderr
    container = cluster.get(f"/apis/apps/v1/namespaces/{SPACE}/deployments/env")["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"][0]["value"]) == ("other", "hunter2-env")
    assert api("PUT", f"{PODS}/env/status", api("GET", f"{PODS}/env")[1])[0] == 403


def test_masks_are_as_their_kind_says(cluster, kubectl):
    cluster.must("POST", f"/api/v1/namespaces/{SPACE}/configmaps", {"metadata": {"name": "c"}, "data": {"app.conf": "jane@example.com"}})
    assert kubectl("get", "configmap", "c", "-o", r"jsonpath={.data.app\.conf}").stdout == "j***@e***.com"
    for name, value in (("a", "same"), ("b", "same"), ("c", "other")):
        cluster.must("POST", f"/apis/example.com/v1/namespaces/{SPACE}/things",
                     {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name}, "spec": {"secret": value}})
    # Another file may have made things of another group; kubectl finds a new kind once the server's discovery has it.
    found = wait_until(lambda: kubectl("get", "things.example.com", "-o", "jsonpath={.items[*].spec.secret}").stdout.split(), "things are known", 30, 0.5)
    assert found[0] == found[1] != found[2] and found[0].startswith("[things:"), found
    listed = kubectl("get", "things.example.com")
    assert listed.returncode == 0 and "same" not in listed.stdout and "AGE" in listed.stdout, listed.stdout + listed.stderr


def test_a_watch_in_tables_is_masked_too(cluster, api):
    cluster.must("POST", SECRETS, {"metadata": {"name": "watched"}, "data": {"a": encoded("wombat")}})
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    answer = api.send("GET", f"{SECRETS}?watch=1&includeObject=Object&fieldSelector=metadata.name%3Dwatched", Accept=accept)
    event = json.loads(answer.readline())
    assert event["object"]["kind"] == "Table" and event["object"]["rows"][0]["object"]["data"] == {"a": REDACTED}


def test_who_may_see_secrets_sees_them(cluster, gate):
    cluster.must("POST", SECRETS, {"metadata": {"name": "seen"}, "data": {"a": encoded("wombat-seen")}})
    ops = gate.client("olga", principals=["ops"])
    with ops.forward("prod", 443) as forward:
        done = kubectl_through(cluster, forward.port, "-n", SPACE, "get", "secret", "seen", "-o", "jsonpath={.data.a}")
        assert done.stdout == encoded("wombat-seen"), done.stderr


def test_recordings_have_neither_what_was_sent_nor_what_came_back(gate):
    agent = gate.client("agent-8", principals=["agent"])
    with http_to(agent) as api:
        assert api("POST", SECRETS, {"metadata": {"name": "recorded"}, "stringData": {"a": "wombat-recorded"}})[0] == 201
        assert api("PUT", f"{SECRETS}/recorded", {"metadata": {"name": "recorded"}, "data": {"a": encoded("wombat-recorded")}})[0] == 200
        assert api("PATCH", f"{SECRETS}/recorded", [{"op": "add", "path": "/data/b", "value": encoded("wombat-recorded")}],
                   kind="application/json-patch+json")[0] == 200
        assert api("GET", f"{SECRETS}/recorded")[0] == 200

    def found():
        return agent.must("sessions", "--json", "--grep", "recorded").splitlines()
    session = json.loads(wait_until(found, "the recording is sealed", 20)[-1])
    events = agent.must("replay", session["id"], "--events")
    assert events.count('"event":"request"') + events.count('"event": "request"') == 4, events
    assert "wombat-recorded" not in events and encoded("wombat-recorded") not in events
