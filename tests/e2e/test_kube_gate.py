"""`ssh -L 8001:prod:443 bastion`: a real API server through the gate, as `kubectl proxy` serves it."""
import base64
import http.client
import json
import re
import socket
import threading

import pytest

from harness.kube_bastion import Http, causes, http_to, kube_bastion, kubectl_through
from harness.system import wait_until

SPACE = "gate"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"
ROLES = [{"name": role} for role in ("agent", "ops", "dba", "hasty")]
RULES = [
    {"name": "no-host", "targets": ["*"], "action": "deny", "reason": "no pods on the host's network",
     "match": {"verbs": ["create", "update", "patch"], "fields": {"spec.**.hostNetwork": True}}},
    {"name": "no-mass-delete", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "one at a time",
     "match": {"verbs": ["deletecollection"]}},
    {"name": "few", "roles": ["hasty"], "targets": ["prod"], "action": "allow", "match": {"verbs": ["get"]},
     "limits": {"statements_per_minute": 3, "bytes": "4KiB"}},
    {"name": "short", "roles": ["hasty"], "targets": ["prod"], "action": "allow", "match": {"verbs": ["list", "watch"]},
     "limits": {"bytes": "4KiB"}},
    {"name": "by-hand", "roles": ["agent"], "targets": ["prod"], "action": "approve", "approve": {"by": ["dba"], "wait": "1m"},
     "reason": "a second pair of eyes", "match": {"verbs": ["delete"], "resources": ["pods"]}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow",
     "match": [{"verbs": ["get", "list", "watch", "create", "update", "patch", "delete"], "namespaces": [SPACE],
                "resources": ["pods", "pods/log", "configmaps", "secrets", "services/proxy", "pods/proxy"]},
               {"verbs": ["proxy"], "namespaces": [SPACE]}]},
    {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "match": "anything", "action": "allow"},
]


@pytest.fixture(scope="module")
def space(shared_kube):
    return shared_kube.namespace(SPACE)


@pytest.fixture(scope="module")
def gate(shared_kube, space):
    made = kube_bastion(shared_kube, RULES, target={"show_secrets": ["ops"]},
                        roles=ROLES,
                        masks=[{"name": "found", "detect": ["email"], "with": "redact"}])
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(gate):
    return gate.client("agent-7", principals=["agent"])


@pytest.fixture(scope="module")
def forward(agent):
    with agent.forward("prod", 443) as made:
        yield made


@pytest.fixture
def api(forward, kube):
    link = Http(forward.port)
    yield link
    link.close()


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_objects_are_made_read_changed_and_deleted(api):
    assert api("POST", MAPS, config_map("one", a="1"))[0] == 201
    status, there = api("GET", f"{MAPS}/one")
    assert (status, there["data"]) == (200, {"a": "1"})
    status, there = api("PATCH", f"{MAPS}/one", {"data": {"b": "2"}}, kind="application/merge-patch+json")
    assert (status, there["data"]) == (200, {"a": "1", "b": "2"})
    assert api("DELETE", f"{MAPS}/one")[0] == 200
    assert api("GET", f"{MAPS}/one")[0] == 404  # the server's own Status


def test_a_refusal_is_a_status_and_the_connection_goes_on(api, kube):
    status, said = api("DELETE", MAPS)
    assert (status, said["reason"], said["code"]) == (403, "Forbidden", 403)
    assert said["message"].startswith('denied by rule "no-mass-delete": one at a time (code denied); next: ')
    told = causes(said)
    assert (told["code"], told["rule"], told["reason"]) == ("denied", "no-mass-delete", "one at a time")
    assert "describe" in told["next"]
    assert api("GET", "/api/v1/nodes")[1]["details"]["causes"][1]["message"] == "default"
    assert api("GET", MAPS)[0] == 200


def test_a_body_is_judged_by_its_fields_and_nothing_of_it_reaches_the_server(api, kube):
    pod = {"metadata": {"name": "spy"}, "spec": {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]}}
    before = len(kube.audit())
    status, said = api("POST", PODS, pod)
    assert (status, causes(said)["rule"]) == (403, "no-host")
    assert api("GET", f"{PODS}/spy")[0] == 404
    assert not [one for one in kube.audit()[before:] if one["verb"] == "create" and one.get("objectRef", {}).get("name") == "spy"]


def test_a_client_can_be_nobody_else(api):
    for name, value in [("Impersonate_User", "root"), ("Impersonate_Group", "system:masters"), ("X_Remote_User", "root"),
                        ("Authorization", "Bearer x")]:
        status, said = api("GET", MAPS, **{name: value})
        assert status == 403 and causes(said)["code"] == "denied" and name.replace("_", "-").split("-")[0] in said["message"]
    assert api("GET", MAPS)[0] == 200


def test_a_request_that_two_may_read_differently_is_refused(api):
    for path in [f"{PODS}/../secrets", "/api/v1//nodes", f"{PODS}/a%2fb", f"{PODS}?limit=1&limit=2"]:
        status, said = api("GET", path)
        assert status == 403 and causes(said)["code"] == "unparsable", (path, said)


def test_the_targets_own_port_works_too_and_another_does_not(agent, kube):
    with http_to(agent, port=kube.port) as api:
        assert api("GET", "/version")[1]["major"] == "1"
    done = agent.ssh(options=["-W", "prod:22"], timeout=60)
    assert done.returncode != 0


def test_one_request_over_w(agent, kube):
    text = f"GET {MAPS} HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    done = agent.ssh(options=["-W", "prod:443"], input=text, timeout=60)
    assert done.stdout.count("HTTP/1.1 200 OK") == 2 and '"ConfigMapList"' in done.stdout and '"gitVersion"' in done.stdout


def test_requests_may_be_sent_ahead(forward, kube):
    one = f"GET {MAPS}?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    bad = f"DELETE {MAPS} HTTP/1.1\r\nHost: x\r\n\r\n"
    last = "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", forward.port), 60) as link:
        link.sendall((one + bad + one + last).encode())
        seen = b""
        while piece := link.recv(65536):
            seen += piece
    assert re.findall(rb"HTTP/1.1 (\d+)", seen) == [b"200", b"403", b"200", b"200"]


def test_many_connections_side_by_side(forward, kube):
    seen = []

    def work(number):
        link = Http(forward.port)
        for turn in range(5):
            name = f"many-{number}-{turn}"
            seen.append(link("POST", MAPS, config_map(name, a=str(turn)))[0])
            seen.append(link("DELETE", f"{MAPS}/{name}")[0])
        link.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(set(seen)) == [200, 201] and len(seen) == 60


def test_a_watch_is_streamed_and_ends_with_its_client(api, gate, kube):
    kube.must("POST", MAPS, config_map("watched", a="1"))
    answer = api.send("GET", f"{MAPS}?watch=true&fieldSelector=metadata.name%3Dwatched")
    assert json.loads(answer.readline())["type"] == "ADDED"
    kube.must("PATCH", f"{MAPS}/watched", {"data": {"a": "2"}}, kind="application/merge-patch+json")
    event = json.loads(answer.readline())
    assert (event["type"], event["object"]["data"]) == ("MODIFIED", {"a": "2"})
    before = gate.log().count("stream_ended")
    answer.close()
    api.close()
    wait_until(lambda: gate.log().count("stream_ended") > before, "the gate has let go of it", 20)
    kube.must("DELETE", f"{MAPS}/watched")


def test_a_large_body_goes_through_and_one_that_is_too_large_does_not(api, kube):
    big = "x" * (900 * 1024)  # etcd takes 1.5 MiB
    assert api("POST", MAPS, config_map("big", a=big))[0] == 201
    assert len(api("GET", f"{MAPS}/big")[1]["data"]["a"]) == len(big)
    api("DELETE", f"{MAPS}/big")
    link = Http(api.link.port)
    status, said = link("POST", MAPS, config_map("huge", a="x" * (3 * 1024 * 1024)))
    assert (status, said["reason"], causes(said)["code"]) == (413, "RequestEntityTooLarge", "limit")
    link.close()


def test_a_kept_connection_that_the_server_closed_is_made_anew(api, kube):
    assert api("GET", "/version")[0] == 200
    assert api("GET", "/version", Connection="keep-alive")[0] == 200
    assert api("POST", MAPS, config_map("kept"))[0] == 201
    assert api("DELETE", f"{MAPS}/kept")[0] == 200


def test_kubectl_prints_refusals_well(forward, kube):
    done = kubectl_through(kube, forward.port, "-n", SPACE, "get", "configmaps")
    assert done.returncode == 0 and "kube-root-ca.crt" in done.stdout, done.stderr
    done = kubectl_through(kube, forward.port, "get", "nodes")
    assert done.returncode == 1
    assert 'Error from server (Forbidden): denied by rule "default"' in done.stderr and "next: the command `describe`" in done.stderr
    made = kubectl_through(kube, forward.port, "-n", SPACE, "create", "configmap", "tool", "--from-literal=a=b")
    assert made.returncode == 0, made.stderr
    assert kubectl_through(kube, forward.port, "-n", SPACE, "delete", "configmap", "tool").returncode == 0


@pytest.mark.asan
def test_secrets_are_masked_and_a_mask_is_not_sent_back(api, gate, kube):
    path = f"/api/v1/namespaces/{SPACE}/secrets"
    value = base64.b64encode(b"hunter2-gate").decode()
    secret = {"metadata": {"name": "login"}, "data": {"password": value}}
    status, said = api("POST", path, secret)
    assert status == 201 and said["data"]["password"] != value
    for answer in [api("GET", f"{path}/login")[1], api("GET", path)[1],
                   api("GET", f"{path}/login", Accept="application/vnd.kubernetes.protobuf, application/json")[1]]:
        assert value not in json.dumps(answer) and "login" in json.dumps(answer)
    table = api("GET", path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")[1]
    assert "login" in json.dumps(table) and value not in json.dumps(table)
    shown = api("GET", f"{path}/login")[1]
    status, said = api("PUT", f"{path}/login", shown)
    assert status == 403 and causes(said)["code"] == "denied" and "mask" in said["message"]
    assert kube.get(f"{path}/login")["data"]["password"] == value
    with http_to(gate.client("olga", principals=["ops"])) as ops:
        assert ops("GET", f"{path}/login")[1]["data"]["password"] == value
    answer = api.send("GET", f"{path}?watch=true&fieldSelector=metadata.name%3Dlogin")
    event = json.loads(answer.readline())
    assert event["type"] == "ADDED" and event["object"]["data"]["password"] == shown["data"]["password"]


def test_detectors_look_through_logs(api, kube):
    kube.pod(SPACE, "talker")
    (kube.pod_directory(SPACE, "talker") / "main.log").write_text("mail jane.doe@example.com now\n")
    status, text = wait_until(lambda: (found := api("GET", f"{PODS}/talker/log"))[1] and found, "the log is there", 20)
    assert status == 200 and text.startswith("mail ") and text.endswith(" now\n") and "jane" not in text


def test_can_i_tells_of_both(forward, gate, kube):
    def can_i(*words):
        return kubectl_through(kube, forward.port, "-n", SPACE, "auth", "can-i", *words)
    assert can_i("get", "pods").stdout == "yes\n"
    done = can_i("create", "pods", "--subresource=eviction")
    assert done.stdout.startswith('no - gatehouse: denied by rule "default"') and "cluster: allowed" in done.stdout
    done = can_i("delete", "pods")
    assert done.stdout == "yes\n" and 'needs an approval by dba (rule "by-hand")' in done.stderr
    assert can_i("get", "/version").stdout.strip().startswith("yes")
    assert can_i("--list").returncode == 0


def test_what_was_asked_and_answered_is_in_the_recording(gate, agent, kube):
    with http_to(agent) as api:
        assert api("POST", MAPS, config_map("recorded", colour="ochre"))[0] == 201
        assert api("DELETE", MAPS)[0] == 403
        assert api("DELETE", f"{MAPS}/recorded")[0] == 200
    def found():
        lines = [json.loads(line) for line in agent.must("sessions", "--json", "--grep", "recorded").splitlines()]
        return lines and lines[-1]
    session = wait_until(found, "the recording is sealed", 20)
    assert session["target"] == "prod"
    events = [json.loads(line) for line in agent.must("replay", session["id"], "--events").splitlines()]
    requests = [event for event in events if event["event"] == "request"]
    assert [(one["verdict"], one["rule"], one["effects"]) for one in requests] == [
        ("allow", "work", [f"create configmaps {SPACE}/recorded"]),
        ("deny", "no-mass-delete", [f"deletecollection configmaps {SPACE}/*"]),
        ("allow", "work", [f"delete configmaps {SPACE}/recorded"])]
    assert requests[0]["text"].startswith(f"POST {MAPS}\n\n") and "ochre" in requests[0]["text"]
    outputs = [(one["form"], one["text"]) for one in events if one["event"] == "output"]
    assert outputs[0] == ("status", "201 application/json") and outputs[1][0] == "body" and "ochre" in outputs[1][1]
    text = agent.must("replay", session["id"], "--text")
    assert f"prod=> POST {MAPS}" in text and "< 201 application/json" in text
    assert f'prod=> DELETE {MAPS}\n-- denied by rule "no-mass-delete": one at a time' in text


def test_limits_of_a_rule_hold(gate, kube):
    kube.must("POST", MAPS, config_map("long", a="x" * 100_000))
    kube.must("POST", MAPS, config_map("short", a="x"))
    with http_to(gate.client("hasty-1", principals=["hasty"])) as api:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            api("GET", MAPS)
    with http_to(gate.client("hasty-2", principals=["hasty"])) as api:
        assert [api("GET", f"{MAPS}/short")[0] for _ in range(3)] == [200, 200, 200]
        status, said = api("GET", f"{MAPS}/short")
        told = causes(said)
        assert (status, said["reason"], told["code"], told["rule"]) == (429, "TooManyRequests", "limit", "few")
        assert 0 < said["details"]["retryAfterSeconds"] <= 61 and told["next"].startswith("wait ")
        assert api("GET", f"{MAPS}?fieldSelector=metadata.name%3Dshort")[0] == 200  # another rule's
    for name in ("long", "short"):
        kube.must("DELETE", f"{MAPS}/{name}")


def test_what_speaks_something_else_is_told(forward):
    with socket.create_connection(("127.0.0.1", forward.port), 60) as link:
        link.sendall(b"SSH-2.0-nobody\r\n\r\n")
        seen = b""
        while piece := link.recv(65536):
            seen += piece
    assert seen.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"malformed" in seen


def test_a_cluster_that_does_not_answer_is_said(gate, kube, agent):
    """The credential is in the vault; the server is not there."""
    broken = kube_bastion(kube, RULES, roles=ROLES, target={"address": "https://127.0.0.1:1"})
    try:
        with http_to(broken.client("agent-7", principals=["agent"])) as api:
            status, said = api("GET", MAPS)
            assert (status, said["reason"], causes(said)["code"]) == (503, "ServiceUnavailable", "target_unavailable")
            assert api("DELETE", MAPS)[0] == 403
        broken.stop()
        assert broken.leaks() == []
    finally:
        broken.remove()
