"""`action: approve` on a cluster: the request waits until somebody has agreed, who is shown what it would do; and is sent once."""
import base64
import json
import socket
import threading

import pytest

from harness.holding import Operator
from harness.kube_bastion import Http, causes, http_to, kube_bastion
from harness.system import wait_until

SPACE = "hold"
MAPS = f"/api/v1/namespaces/{SPACE}/configmaps"


def approve(name, match, **how):
    return {"name": name, "roles": ["agent"], "targets": ["prod"], "match": {"namespaces": [SPACE], **match}, "action": "approve",
            "approve": {"by": ["dba"], "wait": "10m", **how}, "reason": f"{name} wants a second pair of eyes"}


RULES = [approve("later", {"verbs": ["delete"], "resources": ["configmaps"], "names": ["later*"]}, mode="retry", **{"for": "5m"}),
         approve("quick", {"verbs": ["delete"], "resources": ["configmaps"], "names": ["quick"]}, wait="1s"),
         approve("changes", {"verbs": ["delete", "deletecollection", "patch", "update"]}),
         approve("marked", {"verbs": ["create"], "fields": {"metadata.labels.held": "please"}}),
         {"name": "agent", "roles": ["agent"], "targets": ["prod"], "match": {"namespaces": [SPACE]}, "action": "allow"},
         {"name": "all", "roles": ["dba"], "targets": ["*"], "match": "anything", "action": "allow"}]


@pytest.fixture(scope="module")
def space(shared_kube):
    return shared_kube.namespace(SPACE)


@pytest.fixture(scope="module")
def held(shared_kube, space):
    made = kube_bastion(shared_kube, RULES, roles=[{"name": "agent"}, {"name": "dba", "may": ["replay"]}])
    yield made
    made.end()


@pytest.fixture(scope="module")
def anna(held):
    with held.client("local/anna", principals=["dba"]).master() as client:
        yield Operator(client)


@pytest.fixture(scope="module")
def forward(held):
    with held.client("local/agent-7", principals=["agent"]).forward("prod", 443) as made:
        yield made


class Asking:
    """A request on a connection of its own, whose answer a thread waits for."""

    def __init__(self, forward, *words, **more):
        self.http = Http(forward.port, 120)
        self.answer = self.fault = None
        self.thread = threading.Thread(target=self._ask, args=words, kwargs=more, daemon=True)
        self.thread.start()

    def _ask(self, *words, **more):
        try:
            answer = self.http.send(*words, **more)
            self.answer = answer.status, json.loads(answer.read()), answer.getheader("Warning")
        except (OSError, ValueError) as fault:
            self.fault = fault

    def done(self, seconds=30):
        """(status, object, warning)"""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "no answer"
        self.http.close()
        if self.fault:
            raise self.fault
        return self.answer


def config_map(kube, name, labels=None, **data):
    kube.must("POST", MAPS, {"metadata": {"name": name, "labels": labels or {}}, "data": data})


def preview(anna, request):
    return wait_until(lambda: anna.list(request["id"])[0].get("preview"), "the preview is there", 20)


def test_a_deletion_waits_and_is_sent_once_it_is_approved(kube, forward, anna):
    config_map(kube, "one")
    asking = Asking(forward, "DELETE", f"{MAPS}/one")
    request = anna.open(f"DELETE {MAPS}/one")
    assert (request["kind"], request["target"], request["rule"]) == ("kubernetes", "prod", "changes")
    assert request["effects"] == [f"delete configmaps {SPACE}/one"]
    assert preview(anna, request).startswith("1 object would be deleted (configmaps):\n") and "name: one" in preview(anna, request)
    assert kube.request("GET", f"{MAPS}/one")[0] == 200 and asking.thread.is_alive()
    anna.approve(request["id"])
    status, _, warning = asking.done()
    assert status == 200 and f"approved: request {request['id']}" in warning
    assert kube.request("GET", f"{MAPS}/one")[0] == 404
    assert anna.state(request["id"]) == "consumed"


def test_a_denial_is_a_status(kube, forward, anna):
    config_map(kube, "two")
    asking = Asking(forward, "DELETE", f"{MAPS}/two")
    request = anna.open(f"{MAPS}/two")
    anna.deny(request["id"], "--reason", "not today")
    status, said, _ = asking.done()
    told = causes(said)
    assert (status, told["code"], told["rule"], told["request"]) == (403, "approval_denied", "changes", request["id"])
    assert "not today" in said["message"]
    assert kube.request("GET", f"{MAPS}/two")[0] == 200


def test_nobody_who_decides_in_time_is_an_expiry(kube, forward):
    config_map(kube, "quick")
    status, said, _ = Asking(forward, "DELETE", f"{MAPS}/quick").done()
    assert (status, causes(said)["code"]) == (403, "approval_expired")


def test_a_client_that_goes_withdraws(kube, forward, anna):
    config_map(kube, "three")
    asking = Asking(forward, "DELETE", f"{MAPS}/three")
    request = anna.open(f"{MAPS}/three")
    asking.http.link.sock.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "it is withdrawn", 20)
    assert kube.request("GET", f"{MAPS}/three")[0] == 200


def test_with_mode_retry_it_is_refused_until_then(kube, forward, anna):
    config_map(kube, "later-1")
    status, said, _ = Asking(forward, "DELETE", f"{MAPS}/later-1").done()
    told = causes(said)
    assert (status, told["code"], told["rule"]) == (403, "pending", "later") and "run exactly the same again" in told["next"]
    anna.approve(told["request"])
    assert Asking(forward, "DELETE", f"{MAPS}/later-2").done()[0] == 403
    assert Asking(forward, "DELETE", f"{MAPS}/later-1").done()[0] == 200
    assert kube.request("GET", f"{MAPS}/later-1")[0] == 404


@pytest.mark.asan
def test_the_preview_of_a_change_is_the_difference_that_it_makes(kube, forward, anna):
    config_map(kube, "colours", sky="blue", grass="green")
    before = kube.get(f"{MAPS}/colours")
    asking = Asking(forward, "PATCH", f"{MAPS}/colours", {"data": {"sky": "red"}}, kind="application/merge-patch+json")
    request = anna.open(f"PATCH {MAPS}/colours")
    shown = preview(anna, request)
    assert shown.startswith("dry run, what would change:\n@@ ") and "\n-  sky: blue\n+  sky: red\n" in shown and "\n   grass: green\n" in shown
    assert kube.get(f"{MAPS}/colours")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    anna.approve(request["id"])
    status, there, _ = asking.done()
    assert (status, there["data"]["sky"]) == (200, "red")


def test_the_preview_of_a_creation_is_what_the_server_makes_of_it(kube, forward, anna):
    body = {"metadata": {"name": "made", "labels": {"held": "please"}}, "data": {"a": "1"}}
    asking = Asking(forward, "POST", MAPS, body)
    request = anna.open(f"POST {MAPS}")
    shown = preview(anna, request)
    assert shown.startswith("dry run, what would be created:\n") and '\n+  a: "1"\n' in shown and f"\n+  namespace: {SPACE}\n" in shown
    assert kube.request("GET", f"{MAPS}/made")[0] == 404
    anna.approve(request["id"])
    assert asking.done()[0] == 201


def test_a_change_that_the_server_refuses_is_shown_so(kube, forward, anna):
    config_map(kube, "odd")
    asking = Asking(forward, "PATCH", f"{MAPS}/odd", {"data": {"no/such key": "x"}}, kind="application/merge-patch+json")
    request = anna.open(f"{MAPS}/odd")
    assert preview(anna, request).startswith("a dry run is refused: 422 ")
    anna.deny(request["id"])
    asking.done()


def test_the_preview_of_a_mass_deletion_names_the_objects(kube, forward, anna):
    for name in ("batch-1", "batch-2", "batch-3"):
        config_map(kube, name, labels={"app": "batch"})
    asking = Asking(forward, "DELETE", f"{MAPS}?labelSelector=app%3Dbatch")
    request = anna.open("labelSelector")
    assert preview(anna, request) == "3 objects would be deleted (configmaps): batch-1 batch-2 batch-3\n"
    anna.approve(request["id"])
    assert asking.done()[0] == 200
    assert [one["metadata"]["name"] for one in kube.get(f"{MAPS}?labelSelector=app%3Dbatch")["items"]] == []


def test_secrets_are_masked_for_those_who_decide_too(kube, held, forward, anna):
    """They agree to the very body, by its checksum."""
    value = base64.b64encode(b"hunter2-hold").decode()
    kube.must("POST", f"/api/v1/namespaces/{SPACE}/secrets", {"metadata": {"name": "login"}, "data": {"password": "b2xk"}})
    asking = Asking(forward, "PATCH", f"/api/v1/namespaces/{SPACE}/secrets/login", {"data": {"password": value, "user": value}},
                    kind="application/merge-patch+json")
    request = anna.open("secrets/login")
    shown = preview(anna, request)
    whole = json.dumps(anna.list(request["id"]))
    assert value not in whole and "b2xk" not in whole and "body-sha256" in whole and "\n+  user: " in shown
    anna.approve(request["id"])
    status, said, _ = asking.done()
    assert status == 200 and value not in json.dumps(said)
    assert kube.get(f"/api/v1/namespaces/{SPACE}/secrets/login")["data"] == {"password": value, "user": value}


def test_it_all_is_in_the_recording(kube, held, anna):
    config_map(kube, "written")
    agent = held.client("local/agent-7", principals=["agent"])
    with agent.forward("prod", 443) as own:
        asking = Asking(own, "DELETE", f"{MAPS}/written")
        anna.approve(anna.open(f"{MAPS}/written")["id"])
        assert asking.done()[0] == 200
    def found():
        lines = [json.loads(line) for line in agent.must("sessions", "--json", "--grep", "written").splitlines()]
        return lines and lines[-1]
    session = wait_until(found, "the recording is sealed", 20)
    events = [json.loads(line) for line in agent.must("replay", session["id"], "--events").splitlines()]
    kinds = [event["event"] for event in events]
    states = [event["state"] for event in events if event["event"] == "approval"]
    assert states[0] == "open" and states[-1] == "consumed"
    assert next(one for one in events if one["event"] == "request")["verdict"] == "approve"
    assert kinds.index("request") < kinds.index("approval") < kinds.index("output")


def test_a_wait_ends_with_the_connection_to_the_bastion(kube, held, anna):
    config_map(kube, "four")
    with http_to(held.client("local/agent-7", principals=["agent"])) as link:
        link.link.request("DELETE", f"{MAPS}/four")
        request = anna.open(f"{MAPS}/four")
    wait_until(lambda: anna.state(request["id"]) == "withdrawn", "it is withdrawn", 20)
    assert kube.request("GET", f"{MAPS}/four")[0] == 200


def test_kubectl_at_the_bastion_says_what_it_waits_for(kube, held, anna):
    config_map(kube, "tool")
    with held.client("local/agent-7", principals=["agent"]).running("kubectl", "prod", "-n", SPACE, "delete", "configmap", "tool") as process:
        request = anna.open(f"{MAPS}/tool")
        line = process.stderr.readline().decode()
        assert line.startswith(f"gatehouse: waiting for approval {request['id']} by dba (rule \"changes\"), up to 10m"), line
        anna.approve(request["id"])
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and 'configmap "tool" deleted' in out.decode(), (out, err)
    assert f"approved: request {request['id']}" in err.decode()
    assert kube.request("GET", f"{MAPS}/tool")[0] == 404
