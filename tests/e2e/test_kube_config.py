"""Clusters in the configuration: what agents are told of them, and who asks for them wrongly."""
import json

import pytest

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n"
TARGET = {"name": "prod", "kind": "kubernetes", "address": "https://127.0.0.1:1", "credential": "prod-token", "tls_ca": "ca.crt",
          "impersonate": True, "show_secrets": ["ops"]}
RULES = [
    {"name": "no-host", "targets": ["*"], "action": "deny", "reason": "no pods on the host's network",
     "match": {"verbs": ["create", "update", "patch"], "fields": {"spec.**.hostNetwork": True}}},
    {"name": "read", "roles": ["agent"], "targets": ["prod"], "action": "allow",
     "match": {"verbs": ["get", "list"], "resources": ["pods", "deployments.apps"], "namespaces": ["web"]}},
    {"name": "ops-all", "roles": ["ops"], "targets": ["*"], "action": "allow"},
]


@pytest.fixture
def cluster(new_bastion):
    bastion = new_bastion(start=False, credentials=False, targets=[TARGET], rules=RULES)
    (bastion.state / "ca.crt").write_text(CERTIFICATE)
    return bastion.start()


def test_describe_tells_of_a_cluster(cluster):
    agent, ops = cluster.client("agent-7", principals=["agent"]), cluster.client("olga", principals=["ops"])
    prod = json.loads(agent.must("describe", "--json"))["targets"][0]
    assert (prod["kind"], prod["shows_secrets"], "database" in prod) == ("kubernetes", False, False)
    assert [rule["name"] for rule in prod["rules"]] == ["no-host", "read"]
    assert prod["rules"][0]["match"][0]["fields"] == {"spec.**.hostNetwork": ["true"]}
    assert json.loads(ops.must("describe", "--json"))["targets"][0]["shows_secrets"] is True
    text = agent.must("describe")
    assert "spec.**.hostNetwork is true" in text and "data of Secrets is masked for you" in text
    assert "127.0.0.1:1" not in text and "prod-token" not in text
    listed = json.loads(agent.must("targets", "--json"))["targets"][0]
    assert (listed["kind"], listed["database"], listed["login"]) == ("kubernetes", None, None)


def test_psql_at_a_cluster_is_refused(cluster):
    done = cluster.client("agent-7", principals=["agent"]).psql("-c", "select 1", target="prod")
    assert done.returncode == 64 and 'target "prod" is no database' in done.stderr


POD = """
apiVersion: v1
kind: Pod
metadata: { name: a, labels: { "on": "true" } }
spec:
  hostNetwork: true
  containers: [{ name: a, image: "registry.example/a:1.0", ports: [{ containerPort: 80 }] }]
"""


@pytest.mark.parametrize("way", ["yaml", "json", "stdin"])
def test_explain_takes_the_body_of_a_request(cluster, tmp_path, way):
    file = tmp_path / "body"
    file.write_text(POD if way != "json" else '{"spec": {"hostNetwork": true}}')
    done = cluster.gatehouse("policy", "explain", "-c", cluster.file, "--as", "agent", "--target", "prod",
                             "--body", "-" if way == "stdin" else file, "POST /api/v1/namespaces/web/pods",
                             **({"input": POD} if way == "stdin" else {}))
    assert done.returncode == 0, done.stderr
    assert "spec.hostNetwork=true\n" in done.stdout
    assert 'verdict: deny by rule "no-host": no pods on the host\'s network (code denied)\n' in done.stdout
    assert way == "json" or "spec.containers[*].ports[*].containerPort=80\n" in done.stdout


def test_explain_of_a_body_that_is_no_yaml_is_an_error(cluster, tmp_path):
    file = tmp_path / "body"
    for text, place in (("a: [b\n", "body:"), ("a: 1\na: 2\n", ":2:1: error: a key is given twice")):
        file.write_text(text)
        done = cluster.gatehouse("policy", "explain", "-c", cluster.file, "--as", "agent", "--target", "prod",
                                 "--body", file, "POST /api/v1/namespaces/web/pods")
        assert done.returncode == 65 and place in done.stderr and done.stdout == ""
