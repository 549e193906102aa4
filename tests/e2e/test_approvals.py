"""The operators' side of approvals: `ssh bastion approvals`, `approve`, `deny`, `revoke-grant`."""
import json
import subprocess

import pytest


@pytest.mark.asan
@pytest.mark.parametrize("words", [["approve"], ["approve", "A7K2MQ", "--for", "ever"], ["deny", "A7K2MQ", "--for", "3m"],
                                   ["approvals", "--what"], ["revoke-grant"]])
def test_what_is_not_understood_is_told(bastion, ops, words):
    done = ops.ssh(*words)
    assert done.returncode == 64
    assert done.stderr.startswith("gatehouse: usage: ") and "gatehouse: next: `help` lists the commands" in done.stderr


@pytest.mark.asan
@pytest.mark.parametrize("word", ["approve", "deny", "revoke-grant"])
@pytest.mark.parametrize("request_", ["A7K2MQ", "a7k2mq", "nonsense-of-any-length", "'é\x1b[31m'"])
def test_what_is_not_there_is_not_decided(bastion, ops, word, request_):
    done = ops.ssh(word, request_)
    assert done.returncode == 77
    assert done.stderr.startswith("gatehouse: denied: there is no such ")
    assert "gatehouse: next: `approvals" in done.stderr


def test_nothing_waits(bastion, ops):
    assert ops.must("approvals").splitlines() == ["ID      STATE      LEFT    IDENTITY              TARGET        RULE          WHAT"]
    assert ops.must("approvals", "--json") == ""
    assert ops.must("approvals", "--json", "--all", "--grants", "--target", "orders") == ""
    assert ops.must("approvals", "--grants").startswith("GRANT ")
    for command in ("approvals", "approve", "deny", "revoke-grant"):
        assert f"\n  {command} " in ops.must("help")


# ---- for programs

def talk(client, *lines):
    """What `ssh -s bastion approvals` answers to these lines, and to the end of them."""
    done = client.ssh("approvals", options=["-s"], input="".join(line + "\n" for line in lines))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.asan
def test_programs_are_greeted_and_answered(bastion, ops):
    hello, *answers = talk(ops, '{"id":1,"do":"ping"}', "", '{"id":"two","do":"list"}',
                           '{"id":3,"do":"show","request":"A7K2MQ"}',
                           '{"id":4,"do":"revoke-grant","request":"A7K2MQ","reason":"over"}',
                           json.dumps({"id": 5, "do": "deny", "request": "A7K2MQ", "digest": "00" * 32}))
    assert hello == {"type": "hello", "protocol": "gatehouse-approvals", "version": 1, "server": hello["server"],
                     "identity": "olga", "roles": ["ops"]}
    assert [(a["type"], a["id"], a["ok"]) for a in answers] == [
        ("answer", 1, True), ("answer", "two", True), ("answer", 3, False), ("answer", 4, False), ("answer", 5, False)]
    assert [a.get("code") for a in answers[2:]] == ["denied", "denied", "denied"]


@pytest.mark.asan
@pytest.mark.parametrize("line", ["x", "[]", '{"id":1}', '{"id":1,"do":"dance"}', '{"id":1,"do":"approve"}', '{"id":[1],"do":"ping"}',
                                  '{"id":1,"do":"approve","request":"A7K2MQ"}', '{"id":1,"do":"ping","x":1}', '{"id":1,"do":"ping","for":"1h"}',
                                  '{"id":1,"do":"deny","request":"A7K2MQ","digest":"' + "00" * 32 + '","for":"1h"}'])
def test_a_line_that_means_nothing_is_answered_so(bastion, ops, line):
    _, answer, pong = talk(ops, line, '{"id":2,"do":"ping"}')
    assert answer["ok"] is False and answer["code"] == "malformed" and answer["error"]
    assert pong["ok"] is True and pong["id"] == 2


def test_a_line_without_an_end_is_refused(bastion, ops):
    done = ops.ssh("approvals", options=["-s"], input="x" * 40000)
    assert done.returncode == 77 and "gatehouse: refused: a line is longer than 28 KiB (code limit)" in done.stderr


def test_the_last_line_needs_no_end(bastion, ops):
    done = ops.ssh("approvals", options=["-s"], input='{"id":1,"do":"ping"}')
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["hello", "answer"]


def test_commands_are_subsystems_of_the_same_words(bastion, ops):
    assert ops.ssh("approvals --grants", options=["-s"]).stdout.startswith("GRANT ")
    assert ops.ssh("targets", options=["-s"]).stdout == ops.must("targets")
    assert ops.ssh("approve A7K2MQ", options=["-s"]).returncode == 77


def test_following_goes_on_until_the_client_leaves(bastion, ops):
    with ops.running("approvals", "--json", "--follow") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
    bastion.wait_idle()
