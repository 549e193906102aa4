"""The operators' side of approvals: `ssh bastion approvals`, `approve`, `deny`, `revoke-grant`."""
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
