"""whoami, targets, describe, help: for people and for agents."""
import json

import pytest


@pytest.mark.asan
def test_whoami_says_who_and_until_when(bastion, agent):
    text = agent.must("whoami")
    assert "agent-7" in text and "agent" in text
    whole = json.loads(agent.must("whoami", "--json"))
    assert whole["identity"] == "agent-7" and whole["roles"] == ["agent"]
    assert whole["expires"] and whole["key"].startswith("SHA256:") and whole["source_address"] == "127.0.0.1"


@pytest.mark.asan
def test_targets_lists_what_this_identity_may_reach(bastion, agent):
    assert "orders" in agent.must("targets")
    names = [target["name"] for target in json.loads(agent.must("targets", "--json"))["targets"]]
    assert names == ["orders", "bulk"]


def test_a_role_without_rules_sees_no_target(bastion):
    auditor = bastion.client("iris", principals=["auditor"])
    assert json.loads(auditor.must("targets", "--json"))["targets"] == []
    done = auditor.psql("-Atc", "select 1")
    assert done.returncode == 77
    assert "gatehouse: " in done.stderr


def test_what_may_not_be_seen_looks_like_what_is_not_there(bastion):
    auditor = bastion.client("iris", principals=["auditor"])
    hidden, missing = auditor.psql("-Atc", "select 1"), auditor.psql("-Atc", "select 1", target="nothing")
    assert hidden.stderr.replace("orders", "nothing") == missing.stderr
    assert hidden.returncode == missing.returncode


@pytest.mark.asan
def test_describe_tells_an_agent_all_it_needs(bastion, agent):
    whole = json.loads(agent.must("describe", "--json"))
    orders = next(target for target in whole["targets"] if target["name"] == "orders")
    rules = {rule["name"]: rule for rule in orders["rules"]}
    assert rules["no-drop"]["action"] == "deny" and rules["no-drop"]["reason"]
    assert rules["agent-sql"]["action"] == "allow"
    assert "ops-all" not in rules
    text = agent.must("describe")
    assert "no-drop" in text and "agent-7" in text


def test_describe_shows_no_address_no_login_secret_and_no_path(bastion, agent, postgres):
    text = agent.must("describe", "--json") + agent.must("describe") + agent.must("targets", "--json")
    assert str(postgres.port) not in text
    assert "orders-app" not in text
    assert str(bastion.directory) not in text


@pytest.mark.parametrize("words", [["help"], []])
def test_help_lists_the_commands(bastion, agent, words):
    text = agent.must(*words, options=[] if words else ["-T"])
    for command in ("whoami", "targets", "describe", "psql", "sessions", "replay"):
        assert command in text


def test_help_as_json(bastion, agent):
    names = [command["name"] for command in json.loads(agent.must("help", "--json"))["commands"]]
    assert "psql" in names and "whoami" in names


def test_json_is_one_object_per_line_and_nothing_else(bastion, agent):
    for command in ("whoami", "targets", "describe", "help"):
        lines = agent.must(command, "--json").splitlines()
        assert len(lines) == 1, command
        assert isinstance(json.loads(lines[0]), dict)


@pytest.mark.parametrize("words", [["whoami", "--yaml"], ["targets", "x"], ["psql"], ["replay"], ["sessions", "--since"],
                                   ["nonsense"], ["psql", "orders", "'unfinished"]])
def test_wrong_usage_is_status_64_and_one_clear_line(bastion, agent, words):
    done = agent.ssh(*words)
    assert done.returncode == 64, done
    assert done.stdout == "" and done.stderr.startswith("gatehouse: ")


def test_a_client_at_a_target_of_another_kind_is_refused(bastion, agent):
    done = agent.ssh("kubectl", "orders", "get", "pods")
    assert done.returncode == 64 and 'target "orders" is no cluster' in done.stderr


def test_sftp_without_a_host_is_told_where_to_go(agent):
    done = agent.ssh("sftp", options=["-s"])
    assert done.returncode == 64 and "sftp TARGET@BASTION" in done.stderr


def test_a_key_id_with_control_characters_cannot_draw_on_the_terminal(bastion):
    evil = bastion.client(name="agent\x1b[2Jred")
    assert "\x1b" not in evil.must("whoami")
    assert json.loads(evil.must("whoami", "--json"))["identity"] == "agent\x1b[2Jred"
